"""A camera's pose made to fit pixels as well as can be, each match weighed by what is known of its errors.

A pixel is uncertain by the keypoint's noise, and a point by the depth that it was lifted with: such an error moves the
point along the candidate's line of sight, so its picture moves along one direction, the epipolar line. Weighing by the
2x2 covariance of both keeps what such a match knows (across the line) and leaves out what it does not (along it).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.dataset.manifest import Camera
from butf.pose.pose import Pose

STEPS = 50
SOFT = 2.0
"""Cauchy's scale, in standard deviations: where an error begins to count for less than its square."""
SETTLED = 1e-12
SINGULAR = 1e-11


@dataclass(frozen=True, eq=False)
class Observations:
    """N points and where they are seen."""

    pixels: np.ndarray
    """(N, 2)."""
    points: np.ndarray
    """(N, 3) metres in the data set's frame."""
    noise_px: np.ndarray
    """(N,) standard deviation of a pixel's coordinates."""
    along: np.ndarray
    """(N, 3) metres: one standard deviation of the point, along the line on which it is uncertain; 0: it is certain."""

    def take(self, rows: np.ndarray) -> Observations:
        """Only these."""
        return Observations(self.pixels[rows], self.points[rows], self.noise_px[rows], self.along[rows])


@dataclass(frozen=True, eq=False)
class Refined:
    """A pose at the optimum, with the (6, 6) covariance of `Solution`."""

    pose: Pose
    covariance: np.ndarray


