"""The Oxford RobotCar dataset (Maddern, Pascoe, Linegar, Newman: 1 Year, 1000 km, IJRR 36, 2017), in its own layout.

Pictures of stereo/centre become colour, lose their distortion and are scaled; poses are interpolated in SE(3) from the
INS, RTK or visual odometry; the scans of the lidar are gathered along the way and become dense depth and reflectance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from butf.dataset.areas import Areas, write_areas
from butf.dataset.frames import Frames, write_frames
from butf.dataset.manifest import Camera
from butf.dataset.poses import quaternions
from butf.dataset.table import QUATERNION, Column
from butf.errors import BadInput
from butf.importers.geography import Zone, to_degrees, zone_text
from butf.importers.photo_roles import OUTSIDE, read_split_areas
from butf.importers.push_broom import Scans, full_scale_of
from butf.importers.report import ImportReport, report_of, write_sources
from butf.importers.robotcar_choice import Choice
from butf.importers.robotcar_drive import (
    FrameJob,
    Source,
    camera_poses,
    check_calibration,
    choose,
    make_frame,
    modalities,
    open_drive,
    open_rig,
)
from butf.importers.robotcar_files import (
    calibration_folder,
    check_picture,
    find_traversals,
    picture_path,
    read_condition,
)
from butf.importers.robotcar_poses import rtk_file
from butf.importers.staging import FrameFiles, Progress, import_key, require_absent, resumable_folder

WORTH = 8  # frames a process, for it takes as long to begin as to make some frames
BY_DAY = ("overcast", "sun", "clouds")


@dataclass(frozen=True, eq=False)
class _Taken:
    """What is taken of a traversal: M frames at `time_us` (M,) with `poses` (M, 4, 4), camera to world, in `split` (M,)
    of areas."""

    folder: Path
    condition: str
    time_us: np.ndarray
    poses: np.ndarray
    split: np.ndarray
    lidars: tuple[Scans, ...]


def import_robotcar(
    src: Path | str,
    out: Path | str,
    choice: Choice | None = None,
    progress: Progress | None = None,
    staging: Path | None = None,
    workers: int = 1,
) -> ImportReport:
    """Turn the traversals in `src` into one data set, each frame with depth, and with reflectance where there is an
    LMS.

    A condition is what a traversal's tags say of light and weather. One traversal is the reference, which others are
    searched in; where there is only one, each frame is searched among the others. Left out and reported: pictures
    nearer than the spacing, outside of poses, of the lidar's way or of the areas. Frames are made by up to `workers`
    processes. An import that was broken off goes on where it stopped (see `resumable_folder`, also for `staging`).

    Raises `BadInput` when folders, columns or files are missing or broken, times do not overlap or repeat, positions
    disagree, no lidar point falls into a picture, or `out` exists.
    """
    src, out, choice = Path(src), Path(out), choice or Choice()
    require_absent(out)
    open_drive.cache_clear()
    open_rig.cache_clear()
    base, folders = find_traversals(src)
    source = Source(base, *(calibration_folder(base, folders, name) for name in ("models", "extrinsics")))
    areas = None if choice.areas is None else read_split_areas(choice.areas)
    conditions = {folder: read_condition(folder, base) for folder in folders}
    taken, left, zone, notes = _taken(source, conditions, choice, areas, progress)
    reference = _reference(taken, choice)
    camera = _camera(source, taken, choice)
    scale = choice.full_scale or full_scale_of([scans for one in taken for scans in one.lidars])
    jobs = _jobs(source, taken, choice, scale)
    for one in taken:
        first = next(number for number, job in enumerate(jobs) if job.folder == one.folder)
        check_calibration(jobs[first + len(one.time_us) // 2])
    table = _table(jobs, taken)
    pictures = [picture_path(job.folder, job.time_us) for job in jobs]
    key = import_key("robotcar", src, [*pictures, *_read(source, taken, choice)], choice=repr(choice), full_scale=scale)
    with resumable_folder(out, key, staging) as folder:
        made = [FrameFiles(job.files, partial(make_frame, job)) for job in jobs]
        folder.fill(made, progress, min(workers, -(-len(jobs) // WORTH)))
        shown = {job.frame: str(path.relative_to(base)) for job, path in zip(jobs, pictures, strict=True)}
        write_sources(folder.folder, shown, left)
        if areas is not None:
            write_areas(folder.folder / "areas.geojson", areas)
        write_frames(folder.folder, table, _meta(out, taken, reference, camera, zone, choice))
        Frames.load(folder.folder)
    if choice.lidar != "ldmrs":
        source_of = "as asked for" if choice.full_scale else "the 99th percentile of what was measured"
        notes.append(f"reflectance is the intensity of the LMS over {scale:g}, {source_of}, at most 1")
    if len(taken) == 1:
        notes.append("there is one traversal: each frame is searched among the others")
    return report_of(Frames.load(out), left, [folder.went_on, *notes])


def _read(source: Source, taken: Sequence[_Taken], choice: Choice) -> list[Path]:
    """What frames depend on beside their pictures: calibration, logs, areas, and the folders of scans."""
    calibration = [path for part in (source.models, source.extrinsics) for path in sorted(part.iterdir())]
    logs = [path for one in taken for path in sorted(one.folder.glob("*/*.csv"))]
    rtk = [rtk_file(one.folder, source.base) for one in taken]
    scans = [lidar.folder for one in taken for lidar in one.lidars]
    return [*calibration, *logs, *filter(None, (*rtk, choice.areas)), *scans]


def _reference(taken: Sequence[_Taken], choice: Choice) -> str:
    """The name of the traversal that is searched in."""
    names = [one.folder.name for one in taken]
    if choice.reference is None:
        return next((one.folder.name for one in taken if one.condition in BY_DAY), names[0])
    if choice.reference not in names:
        where = "" if choice.areas is None else f" with a frame in the areas of {choice.areas}"
        raise BadInput(
            f"there is no traversal {choice.reference!r}{where} to be the reference; give one of {', '.join(names)}"
        )
    return choice.reference


def _taken(
    source: Source, conditions: Mapping[Path, str], choice: Choice, areas: Areas | None, progress: Progress | None
) -> tuple[list[_Taken], dict[str, list[str]], Zone, list[str]]:
    """What is taken of each traversal, what is left, the UTM zone of all, and notes."""
    taken: list[_Taken] = []
    left: dict[str, list[str]] = {}
    zones: dict[Zone, str] = {}
    notes = []
    for number, (folder, condition) in enumerate(conditions.items(), start=1):
        drive = open_drive(source, folder, choice)
        zones.setdefault(drive.zone, folder.name)
        if len(zones) > 1:
            where = ", ".join(f"{name} in {zone_text(zone)}" for zone, name in zones.items())
            raise BadInput(f"{source.base} has traversals in several UTM zones ({where}); import them one by one")
        times, reasons = choose(drive, choice.spacing_m)
        rig = open_rig(source, picture_path(folder, int(drive.pictures[0])), choice.width)
        poses = camera_poses(drive, rig, times)
        split = _splits(poses, drive.zone, areas)
        reasons[OUTSIDE] = [f"{folder.name}/stereo/centre/{time}.png" for time in times[split == ""].tolist()]
        for reason, names in reasons.items():
            left.setdefault(reason, []).extend(names)
        inside = split != ""
        if inside.any():
            taken.append(_Taken(folder, condition, times[inside], poses[inside], split[inside], drive.lidars))
        else:
            notes.append(f"{folder.name} has no frame in the areas")
        notes += [f"{folder.name}: {note}" for note in drive.notes]
        if progress is not None:
            progress("Reading the traversals", number, len(conditions))
    if not taken:
        raise BadInput(f"no frame lies in the train, val and test areas of {choice.areas}; check the areas")
    return taken, left, next(iter(zones)), notes


def _splits(poses: np.ndarray, zone: Zone, areas: Areas | None) -> np.ndarray:
    """(M,) str: test, or the area in which each camera stands, "" outside of all."""
    if areas is None:
        return np.full(len(poses), "test")
    lat, lon = to_degrees(poses[:, 0, 3], poses[:, 1, 3], zone)
    return areas.split_of(np.stack([lon, lat], axis=1))


def _camera(source: Source, taken: Sequence[_Taken], choice: Choice) -> Camera:
    """The camera of all frames, once every picture was seen to be whole and of one size."""
    first = picture_path(taken[0].folder, int(taken[0].time_us[0]))
    rig = open_rig(source, first, choice.width)
    for one in taken:
        for time in one.time_us.tolist():
            check_picture(picture_path(one.folder, time), rig.size)
    return rig.camera


def _jobs(source: Source, taken: Sequence[_Taken], choice: Choice, full_scale: float) -> list[FrameJob]:
    return [
        FrameJob(source, choice, one.folder, time, f"{one.folder.name}/{number:06d}", full_scale)
        for one in taken
        for number, time in enumerate(one.time_us.tolist())
    ]


def _table(jobs: Sequence[FrameJob], taken: Sequence[_Taken]) -> dict[str, Column]:
    poses = np.concatenate([one.poses for one in taken])
    table: dict[str, Column] = {
        "frame": [job.frame for job in jobs],
        "traversal": [job.folder.name for job in jobs],
        "condition": [one.condition for one in taken for _ in one.time_us],
        "split": np.concatenate([one.split for one in taken]),
        "time_s": [job.time_us / 1e6 for job in jobs],
    }
    table |= dict(zip(("easting_m", "northing_m", "altitude_m"), poses[:, :3, 3].T, strict=True))
    return table | dict(zip(QUATERNION, quaternions(poses[:, :3, :3]).T, strict=True))


def _meta(
    out: Path, taken: Sequence[_Taken], reference: str, camera: Camera, zone: Zone, choice: Choice
) -> dict[str, Any]:
    middle = np.median(np.concatenate([one.poses[:, :2, 3] for one in taken]), axis=0)
    (lat,), (lon,) = to_degrees(middle[:1], middle[1:], zone)
    searched = len(taken) > 1
    return {
        "name": out.name,
        "licence": "as the source; Oxford RobotCar: CC BY-NC-SA 4.0",
        "source": f"Oxford RobotCar layout, {len(taken)} traversals, poses {choice.poses}, lidar {choice.lidar}",
        "cameras": [dataclasses.asdict(camera)],
        "origin": {"lat": round(float(lat), 6), "lon": round(float(lon), 6), "utm_zone": zone_text(zone)},
        "modalities": modalities(choice),
        "traversals": [
            {
                "name": one.folder.name,
                "condition": one.condition,
                "role": "reference" if searched and one.folder.name == reference else "query",
                "labels": True,
            }
            for one in taken
        ],
        "place": dataclasses.asdict(choice.place),
    }
