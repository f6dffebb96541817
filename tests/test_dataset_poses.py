"""Rotations against scipy, and the split by pose against its own promises, checked frame by frame."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from butf.dataset.manifest import PlaceRule
from butf.dataset.poses import angles_deg, quaternions
from butf.errors import BadInput
from butf.importers.pose_split import NEIGHBOUR, SAME_PLACE, Parts, split_by_pose


def scipy_order(quaternion: np.ndarray) -> np.ndarray:
    """qw, qx, qy, qz -> scipy's qx, qy, qz, qw."""
    return np.roll(quaternion, -1, axis=-1)


def turns(rng: np.random.Generator) -> Rotation:
    """Random rotations, and those by 0 and 180 degrees where simple formulas fail."""
    half = Rotation.from_rotvec(np.pi * np.vstack([np.eye(3), [[0.6, 0.8, 0], [0, 0, 0]]]))
    return Rotation.concatenate([Rotation.random(200, rng=rng), half])


def test_quaternions_match_scipy() -> None:
    rotation = turns(np.random.default_rng(0))
    ours = quaternions(rotation.as_matrix())
    assert (ours[:, 0] >= 0).all() and np.abs(np.linalg.norm(ours, axis=1) - 1).max() < 1e-12
    # q and -q are one rotation.
    agreement = np.abs((scipy_order(ours) * rotation.as_quat()).sum(axis=1))
    np.testing.assert_allclose(agreement, 1, atol=1e-12)


def test_rounded_rotation_gets_the_nearest() -> None:
    rng = np.random.default_rng(2)
    rotation = Rotation.random(50, rng=rng)
    rough = rotation.as_matrix() + rng.normal(0, 1e-3, (50, 3, 3))
    left = Rotation.from_quat(scipy_order(quaternions(rough))).inv() * rotation
    assert np.degrees(left.magnitude()).max() < 0.3


def test_angles_match_scipy() -> None:
    rng = np.random.default_rng(3)
    a, b = Rotation.random(8, rng=rng), Rotation.random(5, rng=rng)
    ours = angles_deg(*(np.roll(r.as_quat(), 1, axis=1) for r in (a, b)))
    wanted = [[math.degrees((x.inv() * y).magnitude()) for y in b] for x in a]
    np.testing.assert_allclose(ours, wanted, atol=1e-6)


