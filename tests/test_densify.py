"""Projection, visibility and joint inpainting against plain loops, a general optimiser, and scenes made by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from butf.dataset.manifest import Camera
from butf.densify import Cloud, Inpainting, Sparse, densify, fill, project
from butf.densify.inpainting import _divergence, inpaint
from butf.densify.visibility import BEHIND, BEHIND_M, SECTORS, occlusion
from butf.errors import BadInput

CAMERA = Camera("front", 64, 48, 60.0, 62.0, 31.0, 20.0)


def plane_of(normal_depth: float, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width), normal_depth, np.float32)


def grey(levels: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(levels, np.uint8)[..., None], 3, axis=2)


def some(shape: tuple[int, int], share: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


def test_projection_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform((-6, -5, -4), (6, 5, 12), (4000, 3)).astype(np.float32)
    reflectance = rng.random(4000).astype(np.float32)
    found = project(Cloud(points, reflectance), CAMERA)
    depth, value = np.zeros((48, 64), np.float32), np.zeros((48, 64), np.float32)
    for (x, y, z), strength in zip(points.tolist(), reflectance.tolist(), strict=True):
        if z <= 0.3:
            continue
        column, row = math.floor(60 * x / z + 31), math.floor(62 * y / z + 20)
        if 0 <= column < 64 and 0 <= row < 48 and (depth[row, column] == 0 or z < depth[row, column]):
            depth[row, column], value[row, column] = z, strength
    np.testing.assert_allclose(found.depth, depth, rtol=1e-6)
    np.testing.assert_allclose(found.reflectance, value, rtol=1e-6)
    assert (found.depth > 0).sum() > 500


def test_a_cloud_and_its_reflectance_must_be_of_one_length() -> None:
    with pytest.raises(BadInput, match="3 points and reflectance of shape"):
        Cloud(np.zeros((3, 3), np.float32), np.zeros(2, np.float32))
    with pytest.raises(BadInput, match=r"expected \(N, 3\)"):
        Cloud(np.zeros((3, 4), np.float32))


def test_occlusion_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(2)
    depth = np.where(some((48, 64), 0.2), rng.uniform(2, 12, (48, 64)), 0).astype(np.float32)
    rows, columns = np.nonzero(depth)
    points = np.stack(
        [
            (columns + 0.5 - 31) / 60 * depth[rows, columns],
            (rows + 0.5 - 20) / 62 * depth[rows, columns],
            depth[rows, columns],
        ],
        axis=1,
    )
    reach = {}
    for i, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        away = np.sort(np.linalg.norm(points - points[i], axis=1))
        reach[row, column] = min(max(60 * away[12] / depth[row, column], 2.0), 32.0)
    expected = np.zeros((48, 64), int)
    for row, column in reach:
        covered = set()
        for (r, c), radius in reach.items():
            if (r, c) == (row, column) or math.hypot(r - row, c - column) > radius:
                continue
            if depth[r, c] < depth[row, column] * (1 - BEHIND) - BEHIND_M:
                covered.add(round((math.atan2(r - row, c - column) + math.pi) / (2 * math.pi) * SECTORS) % SECTORS)
        expected[row, column] = len(covered)
    found = occlusion(depth, CAMERA).astype(int)
    # A neighbour exactly at the edge of a reach may fall to either side by rounding.
    assert (found == expected).mean() > 0.998
    assert expected.max() == SECTORS


def test_points_that_show_through_a_sparse_wall_are_found_and_a_slope_is_not() -> None:
    depth = np.zeros((48, 64), np.float32)
    depth[::3, ::3] = 5.0
    through = np.zeros_like(depth, bool)
    through[10:40:6, 10:55:7] = True
    through &= depth == 0
    depth[through] = 20.0
    found = occlusion(depth, CAMERA)
    assert (found[through] >= 7).all()
    assert (found[depth == 5] == 0).all()
    rows = np.arange(48)[:, None]
    ground = np.where((rows > 24) & some((48, 64), 0.4), 1.65 * 62 / (rows + 0.5 - 20), 0).astype(np.float32)
    inner = np.s_[28:44, 6:58]  # at the rim of what is measured there is nothing to the other side
    assert (occlusion(ground, CAMERA)[inner] <= 5).all()


def test_the_divergence_is_minus_the_adjoint_of_the_gradient() -> None:
    field, image = torch.randn(2, 3, 7, 9, dtype=torch.double), torch.randn(3, 7, 9, dtype=torch.double)
    step = torch.zeros_like(field)
    step[0, :, :, :-1] = image[:, :, 1:] - image[:, :, :-1]
    step[1, :, :-1] = image[:, 1:] - image[:, :-1]
    out = torch.empty_like(image)
    _divergence(field, out)
    assert torch.allclose((step * field).sum(), -(out * image).sum())


def energy(log_depth, reflectance, sparse: Sparse, picture: np.ndarray, settings: Inpainting) -> float:
    """What `inpaint` minimises where all samples are visible, by plain loops, as in its module's docstring."""
    brightness, total = picture.mean(axis=2) / 255, 0.0
    height, width = brightness.shape
    for r, c in itertools.product(range(height), range(width)):
        right, below = (r, min(c + 1, width - 1)), (min(r + 1, height - 1), c)
        slope = math.hypot(brightness[right] - brightness[r, c], brightness[below] - brightness[r, c])
        parts = (settings.guidance * slope) ** 2
        for image, weight in ((log_depth, math.exp(-settings.edge * slope)), (reflectance, settings.coupling)):
            parts += weight**2 * ((image[right] - image[r, c]) ** 2 + (image[below] - image[r, c]) ** 2)
        total += math.sqrt(parts + 1e-12)
        if sparse.depth[r, c]:
            total += settings.fidelity[0] * abs(log_depth[r, c] - math.log(sparse.depth[r, c]))
            total += settings.fidelity[1] * abs(reflectance[r, c] - sparse.reflectance[r, c])
    return total


