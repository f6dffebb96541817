"""Scan lines of a lidar on a moving vehicle, gathered along its trajectory into one cloud before a camera.

A push-broom measures a plane across the way; what lies ahead of a camera it measures seconds later, when the vehicle
has got there. So a frame's cloud is made of the scans from a little behind the camera to far ahead of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from butf.densify.cloud import Cloud
from butf.errors import BadInput
from butf.importers.staging import read_bytes
from butf.importers.trajectory import Trajectory, inverse

BEHIND_M, AHEAD_M = 6.0, 75.0
STEP_M = 0.04  # of several scans from within that distance one is enough
NEAREST_M, FARTHEST_M = 0.5, 50.0  # the reach of the LMS-151 and the LD-MRS, as the dataset's authors give it
POINT_BYTES = 24
LEAST = 1 / 255  # of a reflectance: 0 on disk means not measured


@dataclass(frozen=True, eq=False)
class Scans:
    """The scans of one lidar: `time_us` (S,) int64, ascending, of the files in `folder`; `mount` (4, 4) takes a scan's
    points to the vehicle. The third number of a point is its intensity where `flat`, else its z."""

    folder: Path
    time_us: np.ndarray
    mount: np.ndarray
    flat: bool

    def path(self, row: int) -> Path:
        return self.folder / f"{self.time_us[row]}.bin"

    def around(self, trajectory: Trajectory, time_us: int, gap_us: int) -> np.ndarray:
        """(K,) rows of the scans from `BEHIND_M` to `AHEAD_M` along the way of where the vehicle was at a time."""
        here = float(trajectory.along_at(np.array([time_us]))[0])
        first, last = np.searchsorted(trajectory.along, (here - BEHIND_M, here + AHEAD_M))
        window = trajectory.time_us[[max(first - 1, 0), min(last, len(trajectory.time_us) - 1)]]
        rows = np.arange(*np.searchsorted(self.time_us, window))
        rows = rows[trajectory.covers(self.time_us[rows], gap_us)]
        step = np.floor(trajectory.along_at(self.time_us[rows]) / STEP_M)
        chosen: np.ndarray = rows[np.unique(step, return_index=True)[1]]
        return chosen

    def cloud(
        self, rows: np.ndarray, trajectory: Trajectory, camera: np.ndarray, full_scale: float
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Points (N, 3) of some scans in the frame of a camera with pose `camera` (4, 4), camera to world, and their
        reflectance (N,) 0..1, `full_scale` being the intensity that counts as 1; None where the lidar has none."""
        poses = inverse(camera) @ trajectory.at(self.time_us[rows]) @ self.mount
        points, intensity = [np.zeros((0, 3))], [np.zeros(0)]
        for row, pose in zip(rows.tolist(), poses, strict=True):
            scan = read_scan(self.path(row))
            place = scan[:, :2] if self.flat else scan
            distance = np.sqrt((place * place).sum(axis=1))
            # What is no number has no distance, and is no echo.
            echo = (distance >= NEAREST_M) & (distance <= FARTHEST_M) & np.isfinite(scan[:, 2])
            points.append(place[echo] @ pose[:3, : place.shape[1]].T + pose[:3, 3])
            intensity.append(scan[echo, 2])
        if not self.flat:
            return np.concatenate(points), None
        return np.concatenate(points), np.clip(np.concatenate(intensity) / full_scale, LEAST, 1)


def gathered(
    lidars: tuple[Scans, ...], trajectory: Trajectory, time_us: int, camera: np.ndarray, gap_us: int, full_scale: float
) -> tuple[Cloud, Cloud | None]:
    """What all lidars measured before a camera: a cloud without reflectance, and that of those that give it (None where
    none does)."""
    points, measured = [], []
    for scans in lidars:
        rows = scans.around(trajectory, time_us, gap_us)
        seen, reflectance = scans.cloud(rows, trajectory, camera, full_scale)
        points.append(seen)
        if reflectance is not None:
            measured.append(Cloud(seen.astype(np.float32), reflectance.astype(np.float32)))
    return Cloud(np.concatenate(points).astype(np.float32)), measured[0] if measured else None


def read_scan(path: Path) -> np.ndarray:
    """(P, 3) float64 of a scan file. Raises `BadInput` for one that is truncated or cannot be read."""
    content = read_bytes(path)
    check_size(path, len(content))
    return np.frombuffer(content, "<f8").reshape(-1, 3)


def check_size(path: Path, size: int) -> None:
    """`BadInput` unless a scan file of that many bytes holds whole points."""
    if size % POINT_BYTES:
        raise BadInput(
            f"{path} has {size} bytes, no multiple of {POINT_BYTES} (three numbers a point): it is truncated; copy it "
            f"again or delete it"
        )


def full_scale_of(lidars: list[Scans], each: int = 50) -> float:
    """The 99th percentile of the intensities in scans spread evenly over each lidar's; 1 where there are none."""
    found = [
        read_scan(scans.path(row))[:, 2]
        for scans in lidars
        if scans.flat and len(scans.time_us)
        for row in np.unique(np.linspace(0, len(scans.time_us) - 1, each).astype(int))
    ]
    values = np.concatenate(found) if found else np.zeros(0)
    values = values[values > 0]
    return float(np.percentile(values, 99)) if len(values) else 1.0
