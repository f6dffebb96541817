"""`import`: recorded data sets in other forms, turned into ours."""

from __future__ import annotations

import argparse
from pathlib import Path

from butf.commands.common import above_zero
from butf.dataset.frames import PlaceRule
from butf.dataset.rgbd import PLACE, import_rgbd


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `import`: one sub-command a kind of recording."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    rgbd = kinds.add_parser(
        "rgbd",
        help="RGB-D frames with poses, as in 7-Scenes",
        description="Import RGB-D frames with poses: frame-*.color, frame-*.depth, frame-*.pose.txt.",
        epilog=f"example:  {parser.prog} rgbd recordings/office --out data/office",
    )
    rgbd.add_argument("source", type=Path, metavar="SRC", help="the folder of the recording")
    rgbd.add_argument("--out", type=Path, required=True, metavar="DIR", help="the data set's folder to make")
    rgbd.add_argument(
        "--test-share", type=_share, default=0.3, metavar="X", help="share of the frames to test on (0.3)"
    )
    rgbd.add_argument("--val-share", type=_share, default=0.15, metavar="X", help="share to choose models on (0.15)")
    rgbd.add_argument(
        "--radius", type=above_zero, default=PLACE.radius_m, metavar="METRES",
        help=f"frames within this distance show the same place ({PLACE.radius_m:g})",
    )  # fmt: skip
    rgbd.add_argument(
        "--angle", type=above_zero, default=PLACE.angle_deg, metavar="DEGREES",
        help=f"and turned by no more than this ({PLACE.angle_deg:g})",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Import and say what came of it."""
    place = PlaceRule(args.radius, args.angle)
    print(import_rgbd(args.source, args.out, args.test_share, args.val_share, place))


def _share(text: str) -> float:
    value = above_zero(text)
    if value >= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share between 0 and 1")
    return value
