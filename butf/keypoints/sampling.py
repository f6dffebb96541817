"""Which points of a pair of pictures training looks at: correspondences, repeatable points, and points that are not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from butf.keypoints.extractor import strongest
from butf.keypoints.feed import Pair
from butf.keypoints.networks import REACH
from butf.keypoints.warping import View, inside, local_turn_and_scale, warp

CANDIDATES = 200
"""Points that each detector gives of a picture."""
AGAIN_PX = 2.0
"""A point is found again when the other picture has one this near to where it belongs."""
APART_PX = 6.0
"""A point so far from all repeatable ones is none."""
DISTINCT_PX = 8.0
"""Points of one picture that are farther apart than this show different things."""


@dataclass(frozen=True, eq=False)
class Correspondences:
    """N points of a pair's first picture, and the same in the second."""

    first: Tensor
    """(N, 2) pixels."""
    second: Tensor
    """(N, 2) pixels of the second picture."""
    turn: Tensor
    """(N,) radians that the second picture shows them turned by."""
    ratio: Tensor
    """(N,) how much larger the second picture shows them."""

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: Tensor) -> Correspondences:
        """Only these."""
        return Correspondences(self.first[rows], self.second[rows], self.turn[rows], self.ratio[rows])

    def distinct(self) -> Tensor:
        """(N, N) bool: which of them show different things for certain, in both pictures."""
        gaps = torch.minimum(torch.cdist(self.first, self.first), torch.cdist(self.second, self.second))
        return gaps > DISTINCT_PX


@dataclass(frozen=True, eq=False)
class Labelled:
    """Points of one picture that a detector should find (sign +1) and should not (-1)."""

    points: Tensor
    signs: Tensor


def correspond(pair: Pair, points: Tensor) -> Correspondences:
    """Those of `points` `(N, 2)` of the first picture that the second sees too."""
    there, seen = warp(points, pair.first, pair.second)
    points, there = points[seen], there[seen]
    return Correspondences(points, there, *local_turn_and_scale(points, pair.first, pair.second))


@torch.no_grad()
def candidates(maps: list[Tensor]) -> Tensor:
    """The strongest points `(N, 2)` of score maps `(1, 1, H, W)` of one picture, so many of each."""
    return torch.cat([strongest([scores], CANDIDATES)[0] for scores in maps])


@torch.no_grad()
def label(pair: Pair, first: Tensor, second: Tensor) -> tuple[Labelled, Labelled, Tensor]:
    """What the detector should find in both pictures: the candidates found in the other one again.

    Not found should be the candidates that the other picture shows and has no candidate for, and random points far
    from all repeatable ones. Points that the other picture does not show are left out. Also returns the repeatable
    points `(N, 2)` of the first picture.
    """
    labels = []
    for view, other, own, others in (
        (pair.first, pair.second, first, second),
        (pair.second, pair.first, second, first),
    ):
        there, seen = warp(own, view, other)
        again = seen & (torch.cdist(there, others).amin(dim=1) <= AGAIN_PX)
        labels.append(_labelled(view, own[again], own[seen & ~again]))
    return labels[0], labels[1], labels[0].points[labels[0].signs > 0]


def _labelled(view: View, good: Tensor, lost: Tensor) -> Labelled:
    width, height = view.size
    random = torch.rand(CANDIDATES, 2) * torch.tensor([width, height])
    bad = torch.cat([lost, random])
    if len(good):
        bad = bad[torch.cdist(bad, good).amin(dim=1) > APART_PX]
    points = torch.cat([good, bad])
    signs = torch.cat([torch.ones(len(good)), -torch.ones(len(bad))])
    border = REACH + 4.0
    kept = inside(points - border, (width - 2 * border, height - 2 * border))
    return Labelled(points[kept], signs[kept])
