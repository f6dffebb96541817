"""The pose of a camera from pixels and the points in space that they show: PnP, RANSAC, refinement, covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.dataset.manifest import Camera
from butf.pose.pose import Pose

FEWEST = 4
"""Three points have up to four poses; the fourth decides."""


@dataclass(frozen=True, eq=False)
class Solution:
    """A camera's pose with what it rests on."""

    pose: Pose
    inliers: np.ndarray
    """(N,) bool: which of the points agree with the pose."""
    covariance: np.ndarray
    """(6, 6) of the centre (east, north, up; m^2) and of a small turn of the camera about the world's axes (rad^2)."""
    residual_px: float
    """Root mean square distance of the inliers' pixels from where the pose projects their points."""

    @property
    def position_std_m(self) -> float:
        """Standard deviation of the centre, metres: root of the sum of the three variances."""
        return float(np.sqrt(np.trace(self.covariance[:3, :3])))

    @property
    def angle_std_deg(self) -> float:
        """Standard deviation of the rotation, degrees: root of the sum of the three variances."""
        return float(np.degrees(np.sqrt(np.trace(self.covariance[3:, 3:]))))


def solve(
    pixels: np.ndarray,
    points: np.ndarray,
    camera: Camera,
    threshold_px: float = 3.0,
    fewest: int = FEWEST,
    seed: int = 0,
) -> Solution | None:
    """The pose under which most points (N, 3), metres, are seen at their pixels (N, 2).

    None where no pose is certain. The same input and seed give the same pose.
    """
    raise NotImplementedError
