"""Batches: who may be a positive, who a negative, and that look-alikes are really far places that look alike."""

import math

import numpy as np
import pytest
import torch

from butf.dataset.frames import Frames
from butf.errors import BadInput
from butf.training.config import TrainConfig
from butf.training.guesses import UNKNOWN, agreement, guess_places
from butf.training.mining import LOOK_ALIKES, Geometry, PlaceBatches, geometry_of, optical_axes
from butf.training.tuples import KEPT_NEGATIVES, KEPT_POSITIVES, LENGTH, NEGATIVES, POSITIVES, TupleBatches, hardest


def geometry(seed: int = 0, count: int = 40) -> Geometry:
    rng = np.random.default_rng(seed)
    heading = rng.uniform(0, 2 * np.pi, count)
    axis = np.stack([np.cos(heading), np.sin(heading), np.zeros(count)], axis=1)
    return Geometry(rng.uniform(0, 60, (count, 3)), axis, positive_m=15.0, positive_deg=40.0, negative_m=35.0)


def test_positives_and_negatives_agree_with_a_plain_loop() -> None:
    found, every = geometry(), np.arange(40)
    positives, negatives = found.positives(every, every), found.negatives(every, every)
    for i in range(40):
        for j in range(40):
            metres = math.dist(found.position[i], found.position[j])
            degrees = math.degrees(math.acos(np.clip(np.dot(found.axis[i], found.axis[j]), -1, 1)))
            assert positives[i, j] == (i != j and metres <= 15 and degrees <= 40)
            assert negatives[i, j] == (metres >= 35)
    assert positives.any() and not (positives & negatives).any()


def test_optical_axis_is_the_rotated_z_axis() -> None:
    # A quarter turn about x takes z (forward) to -y; half of that angle is in the quaternion.
    half = math.radians(90) / 2
    axes = optical_axes(np.array([[1.0, 0, 0, 0], [math.cos(half), math.sin(half), 0, 0]]))
    np.testing.assert_allclose(axes, [[0, 0, 1], [0, -1, 0]], atol=1e-12)


def test_thresholds_follow_the_data_sets_radius(tiny_frames: Frames) -> None:
    found = geometry_of(tiny_frames, TrainConfig(positive_share=0.4, negative_share=2.0))
    radius = tiny_frames.place.radius_m
    assert (found.positive_m, found.negative_m) == (0.4 * radius, 2.0 * radius)


def test_a_batch_holds_views_of_places_from_different_traversals(tiny_frames: Frames) -> None:
    rows = np.concatenate([tiny_frames.where("train", "reference"), tiny_frames.where("train", "overcast")])
    batches = PlaceBatches(tiny_frames, rows, TrainConfig(places=4, views=2))
    rng = np.random.default_rng(0)
    for _ in range(20):
        batch = batches.draw(rng).reshape(4, 2)
        assert np.isin(batch, rows).all()
        for anchor, other in batch:
            assert tiny_frames.traversal[anchor] != tiny_frames.traversal[other]
            assert batches.geometry.positives(np.array([anchor]), np.array([other]))[0, 0]


