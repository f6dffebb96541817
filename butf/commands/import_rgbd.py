"""`import rgbd`: RGB-D frames with poses, as in 7-Scenes."""

from __future__ import annotations

import argparse

from butf.commands.common import above_zero, add_radius
from butf.dataset.manifest import PlaceRule
from butf.importers.report import ImportReport
from butf.importers.rgbd import PLACE, import_rgbd
from butf.importers.staging import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--test-share", type=share, default=0.3, metavar="X", help="share of the frames to test on (0.3)"
    )
    parser.add_argument("--val-share", type=share, default=0.15, metavar="X", help="share to choose models on (0.15)")
    add_radius(parser, PLACE.radius_m)
    parser.add_argument(
        "--angle", type=above_zero, default=PLACE.angle_deg, metavar="DEGREES",
        help=f"and turned by no more than this ({PLACE.angle_deg:g})",
    )  # fmt: skip


def run(args: argparse.Namespace, progress: Progress) -> ImportReport:
    place = PlaceRule(args.radius, args.angle)
    return import_rgbd(args.source, args.out, args.test_share, args.val_share, place, progress)


def share(text: str) -> float:
    """Argument type: a number between 0 and 1."""
    value = above_zero(text)
    if value >= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share between 0 and 1")
    return value
