"""`import kitti`: raw, odometry or object recordings with Velodyne scans."""

from __future__ import annotations

import argparse

from butf.commands.common import above_zero
from butf.dataset.manifest import PlaceRule
from butf.importers.kitti import PLACE, import_kitti
from butf.importers.report import ImportReport
from butf.importers.staging import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--every", type=_count, default=1, metavar="N", help="take every N-th frame (1)")
    parser.add_argument(
        "--radius", type=above_zero, default=PLACE.radius_m, metavar="METRES",
        help=f"frames within this distance show the same place ({PLACE.radius_m:g})",
    )  # fmt: skip


def run(args: argparse.Namespace, progress: Progress) -> ImportReport:
    return import_kitti(args.source, args.out, args.every, PlaceRule(args.radius), progress)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)
