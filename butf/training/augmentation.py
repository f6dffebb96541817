"""Random changes of a batch: light, colour, blur, and a small crop and turn that the side modality follows."""

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from butf.device import sent
from butf.ranks import Share

SMALLEST_CROP = 0.85
LARGEST_TURN_DEG = 4.0
NORMAL = 2**22
"""Normal numbers in the table, or a multiple for large pictures: 16 MB."""


def augment(images: Tensor, side: Tensor, valid: Tensor, share: Share | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Change pictures `(B, 3, H, W)` in 0..1 and, with the same geometry, their side maps `(B, 1, h, w)`.

    The whole batch is mirrored or none of it: a mirrored street is another place. Random numbers come from torch's
    global generator, whose state is part of a checkpoint. Where the pictures are but a `share` of the batch, numbers
    are drawn for all of it, so that each picture is changed alike whoever has it.
    """
    share = share or Share(0, len(images), len(images))
    if torch.rand(()) < 0.5:
        images, side, valid = images.flip(-1), side.flip(-1), valid.flip(-1)
    transform = sent(random_view(share.count)[share.rows], images.device)
    images = warp(images, transform, "bilinear")
    side = warp(side, transform, "nearest")
    valid = warp(valid.float(), transform, "nearest") > 0.5
    return change_light(images, share), side, valid


def random_view(count: int) -> Tensor:
    """Random crops and turns, `(B, 2, 3)`, that stay inside the picture but for corners of a turned one."""
    zoom = uniform(count, SMALLEST_CROP, 1.0)
    angle = uniform(count, -1, 1) * math.radians(LARGEST_TURN_DEG)
    room = 1.0 - zoom
    shift_x, shift_y = uniform(count, -1, 1) * room, uniform(count, -1, 1) * room
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    along_x, along_y = torch.stack([cosine, -sine, shift_x], dim=1), torch.stack([sine, cosine, shift_y], dim=1)
    return torch.stack([along_x, along_y], dim=1)


def warp(maps: Tensor, transform: Tensor, mode: str) -> Tensor:
    """Sample `(B, C, H, W)` through affine transforms `(B, 2, 3)` of normalised coordinates."""
    grid = affine_grid(transform, maps.shape[-2], maps.shape[-1])
    return F.grid_sample(maps, grid, mode=mode, padding_mode="border", align_corners=False)


def affine_grid(transform: Tensor, height: int, width: int) -> Tensor:
    """Where `(B, 2, 3)` take each pixel's centre, `(B, H, W, 2)`: torch's own, in a fifth of its time on a CPU."""
    x, y = ((2 * torch.arange(size, device=transform.device) + 1) / size - 1 for size in (width, height))
    along_x, along_y, shift = (part[:, None, None] for part in transform.unbind(dim=2))
    return along_x * x[:, None] + (along_y * y[:, None, None] + shift)


def change_light(images: Tensor, share: Share | None = None) -> Tensor:
    """Exposure, gamma, white balance, saturation, blur and noise, each drawn for every picture."""
    share = share or Share(0, len(images), len(images))
    count, device = share.count, images.device

    def draw(low: float, high: float, channels: int = 1) -> Tensor:
        return sent(uniform(count * channels, low, high).view(count, channels, 1, 1)[share.rows], device)

    # In place from here on: memory is what most of these operations take.
    images = (images * draw(0.6, 1.5)).clamp_(1e-4, 1).pow_(draw(0.65, 1.5)).mul_(draw(0.85, 1.15, 3))
    grey = images.mean(dim=1, keepdim=True)
    images = images.sub_(grey).mul_(draw(0.4, 1.3)).add_(grey)
    images = images.lerp_(soften(images), draw(-0.5, 1.0).clamp(min=0))
    noise = normal((count, *images.shape[1:]), device)[share.rows]
    return images.addcmul_(noise, draw(-0.03, 0.06).clamp(min=0)).clamp_(0, 1)


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


def normal(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Normal numbers `(B, ...)`, for each picture others.

    On a GPU by the device itself, as the millions of a batch take a processor longer than a GPU's whole step, but from
    a seed that is drawn on the CPU, so that a resumed run has the same ones. On a CPU, which would take a third of all
    these changes for them, each picture is given a stretch of one long table, from a place that is drawn.
    """
    if device.type != "cpu":
        seed = int(torch.randint(2**62, ()))
        return torch.randn(shape, device=device, generator=torch.Generator(device).manual_seed(seed))
    length = math.prod(shape[1:])
    table = _normal_table(NORMAL * math.ceil(2 * length / NORMAL))
    starts = torch.randint(len(table) - length + 1, shape[:1])
    return torch.stack([table[start : start + length] for start in starts.tolist()]).view(shape)


@lru_cache(maxsize=1)
def _normal_table(count: int) -> Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(0))


def uniform(count: int, low: float, high: float) -> Tensor:
    """`(count,)` numbers between `low` and `high`, drawn on the CPU so that every device sees the same ones."""
    return torch.rand(count) * (high - low) + low
