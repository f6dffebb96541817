"""Which measured points the camera cannot see: a lidar looks past what hides them, and sparse surfaces have gaps.

A point that lies behind samples all around it shows through a gap between them. How far around to look follows from
how densely the surface in front is sampled (screen-space visibility in the manner of Pintus et al. 2011 and Biasutti
et al. 2019): a near facade that was scanned every ten pixels hides what lies within ten pixels of its samples.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial import cKDTree

from butf.dataset.manifest import Camera

SECTORS = 8
NEIGHBOURS = 12  # of a sample; the distance to the last of them says how densely its surface is sampled
NEAREST_PX, FARTHEST_PX = 2.0, 32
BEHIND = 0.04  # share of its depth by which a point must lie behind another one
BEHIND_M = 0.2  # and metres


def occlusion(depth: np.ndarray, camera: Camera) -> np.ndarray:
    """(H, W) uint8: in how many of eight sectors around it a sample has another one before it, 0 to 8; 0 where nothing
    was measured. `depth` (H, W) float32 metres, 0 for nothing.

    A point on a slope has nearer samples on one side, beside an edge on about half of them; one that shows through
    has them nearly everywhere.
    """
    rows, columns = np.nonzero(depth)
    if len(rows) <= NEIGHBOURS:
        return np.zeros(depth.shape, np.uint8)
    z = depth[rows, columns]
    reach = _reach(rows, columns, z, camera)
    order = np.argsort(-reach, kind="stable")
    reach, z = reach[order], z[order]
    border = math.ceil(reach[0])
    stride = depth.shape[1] + 2 * border
    pixel = (rows[order] + border) * stride + columns[order] + border
    # No sample lies before a pixel without one.
    limit = np.full((depth.shape[0] + 2 * border) * stride, -np.inf, np.float32)
    limit[pixel] = z * (1 - BEHIND) - BEHIND_M
    covered = np.zeros(len(limit), np.uint8)
    for away, down, right in _offsets(border):
        # The samples whose surface reaches that far come first.
        count = np.searchsorted(-reach, -away, side="right")
        target = pixel[:count] + down * stride + right
        behind = target[z[:count] < limit[target]]
        covered[behind] |= np.uint8(1 << _sector(-down, -right))
    counts = np.unpackbits(covered[:, None], axis=1).sum(axis=1, dtype=np.uint8)
    covers: np.ndarray = counts.reshape(-1, stride)[border:-border, border:-border]
    return covers


def _reach(rows: np.ndarray, columns: np.ndarray, z: np.ndarray, camera: Camera) -> np.ndarray:
    """(N,) pixels around each sample that its surface covers, judged by how far its neighbours in space are."""
    x = (columns + 0.5 - camera.cx) / camera.fx * z
    y = (rows + 0.5 - camera.cy) / camera.fy * z
    points = np.stack([x, y, z], axis=1)
    distance = np.asarray(cKDTree(points).query(points, k=[NEIGHBOURS + 1])[0])
    reach: np.ndarray = np.clip(camera.fx * distance[:, 0] / z, NEAREST_PX, FARTHEST_PX)
    return reach


def _offsets(radius: int) -> list[tuple[float, int, int]]:
    """Every step within a radius but none at all: its length, rows down, columns right."""
    steps = range(-radius, radius + 1)
    every = [(math.hypot(down, right), down, right) for down in steps for right in steps]
    return [step for step in every if 0 < step[0] <= radius]


def _sector(down: int, right: int) -> int:
    """The sector of a direction, 0 to 7; the first is centred on the left."""
    return round((math.atan2(down, right) + math.pi) / (2 * math.pi) * SECTORS) % SECTORS
