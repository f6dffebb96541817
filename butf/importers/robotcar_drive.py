"""One traversal of RobotCar: which of its pictures become frames, and what a frame is made of."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from butf.dataset.manifest import Camera
from butf.dataset.modalities import FILLED_FROM, Map, map_bytes
from butf.densify import Cloud, fill, project
from butf.errors import BadInput
from butf.files import read_pixels
from butf.importers.bayer import Undistortion, demosaic
from butf.importers.geography import Zone
from butf.importers.pictures import QUALITY
from butf.importers.push_broom import AHEAD_M, Scans, gathered
from butf.importers.robotcar_choice import Choice
from butf.importers.robotcar_files import (
    INS,
    Lens,
    check_picture,
    picture_path,
    read_extrinsic,
    read_lens,
    read_lut,
    read_pictures,
    read_scans,
)
from butf.importers.robotcar_poses import read_odometry, read_solution, rtk_file, span
from butf.importers.trajectory import Trajectory

DEPTH_RANGE = {"near_m": 1.0, "far_m": 100.0}
GAP_US = 1_000_000
LEAST_AHEAD_M = 10.0
NO_POSE = "outside of the log of poses, or in a gap of it of more than 1 s"
NOT_LISTED = "not listed in stereo.timestamps"
NO_LIDAR = f"the lidar did not go on for {LEAST_AHEAD_M:g} m after it"


@dataclass(frozen=True)
class Source:
    """Where things lie: the folder of the traversals, the cameras' models, and the sensors' extrinsics."""

    base: Path
    models: Path
    extrinsics: Path


@dataclass(frozen=True, eq=False)
class Drive:
    """A traversal, opened: `trajectory` of the vehicle in east, north, up metres of `zone`; `lidars`; the times of its
    pictures (N,) int64 microseconds; pictures left out so far; and whatever is to be noted."""

    folder: Path
    trajectory: Trajectory
    zone: Zone
    lidars: tuple[Scans, ...]
    pictures: np.ndarray
    left: dict[str, list[str]]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Rig:
    """The camera: raw pictures of `size` (W, H), how their distortion is taken out, `camera` as the frames have it, and
    `mount` (4, 4), its frame to the vehicle."""

    size: tuple[int, int]
    undistortion: Undistortion
    camera: Camera
    mount: np.ndarray


@dataclass(frozen=True)
class FrameJob:
    """A frame to be made: the traversal's folder, the picture's time, the frame's name, and the intensity that counts
    as reflectance 1."""

    source: Source
    choice: Choice
    folder: Path
    time_us: int
    frame: str
    full_scale: float

    @property
    def files(self) -> tuple[str, ...]:
        traversal, name = self.frame.split("/")
        maps = (f"{traversal}/{modality}/{name}.png" for modality in modalities(self.choice))
        return (f"{traversal}/rgb/{name}.jpg", *maps)


def modalities(choice: Choice) -> dict[str, dict[str, Any]]:
    """The side modalities of each frame, as dataset.json has them: the samples, and what was filled between them.

    `returns` are those of all points, so there are none where some come from a lidar that measures no intensity.
    """
    made = {FILLED_FROM: "points"}
    found: dict[str, dict[str, Any]] = {
        "points": DEPTH_RANGE,
        "returns": {},
        "depth": DEPTH_RANGE | made,
        "reflectance": made,
    }
    absent = {"lms_front": (), "ldmrs": ("returns", "reflectance"), "both": ("returns",)}[choice.lidar]
    return {name: entry for name, entry in found.items() if name not in absent}


@lru_cache(maxsize=2)
def open_drive(source: Source, folder: Path, choice: Choice) -> Drive:
    """Read the logs of a traversal and list its pictures and scans. Raises `BadInput` as the readers do."""
    pictures, unlisted = read_pictures(folder)
    lidars = tuple(read_scans(folder, lidar, source.extrinsics) for lidar in choice.lidars)
    ins_file, rtk = folder / "gps" / "ins.csv", rtk_file(folder, source.base)
    if choice.poses == "rtk" and rtk is None:
        raise BadInput(f"{folder} has no rtk.csv; put the RTK log there, or use --poses ins")
    of_ins = read_extrinsic(source.extrinsics, INS)
    solution = read_solution(rtk if rtk and choice.poses in ("best", "rtk") else ins_file, of_ins)
    trajectory = solution.trajectory
    if choice.poses == "vo":
        trajectory = read_odometry(folder / "vo" / "vo.csv", trajectory)
    left = {NOT_LISTED: [f"{folder.name}/{name}" for name in unlisted]}
    return Drive(folder, trajectory, solution.zone, lidars, pictures, left, solution.notes)


@lru_cache(maxsize=1)
def open_rig(source: Source, picture: Path, width: int) -> Rig:
    """Read the camera's files; `picture` is any raw one. Raises `BadInput` when they do not fit each other."""
    size = check_picture(picture)
    lens = read_lens(source.models, source.extrinsics)
    lut = read_lut(source.models, size, picture)
    return Rig(size, Undistortion(lut), _scaled(lens, size, min(width, size[0])), lens.mount)


