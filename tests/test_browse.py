"""What pages ask of the library: shelves, filters, the nearest query, and views of data with parts missing."""

import dataclasses
import threading
import time

import numpy as np
import pytest
from app_site import make_site

from butf import browse, views
from butf.dataset.frames import PlaceRule
from butf.errors import BadInput
from butf.figures.marks import Mark
from butf.networks import zoo
from butf.retrieval.explore import Candidate, QueryResult, split_search
from butf.shelf import Shelf


def test_a_shelf_makes_each_thing_once_even_for_many_threads():
    shelf, made = Shelf(4), []

    def make():
        time.sleep(0.02)
        made.append(1)
        return "thing"

    threads = [threading.Thread(target=lambda: shelf.get("key", make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert shelf.get("key", make) == "thing"


def test_a_shelf_keeps_what_was_used_last():
    shelf = Shelf(2)
    for key in ("a", "b", "a", "c"):
        shelf.get(key, lambda key=key: key.upper())
    assert [shelf.peek(key) for key in "abc"] == ["A", None, "C"]


def test_a_shelf_forgets_failures():
    shelf = Shelf(2)

    def fail():
        raise BadInput("no")

    with pytest.raises(BadInput):
        shelf.get("key", fail)
    assert shelf.get("key", lambda: 3) == 3


def test_the_test_split_is_asked_first(tiny_frames):
    assert browse.asked_split(tiny_frames) == "test"
    assert browse.asked_split(tiny_frames.take(np.flatnonzero(tiny_frames.split != "test"))) == "val"


def test_without_queries_the_data_set_is_named(tiny_frames):
    with pytest.raises(BadInput, match="no queries"):
        browse.asked_split(tiny_frames.take(np.flatnonzero(tiny_frames.traversal == "reference")))


def test_the_nearest_query_of_another_condition_is_the_same_place(tiny_frames):
    for place in (8, 11):
        assert browse.nearest_query(tiny_frames, "test", "night", f"overcast/{place:06d}") == f"night/{place:06d}"
    assert browse.nearest_query(tiny_frames, "test", "night", None) == "night/000008"


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> list[zoo.Model]:
    root = tmp_path_factory.mktemp("site")
    make_site(root)
    return [zoo.load(str(root / "runs" / f"my-{method}")) for method in ("image-only", "bu-tf")]


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BUTF_CACHE", str(tmp_path / "cache"))


def test_filters_agree_with_a_plain_loop(tiny_frames, models, own_cache):
    searches = [split_search(tiny_frames, "test", model) for model in models]
    rule, queries = PlaceRule(15.0), tiny_frames.queries("test")["night"]
    for search in searches:
        wrong = [
            q
            for q in queries
            if search.result(q, 1, rule).matched and not search.result(q, 1, rule).candidates[0].correct
        ]
        assert browse.narrowed(searches, queries, f"wrong:{search.model_name}", rule).tolist() == wrong
    assert browse.narrowed(searches, queries, "all", rule).tolist() == queries.tolist()
    ranks = {s.model_name: {q: s.result(q, 4, rule).first_correct for q in queries} for s in searches}
    better = {q for q in queries if ranks["my-bu-tf"][q] < ranks["my-image-only"][q]}
    assert set(browse.narrowed(searches, queries, "gain:my-bu-tf:my-image-only", rule).tolist()) == better


def test_ones_own_photo_finds_the_picture_it_is_a_copy_of(tiny_frames, models, own_cache):
    searches = [split_search(tiny_frames, "test", model) for model in models]
    frame = int(tiny_frames.database("test")[2])
    asked = browse.Asked(None, tiny_frames.image(frame), "copy.jpg", "1")
    for result in browse.answers(asked, models, searches, 3, PlaceRule()):
        assert result.candidates[0].frame == frame
        assert result.candidates[0].distance == pytest.approx(0, abs=1e-3)


def test_panels_leave_out_what_is_missing(tiny_frames, models):
    def titles(name: str, of: list[zoo.Model]) -> list[str]:
        asked = browse.asked_frame(tiny_frames, int(np.flatnonzero(tiny_frames.frame == name)[0]))
        return [panel.key for panel in views.side_panels(tiny_frames, views.side_view(tiny_frames, asked, of))]

    assert titles("overcast/000008", models) == ["true", "predicted", "error"]
    assert titles("overcast/000008", models[:1]) == ["true"]
    assert titles("night/000011", models) == ["predicted"]  # the frame without depth
    assert titles("night/000011", models[:1]) == []


def test_a_map_that_was_filled_between_samples_is_not_called_true(tiny_frames, models):
    i = int(np.flatnonzero(tiny_frames.frame == "overcast/000008")[0])
    filled = dataclasses.replace(tiny_frames, modalities={"depth": {"filled_from": "points"}})
    for frames, title in ((tiny_frames, "True depth"), (filled, "Depth by lidar")):
        view = views.side_view(frames, browse.asked_frame(frames, i), models)
        assert views.side_panels(frames, view)[0].title == title
        assert title in [name for name, _ in view.named_maps]


def test_marks_stand_where_the_frames_are(tiny_frames):
    result = QueryResult("bu-tf", 0, True, 1, (Candidate(1, 3, 0.1, 5.0, True),))
    assert views.marks(tiny_frames, [result]) == [
        Mark("bu-tf", str(tiny_frames.frame[3]), tiny_frames.lon[3], tiny_frames.lat[3], 1, 5.0, True)
    ]


@pytest.mark.parametrize(
    ("matched", "first", "words"),
    [
        (None, None, "nearest places to your photo"),
        (False, None, "the database has no true match"),
        (True, 1, "right at once"),
        (True, 7, "first right one at rank 7"),
        (True, None, "no right one found"),
    ],
)
def test_verdicts(matched, first, words):
    assert views.verdict(QueryResult("bu-tf", 0, matched, first, ())) == words
