"""The sections of Compare in every state, run by Streamlit's own AppTest without a browser."""

import json
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from app_pages import html, well
from app_site import write_model
from browsing import MODELS
from conftest import edit_json
from streamlit.testing.v1 import AppTest

from butf import files, projection
from butf.dataset.frames import Frames
from butf.networks import zoo
from butf.retrieval.explore import split_search
from butf.retrieval.pairs import by_condition


def section(name: str, **query: str | list[str]) -> AppTest:
    """Compare at a section, opened by its own address: no other page is run before."""
    app = AppTest.from_file(str(files.REPO / "app.py"), default_timeout=180)
    for key, value in {"data": "tiny", "models": MODELS, "section": name, **query}.items():
        app.query_params[key] = value
    return app.switch_page("pages/compare.py").run()


def walked(app: AppTest, name: str) -> AppTest:
    return app.button_group(key="section").set_value(name).run()


@pytest.fixture
def mistaken(site) -> Path:
    """The site with pictures of two pairs of places exchanged: whoever retrieves by them is wrong, by 20 and 60 m."""
    folder = site / "data" / "tiny" / "overcast" / "rgb"
    for one, other in ((8, 11), (9, 10)):
        first, second = (folder / f"{number:06d}.jpg" for number in (one, other))
        content = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(content)
    return site


def searches(site, *names: str):
    frames = Frames.load(site / "data" / "tiny")
    return [split_search(frames, "test", zoo.load(name)) for name in names]


def test_pairs_says_in_words_what_a_plain_count_gives(site):
    app = well(section("Pairs"))
    assert [app.selectbox(key=key).value for key in ("model", "against")] == ["my-bu-tf", "my-image-only"]
    page = html(app)
    a, b = searches(site, "my-bu-tf", "my-image-only")
    right = [search.retrieval.metres[:, 0] <= 25 for search in (a, b)]
    won, lost = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    queries = "1 query" if won == 1 else f"{won} queries"
    assert f"my-bu-tf is right on {queries} where my-image-only is wrong, and wrong on {lost} where it is right" in page
    assert [condition in page for condition in ("overcast", "night")] == [True, True]
    assert "my-bu-tf against my-image-only" in page
    assert page.count('aria-label="Queries that only my-image-only or only my-bu-tf gets right, by condition"') == 1
    assert page.count('aria-label="Gain in recall@1 of each model over my-image-only, by condition"') == 1
    assert page.count("<title>overcast: my-bu-tf is right on") == 1 and app.get("plotly_chart") == []


def test_another_pair_may_be_chosen_and_is_never_a_model_against_itself(site):
    app = well(section("Pairs"))
    app = well(app.selectbox(key="model").set_value("my-image-only").run())
    assert "my-image-only" not in app.selectbox(key="against").options
    app = well(app.selectbox(key="against").set_value("my-hallucination").run())
    assert "my-image-only is right on" in html(app) and "where my-hallucination is wrong" in html(app)


def test_one_model_alone_is_told_to_find_a_second(site):
    app = well(section("Pairs", models=["my-bu-tf"]))
    assert "second model" in app.info[0].value
    app = well(walked(app, "Failures"))
    assert [box.key for box in app.selectbox if box.key in ("against", "where")] == []


def test_an_evaluation_without_counts_still_shows(site):
    from butf.retrieval.evaluate import evaluate

    models = [zoo.load(name) for name in MODELS]
    evaluation = evaluate(Frames.load(site / "data" / "tiny"), "test", models, side=False)
    for pair in evaluation["paired"]:
        del pair["a_only"], pair["b_only"]
    shipped = site.parent / "no-assets" / "results"
    shipped.mkdir(parents=True)
    (shipped / "tiny-test.json").write_text(json.dumps(evaluation))
    app = well(section("Recall"))
    assert html(app).count('<g class="bar">') == 6 and html(app).count('class="plot sizes"') == 1
    expected = by_condition(*searches(site, "my-bu-tf", "my-image-only"), Frames.load(site / "data" / "tiny").place)
    page = html(well(walked(app, "Pairs")))
    assert all(f"and wrong on {pair.b_only} where it is right" in page for pair in expected)


def captions(app) -> str:
    return " ".join(caption.value for caption in app.caption)


def cards(app) -> list[str]:
    return re.findall(r"<li class=\"failure\">.*?</li>", html(app), re.S)


def test_failures_are_listed_farthest_first_with_a_link_to_explore(mistaken):
    (search,) = searches(mistaken, "my-bu-tf")
    metres, names = search.retrieval.metres[:, 0], search.frames.frame[search.queries]
    wrong = sorted(np.flatnonzero(metres > 2.5), key=lambda row: -metres[row])
    app = well(section("Failures", radius="2.5"))
    assert len(wrong) > 1
    assert [re.search(r"Query ([^\"]+)", card)[1] for card in cards(app)] == [names[row] for row in wrong]
    condition, query = names[wrong[0]].split("/")
    assert f"condition={condition}&amp;query={query}" in cards(app)[0]
    assert 'href="explore?data=tiny&amp;models=my-image-only' in cards(app)[0]