def choose(drive: Drive, spacing_m: float) -> tuple[np.ndarray, dict[str, list[str]]]:
    """(M,) int64 times of the pictures that become frames, one each `spacing_m` metres, and those left out by reason.

    Raises `BadInput` when pictures or scans do not overlap the poses.
    """
    trajectory, name = drive.trajectory, drive.folder.name
    posed = trajectory.covers(drive.pictures, GAP_US)
    if not posed.any():
        raise BadInput(
            f"{drive.folder}: no picture {span(drive.pictures)} was taken within the log of poses "
            f"{span(trajectory.time_us)}; expected microseconds of one clock from the same traversal"
        )
    for scans in drive.lidars:
        if not trajectory.covers(scans.time_us, GAP_US).any():
            raise BadInput(
                f"{scans.folder}: no scan {span(scans.time_us)} was taken within the log of poses "
                f"{span(trajectory.time_us)}; expected microseconds of one clock from the same traversal"
            )
    times = drive.pictures[posed]
    spaced = _spaced(trajectory.at(times)[:, :2, 3], spacing_m)
    chosen = times[spaced]
    ahead = _scanned_ahead(drive, chosen)
    if not (ahead >= LEAST_AHEAD_M).any():
        raise BadInput(
            f"{drive.folder}: {', '.join(scans.folder.name for scans in drive.lidars)} did not scan the "
            f"{LEAST_AHEAD_M:g} m of way after any picture; copy scans and pictures of the same time"
        )
    reasons = {
        NO_POSE: drive.pictures[~posed],
        f"less than {spacing_m:g} m from the frame before": times[~spaced],
        NO_LIDAR: chosen[ahead < LEAST_AHEAD_M],
    }
    left = {
        reason: [f"{name}/stereo/centre/{time}.png" for time in found.tolist()] for reason, found in reasons.items()
    }
    return chosen[ahead >= LEAST_AHEAD_M], {**drive.left, **left}


def camera_poses(drive: Drive, rig: Rig, times: np.ndarray) -> np.ndarray:
    """(M, 4, 4) of the camera (x right, y down, z forward) to the world (east, north, up)."""
    poses: np.ndarray = drive.trajectory.at(times) @ rig.mount
    return poses


def make_frame(job: FrameJob) -> Mapping[str, bytes]:
    """The files of a frame: its picture, and the maps of what the lidar measured before it."""
    drive, rig = _opened(job)
    picture = developed(picture_path(job.folder, job.time_us), rig)
    every, measured = _clouds(job, drive, rig)
    maps = _maps(every if measured is None or len(drive.lidars) > 1 else measured, rig.camera, picture)
    if measured is not None and "reflectance" not in maps:
        # Points without an intensity say where surfaces are, but nothing of their reflectance.
        maps["reflectance"] = _maps(measured, rig.camera, picture)["reflectance"]
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=QUALITY, subsampling=0)
    traversal, name = job.frame.split("/")
    sides = {f"{traversal}/{modality}/{name}.png": map_bytes(side) for modality, side in maps.items()}
    return {f"{traversal}/rgb/{name}.jpg": file.getvalue(), **sides}


