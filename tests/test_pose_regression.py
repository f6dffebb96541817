"""Poses from descriptions, baselines and scores: against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from butf.pose.baselines import average, nearest, rotation_of
from butf.pose.pose import Pose
from butf.pose.regression import RegressionConfig, pose_loss, train_regressor
from butf.pose.scores import pose_errors, scores

PLACE = np.array([448_000.0, 5_405_000.0, 35.0])


def at(east: float, north: float) -> np.ndarray:
    return PLACE + np.array([east, north, 0.0])


def turned(degrees: float, centre: np.ndarray) -> Pose:
    return Pose(Rotation.from_euler("z", degrees, degrees=True).as_matrix(), centre)


def test_a_linear_head_is_least_squares(one_thread: None) -> None:
    """Where positions are linear in the descriptors and no noise is added, the closed form is known: it is exact."""
    rng = np.random.default_rng(0)
    given = rng.normal(size=(120, 6)).astype(np.float32)
    centres = PLACE + given @ rng.normal(0, 20, (6, 3))
    poses = [turned(30, centre) for centre in centres]
    config = RegressionConfig(layers=(), steps=700, rate=0.03, decay=0.0, dropout=0.0, noise=0.0)
    regressor = train_regressor(given[:80], poses[:80], config)
    design = np.c_[given, np.ones(120)]
    solution = np.linalg.lstsq(design[:80], centres[:80] - PLACE, rcond=None)[0]
    errors = pose_errors(regressor.poses(given[80:]), poses[80:])
    assert np.allclose(design[80:] @ solution + PLACE, centres[80:], atol=1e-3)
    assert errors[:, 0].max() < 1.0 < np.linalg.norm(centres[80:] - centres[:80].mean(axis=0), axis=1).mean() / 20
    assert errors[:, 1].max() < 1.0


def test_learns_a_street_and_repeats_itself(one_thread: None) -> None:
    """Descriptors that turn along a street: between the places that it was taught the head interpolates."""
    place = np.linspace(0, 1, 101)
    given = np.stack([np.cos(3 * place), np.sin(3 * place), place**2, 1 - place], axis=1)
    poses = [turned(80 * s, at(100 * s, 30 * s**2)) for s in place]
    config = RegressionConfig(layers=(64,), steps=400, rate=0.01, dropout=0.0, noise=0.01)
    first, second = (train_regressor(given[::2], poses[::2], config) for _ in range(2))
    errors = pose_errors(first.poses(given[1::2]), poses[1::2])
    assert np.median(errors[:, 0]) < 3.0
    assert np.median(errors[:, 1]) < 3.0
    again = pose_errors(second.poses(given[1::2]), first.poses(given[1::2]))
    assert np.array_equal(again[:, 0], np.zeros(50))


def test_loss_is_kendalls_and_blind_to_a_quaternions_sign() -> None:
    import torch

    from butf.pose.regression import PoseHead

    torch.manual_seed(0)
    head = PoseHead(4, RegressionConfig(layers=())).eval()
    given, positions = torch.randn(5, 4), torch.randn(5, 3)
    quaternions = torch.nn.functional.normalize(torch.randn(5, 4), dim=1)
    found, turn = (part.detach().numpy() for part in head(given))
    apart = np.mean([math.dist(a, b) for a, b in zip(found, positions.numpy(), strict=True)])
    pairs = list(zip(turn, quaternions.numpy(), strict=True))
    angle = np.mean([min(math.dist(a, b), math.dist(a, -b)) for a, b in pairs])
    s_x, s_q = head.balance.tolist()
    expected = math.exp(-s_x) * apart + s_x + math.exp(-s_q) * angle + s_q
    assert pose_loss(head, given, positions, quaternions).item() == pytest.approx(expected, rel=1e-5)
    assert pose_loss(head, given, positions, -quaternions).item() == pytest.approx(expected, rel=1e-5)


def test_average_of_poses() -> None:
    poses = [turned(angle, at(angle, 0.0)) for angle in (10, 20, 30)]
    mean = average(poses)
    assert mean.degrees_to(turned(20, PLACE)) < 1e-6
    assert np.allclose(mean.centre, at(20.0, 0.0))
    assert nearest(poses).degrees_to(poses[0]) < 1e-6
    around = average([turned(angle, PLACE) for angle in (179, -179)])  # no mean of angles would do
    assert around.degrees_to(turned(180, PLACE)) < 1e-6
    with pytest.raises(ValueError, match="no candidate"):
        average([])


def test_rotation_of_a_quaternion_is_scipys() -> None:
    for quaternion in np.random.default_rng(0).normal(size=(20, 4)):
        theirs = Rotation.from_quat(np.roll(quaternion, -1)).as_matrix()
        assert np.allclose(rotation_of(quaternion), theirs)


def test_scores_count_what_has_no_pose_as_wrong() -> None:
    true = [turned(0, PLACE)] * 5
    found = [turned(1, at(0.2, 0)), turned(3, PLACE), turned(0, at(3.0, 0)), turned(90, PLACE), None]
    result = scores(pose_errors(found, true))
    assert result["within"] == {"0.25 m, 2 deg": 0.2, "0.5 m, 5 deg": 0.4, "5 m, 10 deg": 0.6}
    low, high = result["interval95"]["5 m, 10 deg"]
    assert 0.2 < low < 0.6 < high < 0.9
    assert result["median_m"] == pytest.approx(0.2) and result["median_deg"] == pytest.approx(3.0)
    assert scores(pose_errors([None, None], true[:2]))["median_m"] is None
    assert scores(np.zeros((0, 2)))["queries"] == 0
