"""A camera's pose made to fit pixels as well as can be, each match weighed by what is known of its errors.

A pixel is uncertain by the keypoint's noise, and a point by the depth that it was lifted with: such an error moves the
point along the candidate's line of sight, so its picture moves along one direction, the epipolar line. Weighing by the
2x2 covariance of both keeps what such a match knows (across the line) and leaves out what it does not (along it).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from butf.dataset.manifest import Camera
from butf.pose.pose import Pose

STEPS = 50
SOFT = 2.0
"""Cauchy's scale, in standard deviations: where an error begins to count for less than its square."""
SETTLED = 1e-7
"""Metres and radians: a step so small is the last one."""
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
    local = pose.to_camera(points)
    return _pixels(local, camera), local[:, 2]


def errors(seen: Observations, pose: Pose, camera: Camera) -> np.ndarray:
    """(N,) how many standard deviations each pixel is from where the pose projects its point; infinite behind it."""
    local = pose.to_camera(seen.points)
    distance = np.linalg.norm(_residual(seen, local, camera, _whitening(seen, pose, camera)), axis=1)
    return np.where(local[:, 2] > 0, distance, np.inf)


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
        flat = jacobian.reshape(-1, 6)
        weighed = flat.T * np.repeat(weight, 2)
        normal, slope = weighed @ flat, weighed @ residual.ravel()
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
        pose, cost, damping = moved, new, max(damping / 10, 1e-12)
        if np.abs(step).max() < SETTLED:
            break
    covariance = _covariance(*_linear(seen, pose, camera, white))
    return None if covariance is None else Refined(pose, covariance)


def moved_by(pose: Pose, step: np.ndarray) -> Pose:
    """The pose after a step (6,): metres east, north, up, and a turn about the world's axes as a rotation vector."""
    turn = _rotation(step[3:]) @ pose.rotation
    # A step of Newton's towards the nearest rotation, so that rounding does not add up.
    return Pose(turn @ (1.5 * np.eye(3) - 0.5 * turn.T @ turn), pose.centre + step[:3])


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
    turned: np.ndarray = _slope(pose.to_camera(points), camera) @ pose.rotation.T
    return turned


def _slope(local: np.ndarray, camera: Camera) -> np.ndarray:
    """(N, 2, 3) pixels a metre that a point (N, 3) moves in the camera's frame."""
    x, y, z = local.T
    z = _off_zero(z)
    slope = np.zeros((len(z), 2, 3))
    across, down = camera.fx / z, camera.fy / z
    slope[:, 0, 0], slope[:, 0, 2] = across, -across * x / z
    slope[:, 1, 1], slope[:, 1, 2] = down, -down * y / z
    return slope


def _linear(seen: Observations, pose: Pose, camera: Camera, white: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whitened residuals (N, 2) and their slopes (N, 2, 6) by a step of `moved_by`."""
    local = pose.to_camera(seen.points)
    slope = white @ _slope(local, camera)
    # A turn moves a point about the camera's centre, and a triple product turns like its vectors.
    x, y, z = local.T[:, :, None]
    a, b, c = np.moveaxis(slope, 2, 0)
    about = np.stack([b * z - c * y, c * x - a * z, a * y - b * x], axis=2)
    jacobian = np.concatenate([-slope @ pose.rotation.T, about @ pose.rotation.T], axis=2)
    return _residual(seen, local, camera, white), jacobian


def _residual(seen: Observations, local: np.ndarray, camera: Camera, white: np.ndarray) -> np.ndarray:
    """(N, 2) whitened errors of points (N, 3) in the camera's frame."""
    residual: np.ndarray = np.einsum("nij,nj->ni", white, _pixels(local, camera) - seen.pixels)
    return residual


def _pixels(local: np.ndarray, camera: Camera) -> np.ndarray:
    """(N, 2) where points (N, 3) of the camera's frame are seen."""
    focal, centre = np.array([camera.fx, camera.fy]), np.array([camera.cx, camera.cy])
    pixels: np.ndarray = local[:, :2] / _off_zero(local[:, 2:]) * focal + centre
    return pixels


def _off_zero(depths: np.ndarray) -> np.ndarray:
    """The depths, those next to 0 replaced by what can be divided by."""
    return np.where(np.abs(depths) < 1e-9, 1e-9, depths)


def _cost(seen: Observations, pose: Pose, camera: Camera, white: np.ndarray) -> float:
    local = pose.to_camera(seen.points)
    if not (local[:, 2] > 0).all():
        return np.inf
    squares = (_residual(seen, local, camera, white) ** 2).sum(axis=1)
    return float(np.log1p(squares / SOFT**2).sum())


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
    x, y, z = vector.tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    sine = math.sin(angle) / angle if angle else 1.0
    cosine = 2 * (math.sin(angle / 2) / angle) ** 2 if angle else 0.5
    rotation: np.ndarray = np.eye(3) + sine * cross + cosine * cross @ cross
    return rotation
