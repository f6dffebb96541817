"""Where a score map is highest: to a fraction of a pixel and differentiably, and where it peaks at all."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

BETA = 10.0
"""Sharpness of the soft argmax: scores of keypoints are about 1, of other places about -1."""


def soft_argmax(scores: Tensor, beta: float = BETA) -> Tensor:
    """LIFT's soft argmax, `sum_x exp(beta S(x)) x / sum_x exp(beta S(x))`: `(N, h, w)` -> `(N, 2)` x and y.

    In pixels of the window, the centre of its first pixel at (0.5, 0.5). (Yi et al., LIFT, ECCV 2016, equation 8; the
    lecture's slide "Cost Function (2)".)
    """
    weights = (beta * scores).flatten(1).softmax(dim=1).view_as(scores)
    height, width = scores.shape[-2:]
    x = (weights.sum(dim=1) * _centres(width, scores)).sum(dim=1)
    y = (weights.sum(dim=2) * _centres(height, scores)).sum(dim=1)
    return torch.stack([x, y], dim=1)


def windows(maps: Tensor, pictures: Tensor, corners: Tensor, size: int) -> Tensor:
    """Square windows `(N, size, size)` of maps `(B, 1, H, W)`, differentiable in the maps.

    `pictures` `(N,)` says of which map each is, `corners` `(N, 2)` int64 its first pixel's column and row. A window
    must lie inside its map.
    """
    steps = torch.arange(size, device=maps.device)
    rows = corners[:, 1, None, None] + steps[None, :, None]
    columns = corners[:, 0, None, None] + steps[None, None, :]
    return maps[pictures[:, None, None], 0, rows, columns]


def peaks(scores: Tensor, radius: int) -> Tensor:
    """(H, W) bool: the pixels of a score map `(H, W)` that no other within `radius` pixels (a square) exceeds."""
    highest = F.max_pool2d(scores[None, None], 2 * radius + 1, stride=1, padding=radius)[0, 0]
    return scores == highest


def refine(scores: Tensor, pixels: Tensor, radius: int, beta: float = BETA) -> Tensor:
    """The points `(N, 2)` float of a map `(H, W)` near `pixels` `(N, 2)` int64 (column, row), by soft argmax.

    The window reaches `radius` pixels to each side and is moved inwards at the border.
    """
    height, width = scores.shape
    size = 2 * radius + 1
    largest = torch.tensor([width - size, height - size], device=scores.device)
    corners = (pixels - radius).clamp(min=0).minimum(largest)
    found = windows(scores[None, None], torch.zeros(len(pixels), dtype=torch.long), corners, size)
    return soft_argmax(found, beta) + corners


def _centres(count: int, like: Tensor) -> Tensor:
    return torch.arange(count, device=like.device, dtype=like.dtype) + 0.5