def test_the_energy_is_as_low_as_a_general_optimiser_gets_it() -> None:
    rng = np.random.default_rng(4)
    depth = np.where(some((6, 7), 0.35, 5), rng.uniform(3, 9, (6, 7)), 0).astype(np.float32)
    sparse = Sparse(depth, np.where(depth > 0, rng.random((6, 7)), 0).astype(np.float32))
    picture = grey(rng.integers(90, 110, (6, 7)))
    settings = Inpainting(scales=1, iterations=4000, check=100_000)
    filled = inpaint(sparse, picture, np.zeros((6, 7), np.uint8), settings)
    ours = energy(np.log(filled.depth), filled.reflectance, sparse, picture, settings)
    free = depth.ravel() == 0
    known_u, known_r = np.log(np.where(depth > 0, depth, 1)).ravel(), sparse.reflectance.ravel()

    def of(values: np.ndarray) -> float:
        # Fidelity outweighs the variation that a pixel can have, so the samples themselves are kept.
        u, r = known_u.copy(), known_r.copy()
        u[free], r[free] = np.split(values, 2)
        return energy(u.reshape(6, 7), r.reshape(6, 7), sparse, picture, settings)

    start = np.concatenate([np.log(filled.depth).ravel()[free], filled.reflectance.ravel()[free]])
    theirs = minimize(of, start + 0.02 * rng.standard_normal(len(start)), method="L-BFGS-B", options={"maxfun": 40_000})
    assert ours <= theirs.fun * 1.003
    assert ours < of(np.concatenate([np.full(free.sum(), math.log(6)), np.full(free.sum(), 0.5)])) * 0.95


def test_a_jump_of_depth_settles_at_the_edge_of_the_picture() -> None:
    truth = plane_of(5.0)
    truth[:, 30:] = 15.0
    picture = grey(np.where(truth > 10, 200, 60))
    measured = some(truth.shape, 0.04, 6)
    sparse = Sparse(*(np.where(measured, values, 0).astype(np.float32) for values in (truth, truth / 20)))
    dense = fill(sparse, CAMERA, picture)
    off = np.abs(dense.depth - truth) / truth
    assert (off < 0.05).mean() > 0.99 and (off < 0.02).mean() > 0.9
    assert np.abs(dense.reflectance - truth / 20).mean() < 0.02
    assert dense.valid.mean() < 1 and dense.valid[measured].all()


def test_what_shows_through_is_left_out_and_the_wall_before_it_is_whole() -> None:
    depth = np.zeros((48, 64), np.float32)
    depth[::3, ::3] = 5.0
    through = np.zeros_like(depth, bool)
    through[10:40:6, 10:55:7] = True
    through &= depth == 0
    depth[through] = 20.0
    dense = fill(Sparse(depth), CAMERA, grey(np.full((48, 64), 90)))
    assert not dense.visible[through].any() and dense.visible[depth == 5].all()
    np.testing.assert_allclose(dense.depth, 5.0, rtol=0.01)
    assert dense.reflectance is None and list(dense.maps) == ["depth"]


def test_one_sample_fills_its_surroundings_and_claims_no_more() -> None:
    depth = np.zeros((48, 64), np.float32)
    depth[20, 30] = 7.0
    dense = fill(Sparse(depth), CAMERA, grey(np.full((48, 64), 90)))
    np.testing.assert_allclose(dense.depth, 7.0, rtol=1e-4)
    rows, columns = np.nonzero(dense.valid)
    assert np.hypot(rows - 20, columns - 30).max() <= 64 / 40


def test_nothing_to_fill_and_a_picture_of_another_size_are_told() -> None:
    picture = grey(np.zeros((48, 64)))
    with pytest.raises(BadInput, match="no point falls into the picture; check the calibration"):
        densify(Cloud(np.array([[0.0, 0.0, -5.0]], np.float32)), CAMERA, picture)
    with pytest.raises(BadInput, match="the picture is 10x48 and its points fill 64x48"):
        densify(Cloud(np.array([[0.0, 0.0, 5.0]], np.float32)), CAMERA, picture[:, :10])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_fills_alike() -> None:
    truth = plane_of(5.0)
    truth[:, 30:] = 15.0
    sparse = Sparse(np.where(some(truth.shape, 0.05), truth, 0).astype(np.float32))
    picture = grey(np.where(truth > 10, 200, 60))
    here, there = (fill(sparse, CAMERA, picture, device=device).depth for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there, here, rtol=1e-3)
