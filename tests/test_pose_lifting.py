"""Keypoints in space: depth maps read between pixels, depths from known neighbours, a decoder's scale set right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from butf.dataset.manifest import Camera
from butf.dataset.modalities import Map
from butf.keypoints.features import Features
from butf.pose.lifting import lifted, sampled
from butf.pose.pose import Pose
from butf.pose.refinement import project
from butf.pose.triangulation import Depths, corrected, sightings, triangulate
from butf.pose.views import View

CAMERA = Camera("front", 256, 192, 152.0, 150.0, 128.0, 90.0)
COUNT = 80


def features(pixels: np.ndarray) -> Features:
    """Keypoints that match by their number: descriptors are unit vectors of their own."""
    ones = np.ones(len(pixels), np.float32)
    return Features(pixels.astype(np.float32), ones, 0 * ones, ones, np.eye(len(pixels), dtype=np.float32))


@pytest.fixture
def street() -> tuple[View, list[View], np.ndarray]:
    """A view of 80 points, four neighbours a few metres off that see them all, and the points' z-depths."""
    rng = np.random.default_rng(0)
    turn = Rotation.random(random_state=0)
    pose = Pose(turn.as_matrix(), np.array([448_000.0, 5_405_000.0, 35.0]))
    pixels = rng.uniform([20, 20], [236, 172], (COUNT, 2))
    view = View(0, pose, CAMERA, features(pixels), "0")
    z = rng.uniform(6, 40, COUNT)
    points = lifted(view, z)
    neighbours = []
    for number in range(1, 5):
        small = Rotation.from_rotvec(rng.normal(0, 0.05, 3))
        other = Pose((turn * small).as_matrix(), pose.centre + rng.uniform(-2, 2, 3))
        neighbours.append(View(number, other, CAMERA, features(project(points, other, CAMERA)[0]), str(number)))
    return view, neighbours, z


def test_lifted_points_are_seen_where_the_keypoints_are(street) -> None:
    view, _, z = street
    pixels, depth = project(lifted(view, z), view.pose, CAMERA)
    assert np.allclose(depth, z)
    assert np.abs(pixels - view.features.points).max() < 1e-4  # features are single precision


def test_triangulates_exact_matches(street) -> None:
    view, neighbours, z = street
    found = triangulate(sightings(view, neighbours))
    assert (np.abs(np.log(found.z / z)) < 1e-3 + 0.1 * found.spread).all()
    assert (found.support == 4).all()
    assert np.median(np.abs(np.log(found.z / z))) < 1e-5


def test_wrong_matches_do_not_move_a_depth_that_several_neighbours_bear_out(street) -> None:
    view, neighbours, z = street
    rng = np.random.default_rng(1)
    spoilt = rng.uniform([0, 0], [256, 192], (COUNT, 2))
    neighbours[0] = View(1, neighbours[0].pose, CAMERA, features(spoilt), "1")
    found = triangulate(sightings(view, neighbours))
    assert np.mean(np.abs(np.log(found.z / z)) < 0.02) > 0.95


def test_an_expected_depth_stands_where_nothing_is_matched(street) -> None:
    view, neighbours, z = street
    alone = triangulate(sightings(view, []), 1.2 * z, 0.2)
    assert np.allclose(alone.z, 1.2 * z) and np.allclose(alone.spread, 0.2)
    nothing = triangulate(sightings(view, []))
    assert np.isnan(nothing.z).all()
    helped = triangulate(sightings(view, neighbours), 1.2 * z, 0.2)
    assert np.median(np.abs(np.log(helped.z / z))) < 0.3 * np.log(1.2)
    assert (helped.spread <= 0.2 + 1e-9).all()


def test_spread_is_that_of_many_noisy_sightings(street) -> None:
    view, neighbours, z = street
    rng = np.random.default_rng(2)
    from butf.pose.triangulation import NOISE_PX

    logs, claimed = [], []
    for _ in range(60):
        noisy = [
            View(n.frame, n.pose, CAMERA, features(n.features.points + rng.normal(0, NOISE_PX, (COUNT, 2))), n.key)
            for n in neighbours
        ]
        found = triangulate(sightings(view, noisy), z, 10.0)
        logs.append(np.log(found.z / z))
        claimed.append(found.spread)
    real, said = np.std(logs, axis=0), np.median(claimed, axis=0)
    sure = said < 0.1  # where a depth is nearly linear in the pixels
    assert sure.sum() > 20
    assert 0.6 < np.median(said[sure] / real[sure]) < 1.6


def test_sets_a_decoders_scale_right(street) -> None:
    _, _, z = street
    rng = np.random.default_rng(3)
    decoded = (z / 1.4) ** 0.9 * np.exp(rng.normal(0, 0.05, COUNT))
    known = Depths(z * np.exp(rng.normal(0, 0.02, COUNT)), np.full(COUNT, 0.02), np.full(COUNT, 3))
    after, spread = corrected(decoded, known)
    assert np.abs(np.log(after / z)).mean() < 0.3 * np.abs(np.log(decoded / z)).mean()
    assert spread < 0.15
    unchanged, usual = corrected(decoded, Depths(z, np.full(COUNT, 0.5), np.zeros(COUNT, int)))
    assert np.allclose(unchanged, decoded) and usual == pytest.approx(0.2)


def test_depth_between_pixels_is_exact_on_a_plane() -> None:
    v, u = np.mgrid[0:192, 0:256] + 0.5
    plane = lambda x, y: 1 / (0.05 + 0.0002 * x - 0.0001 * y)  # noqa: E731
    side = Map("depth", plane(u, v), np.ones((192, 256), bool))
    points = np.random.default_rng(4).uniform([1, 1], [255, 191], (50, 2))
    assert np.allclose(sampled(side, points, (256, 192)), plane(*points.T), rtol=1e-9)
    half = Map("depth", plane(2 * u[:96, :128], 2 * v[:96, :128]), np.ones((96, 128), bool))
    inner = points[(points > 2).all(axis=1) & (points < [254, 190]).all(axis=1)]
    assert np.allclose(sampled(half, inner, (256, 192)), plane(*inner.T), rtol=1e-9)


def test_a_keypoint_on_an_edge_is_the_nearer_things() -> None:
    depth = np.where(np.arange(256)[None] < 128, 5.0, 50.0) * np.ones((192, 1))
    valid = np.ones((192, 256), bool)
    valid[100:, :] = False
    points = np.array([[128.4, 50.0], [60.0, 50.0], [200.0, 50.0], [30.0, 150.0], [30.0, 100.4]])
    found = sampled(Map("depth", depth, valid), points, (256, 192))
    assert found[:3].tolist() == [5.0, 5.0, 50.0]
    assert np.isnan(found[3]) and found[4] == 5.0
