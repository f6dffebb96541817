"""`import`: recorded data sets in other forms, turned into ours."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tqdm import tqdm

if TYPE_CHECKING:
    from butf.importers.staging import Progress


@dataclass(frozen=True)
class Kind:
    """A form of recording. Its module has `add_arguments(parser)` and `run(args, progress) -> ImportReport`."""

    module: str
    summary: str
    description: str
    example: str


KINDS = {
    "folder": Kind(
        "butf.commands.import_folder",
        "database/ and queries/ with names @easting@northing@..., as the benchmarks of the field have them",
        "Import pictures named @easting@northing@zone@letter@... in database/ and queries/, also beneath train/, val/ "
        "and test/.",
        "pitts30k/images --out data/pitts30k",
    ),
    "kitti": Kind(
        "butf.commands.import_kitti",
        "KITTI raw, odometry or object recordings: scans become dense depth and reflectance",
        "Import a KITTI drive: pictures of camera 2 and Velodyne scans, which become dense depth and reflectance.",
        "2011_09_26/2011_09_26_drive_0001_sync --out data/drive-1",
    ),
    "photos": Kind(
        "butf.commands.import_photos",
        "photographs with GPS in their EXIF, or beside a CSV of latitudes and longitudes",
        "Import photographs with GPS in their EXIF, or beside a CSV with columns for file, latitude and longitude.",
        "holiday/ --out data/holiday",
    ),
    "rgbd": Kind(
        "butf.commands.import_rgbd",
        "RGB-D frames with poses, as in 7-Scenes",
        "Import RGB-D frames with poses: frame-*.color, frame-*.depth, frame-*.pose.txt.",
        "recordings/office --out data/office",
    ),
    "robotcar": Kind(
        "butf.commands.import_robotcar",
        "traversals of the Oxford RobotCar dataset, with depth and reflectance from its lidar",
        "Import traversals in the layout of the Oxford RobotCar dataset: stereo/centre, lms_front, gps/ins.csv "
        "and more in a folder each, beside models/ and extrinsics/. Each frame gets dense depth and reflectance.",
        "robotcar/ --out data/robotcar --areas areas.geojson",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `import`: one sub-command a kind of recording."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    for name, kind in KINDS.items():
        epilog = f"example:  {parser.prog} {name} {kind.example}"
        child = kinds.add_parser(name, help=kind.summary, description=kind.description, epilog=epilog)
        child.add_argument("source", type=Path, metavar="SRC", help="the folder to import")
        child.add_argument("--out", type=Path, required=True, metavar="DIR", help="the data set's folder to make")
        importlib.import_module(kind.module).add_arguments(child)


def run(args: argparse.Namespace) -> None:
    """Import and say what came of it."""
    with progress_bars() as progress:
        report = importlib.import_module(KINDS[args.kind].module).run(args, progress)
    print(report)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """A bar on a terminal for each of the things done one after the other, nothing elsewhere."""
    bars: dict[str, tqdm[NoReturn]] = {}

    def progress(what: str, done: int, total: int) -> None:
        if what not in bars:
            for bar in bars.values():
                bar.close()
            bars[what] = tqdm(desc=what, total=total, disable=None)
        bars[what].update(done - bars[what].n)

    try:
        yield progress
    finally:
        for bar in bars.values():
            bar.close()
