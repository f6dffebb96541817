"""The Train page in a real browser: a run from the form to Explore, and a run that outlives the app and its trainer."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from app_site import environment
from browsing import Visitor
from conftest import write_tiny_dataset

from benchmarks._serving import serving
from butf.training import runs
from butf.training.config import TrainConfig
from butf.training.folder import Run

SMALL = {"Steps": 6, "Places": 4, "Views": 2, "Image area": 4096, "Validate every": 3, "Checkpoint every": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Iterator[Path]:
    """A data set and an empty runs folder, which the app and this process find; whatever was started is ended."""
    root = tmp_path_factory.mktemp("world")
    write_tiny_dataset(root / "data" / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (environment(root) | {"BUTF_NO_TRAINING": ""}).items():
            patch.setenv(name, value)
        yield root
        for state in runs.list_runs():
            runs.stop(Run.open(state.path), grace_s=0)


@pytest.fixture(scope="module")
def app(folder) -> Iterator[tuple[str, Callable[[], None]]]:
    """The app's address, and what ends it."""
    with ExitStack() as running:
        yield running.enter_context(serving()), running.close


def until(condition: Callable[[], object], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def badge(tab: Visitor, word: str) -> None:
    """Wait until the chosen run's badge says this."""
    tab.page.locator(".st-key-run-head").get_by_test_id("stMarkdownContainer").filter(has_text=word).first.wait_for()


def button(tab: Visitor, label: str):
    """One of the page's own buttons: Streamlit has a Stop in its header, too, while it draws."""
    return tab.page.get_by_test_id("stMainBlockContainer").get_by_role("button", name=label, exact=True)


def settle(tab: Visitor) -> None:
    """Wait until the app has heard of what was typed and has drawn the page anew."""
    tab.page.wait_for_timeout(500)
    tab.page.wait_for_function("() => !document.querySelector('[data-testid=stStatusWidget], [data-stale=true]')")


def test_a_run_goes_from_the_form_to_explore(browser, app, tmp_path):
    from playwright.sync_api import expect

    address, _ = app
    with Visitor(browser, address) as tab, Visitor(browser, address, width=390, height=844) as other:
        tab.open("", "train")
        tab.page.get_by_text("No run yet").wait_for()
        tab.page.get_by_text("Custom", exact=True).click()
        settle(tab)
        tab.page.get_by_text("Batches", exact=True).click()
        for label, value in SMALL.items():
            field = tab.page.get_by_label(label, exact=True)
            field.fill(str(value))
            field.press("Tab")
            settle(tab)
        tab.page.get_by_role("textbox", name="Name of the run").fill("mine")
        tab.page.get_by_role("textbox", name="Name of the run").press("Tab")
        settle(tab)
        button(tab, "Start training").dblclick()
        tab.page.locator("h3", has_text="mine").wait_for()
        other.open("run=mine", "train")  # a second tab finds it by itself
        other.page.locator("h3", has_text="mine").wait_for()
        badge(tab, "finished")
        badge(other, "finished")
        assert [state.name for state in runs.list_runs()] == ["mine"], "a double click is one run"
        asked = {name.lower().replace(" ", "_"): value for name, value in SMALL.items()}
        assert {name: Run.open("mine").config[name] for name in asked} == asked

        tab.page.get_by_role("heading", name="Growing sharper").wait_for()
        expect(tab.page.locator(".previews .strip")).to_have_count(2)
        shown = tab.page.locator(".previews img").evaluate_all("all => all.map(one => one.naturalWidth)")
        assert len(shown) == 2 * (2 + 3) and min(shown) > 0, "two strips: picture, truth, steps 6, 9 and 12"
        assert other.page.evaluate("document.documentElement.scrollWidth") <= 390
        with tab.page.expect_download() as waiting:
            button(tab, "Download").click()
        waiting.value.save_as(tmp_path / "mine.zip")
        assert waiting.value.suggested_filename == "mine.zip" and (tmp_path / "mine.zip").stat().st_size > 1e6
        tab.page.get_by_role("link", name="Use it on Explore").click()
        tab.page.get_by_role("heading", name="mine").first.wait_for()
        expect(tab.page).to_have_url(re.compile(r"[?&]models=mine(&|$)"))


def test_a_run_whose_trainer_was_killed_resumes_and_outlives_the_app(browser, app):
    small = {"steps": 4000, "places": 3, "views": 2, "image_area": 4096, "checkpoint_every": 2, "validate_every": 4000}
    run = runs.start({**TrainConfig(method="image-only", data="tiny").as_dict(), **small}, "long")
    before = len(runs.list_runs())
    address, end_app = app
    with Visitor(browser, address) as tab:
        tab.open("run=long", "train")
        badge(tab, "running")
        until(run.checkpoint_path.is_file)
        until(lambda: run.state().step >= 10)
        os.kill(run.pid(), signal.SIGKILL)
        badge(tab, "interrupted")
        tab.page.get_by_text("Resume goes on from the last checkpoint").wait_for()
        reached = run.state().step
        button(tab, "Resume").click()
        badge(tab, "running")
        until(lambda: run.state().step > reached)
    end_app()
    reached = run.state().step
    until(lambda: run.state().step > reached)
    assert run.state().active, "the app has gone, the trainer that it started has not"
    runs.stop(run)
    assert run.state().state == "stopped"
    steps = [record["step"] for record in run.metrics() if "loss" in record]
    assert steps == sorted(set(steps)), "no step is told twice"
    assert len(runs.list_runs()) == before
