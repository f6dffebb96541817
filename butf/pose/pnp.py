"""The pose of a camera from pixels and the points in space that they show: PnP, RANSAC, refinement, covariance.

Minimal poses and RANSAC are poselib's (LO-RANSAC over P3P); see `refinement` for what follows. Whether a pose is more
than chance is judged a contrario (Moisan & Stival 2004).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import poselib
from scipy.special import gammaln

from butf.dataset.manifest import Camera
from butf.pose.pose import Pose
from butf.pose.refinement import Observations, Refined, errors, project, refine

FEWEST = 4
"""Three points have up to four poses; the fourth decides."""
ROUNDS = 4
LIKELIEST_CHANCE = 0.0
"""log10 of how many poses as good as this one chance would give: above, the pose is taken for chance."""
MINIMAL = 3
ITERATIONS = 10_000


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
    chance: float
    """log10 of the number of poses as good as this one that chance alone would give: far below 0 is certain."""

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
    seed: int = 0,
    keypoint: np.ndarray | None = None,
    noise_px: np.ndarray | None = None,
    along: np.ndarray | None = None,
    coarse_px: float | None = None,
    start: Pose | None = None,
) -> Solution | None:
    """The pose under which most points (N, 3), metres, are seen at their pixels (N, 2) within `threshold_px`.

    `keypoint` (N,) int tells which pixels are one keypoint, matched to several points: it counts once. `noise_px` and
    `along` are those of `refinement.Observations` (1 pixel, certain points); `threshold_px` then is in units of both.
    `coarse_px` is RANSAC's own threshold, which knows nothing of `along` (`threshold_px` times the usual noise);
    `start` is a pose to begin from in place of RANSAC.

    None where no pose is certain: fewer than 4 points that are finite, none that explains more of them than chance
    would, or points that leave the pose free (all on a line). The same input and seed give the same pose.
    Raises `ValueError` for arrays of other shapes.
    """
    seen = _observations(pixels, points, noise_px, along)
    finite = np.isfinite(seen.points).all(axis=1) & np.isfinite(seen.pixels).all(axis=1)
    if finite.sum() < FEWEST or _on_a_line(seen.points[finite]):
        return None
    # UTM coordinates are millions of metres; what follows is done about the points' middle.
    middle = np.median(seen.points[finite], axis=0)
    near = Observations(seen.pixels, seen.points - middle, seen.noise_px, seen.along)
    if start is None:
        coarse_px = coarse_px or threshold_px * float(np.median(near.noise_px[finite]))
        pose = _ransac(near.take(finite), camera, coarse_px, seed)
    else:
        pose = Pose(start.rotation, start.centre - middle)
    names = np.arange(len(finite)) if keypoint is None else np.asarray(keypoint)
    found = None if pose is None else _settled(near, finite, pose, camera, threshold_px)
    if found is None:
        return None
    refined, inliers = found
    chance = _chance(len(np.unique(names[finite])), len(np.unique(names[inliers])), camera, threshold_px)
    if chance > LIKELIEST_CHANCE:
        return None
    offsets = project(near.points[inliers], refined.pose, camera)[0] - near.pixels[inliers]
    residual = float(np.sqrt((offsets**2).sum(axis=1).mean()))
    pose = Pose(refined.pose.rotation, refined.pose.centre + middle)
    return Solution(pose, inliers, refined.covariance, residual, chance)


def _observations(
    pixels: np.ndarray, points: np.ndarray, noise_px: np.ndarray | None, along: np.ndarray | None
) -> Observations:
    pixels, points = np.asarray(pixels, np.float64), np.asarray(points, np.float64)
    if pixels.ndim != 2 or pixels.shape[1] != 2 or points.shape != (len(pixels), 3):
        raise ValueError(f"pixels are {pixels.shape} and points {points.shape}; expected (N, 2) and (N, 3)")
    noise = np.ones(len(pixels)) if noise_px is None else np.asarray(noise_px, np.float64)
    return Observations(pixels, points, noise, np.zeros_like(points) if along is None else np.asarray(along, float))


def _on_a_line(points: np.ndarray) -> bool:
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(spread[1] <= 1e-6 * max(spread[0], 1e-12))


def _ransac(seen: Observations, camera: Camera, threshold_px: float, seed: int) -> Pose | None:
    model = {
        "model": "PINHOLE", "width": camera.width, "height": camera.height,
        "params": [camera.fx, camera.fy, camera.cx, camera.cy],
    }  # fmt: skip
    options = {"max_reproj_error": threshold_px, "seed": seed, "max_iterations": ITERATIONS}
    found, info = poselib.estimate_absolute_pose(seen.pixels, seen.points, model, options, {})
    rotation = np.asarray(found.R).T
    pose = Pose(rotation, -rotation @ np.asarray(found.t))
    return pose if info["num_inliers"] >= FEWEST and np.isfinite(pose.centre).all() else None


def _settled(
    seen: Observations, usable: np.ndarray, pose: Pose, camera: Camera, threshold: float
) -> tuple[Refined, np.ndarray] | None:
    """The refined pose and its inliers (N,), chosen anew until they stay; None when too few are left."""
    inliers = np.zeros(len(usable), bool)
    refined: Refined | None = None
    for _ in range(ROUNDS):
        chosen = usable.copy()
        chosen[usable] = errors(seen.take(usable), pose, camera) <= threshold
        if chosen.sum() < FEWEST or _on_a_line(seen.points[chosen]):
            return None
        if refined is not None and (chosen == inliers).all():
            break
        inliers, refined = chosen, refine(seen.take(chosen), pose, camera)
        if refined is None:
            return None
        pose = refined.pose
    return None if refined is None else (refined, inliers)


def _chance(known: int, agreeing: int, camera: Camera, threshold_px: float) -> float:
    """log10 of the expected number of poses with `agreeing` of `known` inliers if all pixels were random.

    Moisan & Stival (2004), with the area of a disc of the threshold as the chance of one: (n - 3) C(n, k) C(k, 3)
    p^(k - 3).
    """
    if agreeing <= MINIMAL:
        return math.inf
    hit = min(1.0, math.pi * threshold_px**2 / (camera.width * camera.height))
    choices = _log_choices(known, agreeing) + _log_choices(agreeing, MINIMAL)
    return (math.log(known - MINIMAL) + choices + (agreeing - MINIMAL) * math.log(hit)) / math.log(10)


def _log_choices(n: int, k: int) -> float:
    return float(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
