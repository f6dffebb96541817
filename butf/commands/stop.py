"""`stop`: ask a training run to save and end."""

from __future__ import annotations

import argparse

from butf.commands.common import above_zero
from butf.training import runs
from butf.training.folder import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `stop`."""
    parser.add_argument("name", metavar="RUN", help="a run's name or folder")
    parser.add_argument(
        "--grace", type=above_zero, default=runs.GRACE_S, metavar="SECONDS",
        help=f"how long to wait for it to save before it is killed ({runs.GRACE_S:g})",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Stop the run and say what became of it."""
    chosen = Run.open(args.name)
    was_active = chosen.state().active
    runs.stop(chosen, args.grace)
    state = chosen.state()
    print(f"{state.name}: {state.state}" if was_active else f"{state.name} was not being trained ({state.state})")
