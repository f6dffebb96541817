"""`import kitti`: raw, odometry or object recordings with Velodyne scans."""

from __future__ import annotations

import argparse

from butf.commands.common import add_radius, at_least_one
from butf.dataset.manifest import PlaceRule
from butf.importers.kitti import PLACE, import_kitti
from butf.importers.report import ImportReport
from butf.importers.staging import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--every", type=at_least_one, default=1, metavar="N", help="take every N-th frame (1)")
    add_radius(parser, PLACE.radius_m)


def run(args: argparse.Namespace, progress: Progress) -> ImportReport:
    return import_kitti(args.source, args.out, args.every, PlaceRule(args.radius), progress)
