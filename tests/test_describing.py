"""Splits that are too large to be waited for: what is described already, describing in a thread, and the pages."""

from pathlib import Path

import numpy as np
import pytest
from app_pages import button, html, opened, well
from app_site import write_model
from browsing import MODELS

from butf import describing
from butf.dataset.frames import Frames
from butf.describing import Describing
from butf.errors import BadInput
from butf.networks import zoo
from butf.retrieval.bank import bank, kept
from butf.retrieval.explore import split_search
from pages import naming
from pages.describing import _shelf


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None) -> zoo.Model:
    monkeypatch.setenv("BUTF_CACHE", str(tmp_path / "cache"))
    write_model(tmp_path / "mine", "image-only")
    return zoo.load(str(tmp_path / "mine"))


def test_nothing_is_described_unasked_and_then_all_of_it_once(tiny_frames: Frames, model: zoo.Model) -> None:
    work = Describing(tiny_frames, "test", model)
    work.wait(60)
    assert (work.missing, work.ready, work.busy, work.failed) == (12, False, False, False)
    with pytest.raises(RuntimeError, match="12 pictures are not described"):
        work.result()
    work.start()
    search = work.result()
    assert work.ready and work.done == work.total == 12 and work.seconds_left == 0
    later = Describing(tiny_frames, "test", model)
    assert later.result().result(20) == search.result(20) and later.done == 0  # found, not described again


def test_what_goes_wrong_is_raised_to_who_asks_and_can_be_tried_again(tiny_frames: Frames, model: zoo.Model) -> None:
    broken = tiny_frames.image_path(8)
    whole = broken.read_bytes()
    broken.write_bytes(whole[:300])
    work = Describing(tiny_frames, "test", model)
    work.wait(60)
    work.start()
    with pytest.raises(BadInput, match=broken.name):
        work.result()
    assert work.failed and not work.ready
    broken.write_bytes(whole)
    work.start()
    assert len(work.result().queries) == 8


def test_the_described_are_counted_by_traversal_and_by_content(tiny_frames: Frames, model: zoo.Model) -> None:
    rows = tiny_frames.where(split="test")
    bank(tiny_frames, tiny_frames.where(split="test", traversal="night"), model)
    assert kept(tiny_frames, rows, model) == (None, 8)
    shuffled = np.random.default_rng(0).permutation(rows)
    descriptors = bank(tiny_frames, shuffled, model)
    bank(tiny_frames, rows, model)
    found, missing = kept(tiny_frames, rows, model)
    assert missing == 0 and found is not None
    assert np.array_equal(found, descriptors[np.argsort(shuffled)])
    path = tiny_frames.image_path(int(rows[0]))
    path.write_bytes(path.read_bytes() + b"\0")
    assert kept(tiny_frames, rows, model) == (None, 4)


def test_one_query_alone_is_ranked_as_among_all(tiny_frames: Frames, model: zoo.Model) -> None:
    alone, among = (split_search(tiny_frames, "test", model) for _ in range(2))
    assert among.retrieval.ids.shape == (8, 4) and "retrieval" not in vars(alone)
    for query in alone.queries.tolist():
        one, other = alone.result(query, 4), among.result(query, 4)
        assert [c.frame for c in one.candidates] == [c.frame for c in other.candidates]
        assert (one.matched, one.first_correct) == (other.matched, other.first_correct)
        np.testing.assert_allclose(
            [c.distance for c in one.candidates], [c.distance for c in other.candidates], atol=1e-5
        )


def test_explore_opens_a_large_split_and_offers_to_describe_it(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describing, "LARGE", 3)
    app = opened(models=[MODELS[0]])
    works = list(_shelf()._items.values())
    assert len(works) == 1
    works[0].wait(60)
    app = well(app.run())
    assert "12 of the 12 pictures of this split are not described" in " ".join(text.value for text in app.markdown)
    command = f"python -m butf evaluate --data {site}/data/tiny --split test --models {MODELS[0]} --no-side"
    assert [code.value for code in app.code] == [command]
    assert "True depth" in html(app) and "data-pick" not in html(app)
    assert app.selectbox(key="show").options == ["All queries"]
    app = button(app, "Describe them here").click().run()
    works[0].result()
    app = well(app.run())
    assert html(app).count('<li class="card') == 4 and not app.code
    assert len(app.selectbox(key="show").options) == 2


def test_a_demo_describes_nothing_at_a_visitors_wish(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describing, "LARGE", 3)
    monkeypatch.setenv("BUTF_NO_TRAINING", "1")
    app = opened("home", models=[MODELS[0]])
    [work] = _shelf()._items.values()
    work.wait(60)
    app = well(app.run())
    assert button(app, "Look again") is not None and button(app, "Describe them here") is None and len(app.code) == 1


def test_among_many_queries_one_is_typed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "MANY", 2)
    app = well(opened(models=[MODELS[0]], query="000010"))
    assert app.text_input(key="query").value == "000010" and "overcast/000010" in html(app)
    app = well(app.selectbox(key="condition").select("night").run())
    assert "night/000010" in html(app)
    app = well(app.text_input(key="query").set_value("11").run())
    assert "night/000011" in html(app)
    app = well(button(app, "Next").click().run())
    assert "night/000008" in html(app)


def test_a_typed_name_means_the_frame_that_has_it_or_begins_or_ends_so() -> None:
    names = ["a/00012", "a/00120", "a/01200"]
    typed = {"00120": 1, "a/01200": 2, "012": 2, "20": 1, "b/00120": 1, "": 0, "x": 0, None: 0}
    assert {word: names.index(naming.meant(word, names)) for word in typed} == typed
