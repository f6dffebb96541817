"""Depths of a picture's keypoints from their matches in neighbouring pictures whose poses are known too.

A keypoint's depth is one unknown; each neighbour that it was matched in says where along its epipolar line it is seen,
and a decoder's depth may say what to expect. The depth is the one that most of these agree with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.keypoints.matching import match
from butf.pose.views import View

NEIGHBOURS = 4
TURNED_DEG = 45.0
NOISE_PX = 1.5
"""Standard deviation of where a neighbour sees a keypoint."""
SEEN_CAP, EXPECTED_CAP = 3.0, 6.0
"""What an error can cost at most (the squared deviation costs half): a match that is wrong, an expectation that is.
Many matches are wrong, so that it takes two to outdo an expectation."""
RATIO = 0.9
"""Lowe's ratio for matches of database pictures, which must be good rather than many."""
LOST = 4.0
"""A neighbour whose error is more standard deviations than this saw something else."""
USUAL_SPREAD = 0.2
"""Standard deviation of the logarithm of decoded depths where nothing else is known."""
NEAREST_M, FARTHEST_M = 0.05, 500.0
STEPS = 6


@dataclass(frozen=True, eq=False)
class Sightings:
    """N keypoints of one picture in M neighbours. In a neighbour's camera a point of z-depth z is at
    `offset + z direction`; not a number where there is no match."""

    offset: np.ndarray
    """(M, 3)."""
    direction: np.ndarray
    """(N, M, 3)."""
    seen: np.ndarray
    """(N, M, 2) pixels less the principal point, over the focal length."""
    focal: np.ndarray
    """(M, 2)."""


@dataclass(frozen=True, eq=False)
class Depths:
    """Depths of N keypoints: z (N,) metres, `spread` (N,) standard deviation of their logarithm, and by how many
    neighbours each is borne out, `support` (N,) int."""

    z: np.ndarray
    spread: np.ndarray
    support: np.ndarray


def sightings(view: View, neighbours: list[View], ratio: float | None = RATIO) -> Sightings:
    """Match a picture's keypoints with those of its neighbours."""
    count, rays = len(view.features), view.rays()
    direction = np.full((count, len(neighbours), 3), np.nan)
    seen = np.full((count, len(neighbours), 2), np.nan)
    for column, other in enumerate(neighbours):
        pairs = match(view.features, other.features, ratio, mutual=True).pairs
        camera, rows = other.camera, pairs[:, 0]
        pixels = other.features.points[pairs[:, 1]].astype(np.float64)
        seen[rows, column] = (pixels - [camera.cx, camera.cy]) / [camera.fx, camera.fy]
        direction[rows, column] = rays[rows] @ other.pose.rotation
    offset = np.array([other.pose.to_camera(view.pose.centre[None])[0] for other in neighbours]).reshape(-1, 3)
    focal = np.array([[other.camera.fx, other.camera.fy] for other in neighbours]).reshape(-1, 2)
    return Sightings(offset, direction, seen, focal)


def triangulate(found: Sightings, expected: np.ndarray | None = None, spread: float = USUAL_SPREAD) -> Depths:
    """The depths under which matches fit best, in the sense of a robust error (Geman & McClure 1987).

    `expected` (N,) metres is what is believed beforehand, with `spread` the standard deviation of its logarithm; not a
    number where nothing is. A keypoint of which neither it nor a neighbour tells has no depth (not a number).
    """
    prior = np.full(len(found.seen), np.nan) if expected is None else np.log(expected)
    starts = np.concatenate([_closed_form(found), np.exp(prior)[:, None]], axis=1)
    starts = np.where((starts > NEAREST_M) & (starts < FARTHEST_M), starts, np.nan)
    costs = np.stack([_cost(found, np.log(start), prior, spread) for start in starts.T], axis=1)
    costs = np.where(np.isnan(starts), np.inf, costs)
    best = np.take_along_axis(starts, costs.argmin(axis=1)[:, None], axis=1)[:, 0]
    return _polished(found, np.log(best), prior, spread)


