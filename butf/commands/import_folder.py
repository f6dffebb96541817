"""`import folder`: pictures with their positions in their names, as the benchmarks of the field have them."""

from __future__ import annotations

import argparse

from butf.commands.common import add_radius
from butf.dataset.manifest import PlaceRule
from butf.dataset.table import SPLITS
from butf.importers.folder import PLACE, import_folder
from butf.importers.report import ImportReport
from butf.importers.staging import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--zone", metavar="ZONE", help="UTM zone where the names have none, e.g. 33N; local: no zone")
    parser.add_argument(
        "--split", choices=SPLITS, default="test", help="of a folder without train/, val/, test/ (test)"
    )
    add_radius(parser, PLACE.radius_m)


def run(args: argparse.Namespace, progress: Progress) -> ImportReport:
    place = PlaceRule(args.radius)
    return import_folder(args.source, args.out, args.zone, args.split, place, progress)
