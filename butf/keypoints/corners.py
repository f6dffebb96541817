"""Corners as a classical detector finds them: what the learned one starts from, and a floor to compare with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from butf.keypoints.networks import local_contrast, local_mean

SMOOTHED = 5
"""Pixels, each way, over which gradients are gathered."""


class Corners(nn.Module):
    """The smaller eigenvalue of the structure tensor (Shi and Tomasi, CVPR 1994), of local contrast.

    It is called like `Detector` and learns nothing. TILDE takes SIFT's keypoints in this place; corners need no
    further library, and lie where they can be located both ways.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Brightness `(B, 1, H, W)` in 0..1 -> the eigenvalue `(B, 1, H, W)`, 0 and more."""
        contrast = local_contrast(images)
        padded = nn.functional.pad(contrast, (1, 1, 1, 1), mode="replicate")
        x = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
        y = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
        xx, xy, yy = local_mean(torch.cat([x * x, x * y, y * y], dim=1), SMOOTHED).unbind(dim=1)
        half, root = (xx + yy) / 2, (((xx - yy) / 2).square() + xy.square()).sqrt()
        return (half - root).clamp(min=0)[:, None]