def corrected(decoded: np.ndarray, measured: Depths) -> tuple[np.ndarray, float]:
    """A decoder's depths (N,) metres, brought to the scale of triangulated ones, and their remaining spread.

    log z = a + b log z_decoded by robust least squares, held near a = 0 and b = 1 as by
    ten observations of the usual spread: few or poor triangulations change little.
    """
    known = (measured.support >= 2) & (measured.spread < 0.15) & np.isfinite(decoded)
    x, y = np.log(decoded[known]), np.log(measured.z[known])
    middle = float(np.log(decoded[np.isfinite(decoded)]).mean()) if np.isfinite(decoded).any() else 0.0
    scale, slope, spread = 0.0, 1.0, USUAL_SPREAD
    design = np.stack([np.ones(len(x)), x - middle], axis=1)
    for _ in range(10):
        rest = y - x - design @ [scale, slope - 1]
        spread = float(np.sqrt((10 * USUAL_SPREAD**2 + len(x) * (1.48 * _median(np.abs(rest))) ** 2) / (10 + len(x))))
        weight = _weight((rest / spread) ** 2, EXPECTED_CAP)
        normal = (design * weight[:, None]).T @ design + 10 * np.diag([1.0, 1.0])
        scale, change = np.linalg.solve(normal, (design * weight[:, None]).T @ (y - x))
        slope = 1 + change
    return np.exp(np.log(decoded) + scale + (slope - 1) * (np.log(decoded) - middle)), spread


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else 0.0


def _closed_form(found: Sightings) -> np.ndarray:
    """(N, M) depths that each neighbour alone gives: least squares of (offset + z direction) x seen = 0."""
    a, b, seen = found.offset[None], found.direction, found.seen
    known = a[..., :2] - seen * a[..., 2:]
    factor = seen * b[..., 2:] - b[..., :2]
    with np.errstate(all="ignore"):
        depths: np.ndarray = (known * factor).sum(axis=-1) / (factor**2).sum(axis=-1)
        return depths


def _residual(found: Sightings, log_z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors (N, M, 2) in standard deviations, and their slopes by log z."""
    z = np.exp(log_z)[:, None, None]
    point = found.offset[None] + z * found.direction
    ahead = np.where(point[..., 2:] > 1e-6, point[..., 2:], np.nan)
    error = (point[..., :2] / ahead - found.seen) * found.focal / NOISE_PX
    slope = z * (found.direction[..., :2] - found.direction[..., 2:] * point[..., :2] / ahead) / ahead
    return error, slope * found.focal / NOISE_PX


def _cost(found: Sightings, log_z: np.ndarray, prior: np.ndarray, spread: float) -> np.ndarray:
    with np.errstate(all="ignore"):
        error, _ = _residual(found, log_z)
        matched = ~np.isnan(found.seen[..., 0])
        squares = np.where(matched, np.nan_to_num((error**2).sum(axis=-1), nan=1e4), 0)
        off = np.nan_to_num(((log_z - prior) / spread) ** 2)
        costs: np.ndarray = _capped(squares, SEEN_CAP).sum(axis=1) + _capped(off, EXPECTED_CAP)
        return costs


def _capped(squares: np.ndarray, cap: float) -> np.ndarray:
    return cap * squares / (squares + 2 * cap)


def _weight(squares: np.ndarray, cap: float) -> np.ndarray:
    """The slope of `_capped`, 1 at 0."""
    return (2 * cap / (squares + 2 * cap)) ** 2


def _polished(found: Sightings, log_z: np.ndarray, prior: np.ndarray, spread: float) -> Depths:
    """A few Gauss-Newton steps from (N,) logarithms of depths, and what they leave uncertain."""
    with np.errstate(all="ignore"):
        for step in range(STEPS + 1):
            error, slope = _residual(found, log_z)
            squares = (error**2).sum(axis=-1)
            weight = np.where(np.isnan(squares), 0, _weight(squares, SEEN_CAP))
            pull = np.nansum(weight * (error * slope).sum(axis=-1), axis=1)
            stiffness = np.nansum(weight * (slope**2).sum(axis=-1), axis=1)
            rest = np.nan_to_num((log_z - prior) / spread)
            soft = np.where(np.isnan(prior), 0, _weight(rest**2, EXPECTED_CAP))
            pull, stiffness = pull + soft * rest / spread, stiffness + soft / spread**2
            if step < STEPS:
                log_z = log_z - np.clip(np.where(stiffness > 0, pull / stiffness, 0), -0.3, 0.3)
        support = (squares < LOST**2).sum(axis=1)
        deviation = np.where(stiffness > 0, 1 / np.sqrt(stiffness), np.inf)
        lost = (support == 0) & np.isnan(prior)
        return Depths(np.where(lost, np.nan, np.exp(log_z)), np.where(lost, np.inf, deviation), support)
