"""Rigid motions against scipy's rotations, and a trajectory against scipy's Slerp."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from butf.importers.trajectory import Trajectory, chained, inverse, rotations, transforms


@pytest.fixture
def values() -> np.ndarray:
    """(40, 6) x y z roll pitch yaw, in order of a drive that turns in all directions."""
    rng = np.random.default_rng(1)
    return np.column_stack(
        [np.cumsum(rng.normal(0, 1, (40, 3)), axis=0), np.cumsum(rng.normal(0, 0.4, (40, 3)), axis=0)]
    )


def as_matrix(values: np.ndarray) -> np.ndarray:
    poses = np.tile(np.eye(4), (len(values), 1, 1))
    poses[:, :3, :3] = Rotation.from_euler("xyz", values[:, 3:]).as_matrix()
    poses[:, :3, 3] = values[:, :3]
    return poses


def test_poses_of_angles_are_those_of_scipy(values: np.ndarray) -> None:
    assert np.allclose(transforms(values), as_matrix(values), atol=1e-12)
    assert np.allclose(inverse(transforms(values)), np.linalg.inv(as_matrix(values)), atol=1e-12)
    quaternion = Rotation.from_euler("xyz", values[:, 3:]).as_quat(scalar_first=True)
    assert np.allclose(rotations(quaternion), as_matrix(values)[:, :3, :3], atol=1e-12)


def test_between_two_poses_it_turns_as_slerp_and_moves_along_a_line(values: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    times = 1_418_133_661_000_000 + np.cumsum(rng.integers(5_000, 200_000, len(values)))
    trajectory = Trajectory.of(times, as_matrix(values))
    asked = np.concatenate([rng.integers(times[0], times[-1], 500), times])
    found = trajectory.at(asked)
    since = (asked - times[0]) / 1e6
    known = (times - times[0]) / 1e6
    turned = Slerp(known, Rotation.from_euler("xyz", values[:, 3:]))(since)
    off = (turned.inv() * Rotation.from_matrix(found[:, :3, :3])).magnitude()
    assert np.degrees(off).max() < 1e-5
    for axis in range(3):
        assert np.allclose(found[:, axis, 3], np.interp(since, known, values[:, axis]), atol=1e-9)
    assert (found[:, 3] == (0, 0, 0, 1)).all()


def test_a_pose_that_stays_the_same_is_no_division_by_nothing() -> None:
    poses = as_matrix(np.tile([1.0, 2, 3, 0.1, 0.2, 0.3], (3, 1)))
    found = Trajectory.of(np.array([0, 10, 20]), poses).at(np.array([0, 5, 20]))
    assert np.allclose(found, poses)


def test_steps_chained_are_the_poses_they_were_made_of(values: np.ndarray) -> None:
    poses = as_matrix(values)
    steps = np.linalg.inv(poses[:-1]) @ poses[1:]
    assert np.allclose(poses[0] @ chained(steps), poses, atol=1e-9)


def test_it_covers_what_lies_between_poses_that_are_close_in_time() -> None:
    times = np.array([0, 1_000_000, 5_000_000, 5_500_000])
    trajectory = Trajectory.of(times, as_matrix(np.zeros((4, 6))))
    asked = np.array([-1, 0, 999_999, 1_000_000, 1_000_001, 3_000_000, 5_000_000, 5_200_000, 5_500_000, 5_500_001])
    expected = [False, True, True, True, False, False, False, True, True, False]
    assert trajectory.covers(asked, 1_000_000).tolist() == expected
    assert trajectory.covers(asked, 4_000_000).tolist() == [False, *[True] * 8, False]


def test_standing_still_is_no_way() -> None:
    # 8 m/s for 10 s, then 60 s at a light with millimetres of noise, then 10 s again: at 50 poses a second.
    rng = np.random.default_rng(3)
    way = np.concatenate([np.arange(0, 80, 0.16), np.full(3000, 80.0), np.arange(80, 160, 0.16)])
    values = np.zeros((len(way), 6))
    values[:, 0] = way
    values[500:3500, :2] += rng.normal(0, 0.001, (3000, 2))
    times = np.arange(len(way)) * 20_000
    trajectory = Trajectory.of(times, as_matrix(values))
    assert trajectory.along[-1] == pytest.approx(160, abs=0.7)
    assert np.diff(trajectory.along).min() >= 0
    assert np.allclose(trajectory.along_at(times[[0, 100]] + 10_000), [0.08, 16.08])
