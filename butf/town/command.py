"""`python -m butf town`: render the procedural town."""

from __future__ import annotations

import argparse
from pathlib import Path

from butf.town.conditions import CONDITIONS
from butf.town.config import LIMITS, PRESETS, SPLITS, parse_setting, preset
from butf.town.lidar import LIDARS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the data set; an interrupted run goes on there"
    )
    parser.add_argument(
        "--preset", choices=PRESETS, default="paper", help="paper: everything; demo: a small part of it"
    )
    parser.add_argument("--seed", type=int, default=7, help="another seed is another town")
    parser.add_argument("--workers", type=int, default=None, help="processes; default one a core")
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=list(SPLITS), help="districts to render")
    parser.add_argument("--conditions", nargs="+", choices=list(CONDITIONS), default=None, help="traversals to render")
    parser.add_argument("--stride", type=int, default=1, help="render every n-th place only")
    parser.add_argument("--samples", type=int, choices=(1, 2), default=2, help="1: no antialiasing, faster")
    parser.add_argument(
        "--lidar",
        choices=list(LIDARS),
        help="add depth maps as this lidar would measure them (modality lidar), also to a town that is there already",
    )
    parser.add_argument(
        "--set",
        metavar="KNOB=VALUE",
        action="append",
        default=[],
        dest="settings",
        help=f"change a setting of the town: {', '.join(LIMITS)}",
    )


def run(args: argparse.Namespace) -> int:
    from butf.town.writer import write_town

    config = preset(args.preset, args.seed).changed(**dict(parse_setting(text) for text in args.settings))
    chosen = args.splits, args.conditions, args.stride
    out = write_town(args.out, config, args.workers, *chosen, args.samples, args.lidar)
    print(out)
    return 0
