"""`train`: train a method, or go on with a run that was stopped."""

from __future__ import annotations

import argparse
import sys

from butf import ranks
from butf.commands.config_flags import add_flags, existing_run, given
from butf.training.config import TrainConfig
from butf.training.folder import Run
from butf.training.runs import train_command
from butf.training.session import StopRequested


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `train`: one flag a field of `TrainConfig`."""
    add_flags(parser, TrainConfig)


def run(args: argparse.Namespace) -> int:
    """Train until done or stopped; a run that was stopped by Ctrl-C or SIGTERM has saved its checkpoint."""
    from butf.training.job import train

    if not ranks.first():
        return _follow(args.folder)
    chosen = existing_run(args.folder, given(args)) if args.resume else _new_run(args)
    try:
        train(chosen)
    except StopRequested as request:
        print(f"{chosen.name}: {request}", file=sys.stderr)
        return request.exit_code
    print(f"{chosen.name}: trained; evaluate it with `python -m butf evaluate --data ... --models {chosen.path}`")
    return 0


def _new_run(args: argparse.Namespace) -> Run:
    config = TrainConfig.from_dict(given(args)).as_dict()
    return Run.claim(args.folder, config, ranks.launching(train_command(config, args.folder)))


def _follow(name: str) -> int:
    """Be a rank other than 0, which alone speaks of the run."""
    from butf.training.job import follow

    try:
        follow(name)
    except StopRequested as request:
        return request.exit_code
    return 0
