"""Explore, and the first screen of Compare, in every state, by Streamlit's AppTest."""

import io
import json
import re
import shutil

import numpy as np
import pytest
from app_pages import hover_maps, html, local_copy, opened, well
from app_site import write_model
from browsing import MODELS
from PIL import Image
from streamlit.testing.v1 import AppTest

from butf.dataset.frames import Frames
from butf.files import REPO
from butf.networks import zoo
from butf.networks.aggregation import Aggregation
from butf.retrieval.evaluate import evaluate

RGBD_WHY = "rgbd needs the measured side modality beside each picture; choose bu-tf, which reconstructs it"


def test_explore_shows_one_query_and_all_models(site):
    app = well(opened())
    assert app.selectbox(key="condition").value == "overcast"
    page = html(app)
    assert [page.count(f'aria-label="Candidates of {name}"') for name in MODELS] == [1, 1, 1]
    assert page.count('<li class="card') == 3 * 4  # the test database has four pictures
    assert "AbsRel" in page
    assert [alt.split(" as a map")[0].split(" in metres")[0] for alt in hover_maps(app)] == [
        "True depth", "Reconstructed", "Reconstructed minus true depth",
    ]  # fmt: skip
    assert "rank 1 by both" in page


def test_answers_agree_with_the_library(site):
    app = well(opened(query="000009", k="2"))
    frames = Frames.load(site / "data" / "tiny")
    database = frames.database("test")
    for name in MODELS:
        model = zoo.load(name)
        query = model.describe([frames.image(int(np.flatnonzero(frames.frame == "overcast/000009")[0]))])
        gaps = np.linalg.norm(model.describe(frames.image(i) for i in database) - query, axis=1)
        nearest = frames.frame[database[gaps.argsort()[:2]]]
        section = html(app).split(f'aria-label="Candidates of {name}"')[1].split("</section>")[0]
        assert [section.index(f'data-frame="{frame}"') for frame in nearest] == sorted(
            section.index(f'data-frame="{frame}"') for frame in nearest
        )
        assert section.count("data-frame=") == 2


def test_previous_next_and_random_walk_through_the_queries(site):
    app = well(opened())
    names = app.selectbox(key="query").options
    button = {button.label: button for button in app.button}
    app = well(button["Next"].click().run())
    assert app.selectbox(key="query").value.endswith(names[1])
    app = well(next(b for b in app.button if b.label == "Previous").click().run())
    app = well(next(b for b in app.button if b.label == "Previous").click().run())
    assert app.selectbox(key="query").value.endswith(names[-1])
    app = well(next(b for b in app.button if b.label == "Random").click().run())
    assert app.selectbox(key="query").value.split("/")[-1] in names


def test_another_condition_shows_the_same_place(site):
    app = well(opened(query="000010"))
    app = well(app.selectbox(key="condition").select("night").run())
    assert app.selectbox(key="query").value == "night/000010"
    assert "night/000010, a condition unseen in training" in html(app)


def test_a_closer_look_in_every_way(site):
    app = well(opened(condition="night", query="000010"))
    assert app.selectbox(key="by").value == "my-bu-tf"  # the first that reconstructs
    assert "similarity" in html(app) and any("by the side descriptor" in text.value for text in app.caption)
    app = well(app.selectbox(key="by").select("my-image-only").run())
    assert any("one descriptor only" in text.value for text in app.caption)
    app = well(app.segmented_control[0].set_value("Swipe").run())
    drawn = [json.loads(found.proto.mixed.json or found.proto.json or "{}") for found in app.get("bidi_component")]
    assert [entry["title"] for entry in drawn if "title" in entry] == ["Reconstructed by my-bu-tf", "True depth"]
    app = well(app.segmented_control[0].set_value("In 3-D").run())
    drawn = [found.key for found in app.get("plotly_chart")]
    assert drawn[-2:] == ["cloud Reconstructed by my-bu-tf", "cloud True depth"]
    app = well(app.segmented_control[0].set_value("Files").run())
    labels = [found.proto.label for found in app.get("download_button")]
    assert labels == ["Picture, PNG", "Answers, JSON", "PNG", "NPY", "PNG", "NPY"]
    assert any("metres x 256" in text.value for text in app.caption)


