"""KITTI recordings: pictures of the left colour camera, and the Velodyne's scans made dense.

A frame gets the side modalities `points` and `returns` (what was measured), `depth` and `reflectance` (filled between
it, see `butf.densify`). All frames of a drive are one traversal of split test; each is searched among the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from butf.dataset.frames import Frames, PlaceRule, write_frames
from butf.dataset.manifest import Camera
from butf.dataset.modalities import FILLED_FROM, map_bytes
from butf.dataset.poses import quaternions
from butf.dataset.table import QUATERNION, Column
from butf.densify import densify
from butf.errors import BadInput
from butf.files import read_image
from butf.importers.geography import to_degrees, zone_text
from butf.importers.kitti_layouts import Calibration, Positions, Recording, read_scan
from butf.importers.report import ImportReport, report_of, write_sources
from butf.importers.staging import FrameFiles, Progress, import_key, read_bytes, require_absent, resumable_folder

PLACE = PlaceRule(radius_m=25.0)
RANGE = {"near_m": 2.0, "far_m": 100.0}
MADE = {FILLED_FROM: "points"}
SIDES = {"points": RANGE, "returns": {}, "depth": RANGE | MADE, "reflectance": MADE}
NO_SCAN, NO_PICTURE = "no scan of that name", "no picture of that name"
APART_M = 1000.0
NO_POSES = (
    f"the recording has no poses: frames are set {APART_M:g} m apart, so that their maps can be looked at; "
    "none is the same place as another"
)


def import_kitti(
    src: Path | str,
    out: Path | str,
    every: int = 1,
    place: PlaceRule = PLACE,
    progress: Progress | None = None,
    staging: Path | None = None,
) -> ImportReport:
    """Turn a KITTI drive, odometry sequence or object folder into a data set, every `every`-th frame of it.

    Pictures are copied as they are. An import that was broken off goes on where it stopped (see `resumable_folder`,
    also for `staging`). Raises `BadInput` when a folder, a calibration or a pose is missing or broken, a scan is
    truncated or does not fall into its picture, or `out` exists.
    """
    src, out = Path(src), Path(out)
    require_absent(out)
    recording = Recording.find(src)
    both = sorted(recording.pictures.keys() & recording.scans.keys())
    left = {
        NO_SCAN: sorted(recording.pictures.keys() - recording.scans.keys()),
        NO_PICTURE: sorted(recording.scans.keys() - recording.pictures.keys()),
    }
    if not both:
        raise BadInput(f"{src}: none of {len(recording.pictures)} pictures has a scan of its name; check both folders")
    names = both[::every]
    calibrations = {name: recording.calibration(name) for name in names}
    positions = recording.positions(names, calibrations[names[0]])
    cameras = {name: calibrations[name].camera(read_image(recording.pictures[name]).size) for name in names}
    traversal = "drive"
    frames = {f"{traversal}/{number:06d}": name for number, name in enumerate(names)}
    table = _table(list(frames), traversal, positions)
    files = [path for name in names for path in (recording.pictures[name], recording.scans[name])]
    key = import_key("kitti", src, files, every=every, place=dataclasses.asdict(place))
    with resumable_folder(out, key, staging) as folder:
        made = [_files(frame, name, recording, calibrations[name], cameras[name]) for frame, name in frames.items()]
        folder.fill(made, progress)
        write_sources(folder.folder, {frame: recording.pictures[name].name for frame, name in frames.items()}, left)
        write_frames(folder.folder, table, _meta(src, out, traversal, list(cameras.values()), positions, place))
        Frames.load(folder.folder)
    return report_of(Frames.load(out), left, [folder.went_on, "" if positions else NO_POSES])


def _files(frame: str, name: str, recording: Recording, calibration: Calibration, camera: Camera) -> FrameFiles:
    """A frame's picture and its four maps."""
    traversal, number = frame.split("/")
    source = recording.pictures[name]
    picture = f"{traversal}/rgb/{number}{source.suffix}"
    sides = {side: f"{traversal}/{side}/{number}.png" for side in SIDES}

    def make() -> Mapping[str, bytes]:
        try:
            cloud = read_scan(recording.scans[name], calibration)
            dense = densify(cloud, camera, np.asarray(read_image(source)))
        except BadInput as error:
            own = str(error).startswith(str(recording.root))
            raise error if own else BadInput(f"{recording.scans[name]}: {error}") from error
        maps = {side.name: side for side in (*dense.sparse.maps, *dense.maps.values())}
        return {picture: read_bytes(source)} | {path: map_bytes(maps[side]) for side, path in sides.items()}

    return FrameFiles((picture, *sides.values()), make)


def _table(frames: Sequence[str], traversal: str, positions: Positions | None) -> dict[str, Column]:
    count = len(frames)
    table: dict[str, Column] = {
        "frame": list(frames), "traversal": [traversal] * count, "condition": [traversal] * count,
        "split": ["test"] * count,
    }  # fmt: skip
    if positions is None:
        return table | {"easting_m": APART_M * np.arange(count), "northing_m": np.zeros(count)}
    centre = positions.to_world[:, :3, 3]
    table |= dict(zip(("easting_m", "northing_m", "altitude_m"), centre.T, strict=True))
    table |= dict(zip(QUATERNION, quaternions(positions.to_world[:, :3, :3]).T, strict=True))
    return table if positions.time_s is None else table | {"time_s": positions.time_s}


def _meta(
    src: Path, out: Path, traversal: str, cameras: Sequence[Camera], positions: Positions | None, place: PlaceRule
) -> dict[str, Any]:
    origin = None
    if positions is not None and positions.zone is not None:
        east, north = positions.to_world[:1, 0, 3], positions.to_world[:1, 1, 3]
        (lat,), (lon,) = to_degrees(east, north, positions.zone)
        origin = {"lat": round(float(lat), 6), "lon": round(float(lon), 6), "utm_zone": zone_text(positions.zone)}
    return {
        "name": out.name,
        "licence": "as the source; KITTI: CC BY-NC-SA 3.0",
        "source": f"KITTI recording {src.resolve().name}, depth and reflectance filled between lidar points",
        "cameras": [dataclasses.asdict(camera) for camera in dict.fromkeys(cameras)],
        "origin": origin,
        "modalities": SIDES,
        "traversals": [{"name": traversal, "condition": traversal, "role": "query", "labels": True}],
        "place": dataclasses.asdict(place),
    }
