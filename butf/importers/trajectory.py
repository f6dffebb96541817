"""Rigid motions: poses from roll, pitch and yaw, and a trajectory that tells the pose at any time.

A pose is a (4, 4) matrix that takes points of one frame to another. Between two known poses the rotation turns at
constant speed along the geodesic (Shoemake 1985: slerp of unit quaternions) and the position moves along a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from butf.dataset.poses import quaternions

STANDSTILL_MPS = 0.2
"""Slower than that a vehicle stands: what an INS moves meanwhile is noise."""


def transforms(components: np.ndarray) -> np.ndarray:
    """(N, 6) x, y, z in metres, roll, pitch, yaw in radians -> (N, 4, 4); a rotation is Rz(yaw) Ry(pitch) Rx(roll)."""
    values = np.asarray(components, float).reshape(-1, 6)
    (cr, cp, cy), (sr, sp, sy) = np.cos(values[:, 3:]).T, np.sin(values[:, 3:]).T
    made = np.zeros((len(values), 4, 4))
    made[:, 0, :3] = np.stack([cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr], axis=1)
    made[:, 1, :3] = np.stack([sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr], axis=1)
    made[:, 2, :3] = np.stack([-sp, cp * sr, cp * cr], axis=1)
    made[:, :3, 3], made[:, 3, 3] = values[:, :3], 1
    return made


def inverse(poses: np.ndarray) -> np.ndarray:
    """The inverses of rigid motions (..., 4, 4)."""
    turned = np.swapaxes(poses[..., :3, :3], -1, -2)
    made = np.zeros(np.shape(poses))
    made[..., :3, :3], made[..., 3, 3] = turned, 1
    made[..., :3, 3] = -(turned @ poses[..., :3, 3:])[..., 0]
    return made


def rotations(quaternion: np.ndarray) -> np.ndarray:
    """(N, 4) unit quaternions qw, qx, qy, qz -> (N, 3, 3) rotation matrices."""
    w, x, y, z = np.asarray(quaternion, float).T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.moveaxis(np.array(rows), 2, 0)


def slerp(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(N, 4) unit quaternions `share` (N,) of the shorter way from `first` to `second`."""
    cosine = (first * second).sum(axis=1)
    second = np.where(cosine[:, None] < 0, -second, second)
    angle = np.arccos(np.clip(np.abs(cosine), 0, 1))
    near = angle < 1e-6
    sine = np.where(near, 1, np.sin(angle))
    start = np.where(near, 1 - share, np.sin((1 - share) * angle) / sine)
    end = np.where(near, share, np.sin(share * angle) / sine)
    mixed = start[:, None] * first + end[:, None] * second
    unit: np.ndarray = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return unit


def chained(steps: np.ndarray) -> np.ndarray:
    """(N, 4, 4) steps, each the pose of one frame in the frame before -> (N + 1, 4, 4) poses in the first frame."""
    poses = np.empty((len(steps) + 1, 4, 4))
    poses[0] = np.eye(4)
    for number, step in enumerate(steps):
        poses[number + 1] = poses[number] @ step
    return poses


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses of a vehicle: `time_us` (N,) int64 microseconds, ascending; `position` (N, 3) metres; `orientation` (N, 4)
    unit quaternions qw, qx, qy, qz, vehicle to world."""

    time_us: np.ndarray
    position: np.ndarray
    orientation: np.ndarray

    @classmethod
    def of(cls, time_us: np.ndarray, poses: np.ndarray) -> Trajectory:
        """From vehicle-to-world matrices (N, 4, 4)."""
        return cls(np.asarray(time_us, np.int64), poses[:, :3, 3].copy(), quaternions(poses[:, :3, :3]))

    def at(self, time_us: np.ndarray) -> np.ndarray:
        """(M, 4, 4) poses at times within the trajectory (see `covers`)."""
        time_us = np.asarray(time_us, np.int64)
        after = np.clip(np.searchsorted(self.time_us, time_us, side="right"), 1, len(self.time_us) - 1)
        before = after - 1
        share = (time_us - self.time_us[before]) / (self.time_us[after] - self.time_us[before])
        made = np.zeros((len(time_us), 4, 4))
        made[:, :3, :3] = rotations(slerp(self.orientation[before], self.orientation[after], share))
        made[:, :3, 3] = self.position[before] + share[:, None] * (self.position[after] - self.position[before])
        made[:, 3, 3] = 1
        return made

    def covers(self, time_us: np.ndarray, gap_us: int) -> np.ndarray:
        """(M,) bool: which times lie between two poses that are no more than `gap_us` apart."""
        time_us = np.asarray(time_us, np.int64)
        after = np.clip(np.searchsorted(self.time_us, time_us, side="left"), 1, len(self.time_us) - 1)
        inside = (time_us >= self.time_us[0]) & (time_us <= self.time_us[-1])
        covered: np.ndarray = inside & (self.time_us[after] - self.time_us[after - 1] <= gap_us)
        return covered

    @cached_property
    def along(self) -> np.ndarray:
        """(N,) metres travelled until each pose; standing still counts for nothing."""
        step = np.linalg.norm(np.diff(self.position, axis=0), axis=1)
        moving = step > STANDSTILL_MPS * np.diff(self.time_us) / 1e6
        return np.concatenate([[0.0], np.cumsum(step * moving)])

    def along_at(self, time_us: np.ndarray) -> np.ndarray:
        """(M,) metres travelled until each time, which may lie outside the trajectory."""
        start = self.time_us[0]
        metres: np.ndarray = np.interp(np.asarray(time_us, np.int64) - start, self.time_us - start, self.along)
        return metres