@pytest.mark.parametrize("aggregation", [Aggregation("netvlad", 3), Aggregation("rmac", whiten=7)])
def test_every_pooling_says_why_a_candidate_was_retrieved(site, aggregation):
    write_model(site / "runs" / "other", "bu-tf", aggregation)
    app = well(opened(models="other", look="Why"))
    page = html(app)
    assert page.count('aria-label="Candidates of other"') == 1 and "rank 1 by both" in page
    assert page.count("similarity") >= 2 and any("by the side descriptor" in text.value for text in app.caption)


def test_without_a_decoder_the_closer_looks_say_what_to_choose(site):
    for look in ("Swipe", "In 3-D"):
        app = well(opened(models=["my-image-only"], look=look))
        assert "choose bu-tf" in app.info[0].value


def test_the_picked_candidate_is_marked_and_moves_back_when_it_is_no_longer_there(site):
    app = well(opened(k="4", by="my-hallucination", rank="4"))
    assert html(app).count('aria-pressed="true"><img') == 1
    assert 'data-pick="4 my-hallucination" aria-pressed="true"' in html(app)
    app = well(app.slider(key="k").set_value(2).run())
    assert 'data-pick="1 my-hallucination" aria-pressed="true"' in html(app)
    app = well(app.multiselect(key="models").set_value(["my-image-only"]).run())
    assert 'data-pick="1 my-image-only" aria-pressed="true"' in html(app)


def test_k_and_radius_change_the_answer_without_inference(site, monkeypatch):
    app = well(opened())
    before = html(app).count('class="card right')

    def refuse(*_):
        raise AssertionError("the network was asked again")

    monkeypatch.setattr(zoo.Model, "_describe", refuse)
    app = well(app.slider(key="k").set_value(3).run())
    assert html(app).count("<li ") == 9
    app = well(app.slider(key="k").set_value(4).run())
    app = well(app.number_input(key="radius").set_value(1000.0).run())
    assert html(app).count('class="card right') == 12 > before
    app = well(app.number_input(key="radius").set_value(0.5).run())
    assert html(app).count('class="card right') == 0
    assert "the database has no true match" in html(app)


def test_filters_narrow_the_queries_or_say_that_none_is_left(site):
    app = well(opened(radius="0.5"))
    choices = app.selectbox(key="show").options
    assert choices == [
        "All queries", *(f"{name} is wrong" for name in MODELS), "my-bu-tf beats my-image-only",
    ]  # fmt: skip
    for choice in ("wrong:my-bu-tf", "gain:my-bu-tf:my-image-only"):
        app = well(app.selectbox(key="show").set_value(choice).run())
        assert "leaves no query" in app.info[0].value
    app = well(app.selectbox(key="show").set_value("all").run())
    assert not app.info


def test_without_models_the_query_is_still_shown(site):
    app = well(opened(models=[]))
    app = well(app.multiselect(key="models").set_value([]).run())
    assert "Choose at least one model" in app.info[0].value
    assert "overcast/000008" in html(app)


def test_without_trained_models_the_shelf_is_offered(site):
    shutil.rmtree(site / "runs")
    app = well(opened(models=[]))
    assert app.multiselect(key="models").value == ["off-the-shelf"]
    assert "Candidates of off-the-shelf" in html(app)


@pytest.mark.parametrize("page", ["explore", "compare"])
def test_without_data_the_page_says_what_to_do(site, page):
    shutil.rmtree(site / "data")
    app = well(opened(page))
    assert "python -m butf town" in app.info[0].value


