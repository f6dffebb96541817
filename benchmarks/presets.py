"""A preset of the Train page from the press in a real browser to the finished run: minutes, and the recall reached.

Server, browser window and trainer share the processor, as they do for whoever tries it. Recall@1 is the mean over the
conditions of the demo town's val split, beside the shipped model's there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks._serving import SETTLED, chromium_path, launched, serving
from butf.commands.common import add_json, find_dataset, text_table, write_result
from butf.dataset.frames import Frames
from butf.errors import BadInput
from butf.networks import zoo
from butf.retrieval.evaluate import evaluate
from butf.training import runs
from butf.training.folder import Run
from butf.training.presets import PRESETS

NAME = "timed"
METHOD, DATA = "bu-tf", "town"  # what the page offers first
LABELS = [preset.label for preset in PRESETS if not preset.custom]
HEADER = ("preset", "seed", "minutes", "val recall@1", "of the shipped model's")


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks presets", description=__doc__)
    parser.add_argument("--presets", nargs="+", default=LABELS[:1], choices=LABELS, metavar="LABEL", help="(the first)")
    parser.add_argument(
        "--seeds", nargs="+", type=int, metavar="N", help="started without the page, which has no field for the seed"
    )
    add_json(parser)
    options = parser.parse_args(argv)
    entries = [timed(label, seed) for label in options.presets for seed in options.seeds or [None]]
    write_result(options.json, {"entries": entries}, text_table(HEADER, [row(entry) for entry in entries]))


def timed(label: str, seed: int | None) -> dict[str, Any]:
    """One run of a preset: its minutes, and how it does on val beside the shipped model."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BUTF_RUNS"] = folder  # the app's, and ours
        with pressed(label) if seed is None else started(label, seed) as (run, begun):
            while (state := run.state()).active:
                time.sleep(1)
            minutes = (time.monotonic() - begun) / 60
        if state.state != "finished":
            raise BadInput(f"the run is {state.state}: {state.explanation} {run.log_tail(2000)}")
        found = recall(run.name)
    return {"preset": label, "seed": seed or 0, "minutes": minutes, "recall": found, "shipped_recall": recall(METHOD)}


@contextmanager
def pressed(label: str) -> Iterator[tuple[Run, float]]:
    """Choose a preset on the page and start it; the run, and the clock at the press. The page stays open."""
    with serving() as address, launched(chromium_path()) as chromium:
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}/train")
        page.get_by_text(label, exact=True).click()
        name = page.get_by_role("textbox", name="Name of the run")
        name.fill(NAME)
        name.press("Tab")
        page.wait_for_timeout(1000)
        page.wait_for_function(SETTLED)
        begun = time.monotonic()
        page.get_by_role("button", name="Start training", exact=True).click()
        page.locator("h3", has_text=NAME).wait_for()
        yield Run.open(NAME), begun


@contextmanager
def started(label: str, seed: int) -> Iterator[tuple[Run, float]]:
    """The same without the page."""
    [preset] = (preset for preset in PRESETS if preset.label == label)
    begun = time.monotonic()
    yield runs.start({"method": METHOD, "data": DATA, **preset.values_for(METHOD), "seed": seed}, NAME), begun


def recall(model: str) -> float:
    """Recall@1 on val, the mean over its conditions."""
    report = evaluate(Frames.load(find_dataset(DATA)), "val", [zoo.load(model)], side=False)
    return statistics.mean(entry["recall"]["1"] for entry in report["models"][0]["conditions"])


def row(entry: dict[str, Any]) -> tuple[str, ...]:
    share = entry["recall"] / entry["shipped_recall"]
    return (
        entry["preset"], str(entry["seed"]), f"{entry['minutes']:.1f}",
        f"{entry['recall']:.3f} of {entry['shipped_recall']:.3f}", f"{share:.1%}",
    )  # fmt: skip