def test_failures_are_narrowed_by_condition_other_model_and_distance(mistaken):
    app = well(section("Failures", radius="2.5"))
    every = len(cards(app))
    counts = []
    for relation in ("wrong", "right"):
        app = well(app.selectbox(key="where").set_value(relation).run())
        counts.append(len(cards(app)))
    assert sum(counts) == every
    app = well(app.selectbox(key="where").set_value("any").run())
    app = well(app.selectbox(key="under").set_value("night").run())
    assert all("Query night/" in card for card in cards(app))
    app = well(app.number_input(key="beyond").set_value(5000.0).run())
    assert cards(app) == [] and "filters" in app.info[0].value


def test_the_page_moves_back_where_a_filter_leaves_fewer(mistaken, monkeypatch):
    from pages import compare_gallery

    monkeypatch.setattr(compare_gallery, "A_PAGE", 1)
    app = well(section("Failures", radius="2.5"))
    first = cards(app)
    app = well(app.get("pagination")[0].set_value(2).run())
    assert len(first) == len(cards(app)) == 1 and cards(app) != first
    app = well(app.number_input(key="beyond").set_value(5000.0).run())
    app = well(app.number_input(key="beyond").set_value(0.0).run())
    assert cards(app) == first


def test_descriptors_are_drawn_for_both_models(site):
    app = well(section("Descriptors"))
    data = json.loads(app.get("bidi_component")[0].proto.json)
    assert [panel["model"] for panel in data["panels"]] == ["my-bu-tf", "my-image-only"]
    assert len(data["names"]) == 12 and all(len(panel["points"]) == 12 for panel in data["panels"])
    assert data["explore"].startswith("explore?data=tiny") and data["colour"] == "condition"
    assert "All 12 pictures" in captions(app)


def test_tsne_is_waited_for_beside_the_page(site, monkeypatch):
    started = []

    def slowly(table):
        started.append(len(table))
        time.sleep(1.0)
        return projection.pca(table)

    monkeypatch.setitem(projection.METHODS, "t-SNE", slowly)
    app = well(section("Descriptors", by="t-SNE"))
    assert "being computed" in app.info[0].value and not app.get("bidi_component")
    time.sleep(3.0)
    app = well(app.run())
    assert json.loads(app.get("bidi_component")[0].proto.json)["method"] == "t-SNE"
    assert started == [12, 12]  # once for each model


def test_of_too_many_pictures_some_are_drawn_and_that_is_said(site, monkeypatch):
    from pages import compare_descriptors

    monkeypatch.setattr(compare_descriptors, "MOST_SHOWN", 5)
    app = well(section("Descriptors"))
    assert len(json.loads(app.get("bidi_component")[0].proto.json)["names"]) == 5
    assert "5 of the 12 pictures" in captions(app)


def test_seeds_says_what_to_do_where_none_were_trained(site):
    app = well(section("Seeds"))
    assert "butf experiment" in app.info[0].value


def test_without_a_match_within_the_radius_every_section_goes_on(site):
    app = well(section("Recall", radius="0.01"))
    assert "enlarge it in the sidebar" in app.info[0].value
    for name in ("Pairs", "Descriptors", "Failures", "Seeds"):
        app = well(walked(app, name))
        assert app.button_group(key="section").value == name


def test_a_broken_model_is_told_and_the_others_go_on(site):
    (site / "runs" / "my-bu-tf" / "model.safetensors").write_bytes(b"no weights")
    app = section("Pairs")
    for name in ("Pairs", "Descriptors", "Failures"):
        app = walked(app, name)
        assert not app.exception
        assert "my-bu-tf" in app.error[0].value
        assert app.selectbox(key="model").value in ("my-image-only", "my-hallucination")


def test_where_no_model_can_be_loaded_the_page_says_what_to_do(site):
    (site / "runs" / "my-bu-tf" / "model.safetensors").write_bytes(b"no weights")
    app = section("Recall", models=["my-bu-tf"])
    assert not app.exception
    assert "my-bu-tf" in app.error[0].value and "at least one model" in app.info[0].value


def test_a_run_that_vanished_is_named_once_and_leaves_the_choice(site):
    app = well(section("Pairs"))
    shutil.rmtree(site / "runs" / "my-hallucination")
    app = well(app.run())
    assert "my-hallucination left the choice" in html(app)
    assert "my-bu-tf is right on" in html(app)
    app = well(app.run())
    assert app.multiselect(key="models").value == ["my-image-only", "my-bu-tf"]


def test_a_run_of_another_data_set_is_named(site):
    write_model(site / "runs" / "elsewhere", "image-only")
    edit_json(site / "runs" / "elsewhere" / "card.json", data="chess")
    text = (site / "runs" / "elsewhere" / "card.json").read_text()
    from butf.networks.weights import read_weights, save_weights

    tensors, metadata = read_weights(site / "runs" / "elsewhere" / "model.safetensors")
    save_weights(site / "runs" / "elsewhere" / "model.safetensors", tensors, metadata | {"card": text})
    app = well(section("Recall", models=["my-bu-tf", "elsewhere"]))
    assert "elsewhere on chess" in app.info[0].value
