"""`experiment`: train and judge everything that a claim of the project rests on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from butf.commands.common import add_data, at_least_one, find_dataset, open_dataset
from butf.errors import BadInput
from butf.files import REPO, runs_dir, user_path, write_atomic, write_json
from butf.training.session import StopRequested

if TYPE_CHECKING:
    from butf.experiment.plan import Plan

QUICK_STEPS, STEPS = 4, 400
PAGES = {"paper": "results.md", "aggregation": "results-aggregation.md"}
TITLES = {"paper": "The talk's claim, measured", "aggregation": "Ways of aggregation, measured"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `experiment`."""
    parser.add_argument(
        "name", choices=tuple(PAGES), help="paper: the claim of the 2018 talk, with controls and ablations; "
        "aggregation: ways of pooling, the contrastive loss, whitening, VLAD of keypoints",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="the whole path in minutes; its numbers mean nothing")
    add_data(parser)
    parser.add_argument("--judge-on", metavar="DATASET", help="the data set whose test split is used (town)")
    parser.add_argument(
        "--seeds", nargs="+", type=int, metavar="SEED", help="training seeds (paper: 0 1 2; others and --quick: 0)"
    )
    parser.add_argument(
        "--steps", type=at_least_one, help=f"optimiser steps of a training step ({STEPS}; --quick: {QUICK_STEPS})"
    )
    parser.add_argument("--only", nargs="+", metavar="VARIANT", help="train these variants only; judge what there is")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="where the runs lie (runs/NAME)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where results are written (docs/results)")
    parser.add_argument(
        "--pairs", type=Path, metavar="DIR", help="real pairs to judge on: query/, ref/, ground_truth.json"
    )
    parser.add_argument(
        "--shipped", action="store_true", help="aggregation: take image-only and bu-tf as they are shipped"
    )
    parser.add_argument("--note", metavar="TEXT", help="a sentence for the page, say how the data were made")
    parser.add_argument("--no-judging", action="store_true", help="train only: for a second process beside another")


def run(args: argparse.Namespace) -> int:
    """Train what is not finished, then judge and write the results."""
    from butf.dataset.pairs import PlacePairs
    from butf.experiment import findings, outcome, report, runner

    find_dataset(args.data)
    frames = open_dataset(args.judge_on or "town")
    pairs = PlacePairs.load(args.pairs) if args.pairs else None
    seeds = tuple(args.seeds or ((0,) if args.quick or args.name != "paper" else (0, 1, 2)))
    steps = args.steps or (QUICK_STEPS if args.quick else STEPS)
    chosen = _plan(args, seeds, steps)
    name = f"{args.name}-quick" if args.quick else args.name
    folder = user_path(args.runs or runs_dir() / name).absolute()
    try:
        runner.train_plan(chosen.only(args.only), folder, say)
    except StopRequested as request:
        print(f"{args.name}: {request}", file=sys.stderr)
        return request.exit_code
    if args.no_judging:
        return 0
    # The val areas have fewer frames, and numbers that mean nothing need no test area.
    split = "val" if args.quick else "test"
    queries, results = outcome.judge(chosen, folder, frames, split, pairs, say)
    values = findings.report(chosen, folder, frames, split, queries, results)
    values |= {
        "experiment": args.name,
        "quick": args.quick,
        "note": args.note,
        "real_pairs": f"{pairs.name}, {len(pairs.queries)} queries" if pairs else None,
    }
    flags = [f" --{flag}" for flag in ("quick", "shipped") if getattr(args, flag)]
    command = f"python -m butf experiment {args.name}{''.join(flags)}"
    _write(args, name, values, report.markdown(values, command, TITLES[args.name]))
    return 0


def _plan(args: argparse.Namespace, seeds: tuple[int, ...], steps: int) -> Plan:
    from butf.experiment.aggregation import aggregation
    from butf.experiment.plan import paper

    if args.name == "aggregation":
        return aggregation(args.data, seeds, steps, args.quick, args.shipped)
    if args.shipped:
        raise BadInput("--shipped is for the experiment aggregation; paper trains all of its models")
    return paper(args.data, seeds, steps, args.quick)


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def _write(args: argparse.Namespace, name: str, values: dict[str, object], text: str) -> None:
    out = args.out or REPO / "docs" / "results"
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{out} cannot be made ({error.strerror}); choose a writable folder") from error
    write_json(out / f"{name}.json", values)
    page = out / f"{name}.md" if args.quick or args.out else REPO / "docs" / PAGES[args.name]
    write_atomic(page, text)
    say(f"written: {out / name}.json, {page}")
