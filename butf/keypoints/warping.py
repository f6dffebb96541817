"""Where a pixel of one picture lies in another, by depth and poses: the true correspondences."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TOLERANCE = 0.05
"""A point is hidden where the other picture's own depth differs from its depth by more than this share."""
EVEN = 0.1
"""Depth is interpolated between neighbours that differ by no more than this share, else the nearest pixel's counts."""


@dataclass(frozen=True, eq=False)
class View:
    """One picture with its geometry. Camera frame: x right, y down, z forward."""

    images: Tensor
    """(1, C, H, W) in 0..1."""
    depth: Tensor
    """(H, W) float32 metres along z; 0 where it is unknown, or where what is seen moves or is the sky."""
    intrinsics: Tensor
    """(4,) fx, fy, cx, cy in pixels."""
    rotation: Tensor
    """(3, 3) float64, camera to world."""
    centre: Tensor
    """(3,) float64 metres."""
    affine: Tensor | None = None
    """(2, 3) from the camera's pixels to those of `images`, where these were turned and scaled; `depth` is not."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of `images`."""
        return self.images.shape[-1], self.images.shape[-2]


def warp(points: Tensor, first: View, second: View) -> tuple[Tensor, Tensor]:
    """Where points `(N, 2)` of `first` lie in `second`, `(N, 2)` pixels, and whether they are seen there, `(N,)` bool.

    Seen are points with depth, in front of the second camera and inside its picture, where the second picture has a
    depth that agrees within `TOLERANCE`. Differentiable in the points.
    """
    camera = _undone(points, first.affine)
    depth = depth_at(first.depth, camera)
    rays = torch.cat([(camera - first.intrinsics[2:]) / first.intrinsics[:2], torch.ones_like(camera[:, :1])], dim=1)
    turn, shift = relative(first, second)
    there = (rays * depth[:, None]) @ turn.T + shift
    z = there[:, 2]
    found = there[:, :2] / z.clamp(min=1e-6)[:, None] * second.intrinsics[:2] + second.intrinsics[2:]
    known = depth_at(second.depth, found)
    agrees = (z - known).abs() < TOLERANCE * z
    given = _done(found, second.affine)
    seen = (depth > 0) & (known > 0) & (z > 1e-6) & agrees & inside(found, _size(second.depth))
    return given, (seen & inside(given, second.size)).detach()


def relative(first: View, second: View) -> tuple[Tensor, Tensor]:
    """Rotation `(3, 3)` and translation `(3,)`, float32, that take the first camera's frame to the second's.

    Computed in double precision: positions may be millions of metres from the origin.
    """
    turn = second.rotation.T @ first.rotation
    shift = second.rotation.T @ (first.centre - second.centre)
    return turn.float(), shift.float()


def depth_at(depth: Tensor, points: Tensor) -> Tensor:
    """Depth `(N,)` of a map `(H, W)` at points `(N, 2)`; 0 outside and where the nearest pixel has none.

    Between four pixels of one surface it is interpolated, differentiably in the points.
    """
    height, width = depth.shape
    low = (points.detach() - 0.5).floor()
    share = points - 0.5 - low
    column, row = low.long().unbind(dim=1)
    corners = [
        depth[(row + down).clamp(0, height - 1), (column + right).clamp(0, width - 1)]
        for down in (0, 1) for right in (0, 1)
    ]  # fmt: skip
    four = torch.stack(corners, dim=1)
    x, y = share.unbind(dim=1)
    weights = torch.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], dim=1)
    nearest = four.gather(1, weights.detach().argmax(dim=1, keepdim=True))[:, 0]
    least, most = four.amin(dim=1), four.amax(dim=1)
    even = (least > 0) & (most - least <= EVEN * least)
    found = torch.where(even, (weights * four).sum(dim=1), nearest)
    return torch.where(inside(points.detach(), (width, height)), found, torch.zeros_like(found))


def inside(points: Tensor, size: tuple[float, float]) -> Tensor:
    """(N,) bool: whether points `(N, 2)` lie in a picture of `size` (W, H)."""
    limits = torch.tensor(size, device=points.device)
    return ((points >= 0) & (points < limits)).all(dim=1)


def local_turn_and_scale(points: Tensor, first: View, second: View) -> tuple[Tensor, Tensor]:
    """By how much, in radians and as a ratio, a small thing at `points` `(N, 2)` is turned and larger in `second`.

    Of something that faces the first camera: the depth of each point is taken for its surroundings too.
    """
    camera = _undone(points, first.affine)
    depth = depth_at(first.depth, camera)[:, None]
    turn, shift = relative(first, second)

    def seen(offset: tuple[float, float]) -> Tensor:
        moved = _undone(points + torch.tensor(offset), first.affine)
        rays = torch.cat([(moved - first.intrinsics[2:]) / first.intrinsics[:2], torch.ones_like(depth)], dim=1)
        there = (rays * depth) @ turn.T + shift
        ahead = there[:, :2] / there[:, 2:].clamp(min=1e-6) * second.intrinsics[:2] + second.intrinsics[2:]
        return _done(ahead, second.affine)

    here = seen((0.0, 0.0))
    right, down = seen((1.0, 0.0)) - here, seen((0.0, 1.0)) - here
    area = (right[:, 0] * down[:, 1] - right[:, 1] * down[:, 0]).abs().clamp(min=1e-6)
    return torch.atan2(right[:, 1] - down[:, 0], right[:, 0] + down[:, 1]), area.sqrt()


def _done(points: Tensor, affine: Tensor | None) -> Tensor:
    return points if affine is None else points @ affine[:, :2].T + affine[:, 2]


def _undone(points: Tensor, affine: Tensor | None) -> Tensor:
    return points if affine is None else (points - affine[:, 2]) @ torch.linalg.inv(affine[:, :2]).T


def _size(depth: Tensor) -> tuple[int, int]:
    return depth.shape[1], depth.shape[0]
