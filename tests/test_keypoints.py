"""Keypoints: soft argmax, patches, warping, losses, matching and extraction against plain versions and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import maximum_filter, rotate, uniform_filter
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from butf.errors import BadInput
from butf.keypoints.features import Features
from butf.keypoints.feed import turned_picture
from butf.keypoints.losses import (
    classification_loss,
    contrast_loss,
    max_score,
    pairs_loss,
    place_loss,
    softmax_score,
)
from butf.keypoints.matching import match
from butf.keypoints.measures import measure_pair
from butf.keypoints.networks import Hinges, Orientation, local_mean
from butf.keypoints.patches import crop, scale_space, scales_of
from butf.keypoints.soft_argmax import peaks, soft_argmax, windows
from butf.keypoints.warping import View, depth_at, local_turn_and_scale, warp
from butf.keypoints.zoo import load_keypoints


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """The same random numbers whatever ran before."""
    torch.manual_seed(0)


def test_soft_argmax_is_the_slides_sum():
    scores = torch.randn(3, 5, 7)
    found = soft_argmax(scores, beta=2.0)
    for k in range(3):
        total, x, y = 0.0, 0.0, 0.0
        for row in range(5):
            for column in range(7):
                weight = math.exp(2.0 * float(scores[k, row, column]))
                total, x, y = total + weight, x + weight * (column + 0.5), y + weight * (row + 0.5)
        assert found[k].tolist() == pytest.approx([x / total, y / total], abs=1e-5)
    sharp = torch.full((1, 5, 5), -1.0)
    sharp[0, 3, 1] = 1.0
    assert soft_argmax(sharp, beta=50.0)[0].tolist() == pytest.approx([1.5, 3.5], abs=1e-4)


def test_soft_argmax_finds_a_bump_between_pixels():
    x = torch.arange(9) + 0.5
    bump = -((x[None] - 4.8) ** 2 + (x[:, None] - 4.3) ** 2) / 10
    assert soft_argmax(bump[None], beta=10.0)[0].tolist() == pytest.approx([4.8, 4.3], abs=0.02)


def test_peaks_and_windows_and_surroundings_agree_with_scipy_and_slices():
    scores = torch.randn(20, 30)
    assert np.array_equal(peaks(scores, 2).numpy(), scores.numpy() == maximum_filter(scores.numpy(), 5))
    maps, corners = torch.randn(2, 1, 12, 15), torch.tensor([[3, 2], [0, 7]])
    found = windows(maps, torch.tensor([1, 0]), corners, 5)
    assert torch.equal(found[0], maps[1, 0, 2:7, 3:8]) and torch.equal(found[1], maps[0, 0, 7:12, 0:5])
    mean = local_mean(scores[None, None], 7)[0, 0].numpy()
    assert mean == pytest.approx(uniform_filter(scores.numpy(), 7, mode="nearest"), abs=1e-4)


def test_hinges_are_a_signed_sum_of_maxima():
    hinges, features = Hinges(3, 2, 1, sums=2, maxima=3), torch.randn(1, 3, 4, 4)
    planes = hinges.linear(features)[0]
    for output in range(2):
        own = planes[6 * output : 6 * output + 6]
        expected = own[:3].amax(dim=0) - own[3:].amax(dim=0)
        assert torch.allclose(hinges(features)[0, output], expected, atol=1e-6)


def test_a_patch_that_is_not_turned_is_a_slice_and_a_turned_one_is_the_turned_picture():
    image = torch.rand(1, 1, 40, 40)
    at, still = torch.tensor([[20.0, 18.0]]), torch.zeros(1)
    first = torch.zeros(1, dtype=torch.long)
    patch = crop(image, first, at, still, torch.ones(1), size=8)
    assert torch.allclose(patch[0, 0], image[0, 0, 14:22, 16:24], atol=1e-5)
    quarter = crop(image, first, at, torch.tensor([math.pi / 2]), torch.ones(1), size=8)
    assert torch.allclose(quarter[0, 0], torch.rot90(image[0, 0, 14:22, 16:24], 1), atol=1e-5)


def test_a_patch_turns_with_its_picture():
    """Orientation equivariance in closed form: turn picture and angle alike, and the patch is the same."""
    image = scale_space(torch.rand(1, 1, 64, 64))[0]
    image = local_mean(image, 9)  # smooth, since both are sampled between pixels
    angle, middle = 0.4, torch.tensor([32.0, 32.0])
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turned = turned_picture(image, torch.cat([turn, (middle - turn @ middle)[:, None]], dim=1))
    reference = rotate(image[0, 0].numpy(), -math.degrees(angle), reshape=False, order=1, mode="nearest")
    assert turned[0, 0, 16:48, 16:48].numpy() == pytest.approx(reference[16:48, 16:48], abs=5e-3)
    first, point = torch.zeros(1, dtype=torch.long), torch.tensor([[35.0, 30.0]])
    there = point @ turn.T + middle - turn @ middle
    before = crop(image, first, point, torch.zeros(1), torch.ones(1), 16)
    after = crop(turned, first, there, torch.tensor([angle]), torch.ones(1), 16)
    assert (before - after).abs().mean() < 0.01


def test_a_vote_turns_with_a_patch_and_is_the_mean_of_single_answers():
    orientation, patches = Orientation().eval(), torch.rand(6, 1, 32, 32)
    quarters = [torch.rot90(patches, quarter, (-2, -1)) for quarter in range(4)]
    found = orientation.voted(patches)
    # A patch cut with the angle pi / 2 is `rot90` of the one that is not turned (above): a quarter less is to go.
    gap = found - orientation.voted(quarters[1]) - math.pi / 2
    assert torch.allclose(gap.cos(), torch.ones(6), atol=1e-5)
    single = orientation(patches) - orientation(quarters[1]) - math.pi / 2
    assert not torch.allclose(single.cos(), torch.ones(6), atol=1e-2)
    total = 0j
    for quarter, turned in enumerate(quarters):
        cosine, sine = orientation.hinges(
            orientation.features(torch.nn.functional.avg_pool2d(
                (turned - turned.mean((2, 3), True)) / (turned.std((2, 3), correction=0, keepdim=True) + 1e-3), 2
            ))
        )[:, :, 0, 0].detach().numpy().T  # fmt: skip
        total = total + np.hypot(cosine, sine) * np.exp(1j * (np.arctan2(sine, cosine) + quarter * math.pi / 2))
    assert np.exp(1j * found.detach().numpy()) == pytest.approx(total / np.abs(total), abs=1e-4)


def test_a_scale_space_says_by_how_much_each_level_is_shrunk():
    space = scale_space(torch.rand(1, 1, 96, 128))
    assert [level.shape[-1] for level in space] == [128, 91, 64, 45]
    assert [float(ratio[0]) for ratio in scales_of(space)] == pytest.approx([1, 128 / 91, 2, 128 / 45])


def plane(shift: float, depth: float = 4.0, turn: float = 0.0) -> View:
    """A camera `shift` metres to the right of the first before a wall at `depth`, turned about its axis by `turn`."""
    rotation = torch.tensor(
        [[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0], [0, 0, 1]], dtype=torch.float64
    )
    return View(
        torch.zeros(1, 1, 60, 80), torch.full((60, 80), depth), torch.tensor([50.0, 50.0, 40.0, 30.0]), rotation,
        torch.tensor([1e6 + shift, 2e6, 0.0], dtype=torch.float64),
    )  # fmt: skip


def test_before_a_wall_pixels_move_by_focal_length_times_baseline_over_depth():
    points = torch.tensor([[40.0, 30.0], [70.0, 12.5], [4.0, 50.0]])
    there, seen = warp(points, plane(0.0), plane(0.8))
    assert torch.allclose(there, points - torch.tensor([10.0, 0.0]), atol=1e-4)
    assert seen.tolist() == [True, True, False]  # the last one leaves the picture


def test_a_camera_turned_about_its_axis_turns_pixels_the_other_way():
    points = torch.tensor([[50.0, 35.0]])
    there, _ = warp(points, plane(0.0), plane(0.0, turn=0.3))
    x, y = 10.0, 5.0
    expected = [40 + x * math.cos(0.3) + y * math.sin(0.3), 30 - x * math.sin(0.3) + y * math.cos(0.3)]
    assert there[0].tolist() == pytest.approx(expected, abs=1e-4)
    turn, ratio = local_turn_and_scale(points, plane(0.0), plane(0.0, turn=0.3))
    assert float(turn) == pytest.approx(-0.3, abs=1e-4) and float(ratio) == pytest.approx(1, abs=1e-4)


def test_hidden_unknown_and_moving_points_are_not_seen():
    points = torch.tensor([[40.0, 30.0]])
    assert not warp(points, plane(0.0), plane(0.8, depth=2.0))[1].any()  # something nearer stands there
    assert not warp(points, plane(0.0, depth=0.0), plane(0.8))[1].any()
    assert not warp(points, plane(0.0), plane(0.8, depth=0.0))[1].any()


def test_depth_is_interpolated_on_a_surface_and_never_across_an_edge():
    depth = torch.tensor([[10.0, 10.4], [10.0, 10.4]])
    assert float(depth_at(depth, torch.tensor([[1.0, 1.0]]))) == pytest.approx(10.2)
    edge = torch.tensor([[10.0, 30.0], [10.0, 30.0]])
    found = depth_at(edge, torch.tensor([[0.9, 1.0], [1.1, 1.0], [-0.1, 1.0]]))
    assert found.tolist() == [10.0, 30.0, 0.0]


def units(count: int) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(count, 128, dtype=torch.float64), dim=1)


def test_the_lectures_losses_agree_with_loops():
    first, second, distinct = units(6), units(6), ~torch.eye(6, dtype=torch.bool)
    distinct[0, 3] = False
    near = far = 0.0
    for i in range(6):
        near += float(((first[i] - second[i]) ** 2).sum())
        gaps = [float(((first[i] - second[j]) ** 2).sum()) for j in range(6) if distinct[i, j]]
        far += max(0.0, 1 - min(gaps))
    assert float(pairs_loss(first, second, distinct)) == pytest.approx((near + far) / 6)
    scores = [float(first[i] @ second[i]) for i in range(6)]
    expected = 0.0
    for one, other, allowed in ((first, second, distinct), (second, first, distinct.T)):
        for i in range(6):
            others = [math.exp(float(one[i] @ other[j]) / 0.1) for j in range(6) if allowed[i, j] or j == i]
            expected -= (scores[i] / 0.1 - math.log(sum(others))) / 12
    assert float(contrast_loss(first, second, distinct)) == pytest.approx(expected)


def test_hardest_negatives_are_pushed_only_when_near():
    first = units(2)
    assert float(pairs_loss(first, first, ~torch.eye(2, dtype=torch.bool))) == pytest.approx(
        max(0.0, 1 - float(((first[0] - first[1]) ** 2).sum()))
    )
    assert float(pairs_loss(first, first, torch.zeros(2, 2, dtype=torch.bool))) == 0


def test_detector_scores_and_squared_hinges_agree_with_loops():
    found = torch.randn(5, 3, 3)
    for k in range(5):
        values = found[k].flatten().tolist()
        assert float(max_score(found)[k]) == pytest.approx(max(values))
        soft = math.log(sum(math.exp(10 * value) for value in values) / 9) / 10
        assert float(softmax_score(found)[k]) == pytest.approx(soft, abs=1e-5)
    scores, signs = torch.tensor([0.5, 2.0, -0.5, 0.2]), torch.tensor([1.0, 1.0, -1.0, -1.0])
    assert float(classification_loss(scores, signs)) == pytest.approx(0.25 / 2 + (0.25 + 1.44) / 2)
    assert float(place_loss(torch.tensor([[0.0, 0], [0, 0]]), torch.tensor([[1.0, 1], [9, 9]]))) == pytest.approx(2)


def features(points: np.ndarray, descriptors: np.ndarray) -> Features:
    ones = np.ones(len(points), np.float32)
    return Features(points.astype(np.float32), ones, 0 * ones, ones, descriptors.astype(np.float32))


def random_features(count: int, seed: int) -> Features:
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((count, 128))
    return features(rng.uniform(0, 60, (count, 2)), table / np.linalg.norm(table, axis=1, keepdims=True))


def test_matching_agrees_with_scikit_learn():
    first, second = random_features(30, 0), random_features(40, 1)
    found = match(first, second, mutual=False)
    gaps, nearest = NearestNeighbors(n_neighbors=2).fit(second.descriptors).kneighbors(first.descriptors)
    order = np.argsort(gaps[:, 0], kind="stable")
    assert np.array_equal(found.pairs[:, 1], nearest[found.pairs[:, 0], 0]) and found.pairs.dtype == np.int64
    assert found.distances == pytest.approx(gaps[order, 0], abs=1e-3)
    back = NearestNeighbors(n_neighbors=1).fit(first.descriptors).kneighbors(second.descriptors)[1][:, 0]
    both = {(i, int(j)) for i, j in enumerate(nearest[:, 0]) if back[j] == i}
    assert set(map(tuple, match(first, second).pairs.tolist())) == both
    sure = {i for i in range(30) if gaps[i, 0] < 0.97 * gaps[i, 1]}
    assert set(match(first, second, ratio=0.97, mutual=False).pairs[:, 0].tolist()) == sure
    assert len(match(first.take(np.arange(0)), second)) == 0


def test_descriptors_of_different_models_are_refused():
    with pytest.raises(BadInput, match="128 and 64 numbers"):
        match(random_features(3, 0), features(np.zeros((2, 2)), np.ones((2, 64))))


def test_perfect_and_shuffled_keypoints_have_the_scores_they_should():
    one, other, first = plane(0.0), plane(0.4), random_features(40, 0)
    moved = features(first.points - np.array([5.0, 0.0]), first.descriptors)
    perfect = measure_pair(first, moved, one, other)
    assert (perfect.repeatability, perfect.matching_score, perfect.precision) == (1, 1, 1)
    assert perfect.average_precision == pytest.approx(1) and perfect.error_px == pytest.approx(0, abs=1e-3)
    wrong = measure_pair(first, features(moved.points, np.roll(first.descriptors, 1, axis=0)), one, other)
    assert wrong.repeatability == 1 and wrong.precision < 0.2 and wrong.average_precision < 0.2
    far = features(moved.points + np.array([0.0, 3.5]), first.descriptors)
    assert measure_pair(first, far, one, other).precision == 0


def test_extraction_keeps_its_promises():
    extractor = load_keypoints("untrained")
    pixels = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    found = extractor.extract(Image.fromarray(pixels), limit=60)
    assert len(found) == 60 and found.descriptors.shape == (60, 128)
    assert np.linalg.norm(found.descriptors, axis=1) == pytest.approx(1, abs=1e-5)
    assert (np.diff(found.scores) <= 0).all() and (found.scales >= 1).all()
    assert (found.points >= 0).all() and (found.points <= (128, 96)).all()
    again = load_keypoints("untrained").extract(Image.fromarray(pixels), limit=30)
    assert np.array_equal(again.points, found.points[:30])
    assert (extractor.extract(Image.fromarray(pixels), 5, upright=True).angles == 0).all()
    doubled = extractor.extract(Image.fromarray(pixels).resize((1280, 960)), limit=20)
    assert (doubled.points <= (1280, 960)).all() and doubled.points.max() > 200
    with pytest.raises(BadInput, match="limit is 0"):
        extractor.extract(Image.fromarray(pixels), limit=0)
    assert len(extractor.extract(Image.new("RGB", (8, 8)))) == 0


def test_exposure_hardly_moves_keypoints():
    extractor = load_keypoints("untrained")
    pixels = uniform_filter(np.random.default_rng(0).uniform(0, 255, (96, 128)), 5)
    pixels = (pixels - pixels.min()) / np.ptp(pixels) * 200 + 20
    bright, dark = (Image.fromarray(p.astype(np.uint8)).convert("RGB") for p in (pixels, pixels * 0.5))
    one, two = extractor.extract(bright, 40), extractor.extract(dark, 40)
    gaps = np.linalg.norm(one.points[:, None] - two.points[None], axis=2).min(axis=1)
    assert (gaps < 1.5).mean() > 0.8
