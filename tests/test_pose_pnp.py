"""The pose of a camera from points: made-up scenes of known pose, degenerate ones, OpenCV as a peer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from butf.dataset.manifest import Camera
from butf.pose.pnp import solve
from butf.pose.pose import Pose
from butf.pose.refinement import Observations, errors, moved_by, project, refine

CAMERA = Camera("front", 256, 192, 152.0, 150.0, 128.0, 90.0)
UTM = np.array([448_000.0, 5_405_000.0, 35.0])


def random_pose(rng: np.random.Generator) -> Pose:
    return Pose(Rotation.random(random_state=rng).as_matrix(), UTM + rng.uniform(-5, 5, 3))


def scene(seed: int, count: int = 60, flat: bool = False) -> tuple[Pose, np.ndarray, np.ndarray]:
    """A pose, points (N, 3) of the world before its camera, and their exact pixels (N, 2)."""
    rng = np.random.default_rng(seed)
    pose = random_pose(rng)
    u, v = rng.uniform([0, 0], [CAMERA.width, CAMERA.height], (count, 2)).T
    z = 12 / (1 + 0.3 * (u - 128) / 152) if flat else rng.uniform(2, 40, count)
    seen = np.stack([(u - CAMERA.cx) / CAMERA.fx * z, (v - CAMERA.cy) / CAMERA.fy * z, z], axis=1)
    return pose, pose.to_world(seen), np.stack([u, v], axis=1)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_finds_the_pose_of_a_scene_to_a_millionth(seed: int, flat: bool) -> None:
    pose, points, pixels = scene(seed, flat=flat)
    rng = np.random.default_rng(seed)
    wrong = rng.permutation(60)[:25]
    pixels[wrong] = rng.uniform([0, 0], [256, 192], (25, 2))
    found = solve(pixels, points, CAMERA, threshold_px=1.0)
    assert found.pose.metres_to(pose) < 1e-6
    assert found.pose.degrees_to(pose) < 1e-6
    right = np.setdiff1d(np.arange(60), wrong)
    assert found.inliers[right].all()
    assert found.residual_px < 1e-3 or found.inliers.sum() > 35  # a random pixel may fall upon its point


def test_four_exact_points_are_enough_and_three_are_not() -> None:
    pose, points, pixels = scene(3)
    assert solve(pixels[:4], points[:4], CAMERA).pose.metres_to(pose) < 1e-6
    assert solve(pixels[:3], points[:3], CAMERA) is None
    assert solve(pixels[:0], points[:0], CAMERA) is None


def test_points_without_depth_are_left_out() -> None:
    pose, points, pixels = scene(4)
    points[::2] = np.nan
    found = solve(pixels, points, CAMERA)
    assert found.pose.metres_to(pose) < 1e-6
    assert not found.inliers[::2].any()
    points[7:] = np.nan
    assert solve(pixels, points, CAMERA) is None


@pytest.mark.parametrize("count", [8, 60, 400])
def test_random_pixels_have_no_pose(count: int) -> None:
    for seed in range(3):
        _, points, _ = scene(seed, count)
        pixels = np.random.default_rng(100 + seed).uniform([0, 0], [256, 192], (count, 2))
        assert solve(pixels, points, CAMERA) is None


def test_points_behind_the_camera_have_no_pose() -> None:
    pose, points, _ = scene(5)
    behind = 2 * pose.centre - points
    pixels, depth = project(behind, pose, CAMERA)
    assert (depth < 0).all()
    found = solve(pixels, behind, CAMERA)
    assert found is None or (project(behind[found.inliers], found.pose, CAMERA)[1] > 0).all()
    assert np.isinf(errors(Observations(pixels, behind, np.ones(60), np.zeros((60, 3))), pose, CAMERA)).all()


def test_points_on_a_line_leave_the_pose_free() -> None:
    pose, _, _ = scene(6)
    points = pose.to_world(np.array([0.0, 0.0, 8.0]) + np.linspace(-3, 3, 20)[:, None] * [1.0, 0.5, 0.3])
    assert solve(project(points, pose, CAMERA)[0], points, CAMERA) is None
    assert solve(np.full((20, 2), 50.0), np.repeat(points[:1], 20, axis=0), CAMERA) is None


def test_the_same_input_and_seed_give_the_same_pose() -> None:
    _, points, pixels = scene(7)
    pixels += np.random.default_rng(7).normal(0, 1, pixels.shape)
    first, second = (solve(pixels, points, CAMERA, seed=5) for _ in range(2))
    assert np.array_equal(first.pose.rotation, second.pose.rotation)
    assert np.array_equal(first.pose.centre, second.pose.centre)


def test_refuses_arrays_of_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(N, 2\) and \(N, 3\)"):
        solve(np.zeros((5, 2)), np.zeros((4, 3)), CAMERA)


def test_agrees_with_opencv_on_noisy_points() -> None:
    cv2 = pytest.importorskip("cv2", reason="opencv is a development dependency")
    matrix = np.array([[CAMERA.fx, 0, CAMERA.cx], [0, CAMERA.fy, CAMERA.cy], [0, 0, 1]])
    ours, theirs = [], []
    for seed in range(10):
        pose, points, pixels = scene(seed, 120)
        rng = np.random.default_rng(seed)
        pixels += rng.normal(0, 0.7, pixels.shape)
        pixels[:40] = rng.uniform([0, 0], [256, 192], (40, 2))
        middle = points.mean(axis=0)
        cv2.setRNGSeed(0)
        _, turn, shift, _ = cv2.solvePnPRansac(points - middle, pixels, matrix, None, reprojectionError=3.0)
        rotation = cv2.Rodrigues(turn)[0].T
        theirs.append(Pose(rotation, middle - rotation @ shift[:, 0]).metres_to(pose))
        ours.append(solve(pixels, points, CAMERA).pose.metres_to(pose))
    assert np.median(ours) <= 1.1 * np.median(theirs)
    assert np.median(ours) < 0.05


def test_covariance_is_that_of_many_noisy_trials() -> None:
    pose, points, pixels = scene(8, 80)
    rng = np.random.default_rng(8)
    steps, claimed = [], []
    for _ in range(300):
        noisy = pixels + rng.normal(0, 0.5, pixels.shape)
        found = refine(Observations(noisy, points, np.ones(80), np.zeros((80, 3))), pose, CAMERA)
        turn = Rotation.from_matrix(found.pose.rotation @ pose.rotation.T).as_rotvec()
        steps.append([*(found.pose.centre - pose.centre), *turn])
        claimed.append(found.covariance)
    ratio = np.diag(np.mean(claimed, axis=0)) / np.var(steps, axis=0)
    assert (ratio > 0.75).all() and (ratio < 1.35).all()
    expected, measured = np.mean(claimed, axis=0), np.cov(np.transpose(steps))
    size = np.sqrt(np.diag(measured))
    assert np.abs((expected - measured) / np.outer(size, size)).max() < 0.3


def test_slopes_are_those_of_small_steps() -> None:
    from butf.pose.refinement import _linear, _whitening

    pose, points, pixels = scene(9, 12)
    rng = np.random.default_rng(9)
    seen = Observations(pixels, points, rng.uniform(0.5, 2, 12), rng.normal(0, 1, (12, 3)))
    white = _whitening(seen, pose, CAMERA)
    _, slopes = _linear(seen, pose, CAMERA, white)
    for axis in range(6):
        step = np.zeros(6)
        step[axis] = 1e-5
        ahead, behind = (_linear(seen, moved_by(pose, sign * step), CAMERA, white)[0] for sign in (1, -1))
        assert np.allclose((ahead - behind) / 2e-5, slopes[:, :, axis], rtol=1e-3, atol=1e-3 * np.abs(slopes).max())


def test_points_uncertain_along_a_line_count_across_it() -> None:
    """Depths wrong by a fifth spoil the pose; told so, refinement finds it much better."""
    plain, told = [], []
    for seed in range(8):
        pose, points, pixels = scene(seed, 150)
        rng = np.random.default_rng(seed)
        others = pose.centre + rng.uniform(-4, 4, (5, 3))
        origin = others[rng.integers(0, 5, 150)]
        wrong = origin + (points - origin) * np.exp(rng.normal(0, 0.2, 150))[:, None]
        pixels += rng.normal(0, 0.5, pixels.shape)
        near = Pose(pose.rotation, pose.centre + 0.3)
        for results, along in ((plain, 0.0), (told, 0.2)):
            seen = Observations(pixels, wrong, np.full(150, 0.5), along * (wrong - origin))
            results.append(refine(seen, near, CAMERA).pose.metres_to(pose))
    assert np.mean(told) < 0.6 * np.mean(plain)
