"""Scale spaces of pictures, and patches cut from them: turned, scaled, and differentiable in where and how."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

PATCH = 32
"""Side of a patch in samples."""
STEP = math.sqrt(2)
"""Ratio of the scales of neighbouring levels of a scale space."""
LEVELS = 4


def grey(images: Tensor) -> Tensor:
    """The brightness `(B, 1, H, W)` of pictures `(B, 3, H, W)` (weights of ITU-R BT.601)."""
    weights = torch.tensor([0.299, 0.587, 0.114], device=images.device, dtype=images.dtype)
    return torch.einsum("bchw,c->bhw", images, weights)[:, None]


def scale_space(images: Tensor, levels: int = LEVELS, smallest: int = PATCH) -> list[Tensor]:
    """Pictures `(B, C, H, W)` shrunk by 1, sqrt 2, 2, ... : at most `levels`, no side below `smallest` but the first's.

    Sizes are rounded to whole pixels, see `scales_of`.
    """
    height, width = images.shape[-2:]
    found = [images]
    for level in range(1, levels):
        size = (round(height / STEP**level), round(width / STEP**level))
        if min(size) < smallest:
            break
        found.append(F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True))
    return found


def scales_of(space: list[Tensor]) -> list[Tensor]:
    """By how much each level of a scale space is shrunk, (2,) along x and y: the rounding of sizes is in it."""
    first = torch.tensor([space[0].shape[-1], space[0].shape[-2]], dtype=torch.float32)
    return [first / torch.tensor([level.shape[-1], level.shape[-2]], dtype=torch.float32) for level in space]


def crop(
    images: Tensor, pictures: Tensor, points: Tensor, angles: Tensor, spacing: Tensor, size: int = PATCH
) -> Tensor:
    """Patches `(N, C, size, size)` of pictures `(B, C, H, W)` about `points`, LIFT's Crop and Rot in one.

    `pictures` `(N,)` int64 says of which picture each is; `points` `(N, 2)` are pixels of it, the centre of the first
    at (0.5, 0.5); `angles` `(N,)` radians turn the patch's x axis from x towards y; neighbouring samples lie `spacing`
    `(N,)` pixels apart. Sampled bilinearly, the picture's border going on beyond it. Differentiable in all but
    `pictures`.
    """
    steps = torch.arange(size, device=images.device, dtype=images.dtype) - (size - 1) / 2
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    cosine, sine = (part[:, None, None] * spacing[:, None, None] for part in (angles.cos(), angles.sin()))
    grid = torch.stack([cosine * x - sine * y, sine * x + cosine * y], dim=-1) + points[:, None, None]
    height, width = images.shape[-2:]
    grid = 2 * grid / torch.tensor([width, height], device=images.device, dtype=images.dtype) - 1
    found = images.new_empty((len(points), images.shape[1], size, size))
    for picture in pictures.unique().tolist():
        rows = pictures == picture
        own = grid[rows].reshape(1, -1, size, 2)
        sampled = F.grid_sample(images[picture : picture + 1], own, padding_mode="border", align_corners=False)
        found[rows] = sampled[0].reshape(images.shape[1], -1, size, size).transpose(0, 1)
    return found


def crop_scaled(
    space: list[Tensor], pictures: Tensor, points: Tensor, angles: Tensor, scales: Tensor, size: int = PATCH
) -> Tensor:
    """As `crop`, from a scale space: the samples of each patch lie `scales` `(N,)` pixels of the full picture apart.

    Each patch is cut from the level whose scale is nearest, so that it is neither blurred nor aliased.
    """
    ratios = scales_of(space)
    known = torch.tensor([float(ratio.mean()) for ratio in ratios], device=scales.device)
    nearest = (scales.detach()[:, None].log() - known.log()).abs().argmin(dim=1)
    found = space[0].new_empty((len(points), space[0].shape[1], size, size))
    for level, ratio in enumerate(ratios):
        rows = nearest == level
        if rows.any():
            at, apart = points[rows] / ratio.to(points), scales[rows] / float(ratio.mean())
            found[rows] = crop(space[level], pictures[rows], at, angles[rows], apart, size)
    return found
