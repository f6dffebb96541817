"""`import photos`: photographs with GPS in their EXIF, or beside a CSV of latitudes and longitudes."""

from __future__ import annotations

import argparse
from pathlib import Path

from butf.commands.common import add_radius
from butf.commands.import_rgbd import share
from butf.dataset.manifest import PlaceRule
from butf.importers.photo_roles import PLACE, SHARE, Choice
from butf.importers.photos import import_photos
from butf.importers.report import ImportReport
from butf.importers.staging import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument(
        "--queries", type=share, default=SHARE, metavar="SHARE",
        help=f"share of the photographs that are queries, evenly spread in time or space ({SHARE:g})",
    )  # fmt: skip
    asked.add_argument("--query-folder", metavar="NAME", help="the folder beneath SRC that holds the queries")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="the table of positions, where SRC has several")
    parser.add_argument("--areas", type=Path, metavar="FILE", help="GeoJSON of train, val and test areas (all test)")
    parser.add_argument(
        "--flat", action="store_true", help="leave altitudes out, so that distances are those on the map"
    )
    add_radius(parser, PLACE.radius_m)


def run(args: argparse.Namespace, progress: Progress) -> ImportReport:
    place = PlaceRule(args.radius)
    choice = Choice(args.queries, args.query_folder, args.areas, args.csv, place, args.flat)
    return import_photos(args.source, args.out, choice, progress)
