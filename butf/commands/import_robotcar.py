"""`import robotcar`: traversals of the Oxford RobotCar dataset."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from butf.commands.common import above_zero, add_radius, at_least_one
from butf.dataset.manifest import PlaceRule
from butf.importers.robotcar_choice import LIDARS, POSES, Choice

if TYPE_CHECKING:
    from butf.importers.report import ImportReport
    from butf.importers.staging import Progress

USUAL = Choice()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--poses",
        choices=POSES,
        default=USUAL.poses,
        help="log of poses; best: RTK where there is one, else INS (best)",
    )
    parser.add_argument("--lidar", choices=LIDARS, default=USUAL.lidar, help=f"scans for depth ({USUAL.lidar})")
    parser.add_argument(
        "--spacing", type=above_zero, default=USUAL.spacing_m, metavar="METRES",
        help=f"way between two frames ({USUAL.spacing_m:g})",
    )  # fmt: skip
    parser.add_argument(
        "--width", type=at_least_one, default=USUAL.width, metavar="PIXELS", help=f"of the frames ({USUAL.width})"
    )
    parser.add_argument(
        "--reference", metavar="NAME", help="traversal that is searched in (the first overcast or sunny one)"
    )
    parser.add_argument("--areas", type=Path, metavar="FILE", help="GeoJSON of train, val and test areas (all test)")
    parser.add_argument(
        "--full-scale", type=above_zero, metavar="VALUE", help="LMS intensity that is reflectance 1 (99th percentile)"
    )
    add_radius(parser, USUAL.place.radius_m)
    parser.add_argument("--workers", type=at_least_one, metavar="N", help="processes (one a core)")


def run(args: argparse.Namespace, progress: Progress) -> ImportReport:
    # Not before it is needed: the densification loads torch.
    from butf.importers.robotcar import import_robotcar

    choice = Choice(
        args.poses, args.lidar, args.spacing, args.width, args.reference, args.areas, args.full_scale,
        PlaceRule(args.radius),
    )  # fmt: skip
    return import_robotcar(args.source, args.out, choice, progress, workers=args.workers or os.cpu_count() or 1)
