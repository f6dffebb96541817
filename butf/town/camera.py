"""The pinhole camera: one ray through the exact centre of each pixel, and four around it where edges need them."""

from __future__ import annotations

import numpy as np

from butf.dataset.manifest import Camera
from butf.town.config import TownConfig

CORNERS = np.array([[-0.375, -0.125], [0.125, -0.375], [-0.125, 0.375], [0.375, 0.125]], np.float32)  # rotated grid


def make_camera(config: TownConfig) -> Camera:
    focal = 0.5 * config.width / np.tan(np.radians(config.fov_deg) / 2)
    return Camera(
        "front",
        config.width,
        config.height,
        float(focal),
        float(focal),
        config.width / 2,
        round(config.height * config.horizon, 3),
    )


class Rays:
    """Directions in the camera's frame turned into the world. World vectors are east, north, up."""

    def __init__(self, camera: Camera):
        self.camera = camera
        rows, columns = np.mgrid[: camera.height, : camera.width].astype(np.float32)
        self._columns, self._rows = columns.ravel() + 0.5, rows.ravel() + 0.5
        self.phase = ((rows % 2) * 2 + columns % 2).astype(np.int8).ravel()

    def centres(self, yaw: float) -> tuple[np.ndarray, np.ndarray]:
        """Unit directions (H*W, 3) through the pixel centres and their shares (H*W,) along the optical axis."""
        return self._turned(self._columns, self._rows, yaw)

    def around(self, pixels: np.ndarray, yaw: float) -> np.ndarray:
        """Unit directions (4 * P, 3) through four points of each pixel."""
        columns = (self._columns[pixels, None] + CORNERS[:, 0]).ravel()
        rows = (self._rows[pixels, None] + CORNERS[:, 1]).ravel()
        return self._turned(columns, rows, yaw)[0]

    def _turned(self, columns: np.ndarray, rows: np.ndarray, yaw: float) -> tuple[np.ndarray, np.ndarray]:
        x, y = (columns - self.camera.cx) / self.camera.fx, (rows - self.camera.cy) / self.camera.fy
        axial = 1 / np.sqrt(1 + x * x + y * y)
        c, s = np.float32(np.cos(yaw)), np.float32(np.sin(yaw))
        directions = np.empty((len(x), 3), np.float32)
        directions[:, 0], directions[:, 1] = (c + s * x) * axial, (s - c * x) * axial
        directions[:, 2] = -y * axial
        return directions, axial.astype(np.float32)
