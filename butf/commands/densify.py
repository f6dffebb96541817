"""`densify`: dense depth and reflectance between a data set's lidar samples."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from butf.commands.common import at_least_one, open_dataset
from butf.commands.import_ import progress_bars


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `densify`."""
    parser.add_argument("data", metavar="DATASET", help="a data set's folder, or its name")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the data set's folder to make")
    parser.add_argument(
        "--modality", choices=("auto", "points", "depth"), default="auto",
        help="what holds the samples; auto: points where there are any, else depth (auto)",
    )  # fmt: skip
    parser.add_argument("--workers", type=at_least_one, metavar="N", help="processes (one a core)")


def run(args: argparse.Namespace) -> None:
    """Write the new data set and say what came of it."""
    frames = open_dataset(args.data)
    # Not before it is needed: the densification loads torch.
    from butf.densify.dataset import densify_dataset

    with progress_bars() as progress:
        done = densify_dataset(frames, args.out, args.modality, progress, args.workers or os.cpu_count() or 1)
    print(done)
