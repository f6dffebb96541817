"""Depth errors against plain loops and torch's own interpolation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from butf.dataset.depth_metrics import depth_errors, resized
from butf.dataset.modalities import Map


def plain(predicted: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> tuple[float, float, float]:
    """AbsRel, RMSE and delta1, one pixel after the other."""
    relative = squared = good = count = 0.0
    for p, t, used in zip(predicted.ravel(), truth.ravel(), mask.ravel(), strict=True):
        if used:
            relative += abs(p - t) / t
            squared += (p - t) ** 2
            good += max(p / t, t / p) < 1.25
            count += 1
    return relative / count, math.sqrt(squared / count), good / count


@pytest.fixture
def scene() -> tuple[np.ndarray, Map]:
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 80, (24, 32)).astype(np.float32)
    valid = rng.random(truth.shape) < 0.8
    return (truth * rng.uniform(0.6, 1.5, truth.shape)).astype(np.float32), Map(
        "depth", np.where(valid, truth, 0), valid
    )


def test_matches_a_plain_loop(scene: tuple[np.ndarray, Map]) -> None:
    predicted, truth = scene
    errors = depth_errors(predicted, truth)
    assert (errors.abs_rel, errors.rmse_m, errors.delta1) == pytest.approx(plain(predicted, truth.values, truth.valid))
    assert errors.pixels == truth.valid.sum()


def test_only_measured_predicted_and_wanted_pixels_count(scene: tuple[np.ndarray, Map]) -> None:
    predicted, truth = scene
    said = np.ones(predicted.shape, bool)
    said[:, :5] = False
    predicted = predicted.copy()
    predicted[0, 6:9] = np.nan, 0, -1
    mask = truth.valid & said & (truth.values >= 5) & (truth.values <= 60)
    mask[0, 6:9] = False
    errors = depth_errors(Map("depth", predicted, said), truth, low=5, high=60)
    assert (errors.abs_rel, errors.rmse_m, errors.delta1) == pytest.approx(plain(predicted, truth.values, mask))
    assert errors.pixels == mask.sum()


def test_perfect_prediction_has_no_error(scene: tuple[np.ndarray, Map]) -> None:
    truth = scene[1]
    errors = depth_errors(truth, truth)
    assert (errors.abs_rel, errors.rmse_m, errors.delta1) == (0, 0, 1)


def test_nothing_measured_is_not_a_number(scene: tuple[np.ndarray, Map]) -> None:
    truth = Map("depth", scene[1].values, np.zeros((24, 32), bool))
    errors = depth_errors(scene[0], truth)
    assert errors.pixels == 0 and all(math.isnan(v) for v in (errors.abs_rel, errors.rmse_m, errors.delta1))


@pytest.mark.parametrize("shape", [(48, 64), (6, 8), (24, 32), (17, 45), (1, 1)])
def test_resizing_matches_torch(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(1).uniform(0, 50, (24, 32))
    peer = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], shape, mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(resized(values, shape), peer[0, 0].numpy(), atol=1e-9)


def test_smaller_prediction_is_resized_and_its_gaps_do_not_bleed(scene: tuple[np.ndarray, Map]) -> None:
    _, truth = scene
    coarse = np.full((6, 8), 20.0)
    said = np.ones((6, 8), bool)
    said[:, :4] = False
    coarse[~said] = 1e6
    errors = depth_errors(Map("depth", coarse, said), truth)
    right = truth.valid & (np.arange(32) >= 16)
    assert (errors.abs_rel, errors.rmse_m, errors.delta1) == pytest.approx(
        plain(np.full((24, 32), 20.0), truth.values, right)
    )
