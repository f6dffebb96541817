"""Where a camera stands and how it is turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.dataset.poses import quaternions


@dataclass(frozen=True, eq=False)
class Pose:
    """A camera's pose in the data set's frame: east, north, up in metres, as `Frames.position` has it.

    Camera frame: x right, y down, z forward.
    """

    rotation: np.ndarray
    """(3, 3) camera to world."""
    centre: np.ndarray
    """(3,) the camera's centre, metres."""

    @property
    def quaternion(self) -> np.ndarray:
        """(4,) qw, qx, qy, qz, camera to world."""
        quaternion: np.ndarray = quaternions(self.rotation[None])[0]
        return quaternion

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points (N, 3) in the camera's frame."""
        seen: np.ndarray = (np.asarray(points, np.float64) - self.centre) @ self.rotation
        return seen

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) of the camera's frame in the world's."""
        placed: np.ndarray = np.asarray(points, np.float64) @ self.rotation.T + self.centre
        return placed

    def metres_to(self, other: Pose) -> float:
        """How far the two cameras' centres lie apart."""
        return float(np.linalg.norm(self.centre - other.centre))

    def degrees_to(self, other: Pose) -> float:
        """By how much one camera is turned against the other, 0 to 180 (stable for small angles too)."""
        turn = self.rotation.T @ other.rotation
        sine = np.linalg.norm([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
        return float(np.degrees(np.arctan2(sine, np.trace(turn) - 1)))
