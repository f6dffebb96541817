"""Noise in pictures taken in the dark: how much there is, and a picture without most of it for the detector."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2.functional import gaussian_blur

LOUD = 0.11
"""Noise, as a share of a picture's own contrast, above which it is smoothed: the town's days have up to 0.08, its dusk
0.14 to 0.18, its nights 0.17 to 0.23 (val). A share, since exposure must not decide."""
SMOOTHING_PX = 0.7


def quiet(images: Tensor) -> Tensor:
    """One picture's brightness `(1, 1, H, W)` in 0..1 as keypoints are to be sought in it: noise would not be there
    again in another picture of the place."""
    return smoothed(images, SMOOTHING_PX) if noise(images) > LOUD * float(images.std(correction=0)) else images


def noise(images: Tensor) -> float:
    """The standard deviation of the noise in one picture's brightness `(1, 1, H, W)`; zero where a side is below 3.

    From the second derivative along both axes, which edges and slopes along one of them do not have (Immerkaer 1996);
    by its median, which corners and texture in less than half of the picture do not move much.
    """
    if min(images.shape[-2:]) < 3:
        return 0.0
    second = images.new_tensor([1.0, -2.0, 1.0])
    found = F.conv2d(images, (second[:, None] * second)[None, None])
    # The kernel multiplies a standard deviation by 6; 0.6745 of one is the median distance from the mean.
    return float(found.abs().median()) / (6 * 0.6745)


def smoothed(images: Tensor, spread_px: float) -> Tensor:
    """Brightness `(B, 1, H, W)` under a Gaussian of this standard deviation; the border goes on beyond itself."""
    reach = math.ceil(3 * spread_px)
    beyond = F.pad(images, (reach, reach, reach, reach), mode="replicate")  # torchvision would mirror it
    blurred: Tensor = gaussian_blur(beyond, 2 * reach + 1, spread_px)
    return blurred[..., reach:-reach, reach:-reach]
