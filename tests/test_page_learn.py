"""The Learn page in every state, run by Streamlit's own AppTest without a browser."""

import json
import shutil

import pytest
from app_pages import hover_maps, html, opened, well
from streamlit.testing.v1 import AppTest

from butf.dataset.frames import Frames
from butf.networks import zoo
from butf.networks.methods import build_network, count_parameters
from butf.retrieval.explore import split_search

PICTURED = ("Localization", "NetVLAD", "Recall")
OTHERS = ("Triplets", "Training", "Diversification")


def lesson_of(name: str, **query: str) -> AppTest:
    return opened("learn", **{"models": ["my-image-only", "my-bu-tf"], "lesson": name} | query)


def said(app: AppTest) -> list[str]:
    """What the cells of the first picture say."""
    return json.loads(app.get("bidi_component")[0].proto.json)["words"]


def test_a_link_opens_its_lesson_and_a_wrong_one_the_first(site):
    assert "slope in" in html(well(lesson_of("Diversification"))).lower()
    assert "Direct" in html(well(lesson_of("Astrology")))


def test_localization_shows_what_the_model_retrieves_and_how_far_it_is(site):
    app = well(lesson_of("Localization", condition="night", query="000010", candidates="3"))
    frames = Frames.load(site / "data" / "tiny")
    query = int((frames.frame == "night/000010").nonzero()[0][0])
    result = split_search(frames, "test", zoo.load("my-image-only")).result(query, 3)
    page = html(app)
    places = [page.index(f'data-frame="{frames.frame[candidate.frame]}"') for candidate in result.candidates]
    assert places == sorted(places) and page.count("data-frame=") == 3
    assert f"Off by {result.candidates[0].metres:.1f}"[:9] in page
    assert "tens of metres off" in page and app.get("plotly_chart") == []
    assert page.count('aria-label="Plan in metres: the true place') == 1
    assert page.count(f"<title>{result.model}: candidate") == 3
    app = well(app.selectbox(key="condition").select("overcast").run())
    assert app.selectbox(key="query").value == "overcast/000010"


def test_training_counts_parameters_and_follows_method_and_step(site):
    app = well(lesson_of("Training", method="hallucination", counted="true"))
    deployed = count_parameters(build_network("hallucination", "efficientnet-lite0", pretrained=False))
    assert f"{deployed:,}" in html(app) and "2.00x" in html(app)
    app.session_state["step"] = "3 both, imitating depth"
    assert "hallucination: 3 both, imitating depth" in html(well(app.run()))
    app.session_state["method"] = "image-only"
    assert "image-only: 1 image trunk" in html(well(app.run()))


def test_the_sliders_of_diversification_move_its_hinge(site):
    app = well(lesson_of("Diversification"))
    assert "It is not met" in html(app) and "full 0.45: hinge 0.05" in html(app) and app.get("plotly_chart") == []
    app = well(app.slider(key="full").set_value(0.2).run())
    assert "It is met" in html(app) and "<b>0.00</b>" in html(app) and "full 0.20: hinge 0.00" in html(app)
    app = well(app.slider(key="main").set_value(0.05).run())
    assert "cannot be met" in html(app)


def test_netvlad_takes_words_sharpness_and_one_word(site):
    app = well(lesson_of("NetVLAD", words="3"))
    assert "3 × 112 numbers" in html(app) and html(app).count("‖V(k)‖") == 3
    assert hover_maps(app)[0].endswith("with each cell in the colour of its visual word")
    assert hover_maps(app)[1:] == ["The matrix V, a row a word"] and app.get("plotly_chart") == []
    app = well(app.select_slider(key="alpha").set_value("∞ (VLAD)").run())
    assert "100% sure on average" in html(app) and {share.split(": ")[1] for share in said(app)} == {"1.00"}
    app.session_state["word"] = "3"
    app = well(app.run())
    assert {share.split(": ")[0] for share in said(app)} == {"word 3"} and html(app).count('"pale"') == 2
    app = well(app.slider(key="words").set_value(2).run())  # there is no third word any more
    assert app.session_state["word"] == "all words"


def test_the_words_are_learnt_once(site, monkeypatch):
    app = well(lesson_of("NetVLAD", words="3"))
    monkeypatch.setattr("butf.teaching.words.database_features", lambda *_: pytest.fail("learnt again"))
    monkeypatch.setattr("butf.teaching.words.visual_words", lambda *_: pytest.fail("learnt again"))
    app = well(app.select_slider(key="alpha").set_value("50").run())
    app = well(app.selectbox(key="query").set_value("overcast/000009").run())
    assert "3 × 112 numbers" in html(app)


def test_recall_answers_for_one_query_and_for_all(site):
    app = well(lesson_of("Recall", n="20", query="000009"))
    assert "All 4 queries: overcast" in html(app) and "<b>Yes</b>" in html(app)
    app = well(app.number_input(key="radius").set_value(0.5).run())
    assert "it is not counted" in html(app)
    assert "widen the radius" in app.info[0].value


@pytest.mark.parametrize("lesson", [*PICTURED, *OTHERS])
def test_without_data_the_lessons_say_what_to_do_or_go_on(site, lesson):
    shutil.rmtree(site / "data")
    app = well(lesson_of(lesson))
    told = [info.value for info in app.info]
    assert ("python -m butf town" in told[0]) if lesson in PICTURED else told == []


def test_without_chosen_models_the_floor_answers(site):
    app = well(lesson_of("Recall"))
    app = well(app.multiselect(key="models").set_value([]).run())
    assert app.selectbox(key="by").value == "off-the-shelf"
    assert "All 4 queries" in html(app)


def test_a_broken_model_is_told_in_one_sentence(site):
    (site / "runs" / "my-image-only" / "model.safetensors").write_bytes(b"no weights")
    app = lesson_of("Localization")
    assert not app.exception
    assert "my-image-only" in app.error[0].value


@pytest.mark.parametrize(("lesson", "told"), [("Recall", True), ("Triplets", False)])
def test_broken_data_stops_only_the_lessons_that_need_it(site, lesson, told):
    table = site / "data" / "tiny" / "frames.csv"
    table.write_text(table.read_text().replace("test", "tset", 1))
    app = lesson_of(lesson)
    assert not app.exception
    assert any("frames.csv" in error.value for error in app.error) == told