@pytest.mark.parametrize("page", ["explore", "compare"])
def test_broken_data_is_told_in_one_sentence(site, page):
    table = site / "data" / "tiny" / "frames.csv"
    table.write_text(table.read_text().replace("test", "tset", 1))
    app = opened(page)
    assert not app.exception
    assert "frames.csv" in app.error[0].value
    assert "tset" in app.error[0].value


def test_a_broken_model_is_told_and_the_others_go_on(site):
    (site / "runs" / "my-bu-tf" / "model.safetensors").write_bytes(b"no weights")
    app = opened()
    assert not app.exception
    assert "my-bu-tf" in app.error[0].value
    assert "Candidates of my-image-only" in html(app)


def test_a_missing_picture_is_told_in_one_sentence(site):
    picture = site / "data" / "tiny" / "overcast" / "rgb" / "000008.jpg"
    picture.write_bytes(picture.read_bytes()[:200])
    app = opened()
    assert not app.exception
    assert "000008.jpg" in app.error[0].value


@pytest.mark.parametrize("look", ["Why", "Swipe", "Files"])
def test_a_broken_side_map_is_told_once(site, look):
    depth = site / "data" / "tiny" / "overcast" / "depth" / "000008.png"
    depth.write_bytes(b"no picture")
    app = opened(look=look)
    assert not app.exception
    assert ["000008.png" in error.value for error in app.error] == [True]
    assert "Candidates of my-bu-tf" in html(app)


def test_a_run_that_is_deleted_leaves_the_choice(site):
    app = well(opened())
    shutil.rmtree(site / "runs" / "my-hallucination")
    app = well(app.run())
    assert app.multiselect(key="models").value == ["my-image-only", "my-bu-tf"]


def test_data_without_places_on_the_globe_gets_a_plan(site):
    local_copy(site / "data" / "tiny", drop=("lat", "lon"))
    app = well(opened())
    assert len(app.get("plotly_chart")) == 1, "the plan"
    assert not [t for t in app.toggle if t.key == "tiles"]


def test_data_without_depth_shows_what_there_is(site):
    tiny = site / "data" / "tiny"
    for folder in tiny.glob("*/depth"):
        shutil.rmtree(folder)
    app = well(opened())
    assert "Reconstructed" in html(app)
    assert "True depth" not in html(app)
    assert "AbsRel" not in html(app)


def test_what_streamlit_lost_of_the_choice_is_given_back(site):
    """As when pages are left in a hurry: neither the session nor the address knows it any more."""
    app = AppTest.from_file(str(REPO / "app.py"), default_timeout=180)
    for key, value in {"data": "tiny", "models": [MODELS[2]], "radius": 7.0}.items():
        app.session_state[f"{key}-shown"] = value
    app = well(app.run())
    assert app.selectbox(key="data").value == "tiny"
    assert app.multiselect(key="models").value == [MODELS[2]]
    assert app.number_input(key="radius").value == 7.0


def test_the_radius_follows_the_data_set(site):
    shutil.copytree(site / "data" / "tiny", site / "data" / "room")
    manifest = site / "data" / "room" / "dataset.json"
    room = {"name": "room", "place": {"radius_m": 0.25, "angle_deg": 20}}
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | room))
    app = well(opened(data="tiny", condition="night"))
    assert app.number_input(key="radius").value == 25
    app = well(app.selectbox(key="data").select("room").run())
    assert app.number_input(key="radius").value == 0.25
    assert app.selectbox(key="condition").value == "overcast"


def huge() -> bytes:
    """A picture of 100 megapixels in a few kilobytes."""
    stream = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(stream, "PNG")
    return stream.getvalue()


def photo(size: tuple[int, int] = (320, 240)) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def test_ones_own_photo_is_answered_without_judgement(site):
    app = well(opened())
    app = well(app.file_uploader(key="photo-0").set_value(("mine.jpg", photo(), "image/jpeg")).run())
    page = html(app)
    assert "Your photo" in page
    assert "mine.jpg" in page
    assert page.count('<li class="card unknown') == 12
    assert "nearest places to your photo" in page
    assert "Reconstructed" in page


