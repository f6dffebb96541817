"""The Train page in each of its states, by Streamlit's AppTest, and one real training started from it."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from butf import files
from butf.errors import BadInput
from butf.files import REPO
from butf.locks import FileLock
from butf.networks import zoo
from butf.training import runs, turns
from butf.training.config import GROUPS, TRAINABLE, TrainConfig
from butf.training.folder import Run
from butf.training.job import train
from butf.training.presets import PRESETS
from pages import shared, training_form, waiting

PAGE = str(REPO / "pages" / "train.py")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Iterator[Path]:
    """Runs and data of this test alone; whatever was started is ended."""
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("BUTF_DATA", str(tmp_path))
    monkeypatch.setenv("BUTF_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BUTF_NO_TRAINING", raising=False)
    monkeypatch.setattr(files, "ASSETS", tmp_path / "no-assets")
    monkeypatch.setattr(zoo, "MODELS", tmp_path / "no-assets" / "models")
    monkeypatch.setattr(shared, "enter_app", lambda: None)  # the page is run by itself, without app.py
    st.cache_data.clear()
    st.cache_resource.clear()
    yield tmp_path / "runs"
    # A test may have pointed elsewhere, and the trainers of the real runs folder must live on.
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path / "runs"))
    for state in runs.list_runs():
        runs.stop(Run.open(state.path), grace_s=0)
    assert not any(state.active for state in runs.list_runs())


def opened(**query: str) -> AppTest:
    app = AppTest.from_file(PAGE, default_timeout=180)
    for name, value in query.items():
        app.query_params[name] = value
    return well(app.run())


def well(app: AppTest) -> AppTest:
    assert not app.exception
    return app


def button(app: AppTest, label: str):
    return next(found for found in app.button if found.label == label)


def how(app: AppTest):
    return next(found for found in app.radio if found.label == "How")


def labels(app: AppTest) -> set[str]:
    return {found.label for found in app.button}


def told(app: AppTest) -> str:
    return " ".join(found.value for kind in (app.info, app.error, app.caption, app.markdown) for found in kind)


def made(name: str, state: str, **status) -> Run:
    run = Run.create(name, {"method": "bu-tf", "data": "tiny"}, ["train"])
    run.write_status(state=state, steps=100, step=40, phase="main", **status)
    place = {"step": 40, "steps": 100, "phase": "main", "phase_index": 1}
    run.log_metrics({**place, "loss": 0.5, "main": 0.5, "images_per_s": 20.0, "seconds": 60.0})
    run.log_metrics({**place, "val_recall": {"mean": 0.25}, "val_recall_mean": 0.25})
    run.log_path.write_text("loaded <b>36</b> frames\n")
    return run


def until(condition: Callable[[], object], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def test_without_data_and_runs_it_says_what_to_do():
    app = opened()
    assert "python -m butf town" in told(app)
    assert "No run yet" in told(app)
    assert not app.button


def test_without_runs_the_form_shows_the_command(tiny_dataset):
    app = opened()
    assert app.code[0].value.startswith("python -m butf train --method bu-tf --data tiny --steps 250 ")
    assert "No run yet" in told(app)
    app.selectbox[0].set_value("hallucination").run()
    how(app).set_value("As shipped").run()
    app.text_input[0].set_value("mine").run()
    assert well(app).code[0].value.startswith("python -m butf train --method hallucination --data tiny --steps 400 ")
    assert app.code[0].value.endswith("/mine")


def test_as_shipped_means_the_settings_of_the_shipped_models():
    (preset,) = (preset for preset in PRESETS if preset.label == "As shipped")
    for method in ("image-only", "hallucination", "bu-tf", "bu-tf-adapted", "image-only-wide"):
        config = zoo.read_card(REPO / "assets" / "models" / method / "model.safetensors").config
        chosen = TrainConfig(method=method, **preset.values).as_dict()
        own = {"data", "start_from", "seed", "validate_every"}
        assert {name: chosen[name] for name in config if name not in own} == {
            name: value for name, value in config.items() if name not in own
        }


@pytest.mark.parametrize("method", TRAINABLE)
@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.label)
def test_every_preset_suits_every_method(method, preset):
    config = TrainConfig(method=method, **preset.values_for(method))
    assert config.start_from == ("image-only" if preset.label == "In class" and method != "image-only" else None)
    if preset.label == "As in the talk":
        sigmas = (config.sigma_side, config.sigma_full, config.sigma_transfer, config.sigma_keep)
        assert sigmas == (1, 1, 1, 0) and (config.margin, config.lambda_div, config.squared_distance) == (
            0.25,
            0.1,
            True,
        )
        assert config.mining == ("places" if method == "bu-tf-adapted" else "tuples")
        assert round(config.places * config.views / 8) == 5, "five anchors, each with two positives and five negatives"


def test_a_preset_says_what_it_sets(tiny_dataset):
    app = opened()
    how(app).set_value("As in the talk").run()
    assert "- `sigma_transfer` 1.0, not 3.0" in told(well(app)) and "- `mining` tuples, not places" in told(app)
    assert "sigma_side" not in told(app), "which is 1 by default"
    app.selectbox[0].set_value("bu-tf-adapted").run()
    assert "`mining`" not in told(well(app)) and "--mining" not in app.code[0].value


def test_every_field_is_explained_and_in_a_group():
    for field in fields(TrainConfig):
        assert len(field.metadata["help"]) > 20, field.name
        assert field.metadata["group"] in GROUPS or field.name in ("method", "data")


@pytest.mark.parametrize("method", ["image-only", "bu-tf", "bu-tf-adapted", "image-only-wide"])
def test_only_what_a_method_makes_use_of_is_asked_for(tiny_dataset, method):
    app = opened()
    how(app).set_value("Custom").run()
    app.selectbox[0].set_value(method).run()
    asked = {found.label for kind in (well(app).number_input, app.selectbox, app.text_input) for found in kind}
    assert ("Sigma side" in asked) == (method != "image-only")
    assert ("Decoder reach" in asked) == method.startswith("bu-tf")
    assert ("Extra pictures" in asked) == ("Sigma match" in asked) == (method == "bu-tf-adapted")
    assert ("Extra" in asked) == (method == "image-only-wide")
    assert {"Steps", "Margin", "Places", "Learning rate", "Trunk"} <= asked


def test_every_setting_can_be_made_and_a_wrong_one_is_told(tiny_dataset):
    app = opened()
    how(app).set_value("Custom").run()
    fields = {found.label: found for found in app.number_input}
    assert fields["Steps"].help
    fields["Seed"].set_value(7)
    fields["Lambda div"].set_value(0.5)
    app.run()
    assert "--seed 7 --lambda-div 0.5 --run" in well(app).code[0].value
    fields = {found.label: found for found in app.number_input}
    fields["Hard share"].set_value(1.5).run()
    assert "hard_share is 1.5" in well(app).error[0].value
    assert "Start training" not in labels(app)


@pytest.mark.parametrize("name", ["../x", "<img src=x>", "a b"])
def test_a_name_that_is_not_allowed_is_told_and_nothing_is_made(tiny_dataset, folder, name):
    app = opened()
    app.text_input[0].set_value(name).run()
    assert "letters, digits" in well(app).error[0].value
    assert not folder.exists()


def test_switched_off_only_watching_is_left(tiny_dataset, monkeypatch):
    monkeypatch.setenv("BUTF_NO_TRAINING", "1")
    made("old", "stopped")
    app = opened()
    assert "Training is switched off" in told(app)
    assert not labels(app), "a visitor of a public demo deletes nothing either"
    assert "start the app without BUTF_NO_TRAINING" in told(app)
    assert app.metric[0].value == "20"


@pytest.mark.parametrize(
    ("state", "word", "buttons", "sentence"),
    [
        ("stopped", "stopped", {"Resume", "Delete it"}, "Stopped as asked"),
        ("running", "interrupted", {"Resume", "Delete it"}, "The trainer was killed"),
        ("failed", "failed", {"Resume", "Delete it"}, "the loss is not a number"),
    ],
)
def test_a_run_that_has_ended(tiny_dataset, state, word, buttons, sentence):
    made("a", state, message="the loss is not a number" if state == "failed" else "")
    app = opened()
    assert labels(app) == {"Start training", *buttons}
    assert sentence in told(app)
    assert word in told(app)
    assert [metric.value for metric in app.metric] == ["20", "1 min 00 s", "25.0%"]
    assert "loaded <b>36</b> frames" in app.code[-1].value


@pytest.mark.parametrize("state", ["running", "queued"])
def test_a_run_at_work_can_be_stopped_but_not_deleted(tiny_dataset, state):
    run = made("a", state, message="Waits for its turn: another run is training on cpu." if state == "queued" else "")
    lock = FileLock(run.lock_path)
    assert lock.acquire()
    try:
        app = opened()
        assert labels(app) == {"Start training", "Stop"}
        assert "A run is at work or queued: a new one on the same device waits its turn" in told(app)
        assert state != "queued" or "another run is training on cpu" in told(app)
        assert app.metric[1].label == "Time left"
        assert app.metric[1].value == "1 min 30 s", "40 steps took 60 s, 60 are left"
    finally:
        lock.release()


def test_the_address_names_the_run(tiny_dataset):
    for name in ("first", "second", "third"):
        made(name, "stopped")
    assert opened(run="second").subheader[0].value == "second"
    newest = opened().subheader[0].value
    assert opened(run="gone").subheader[0].value == newest
    assert opened(run="<script>").subheader[0].value == newest


def test_delete_asks_first_and_goes_on_with_the_next_run(tiny_dataset):
    made("a", "stopped")
    made("b", "stopped")
    app = opened(run="a")
    button(app, "Delete it").click().run()
    assert well(app).subheader[0].value == "b"
    assert [state.name for state in runs.list_runs()] == ["b"]


def test_broken_files_of_a_run_do_not_break_the_page(tiny_dataset):
    run = made("a", "stopped")
    run.status_path.write_text("{")
    run.metrics_path.write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "lo\n\x00\xff\n[]\n')
    run.log_path.write_bytes(b"\xff\xfe broken")
    assert "interrupted" in told(opened())
    run.config_path.write_text("no json")
    assert "No run yet" in told(opened())


@pytest.fixture
def still(monkeypatch):
    """Trainers that only wait, so that starting costs nothing."""
    monkeypatch.setattr(runs, "train_command", lambda *_: ["sleep", "60"])


def test_a_double_click_starts_one_run_and_a_later_press_another(tiny_dataset, still, monkeypatch):
    app = opened()
    button(app, "Start training").click().run()
    button(app, "Start training").click().run()
    assert len(runs.list_runs()) == 1
    monkeypatch.setattr(training_form, "SAME_PRESS_S", 0.0)
    button(app, "Start training").click().run()
    assert len({state.name for state in runs.list_runs()}) == 2
    assert not well(app).error


def test_two_tabs_that_start_at_the_same_moment(tiny_dataset, still):
    one, other = opened(), opened()
    for tab in (one, other):
        button(tab, "Start training").click()
    assert not one.run().error and not other.run().error
    first, second = {state.name for state in runs.list_runs()}
    assert {one.subheader[0].value, other.subheader[0].value} == {first, second}

    one, other = opened(), opened()
    for tab in (one, other):
        next(field for field in tab.text_input if field.label == "Name of the run").set_value("mine").run()
        button(tab, "Start training").click()
    assert not one.run().error
    started = Run.open("mine").config_path.stat().st_mtime_ns
    assert "there is a run mine already; choose another name" in well(other.run()).error[0].value
    assert len(runs.list_runs()) == 3
    assert Run.open("mine").config_path.stat().st_mtime_ns == started


def test_a_name_stays_when_another_one_is_suggested_in_the_next_minute(tiny_dataset, still, monkeypatch):
    app = opened()
    next(field for field in app.text_input if field.label == "Name of the run").set_value("mine").run()
    monkeypatch.setattr(runs, "fresh_name", lambda config: "bu-tf-of-the-next-minute")
    field = next(field for field in app.run().text_input if field.label == "Name of the run")
    assert (field.value, field.placeholder) == ("mine", "bu-tf-of-the-next-minute")


def test_the_queue_is_told_and_can_be_changed(tiny_dataset):
    locks = []
    for place, name in enumerate(("working", "second", "third")):
        run = made(name, "queued" if place else "running", device="cpu")
        run.join_queue(1000.0 + place)
        locks.append(FileLock(run.lock_path))
        assert locks[-1].acquire()
    try:
        app = opened(run="third")
        captions = " ".join(next(found for found in app.radio if found.key == "run").proto.captions)
        assert "queued, place 1, after working" in captions and "queued, place 2, after second" in captions
        assert labels(app) == {"Start training", "Cancel", "Move up"}
        button(app, "Move up").click().run()
        assert "queued, place 1, after working" in told(well(app))
        assert labels(app) == {"Start training", "Cancel"}
        assert turns.in_words(Run.open("second").state(), runs.list_runs()) == "queued, place 2, after third"
    finally:
        for lock in locks:
            lock.release()


def test_other_runs_are_drawn_beside_until_they_are_deleted(tiny_dataset):
    made("a", "stopped")
    made("b", "stopped")
    app = opened(run="a", against="b")
    assert app.multiselect(key="against").value == ["b"]
    runs.delete(Run.open("b"))
    made("c", "stopped")
    assert well(app.run()).multiselect(key="against").value == []


def test_a_run_of_before_shows_what_it_has(tiny_dataset):
    run = made("old", "stopped")
    assert not run.turn_path.exists() and not run.previews_path.exists() and not run.best_path.exists()
    app = opened()
    assert "kept no reconstructions" in told(app)
    assert not app.get("download_button")


def test_start_stop_resume_and_use_on_explore(tiny_dataset):
    app = AppTest.from_file(str(REPO / "app.py"), default_timeout=180).run()
    well(app.switch_page("pages/train.py").run())
    how(app).set_value("Custom").run()
    small = {"Steps": 6, "Places": 4, "Views": 2, "Image area": 4096, "Validate every": 3, "Checkpoint every": 2}
    for field in app.number_input:
        if field.label in small:
            field.set_value(small[field.label])
    next(field for field in app.text_input if field.label == "Name of the run").set_value("mine")
    well(app.run())
    button(app, "Start training").click().run()
    run = Run.open("mine")
    assert run.config["steps"] == 6
    assert well(app).subheader[0].value == "mine"

    button(app, "Stop").click().run()
    assert run.state().state in ("stopped", "finished")
    if run.state().state == "stopped":
        button(well(app), "Resume").click().run()
    until(lambda: not run.state().active)
    well(app.run())
    assert run.state().state == "finished", run.log_tail()
    assert json.loads(run.card_path.read_text())["method"] == "bu-tf"
    assert [record["step"] for record in run.metrics() if "loss" in record] == [6, 12]

    assert "Growing sharper" in "".join(found.proto.body for found in app.get("html"))
    assert [found.proto.label for found in app.get("download_button")] == ["Download"]
    drawn = "".join(found.proto.body for found in app.get("html"))
    link = re.search(r'href="\./explore\?([^"]+)">Use it on Explore', drawn)
    explore = AppTest.from_file(str(REPO / "app.py"), default_timeout=180)
    for key, values in parse_qs(unescape(link.group(1))).items():
        explore.query_params[key] = values
    assert "mine" in well(explore.run()).multiselect(key="models").value
    assert explore.selectbox(key="data").value == "tiny"


def test_a_finished_run_is_adapted_by_a_button(tiny_dataset):
    small = {"steps": 3, "places": 3, "views": 2, "image_area": 4096, "extra_pictures": 4, "validate_every": 3}
    train(Run.create("first", {**TrainConfig(method="bu-tf", data="tiny").as_dict(), **small}, ["train"]))
    app = opened(run="first")
    assert "no place labels: " in told(app) and " of night" in told(app)
    app.radio(key="way first").set_value("Decoder alone").run()
    button(app, "Start adapting").click().run()
    (adapted,) = (Run.open(state.name) for state in runs.list_runs() if state.name != "first")
    assert well(app).subheader[0].value == adapted.name
    assert (adapted.config["start_from"], adapted.config["extra_reach"], adapted.config["guess_share"]) == (
        "first",
        0,
        0,
    )
    assert adapted.config["steps"] == 3
    until(lambda: not adapted.state().active)
    assert adapted.state().state == "finished", adapted.log_tail()
    assert json.loads(adapted.card_path.read_text())["training_steps"] == 3


def test_what_cannot_be_adapted_says_why(tiny_dataset):
    with pytest.raises(BadInput, match="run a cannot be adapted; choose a finished run of bu-tf"):
        runs.adaptation(made("a", "stopped"), decoder_alone=False)


def test_a_finished_run_whose_data_are_gone_can_still_be_deleted(tiny_dataset):
    run = Run.create("a", {"method": "bu-tf", "data": str(tiny_dataset.parent / "gone")}, ["train"])
    run.weights_path.write_bytes(b"")
    run.card_path.write_text("{}")
    run.write_status(state="finished", steps=1, step=1, phase="main")
    app = opened(run="a")
    assert "gone is not a data set" in told(app)
    button(app, "Delete it").click().run()
    assert not runs.list_runs()


@pytest.mark.parametrize(("load", "times"), [(0.0, 1.0), (4.0, 1.0), (10.0, 2.5), (1000.0, waiting.MOST_PATIENT)])
def test_a_busy_machine_is_asked_for_news_less_often(monkeypatch, load: float, times: float) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert waiting.patience() == times
    monkeypatch.delattr(os, "getloadavg")
    assert waiting.patience() == 1.0
