"""Pairs of pictures as training sees them: drawn by place and condition, in changed light, turned and scaled."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from butf.dataset.frames import Frames
from butf.errors import BadInput
from butf.keypoints.config import KeypointConfig
from butf.keypoints.pairs import Views, in_order, near_pairs, pairs_in_time
from butf.keypoints.patches import grey
from butf.keypoints.warping import View, warp
from butf.training.augmentation import change_light, uniform
from butf.training.augmentation import warp as resample

GAP = (1, 8)
"""Rows between the two frames of a pair from a video: in 7-Scenes, of which every fifth frame is kept, 5 to 40."""
SEEN = 48
"""A pair is drawn again when fewer of `PROBES` points of a grid are seen in both pictures."""
PROBES = 400
TRIES = 20


@dataclass(frozen=True, eq=False)
class Pair:
    """Two grey views `(1, 1, H, W)` of the same place."""

    first: View
    second: View


class KeypointFeed:
    """The pairs of one run: of its data set's train areas, and of a second data set's earlier part."""

    def __init__(self, config: KeypointConfig, frames: Frames, also: Frames | None) -> None:
        """Raises `BadInput` for data without depth or poses, or where no two train pictures show the same place."""
        self.config = config
        self.sources = [_Source(frames, *self._by_place(frames))]
        if also is not None:
            self.sources.append(_Source(also, *self._by_time(also)))

    def draw(self, rng: np.random.Generator, turned: bool) -> list[Pair]:
        """The pairs of a step; `turned` turns and scales the pictures too, half of them by any angle."""
        found = []
        for _ in range(self.config.pairs):
            second = len(self.sources) > 1 and rng.random() < self.config.also_weight
            found.append(self._pair(self.sources[second], rng, turned))
        return found

    def _pair(self, source: _Source, rng: np.random.Generator, turned: bool) -> Pair:
        for _ in range(TRIES):
            one, other = source.draw(rng)
            first, second = source.views.view(one), source.views.view(other)
            if int(warp(_grid(first), first, second)[1].sum()) >= SEEN:
                return Pair(changed(first, turned), changed(second, turned))
        raise BadInput(f"{source.views.frames.root}: the frames of {TRIES} pairs do not overlap; check depth and poses")

    def _by_place(self, frames: Frames) -> tuple[Views, np.ndarray, list[np.ndarray]]:
        views, rows = Views.of(frames), frames.where(split="train")
        rows = rows[views.has_depth(rows)]
        return views, rows, near_pairs(frames, rows, self.config.pair_share * frames.place.radius_m)

    def _by_time(self, frames: Frames) -> tuple[Views, np.ndarray, list[np.ndarray]]:
        views, rows = Views.of(frames), in_order(frames)
        rows = rows[: int(self.config.also_share * len(rows))]
        rows = rows[views.has_depth(rows)]
        return views, rows, pairs_in_time(rows, *GAP)


class _Source:
    """The rows of a data set that have a partner, and their partners."""

    def __init__(self, frames: Frames, views: Views, rows: np.ndarray, partners: list[np.ndarray]) -> None:
        kept = [index for index, others in enumerate(partners) if len(others)]
        if not kept:
            raise BadInput(f"{frames.root} has no two train frames of the same place with depth; keypoints need pairs")
        self.views, self.rows, self.partners = views, rows[kept], [partners[index] for index in kept]

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """Two frames: most often of two conditions, where there are such, else any two neighbours.

        The other condition is drawn first, each alike: those of which there are few pictures are the hard ones.
        """
        index = int(rng.integers(len(self.rows)))
        row, others = int(self.rows[index]), self.partners[index]
        condition = self.views.frames.condition
        across = np.unique(condition[others[condition[others] != condition[row]]])
        if len(across) and rng.random() < 0.85:
            others = others[condition[others] == rng.choice(across)]
        return row, int(others[rng.integers(len(others))])


def changed(view: View, turned: bool) -> View:
    """A grey view in other light; where asked turned, half of the time by any angle, and scaled by up to 1.5."""
    images = grey(change_light(view.images))
    if not turned:
        return replace(view, images=images)
    width, height = view.size
    widest = math.pi if float(uniform(1, 0, 1)) < 0.5 else math.radians(15)
    angle, scale = uniform(1, -widest, widest), uniform(1, math.log(0.67), math.log(1.5)).exp()
    turn = scale * torch.stack([torch.cat([angle.cos(), -angle.sin()]), torch.cat([angle.sin(), angle.cos()])])
    middle = torch.tensor([width / 2, height / 2])
    affine = torch.cat([turn, (middle - turn @ middle)[:, None]], dim=1)
    return replace(view, images=turned_picture(images, affine), affine=affine)


def turned_picture(images: Tensor, affine: Tensor) -> Tensor:
    """Pictures `(1, C, H, W)` whose pixels moved by `affine` `(2, 3)`, of the same size; the border goes on."""
    height, width = images.shape[-2:]
    half = torch.tensor([width / 2, height / 2])
    back = torch.linalg.inv(affine[:, :2])
    # In the coordinates of torch's sampler, -1 to 1 from border to border.
    linear = back * half[None] / half[:, None]
    shift = (back @ (half - affine[:, 2]) - half) / half
    return resample(images, torch.cat([linear, shift[:, None]], dim=1)[None], "bilinear")


def _grid(view: View) -> Tensor:
    width, height = view.size
    across = round(math.sqrt(PROBES * width / height))
    x, y = torch.meshgrid(torch.arange(across), torch.arange(PROBES // across), indexing="xy")
    cells = torch.tensor([width / across, height / (PROBES // across)])
    return (torch.stack([x.flatten(), y.flatten()], dim=1) + 0.5) * cells