def check_calibration(job: FrameJob) -> None:
    """`BadInput` when none of what the lidar measured around a frame falls into its picture."""
    drive, rig = _opened(job)
    every, _ = _clouds(job, drive, rig)
    if not project(every, rig.camera).measured.any():
        path = picture_path(job.folder, job.time_us)
        raise BadInput(
            f"none of {len(every)} lidar points around {path} falls into the picture; check {job.source.extrinsics} "
            f"and the poses"
        )


def developed(path: Path, rig: Rig) -> np.ndarray:
    """A raw picture in colour, without distortion, at the size of the frames: (H, W, 3) uint8."""
    check_picture(path, rig.size)
    colour = rig.undistortion.apply(demosaic(np.asarray(read_pixels(path))))
    size = (rig.camera.width, rig.camera.height)
    if size == rig.size:
        return colour
    return np.asarray(Image.fromarray(colour).resize(size, Image.Resampling.LANCZOS))


def _scaled(lens: Lens, size: tuple[int, int], width: int) -> Camera:
    """The camera of pictures scaled to a width. The model counts from the centre of the first pixel, we from its
    corner, half a pixel further out."""
    height = round(size[1] * width / size[0])
    across, down = width / size[0], height / size[1]
    return Camera(
        "stereo_centre",
        width,
        height,
        lens.fx * across,
        lens.fy * down,
        (lens.cx + 0.5) * across,
        (lens.cy + 0.5) * down,
    )


def _opened(job: FrameJob) -> tuple[Drive, Rig]:
    drive = open_drive(job.source, job.folder, job.choice)
    first = picture_path(job.folder, int(drive.pictures[0]))
    return drive, open_rig(job.source, first, job.choice.width)


def _clouds(job: FrameJob, drive: Drive, rig: Rig) -> tuple[Cloud, Cloud | None]:
    pose = camera_poses(drive, rig, np.array([job.time_us]))[0]
    return gathered(drive.lidars, drive.trajectory, job.time_us, pose, GAP_US, job.full_scale)


def _maps(cloud: Cloud, camera: Camera, picture: np.ndarray) -> dict[str, Map]:
    """The samples of a cloud and dense maps; without any measurement where no point falls into the picture."""
    sparse = project(cloud, camera)
    samples = {side.name: side for side in sparse.maps}
    if sparse.measured.any():
        return samples | fill(sparse, camera, picture).maps
    empty = {"depth": sparse.depth, "reflectance": sparse.reflectance}
    return samples | {name: Map(name, values, sparse.measured) for name, values in empty.items() if values is not None}


def _spaced(points: np.ndarray, spacing_m: float) -> np.ndarray:
    """(N,) bool: the first of the points (N, 2), and each that lies `spacing_m` metres or more from the last taken."""
    taken = np.zeros(len(points), bool)
    row = 0
    while row < len(points):
        taken[row] = True
        far = np.hypot(*(points[row + 1 :] - points[row]).T) >= spacing_m
        row = row + 1 + int(far.argmax()) if far.any() else len(points)
    return taken


def _scanned_ahead(drive: Drive, times: np.ndarray) -> np.ndarray:
    """(M,) metres of way after each time, up to `AHEAD_M`, until the first lidar's last scan of them."""
    scans, trajectory = drive.lidars[0], drive.trajectory
    here = trajectory.along_at(times)
    scanned = np.append(trajectory.along_at(scans.time_us[trajectory.covers(scans.time_us, GAP_US)]), -np.inf)
    order = np.sort(scanned)
    last = order[np.searchsorted(order, here + AHEAD_M, side="right") - 1]
    ahead: np.ndarray = last - here
    return ahead
