"""`import kitti`: raw, odometry or object recordings with Velodyne scans."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from butf.commands.common import add_radius, at_least_one
from butf.dataset.manifest import PlaceRule

if TYPE_CHECKING:
    from butf.importers.report import ImportReport
    from butf.importers.staging import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--every", type=at_least_one, default=1, metavar="N", help="take every N-th frame (1)")
    add_radius(parser, PlaceRule.radius_m)


def run(args: argparse.Namespace, progress: Progress) -> ImportReport:
    from butf.importers.kitti import import_kitti

    return import_kitti(args.source, args.out, args.every, PlaceRule(args.radius), progress)
