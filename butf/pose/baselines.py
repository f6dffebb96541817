"""Poses without geometry: that of the nearest place, and the average of the first few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from butf.pose.pose import Pose


def nearest(candidates: Sequence[Pose]) -> Pose:
    """The pose of the first candidate; raises `ValueError` without any."""
    return average(candidates[:1])


def average(candidates: Sequence[Pose]) -> Pose:
    """The mean of positions and of rotations; raises `ValueError` without any.

    The mean rotation is that of least squared chordal distance: the largest eigenvector of the sum of the outer
    products of the quaternions, which does not mind their sign (Markley et al. 2007).
    """
    if not candidates:
        raise ValueError("there is no candidate to average")
    quaternions = np.array([pose.quaternion for pose in candidates])
    mean = np.linalg.eigh(quaternions.T @ quaternions)[1][:, -1]
    return Pose(rotation_of(mean), np.mean([pose.centre for pose in candidates], axis=0))


def rotation_of(quaternion: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) of a quaternion (4,) qw, qx, qy, qz of any length but 0."""
    w, x, y, z = np.asarray(quaternion, float) / np.linalg.norm(quaternion)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
