"""Home in every state, and that its example and its scores are the library's own."""

import numpy as np
from app_pages import html, opened, well
from browsing import MODELS

from butf import browse
from butf.dataset.frames import Frames
from butf.networks import zoo
from butf.retrieval.explore import split_search


def test_home_answers_a_query_and_links_to_every_page(site):
    app = well(opened("home"))
    page = html(app)
    assert "Find the place" in page and page.count('<section class="step') == 3
    assert [page.count(f"First candidate of {name}") for name in MODELS] == [1, 1, 1]
    links = [found.proto.page for found in app.get("page_link")]
    for name in ("explore", "compare", "learn", "train", "data"):
        assert any(link.endswith(name) for link in links), name


def test_another_query_is_drawn_and_kept(site):
    app = well(opened("home"))
    button = next(found for found in app.button if found.label == "Another query")
    app = well(button.click().run())
    queries = np.concatenate(list(Frames.load(site / "data" / "tiny").queries("test").values()))
    drawn = app.session_state["example"]
    assert drawn in queries
    assert well(app.run()).session_state["example"] == drawn
    assert not any("Shown first" in text.value for text in app.caption)
    frame = Frames.load(site / "data" / "tiny").frame[drawn]
    assert str(frame) in html(app)


def test_home_without_models_and_without_data(site, monkeypatch):
    app = well(opened("home"))
    app = well(app.multiselect(key="models").set_value([]).run())
    assert "Choose at least one model" in app.info[0].value
    monkeypatch.setenv("BUTF_DATA", str(site / "nothing"))
    app = well(opened("home"))
    assert "Make one with" in app.info[0].value


def test_the_first_query_is_one_that_tells_the_models_apart(site):
    frames = Frames.load(site / "data" / "tiny")
    searches = [split_search(frames, "test", zoo.load(name)) for name in MODELS]
    rule = type(frames.place)(25.0)
    right = {
        search.model_name: {int(q): search.result(int(q), 1, rule).candidates[0].correct for q in search.queries}
        for search in searches
    }
    telling = [q for q in right["my-bu-tf"] if right["my-bu-tf"][q] and not all(right[name][q] for name in MODELS)]
    expected = telling[-1] if telling else int(searches[0].queries[0])
    assert browse.telling_query(searches, rule, "my-bu-tf") == expected
    query = int(frames.queries("test")["night"][2])
    assert browse.explore_address(frames, query) == {"condition": "night", "query": "000010"}
