"""`train-keypoints`: train detector, orientation and descriptor, or go on with a run that was stopped."""

from __future__ import annotations

import argparse
import sys

from butf.commands.config_flags import add_flags, existing_run, given
from butf.keypoints.config import KeypointConfig
from butf.training.folder import Run
from butf.training.runs import train_command
from butf.training.session import StopRequested

DATA_FIELDS = ("data", "also")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `train-keypoints`: one flag a field of `KeypointConfig`."""
    add_flags(parser, KeypointConfig)


def run(args: argparse.Namespace) -> int:
    """Train until done or stopped; a run that was stopped by Ctrl-C or SIGTERM has saved its checkpoint."""
    from butf.keypoints.trainer import train_keypoints

    asked = given(args, DATA_FIELDS)
    chosen = existing_run(args.folder, asked) if args.resume else _new_run(args, asked)
    try:
        train_keypoints(chosen)
    except StopRequested as request:
        print(f"{chosen.name}: {request}", file=sys.stderr)
        return request.exit_code
    print(f"{chosen.name}: trained; measure it with `python -m benchmarks keypoints --keypoints {chosen.path}`")
    return 0


def _new_run(args: argparse.Namespace, asked: dict[str, object]) -> Run:
    config = KeypointConfig.from_dict(asked).as_dict()
    return Run.claim(args.folder, config, train_command(config, args.folder))
