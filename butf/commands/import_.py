"""`import`: recorded data sets in other forms, turned into ours."""

from __future__ import annotations

import argparse
from pathlib import Path

from butf.dataset.rgbd import import_rgbd


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


def run(args: argparse.Namespace) -> None:
    """Import and say what came of it."""
    import_rgbd(args.source, args.out)