def test_a_model_that_needs_depth_answers_queries_and_leaves_photos_to_the_others(site):
    write_model(site / "runs" / "upper", "rgbd")
    app = opened(models=["upper", "my-bu-tf"], by="upper")
    assert [error.value for error in app.error] == [RGBD_WHY], "where it looks is not known, and all else is there"
    assert "Candidates of upper" in html(app) and "AbsRel" in html(app)
    app = well(app.file_uploader(key="photo-0").set_value(("mine.jpg", photo(), "image/jpeg")).run())
    assert "upper: needs the measured side modality" in app.info[0].value
    assert "Candidates of upper" not in html(app) and "Candidates of my-bu-tf" in html(app)


def test_another_query_puts_ones_own_photo_away(site):
    app = well(opened())
    app = well(app.file_uploader(key="photo-0").set_value(("mine.jpg", photo(), "image/jpeg")).run())
    app = well(next(b for b in app.button if b.label == "Next").click().run())
    assert "Your photo" not in html(app)
    assert "overcast/000009" in html(app)
    app = well(app.file_uploader(key="photo-1").set_value(("mine.jpg", photo(), "image/jpeg")).run())
    app = well(app.selectbox(key="condition").select("night").run())
    assert "night/000009" in html(app)


@pytest.mark.parametrize("content", [b"no picture", photo()[:500], huge()])
def test_an_upload_that_is_no_picture_is_told_and_the_page_goes_on(site, content):
    app = opened()
    app = app.file_uploader(key="photo-0").set_value(("mine.jpg", content, "image/jpeg")).run()
    assert not app.exception
    assert "mine.jpg" in app.error[0].value
    assert "overcast/000008" in html(app)


def test_compare_measures_in_place_and_agrees_with_evaluate(site):
    app = well(opened("compare"))
    page = html(app)
    for entry in evaluate(Frames.load(site / "data" / "tiny"), "test", [zoo.load(name) for name in MODELS])["models"]:
        assert f"{entry['parameters']:,}" in page
        assert f"{entry['size_ratio']:.2f}x" in page
    assert page.count('<th scope="row">') == 6  # three models in the talk's table, three in that of recall@1
    assert app.get("plotly_chart") == []
    assert page.count('<g class="bar">') == 6 and page.count('class="plot sizes"') == 1
    assert drawn_as_curves(page) == ["recall@N"] * 2  # of two conditions


def test_compare_reads_the_shipped_evaluation_where_it_fits(site):
    evaluation = evaluate(Frames.load(site / "data" / "tiny"), "test", [zoo.load(name) for name in MODELS])
    for pair in evaluation["paired"]:
        pair |= {"gain": 0.07, "p": 0.001, "p_blocks": 0.002}
    shipped = site.parent / "no-assets" / "results"
    shipped.mkdir(parents=True)
    (shipped / "tiny-test.json").write_text(json.dumps(evaluation))
    app = well(opened("compare"))
    assert "+7.0 points" in html(app)
    app = well(app.number_input(key="radius").set_value(50.0).run())
    assert "+7.0 points" not in html(app)


def test_compare_says_that_a_shipped_evaluation_is_broken(site):
    shipped = site.parent / "no-assets" / "results"
    shipped.mkdir(parents=True)
    (shipped / "tiny-test.json").write_text('{"models": [{}]}')
    app = opened("compare")
    assert not app.exception
    assert "tiny-test.json" in app.error[0].value


def test_recall_at_distance_is_a_click_away(site):
    app = well(opened("compare"))
    app = well(app.button_group(key="curves").set_value("recall@D").run())
    assert drawn_as_curves(html(app)) == ["recall@D"] * 2


def drawn_as_curves(page: str) -> list[str]:
    return re.findall(r'aria-label="(recall@[ND]) of each model', page)
