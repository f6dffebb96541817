"""Random changes of a batch: light, colour, blur, and a small crop and turn that the side modality follows.

What is random is drawn by the CPU, in one table, so that every device makes the same of a batch and is sent little.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from butf.device import sent
from butf.ranks import Share

SMALLEST_CROP = 0.85
LARGEST_TURN_DEG = 4.0
LIGHT = torch.tensor(
    [(0.6, 1.5), (0.65, 1.5), (0.85, 1.15), (0.85, 1.15), (0.85, 1.15), (0.4, 1.3), (-0.5, 1.0), (-0.03, 0.06)]
)
"""Least and most exposure, gamma, red, green and blue, saturation, blur and noise; below 0 there is none of these."""
NORMAL = 2**22
"""Normal numbers in the table, or a multiple for large pictures: 16 MB."""


class Changes(NamedTuple):
    """How each picture of a batch is changed."""

    transform: Tensor
    """(B, 2, 3) affine, of normalised coordinates."""
    light: Tensor
    """(B, 8): see `LIGHT`."""
    noise: Tensor
    """(B,) int64: where in the table a picture's noise begins."""

    @classmethod
    def drawn(cls, count: int, numbers: int) -> Changes:
        """For `count` pictures of so many numbers each, from torch's global generator: its state is in checkpoints.

        The whole batch is mirrored or none of it: a mirrored street is another place.
        """
        transform = random_view(count)
        if torch.rand(()) < 0.5:
            transform[:, 0] *= -1
        return cls(transform, random_light(count), random_stretches(count, numbers))

    def of(self, share: Share) -> Changes:
        """Those of a share of the batch."""
        return Changes._make(part[share.rows] for part in self)


def changed(
    images: Tensor, side: Tensor, valid: Tensor, transform: Tensor, light: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures, side maps and masks after `Changes`, all on one device; nothing is random any more."""
    maps = warp(torch.cat([side, valid.to(side.dtype)], dim=1), transform, "nearest")
    side, valid = maps.split([side.shape[1], valid.shape[1]], dim=1)
    return in_light(warp(images, transform, "bilinear"), light, noise), side, valid > 0.5


def random_view(count: int) -> Tensor:
    """Random crops and turns, `(B, 2, 3)`, that stay inside the picture but for corners of a turned one."""
    zoom = uniform(count, SMALLEST_CROP, 1.0)
    angle = uniform(count, -1, 1) * math.radians(LARGEST_TURN_DEG)
    shift_x, shift_y = uniform(2 * count, -1, 1).view(2, count) * (1.0 - zoom)
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    along_x, along_y = torch.stack([cosine, -sine, shift_x], dim=1), torch.stack([sine, cosine, shift_y], dim=1)
    return torch.stack([along_x, along_y], dim=1)


def random_light(count: int) -> Tensor:
    """Another light for each picture, `(B, 8)`: see `LIGHT`."""
    least, most = LIGHT.unbind(dim=1)
    light = torch.rand(count, len(LIGHT)) * (most - least) + least
    light[:, -2:].clamp_(min=0)
    return light


def random_stretches(count: int, numbers: int) -> Tensor:
    """Where in the table of normal numbers a stretch of so many begins for each picture, `(B,)` int64."""
    return torch.randint(_table_length(numbers) - numbers + 1, (count,))


def warp(maps: Tensor, transform: Tensor, mode: str) -> Tensor:
    """Sample `(B, C, H, W)` through affine transforms `(B, 2, 3)` of normalised coordinates."""
    grid = affine_grid(transform, maps.shape[-2], maps.shape[-1])
    return F.grid_sample(maps, grid, mode=mode, padding_mode="border", align_corners=False)


def affine_grid(transform: Tensor, height: int, width: int) -> Tensor:
    """Where `(B, 2, 3)` take each pixel's centre, `(B, H, W, 2)`: torch's own, in a fifth of its time on a CPU."""
    x, y = ((2 * torch.arange(size, device=transform.device) + 1) / size - 1 for size in (width, height))
    along_x, along_y, shift = (part[:, None, None] for part in transform.unbind(dim=2))
    return along_x * x[:, None] + (along_y * y[:, None, None] + shift)


def change_light(images: Tensor) -> Tensor:
    """Pictures `(B, 3, H, W)` in 0..1, each in another light that is drawn."""
    count = len(images)
    drawn = random_light(count), random_stretches(count, images[0].numel())
    return in_light(images, *(sent(part, images.device) for part in drawn))


def in_light(images: Tensor, light: Tensor, noise: Tensor) -> Tensor:
    """Exposure, gamma, white balance, saturation, blur and noise of pictures `(B, 3, H, W)`, as `Changes` has them."""
    exposure, gamma, balance, saturation, blur, strength = light[..., None, None].split([1, 1, 3, 1, 1, 1], dim=1)
    # In place from here on: memory is what most of these operations take.
    images = (images * exposure).clamp_(1e-4, 1).pow_(gamma).mul_(balance)
    grey = images.mean(dim=1, keepdim=True)
    images = images.sub_(grey).mul_(saturation).add_(grey)
    images = images.lerp_(soften(images), blur)
    return images.addcmul_(normal(noise, images.shape), strength).clamp_(0, 1)


def soften(images: Tensor) -> Tensor:
    """Each pixel's mean with those around it that lie in the picture, `(B, C, H, W)`: torch's own average pooling, in
    a fifth of its time on a CPU."""
    sums, inside = _summed(images), _summed(torch.ones_like(images[:1, :1]))
    return sums.div_(inside)


def _summed(maps: Tensor) -> Tensor:
    """The sum of three by three, zeros around."""
    padded = F.pad(maps, (1, 1, 1, 1))
    rows = (padded[..., :-2, :] + padded[..., 1:-1, :]).add_(padded[..., 2:, :])
    return (rows[..., :-2] + rows[..., 1:-1]).add_(rows[..., 2:])


def normal(starts: Tensor, shape: torch.Size) -> Tensor:
    """Normal numbers `(B, ...)`, of each picture a stretch of one long table: to draw them takes a CPU a third of the
    time of all these changes, and a GPU would need a generator of its own."""
    numbers = math.prod(shape[1:])
    table = _normal_table(_table_length(numbers), starts.device)
    return table.unfold(0, numbers, 1).index_select(0, starts).view(shape)


def _table_length(numbers: int) -> int:
    return NORMAL * math.ceil(2 * numbers / NORMAL)


@cache  # kept for good: what a GPU replays reads it where it lies
def _normal_table(count: int, device: torch.device) -> Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(0)).to(device)


def uniform(count: int, low: float, high: float) -> Tensor:
    """`(count,)` numbers between `low` and `high`, drawn on the CPU so that every device sees the same ones."""
    return torch.rand(count) * (high - low) + low
