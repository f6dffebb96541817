"""A cloud of points becomes a sparse image: in each pixel the nearest point that falls into it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from butf.dataset.manifest import Camera
from butf.dataset.modalities import Map
from butf.densify.cloud import Cloud

NEAREST_M = 0.3


@dataclass(frozen=True, eq=False)
class Sparse:
    """What was measured in each pixel: `depth` (H, W) float32 metres along the optical axis, 0 for nothing, and
    `reflectance` (H, W) float32 0..1, 0 where there is no depth (None where the sensor gives none)."""

    depth: np.ndarray
    reflectance: np.ndarray | None = None

    @property
    def measured(self) -> np.ndarray:
        """(H, W) bool."""
        return self.depth > 0

    @property
    def maps(self) -> tuple[Map, ...]:
        """The samples as they are written to disk: `points`, and `returns` where there is reflectance."""
        points = Map("points", self.depth, self.measured)
        return (points,) if self.reflectance is None else (points, Map("returns", self.reflectance, self.measured))

    @classmethod
    def of(cls, points: Map, returns: Map | None) -> Sparse:
        """The samples that `maps` were written from."""
        depth = np.where(points.valid, points.values, 0).astype(np.float32)
        return cls(depth, None if returns is None else np.where(points.valid, returns.values, 0).astype(np.float32))

    def where(self, mask: np.ndarray) -> Sparse:
        """Only the pixels of a mask (H, W)."""
        kept = None if self.reflectance is None else np.where(mask, self.reflectance, 0).astype(np.float32)
        return replace(self, depth=np.where(mask, self.depth, 0).astype(np.float32), reflectance=kept)


def project(cloud: Cloud, camera: Camera) -> Sparse:
    """A cloud in the camera's frame as that pinhole camera sees it. Points behind it or nearer than 0.3 m are left
    out; of several in one pixel the nearest counts, whose surface hides the others."""
    x, y, z = cloud.points.astype(np.float64).T
    front = z > NEAREST_M
    rows = np.flatnonzero(front)
    column = np.floor(camera.fx * x[rows] / z[rows] + camera.cx).astype(np.int64)
    row = np.floor(camera.fy * y[rows] / z[rows] + camera.cy).astype(np.int64)
    inside = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    rows, pixel = rows[inside], (row * camera.width + column)[inside]
    # Written from far to near, so that the nearest of a pixel stays.
    order = np.argsort(-z[rows], kind="stable")
    shape = (camera.height, camera.width)
    depth = np.zeros(camera.height * camera.width, np.float32)
    depth[pixel[order]] = z[rows[order]]
    if cloud.reflectance is None:
        return Sparse(depth.reshape(shape), None)
    reflectance = np.zeros_like(depth)
    reflectance[pixel[order]] = cloud.reflectance[rows[order]]
    return Sparse(depth.reshape(shape), reflectance.reshape(shape))