def walk(seed: int, frames: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """A hand-held camera that goes back and forth in a room: centres (N, 3), quaternions (N, 4)."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 4 * np.pi, frames)
    centres = np.stack([1.5 * np.cos(t), 0.5 * np.sin(2.3 * t), 0.1 * np.sin(5 * t)], axis=1)
    centres += rng.normal(0, 0.003, centres.shape)
    yaw = np.stack([0 * t, 40 * np.sin(1.7 * t), 5 * np.cos(3 * t)], axis=1)
    return centres, np.roll(Rotation.from_euler("xyz", yaw, degrees=True).as_quat(), 1, axis=1)


PLACE = PlaceRule(0.25, 20.0)


def is_same(centres: np.ndarray, orientation: np.ndarray, i: int, j: int) -> bool:
    turn = Rotation.from_quat(scipy_order(orientation[i])).inv() * Rotation.from_quat(scipy_order(orientation[j]))
    return math.dist(centres[i], centres[j]) <= 0.25 and math.degrees(turn.magnitude()) <= 20


@pytest.fixture(scope="module", params=[0, 1])
def parted(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, Parts]:
    centres, orientation = walk(request.param)
    return centres, orientation, split_by_pose(centres, orientation, PLACE, 0.3, 0.15)


def test_no_place_is_in_two_splits(parted: tuple[np.ndarray, np.ndarray, Parts]) -> None:
    centres, orientation, parts = parted
    kept = np.flatnonzero(parts.reason == "")
    for i in kept:
        for j in kept[kept > i]:
            if parts.split[i] != parts.split[j] and math.dist(centres[i], centres[j]) <= 0.25:
                assert not is_same(centres, orientation, i, j)


def test_frames_are_left_out_only_for_the_reason_given(parted: tuple[np.ndarray, np.ndarray, Parts]) -> None:
    centres, orientation, parts = parted
    for i in np.flatnonzero(parts.reason == SAME_PLACE):
        others = {"train": ("val", "test"), "val": ("test",)}[parts.split[i]]
        assert any(is_same(centres, orientation, i, j) for j in np.flatnonzero(np.isin(parts.split, others)))
    assert NEIGHBOUR in parts.reason
    for i in np.flatnonzero(parts.reason == NEIGHBOUR):
        assert parts.split[i] != "train" and parts.traversal[i] == "database"
        beside = [j for j in (i - 1, i + 1) if 0 <= j < len(centres) and parts.split[j] == parts.split[i]]
        assert "queries" in parts.traversal[beside]


def test_shares_and_roles(parted: tuple[np.ndarray, np.ndarray, Parts]) -> None:
    parts = parted[2]
    for split, share in (("test", 0.3), ("val", 0.15)):
        assert (parts.split == split).mean() == pytest.approx(share, abs=0.01)
    for split in ("train", "val", "test"):
        asks = (parts.traversal == "queries")[(parts.split == split) & (parts.reason == "")]
        assert 0.25 < asks.mean() < 0.75


@pytest.mark.parametrize(("frames", "never_beside"), [(300, False), (3000, True)])
def test_queries_keep_a_match_but_not_the_frame_beside(frames: int, never_beside: bool) -> None:
    centres, orientation = walk(0, frames)
    parts = split_by_pose(centres, orientation, PLACE, 0.3, 0.15)
    for split in ("val", "test"):
        inside = parts.split == split
        queries = np.flatnonzero(inside & (parts.traversal == "queries"))
        before = np.flatnonzero(inside & (parts.traversal == "database") & (parts.reason != SAME_PLACE))
        after = before[parts.reason[before] == ""]
        matched = 0
        for q in queries[parts.reason[queries] == ""][:: frames // 300]:
            close = before[np.linalg.norm(centres[before] - centres[q], axis=1) <= 0.25]
            matches = [d for d in close if is_same(centres, orientation, q, d)]
            kept = [d for d in matches if d in after]
            assert bool(matches) == bool(kept)
            matched += bool(kept)
            if never_beside:
                assert not {q - 1, q + 1} & set(after.tolist())
        assert matched > 0.85 * len(queries[:: frames // 300])


def test_split_does_not_depend_on_where_the_room_lies(parted: tuple[np.ndarray, np.ndarray, Parts]) -> None:
    centres, orientation, parts = parted
    moved = split_by_pose(centres + np.array([100, -50, 3]), orientation, PLACE, 0.3, 0.15)
    assert all((a == b).all() for a, b in zip(parts, moved, strict=True))


def test_rule_without_angle() -> None:
    centres, orientation = walk(0)
    parts = split_by_pose(centres, orientation, PlaceRule(0.25, None), 0.3, 0.15)
    kept = parts.reason == ""
    train, test = (centres[kept & (parts.split == split)] for split in ("train", "test"))
    assert np.linalg.norm(train[:, None] - test[None], axis=2).min() > 0.25


def test_few_frames_still_give_database_and_queries() -> None:
    centres = np.stack([np.arange(24) * 0.5, np.zeros(24), np.zeros(24)], axis=1)
    parts = split_by_pose(centres, np.tile([1.0, 0, 0, 0], (24, 1)), PLACE, 0.3, 0.15)
    for split in ("train", "val", "test"):
        assert set(parts.traversal[(parts.split == split) & (parts.reason == "")]) == {"database", "queries"}


def test_camera_that_stands_still_is_bad_input() -> None:
    centres = np.random.default_rng(0).normal(0, 0.01, (50, 3))
    with pytest.raises(BadInput, match="moves too little: 0 frames are left for train"):
        split_by_pose(centres, np.tile([1.0, 0, 0, 0], (50, 1)), PLACE, 0.3, 0.15)


@pytest.mark.parametrize("shares", [(0.0, 0.1), (0.9, 0.1), (0.3, -0.1), (1.5, 0.1)])
def test_impossible_shares_are_bad_input(shares: tuple[float, float]) -> None:
    with pytest.raises(BadInput, match="above 0, together below 1"):
        split_by_pose(*walk(0), PLACE, *shares)