def project(points: np.ndarray, pose: Pose, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """World points (N, 3) -> pixels (N, 2) and z-depths (N,) metres; pixels mean nothing where the depth is not above
    0."""
    seen = pose.to_camera(points)
    z = seen[:, 2]
    safe = np.where(np.abs(z) < 1e-9, 1e-9, z)
    focal, centre = np.array([camera.fx, camera.fy]), np.array([camera.cx, camera.cy])
    return seen[:, :2] / safe[:, None] * focal + centre, z


def errors(seen: Observations, pose: Pose, camera: Camera) -> np.ndarray:
    """(N,) how many standard deviations each pixel is from where the pose projects its point; infinite behind it."""
    pixels, z = project(seen.points, pose, camera)
    white = _whitening(seen, pose, camera)
    distance = np.linalg.norm(np.einsum("nij,nj->ni", white, pixels - seen.pixels), axis=1)
    return np.where(z > 0, distance, np.inf)


def refine(seen: Observations, pose: Pose, camera: Camera) -> Refined | None:
    """The pose of least error near `pose`: Levenberg-Marquardt with Cauchy's weights; None where it is not determined.

    The covariance is that of an M-estimator (Huber 1981): the spread of the residuals themselves says how noisy the
    pixels were, `noise_px` and `along` only how they compare.
    """
    white = _whitening(seen, pose, camera)
    cost, damping = _cost(seen, pose, camera, white), 1e-4
    for _ in range(STEPS):
        residual, jacobian = _linear(seen, pose, camera, white)
        weight = 1 / (1 + (residual**2).sum(axis=1) / SOFT**2)
        normal = np.einsum("n,nki,nkj->ij", weight, jacobian, jacobian)
        slope = np.einsum("n,nki,nk->i", weight, jacobian, residual)
        if not np.isfinite(normal).all() or not np.diag(normal).all():
            return None
        while damping < 1e8:
            step = -np.linalg.solve(normal + damping * np.diag(np.diag(normal)), slope)
            moved = moved_by(pose, step)
            new = _cost(seen, moved, camera, white)
            if new <= cost:
                break
            damping *= 10
        else:
            break
        gain, pose, cost, damping = cost - new, moved, new, max(damping / 10, 1e-12)
        if gain <= SETTLED * cost and np.abs(step).max() < 1e-9:
            break
    covariance = _covariance(*_linear(seen, pose, camera, white))
    return None if covariance is None else Refined(pose, covariance)


def moved_by(pose: Pose, step: np.ndarray) -> Pose:
    """The pose after a step (6,): metres east, north, up, and a turn about the world's axes as a rotation vector."""
    turn = _rotation(step[3:]) @ pose.rotation
    left, _, right = np.linalg.svd(turn)
    return Pose(left @ right, pose.centre + step[:3])


def _whitening(seen: Observations, pose: Pose, camera: Camera) -> np.ndarray:
    """(N, 2, 2) matrices that make errors of unit variance: inverse Cholesky factors of the pixels' covariances."""
    spread = np.einsum("nij,nj->ni", _projection_slope(seen.points, pose, camera), seen.along)
    a, b, c = (
        seen.noise_px**2 + spread[:, 0] ** 2, spread[:, 0] * spread[:, 1], seen.noise_px**2 + spread[:, 1] ** 2,
    )  # fmt: skip
    first = np.sqrt(a)
    below = b / first
    second = np.sqrt(np.maximum(c - below**2, 1e-18))
    white = np.zeros((len(a), 2, 2))
    white[:, 0, 0], white[:, 1, 1] = 1 / first, 1 / second
    white[:, 1, 0] = -below / (first * second)
    return white


def _projection_slope(points: np.ndarray, pose: Pose, camera: Camera) -> np.ndarray:
    """(N, 2, 3) pixels a metre that a point moves in the world."""
    x, y, z = pose.to_camera(points).T
    z = np.where(np.abs(z) < 1e-9, 1e-9, z)
    slope = np.zeros((len(z), 2, 3))
    slope[:, 0, 0], slope[:, 0, 2] = camera.fx / z, -camera.fx * x / z**2
    slope[:, 1, 1], slope[:, 1, 2] = camera.fy / z, -camera.fy * y / z**2
    turned: np.ndarray = slope @ pose.rotation.T
    return turned


def _linear(seen: Observations, pose: Pose, camera: Camera, white: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whitened residuals (N, 2) and their slopes (N, 2, 6) by a step of `moved_by`."""
    pixels, _ = project(seen.points, pose, camera)
    slope = _projection_slope(seen.points, pose, camera)
    x, y, z = (seen.points - pose.centre).T
    zero = np.zeros(len(x))
    crossed = np.moveaxis(np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero]]), 2, 0)
    jacobian = np.concatenate([-slope, slope @ crossed], axis=2)
    return np.einsum("nij,nj->ni", white, pixels - seen.pixels), white @ jacobian


def _cost(seen: Observations, pose: Pose, camera: Camera, white: np.ndarray) -> float:
    pixels, z = project(seen.points, pose, camera)
    squares = (np.einsum("nij,nj->ni", white, pixels - seen.pixels) ** 2).sum(axis=1)
    return float(np.log1p(squares / SOFT**2).sum()) if (z > 0).all() else np.inf


def _covariance(residual: np.ndarray, jacobian: np.ndarray) -> np.ndarray | None:
    squares = (residual**2).sum(axis=1)
    weight = 1 / (1 + squares / SOFT**2)
    normal = np.einsum("nki,nkj->ij", jacobian, jacobian)
    size = np.sqrt(np.diag(normal))
    if not np.isfinite(size).all() or not size.all():
        return None
    alike = normal / np.outer(size, size)
    if np.linalg.eigvalsh(alike)[0] < SINGULAR:
        return None
    noise = (weight**2 * squares).sum() / max(2 * len(squares) - 6, 1)
    stiffness = float(np.mean(weight - weight**2 * squares / SOFT**2))
    covariance: np.ndarray = noise / max(stiffness, 0.1) ** 2 * np.linalg.inv(alike) / np.outer(size, size)
    return covariance


def _rotation(vector: np.ndarray) -> np.ndarray:
    """Rodrigues' formula: the rotation (3, 3) about a vector by its length in radians."""
    angle = float(np.linalg.norm(vector))
    x, y, z = vector
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    sine = np.sinc(angle / np.pi)
    cosine = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    rotation: np.ndarray = np.eye(3) + sine * cross + cosine * cross @ cross
    return rotation
