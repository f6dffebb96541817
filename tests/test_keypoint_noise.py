"""Noise is estimated and smoothed away before keypoints are sought: against known noise, scipy and repeated noise."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from butf.files import ASSETS
from butf.keypoints.noise import LOUD, SMOOTHING_PX, noise, quiet, smoothed
from butf.keypoints.patches import grey
from butf.keypoints.zoo import load_keypoints


def brightness(path: str) -> torch.Tensor:
    picture = Image.open(ASSETS / "town" / path).convert("RGB")
    return grey(torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255)


def noisy(images: torch.Tensor, spread: float, seed: int) -> torch.Tensor:
    return images + spread * torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("spread", [0.005, 0.02, 0.08])
def test_added_noise_is_found_on_a_slope_beside_an_edge(spread: float) -> None:
    y, x = torch.meshgrid(torch.linspace(0, 1, 120), torch.linspace(0, 1, 160), indexing="ij")
    scene = (0.3 * x + 0.2 * y + 0.5 * (x > 0.5))[None, None]
    assert noise(noisy(scene, spread, 0)) == pytest.approx(spread, rel=0.03)
    assert noise(scene) < 1e-6


def test_smoothing_is_scipy_s() -> None:
    images = torch.rand(2, 1, 30, 41, generator=torch.Generator().manual_seed(0))
    for spread in (0.7, 1.5):
        found = smoothed(images, spread)[:, 0].numpy()
        radius = int(np.ceil(3 * spread))
        wanted = [gaussian_filter(part[0].numpy(), spread, mode="nearest", radius=radius) for part in images]
        assert np.allclose(found, wanted, atol=1e-6)


def test_a_clear_picture_stays_as_it_is_and_a_tiny_one_too() -> None:
    day = torch.rand(1, 1, 1, 40).expand(1, 1, 40, 40)  # stripes: texture along one axis is not noise
    assert quiet(day) is day
    sliver = day[..., :2, :]
    assert quiet(sliver) is sliver
    loud = noisy(day, 2 * LOUD, 0)
    assert torch.equal(quiet(loud), smoothed(loud, SMOOTHING_PX))


def test_more_keypoints_are_found_again_under_other_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = brightness("overcast/rgb/000050.jpg")
    assert quiet(scene) is scene, "a day of the town is clear"
    extractor = load_keypoints()

    def repeated() -> float:
        """The share of keypoints that the same scene has within a pixel under other noise."""
        one, two = (extractor.extract_grey(noisy(scene, 0.03, seed), 256, upright=True).points for seed in (0, 1))
        return float((np.linalg.norm(one[:, None] - two[None], axis=2).min(axis=1) < 1).mean())

    smooth = repeated()
    monkeypatch.setattr("butf.keypoints.noise.LOUD", np.inf)
    assert smooth > 1.15 * repeated()