def test_the_same_seed_draws_the_same_batches(tiny_frames: Frames) -> None:
    batches = PlaceBatches(tiny_frames, tiny_frames.where("train"), TrainConfig(places=3))
    first, second = (batches.draw(np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_look_alikes_are_the_nearest_descriptors_among_far_places() -> None:
    rng = np.random.default_rng(3)
    frames = 60
    batches = PlaceBatches.__new__(PlaceBatches)
    batches.geometry = geometry(3, frames)
    indices = np.arange(frames)
    descriptors = rng.normal(size=(frames, 8))
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    batches.find_look_alikes(indices, descriptors)
    for row in batches.look_alikes.numpy():
        far = [j for j in range(frames) if math.dist(*batches.geometry.position[[row[0], j]]) >= 35]
        expected = sorted(far, key=lambda j: -descriptors[row[0]] @ descriptors[j])[:LOOK_ALIKES]
        assert row[1:].tolist() == expected


def test_hard_batches_pair_a_place_with_its_look_alike(tiny_frames: Frames) -> None:
    rows = tiny_frames.where("train")
    batches = PlaceBatches(tiny_frames, rows, TrainConfig(places=4, views=2, hard_share=1.0))
    pair = np.array([[rows[0], *[rows[5]] * LOOK_ALIKES]])
    batches.look_alikes = torch.from_numpy(pair)
    anchors = batches.draw(np.random.default_rng(0)).reshape(4, 2)[:, 0]
    assert sorted(anchors.tolist()) == sorted([rows[0], rows[5]] * 2)


@pytest.mark.parametrize(
    "values",
    [
        {"method": "netvlad"},
        {"steps": 0},
        {"learning_rate": float("nan")},
        {"hard_share": 1.5},
        {"positive_share": 3.0},
        {"places": True},
        {"colour": 3},
        {"mining": "mines"},
        {"mining": "tuples", "method": "bu-tf-adapted"},
    ],
)
def test_wrong_configurations_name_the_field(values: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=next(iter(values)) + "|negative_share"):
        TrainConfig.from_dict(values)


def test_guessed_places_join_the_pairs_and_unknown_ones_do_not(tiny_frames: Frames) -> None:
    rows = tiny_frames.where(split="train")
    rows = rows[tiny_frames.condition[rows] != "night"]
    batches = PlaceBatches(tiny_frames, rows, TrainConfig())
    batch, guessed = rows[[0, 0, 5]], np.array([rows[0], UNKNOWN, rows[5]])
    positives, negatives = (part.numpy() for part in batches.pairs(batch, guessed))
    place = [*batch, *guessed]
    for i in range(6):
        for j in range(6):
            known = UNKNOWN not in (place[i], place[j])
            metres = np.linalg.norm(tiny_frames.position[place[i]] - tiny_frames.position[place[j]])
            same_picture = i == j or (i < 3 and j < 3 and place[i] == place[j])
            assert positives[i, j] == (known and metres <= 10 and not same_picture), (i, j)
            assert negatives[i, j] == (known and metres >= 50), (i, j)
    assert positives[0, 3] and not positives[4].any()
    plain = batches.pairs(batch)
    assert all(
        np.array_equal(part.numpy(), whole[:3, :3]) for part, whole in zip(plain, (positives, negatives), strict=True)
    )


def test_the_surest_guesses_of_each_drive_are_kept() -> None:
    known = np.eye(4, dtype=np.float32)
    position = np.array([[0.0, 0, 0], [20, 0, 0], [200, 0, 0], [400, 0, 0]])  # the first two show one place
    asked = np.array([[9, 8, 0, 0], [0, 0, 9, 8], [0, 0, 1, 9], [0, 9, 7, 0], [9, 0, 0, 8.5], [1, 2, 3, 9]], np.float32)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    drives = np.array(["night"] * 3 + ["snow"] * 3)
    assert guess_places(asked, known, position, drives, 50, 1.0).tolist() == [0, 2, 3, 1, 0, 3]
    # The first night picture is sure, since its second best answer is no other place. The snow pictures 1 and 0 back
    # each other, which counts for more than the clear lead of the last.
    assert guess_places(asked, known, position, drives, 50, 2 / 3).tolist() == [0, UNKNOWN, 3, 1, 0, UNKNOWN]
    assert set(guess_places(asked, known, position, drives, 50, 0.0)) == {UNKNOWN}


def test_agreement_counts_the_near_neighbours_in_the_drive() -> None:
    along = np.array([0.0, 5, 300, 15, 20, 500, 505, 30])
    position = np.stack([along, 0 * along, 0 * along], axis=1)
    expected = [
        sum(abs(along[i] - along[j]) < 50 for j in range(max(i - 3, 0), min(i + 4, 8)) if j != i) for i in range(8)
    ]
    assert agreement(position, 50).tolist() == expected


def test_tuples_hold_an_anchor_and_its_own_positives_and_negatives() -> None:
    found, every = geometry(), np.arange(40)
    tuples = TupleBatches(found, every, pictures=39)
    asked: list[int] = []

    def describe(frames: np.ndarray) -> np.ndarray:
        asked.append(len(frames))
        return np.random.default_rng(1).normal(size=(len(frames), 3))

    batch = tuples.draw(np.random.default_rng(0), describe)
    assert tuples.tuples == 5 and len(batch) == 5 * LENGTH and asked == [5 * (1 + POSITIVES + NEGATIVES)]
    positives, negatives = tuples.pairs()
    for i in range(len(batch)):
        for j in range(len(batch)):
            own = i // LENGTH == j // LENGTH and i % LENGTH == 0
            near = 1 <= j % LENGTH <= KEPT_POSITIVES
            assert positives[i, j] == (own and near) and negatives[i, j] == (own and j % LENGTH > KEPT_POSITIVES)
            if positives[i, j]:
                assert found.positives(batch[[i]], batch[[j]])[0, 0]
            if negatives[i, j]:
                assert found.negatives(batch[[i]], batch[[j]])[0, 0]


def test_of_a_tuples_candidates_the_hardest_are_kept() -> None:
    candidates = np.arange(100, 100 + 1 + POSITIVES + NEGATIVES)
    along = np.zeros((len(candidates), 1))
    along[1 : 1 + POSITIVES, 0] = [3, 1, 4, 2]
    along[1 + POSITIVES :, 0] = np.arange(NEGATIVES, 0, -1)
    kept = hardest(candidates, along)
    assert kept[: 1 + KEPT_POSITIVES].tolist() == [100, 103, 101]
    assert kept[1 + KEPT_POSITIVES :].tolist() == candidates[::-1][:KEPT_NEGATIVES].tolist()
