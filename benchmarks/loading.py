"""Seconds until the app's data set, models and descriptors are loaded, in a fresh process.

Loaded is what the first query needs: the frame table, streets and buildings, the shipped models, and every model's
ranking of the split (from kept descriptors; `python -m butf evaluate ... --keep-descriptors` writes them). Importing
libraries is counted apart. 5 s is the most we want for data and models.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from itertools import pairwise

from butf.commands.common import add_data, at_least_one, find_dataset, text_table
from butf.errors import BadInput
from butf.files import REPO

WANTED_S = 5.0
PARTS = ("imports", "data", "models", "rankings")


def main(argv: list[str]) -> None:
    """Start some fresh processes and print the medians of what they took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks loading", description=__doc__.partition("\n")[0])
    add_data(parser)
    parser.add_argument("--models", nargs="+", metavar="NAME", help="models to load (the shipped methods)")
    parser.add_argument("--repeat", type=at_least_one, default=3, metavar="N", help="processes (3)")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.once:
        print(json.dumps(_load(args.data, args.models)))
        return
    find_dataset(args.data)
    taken = [_in_fresh_process(argv) for _ in range(args.repeat)]
    median = {part: statistics.median(run[part] for run in taken) for part in PARTS}
    total = median["data"] + median["models"] + median["rankings"]
    verdict = "yes" if total <= WANTED_S else "NO"
    rows = [(part, f"{median[part]:.2f}") for part in PARTS]
    print(text_table(("what", "seconds"), [*rows, ("data, models, rankings", f"{total:.2f}")]))
    print(f"within {WANTED_S:g} s: {verdict}")


def _in_fresh_process(argv: list[str]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks", "loading", *argv, "--once"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BadInput(done.stderr.strip().removeprefix("error: "))
    return json.loads(done.stdout)


def _load(data: str, models: list[str] | None) -> dict[str, float]:
    """Seconds of each part, in this process."""
    times = [time.perf_counter()]
    from butf import browse
    from butf.commands.common import open_dataset
    from butf.networks import zoo
    from butf.retrieval.explore import split_search

    times.append(time.perf_counter())
    frames = open_dataset(data)
    browse.ground(frames, browse.asked_split(frames))
    times.append(time.perf_counter())
    names = models or browse.default_models(zoo.available())
    loaded = [zoo.load(name) for name in names]
    times.append(time.perf_counter())
    for model in loaded:
        split_search(frames, browse.asked_split(frames), model)
    times.append(time.perf_counter())
    return dict(zip(PARTS, (end - start for start, end in pairwise(times)), strict=True))
