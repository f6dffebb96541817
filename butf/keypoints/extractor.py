"""Keypoints of a picture: detected over a scale space, placed by soft argmax, turned, and described."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from butf.errors import BadInput
from butf.keypoints.card import KeypointCard
from butf.keypoints.features import Features
from butf.keypoints.networks import DIMENSIONS, REACH, KeypointNetwork
from butf.keypoints.noise import quiet
from butf.keypoints.patches import crop_scaled, grey, scale_space, scales_of
from butf.keypoints.soft_argmax import peaks, refine

M = TypeVar("M", bound=nn.Module)

LIMIT = 512
MOST_PIXELS = 640 * 480
"""A larger picture is shrunk to this before keypoints are sought; they are given in its own pixels all the same."""
APART = 2
"""No two keypoints are within so many pixels (a square) of each other."""
WINDOW = 2
"""Reach in pixels of the window of the soft argmax, in the level where the keypoint was found."""
OUTSIDE = -1e4
"""Score of the pixels too near the border."""


@dataclass(frozen=True, eq=False)
class Extractor:
    """The three networks ready for use, with their card."""

    network: KeypointNetwork
    card: KeypointCard
    digest: str
    """SHA-256 of the weights file: what a cache of features is keyed by."""

    @classmethod
    def of(cls, network: KeypointNetwork, card: KeypointCard, digest: str, device: str = "cpu") -> Extractor:
        """An extractor with a copy of `network`, its batch normalisation folded into the convolutions."""
        own = _folded(copy.deepcopy(network).eval()).requires_grad_(False)
        return cls(own.to(device).to(memory_format=torch.channels_last), card, digest)

    @property
    def device(self) -> torch.device:
        """Where the networks lie."""
        return next(self.network.parameters()).device

    def extract(self, image: Image.Image, limit: int = LIMIT, upright: bool = False) -> Features:
        """At most `limit` keypoints of a picture, the strongest first; fewer where it has fewer maxima.

        `upright` leaves the orientation network out, all angles being 0: better where no camera is ever tilted.
        Raises `BadInput` for a `limit` below 1.
        """
        if limit < 1:
            raise BadInput(f"limit is {limit}; ask for at least one keypoint")
        pixels = torch.from_numpy(np.array(image.convert("RGB"))).to(self.device)
        images = grey(pixels.permute(2, 0, 1)[None].float() / 255)
        shrink = math.sqrt(min(1.0, MOST_PIXELS / (image.width * image.height)))
        if shrink < 1:
            size = (max(1, round(image.height * shrink)), max(1, round(image.width * shrink)))
            images = F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
        found = self.extract_grey(images, limit, upright)
        across = np.array([image.width / images.shape[-1], image.height / images.shape[-2]], np.float32)
        return Features(
            found.points * across, found.scales * across.mean(), found.angles, found.scores, found.descriptors
        )

    @torch.inference_mode()
    def extract_grey(self, images: Tensor, limit: int, upright: bool = False) -> Features:
        """As `extract`, of one picture's brightness `(1, 1, H, W)` in 0..1, at its own size."""
        space = scale_space(images)
        seen = scale_space(quiet(images))
        points, scales, scores = strongest([self.network.detector(level) for level in seen], limit)
        if not len(points):
            return empty()
        first = torch.zeros(len(points), dtype=torch.long, device=points.device)
        angles = torch.zeros_like(scales)
        if not upright:
            angles = self.network.orientation.voted(_channels_last(crop_scaled(space, first, points, angles, scales)))
        described = self.network.descriptor(_channels_last(crop_scaled(space, first, points, angles, scales)))
        parts = points, scales, angles, scores, described
        return Features(*(part.float().cpu().numpy() for part in parts))


def strongest(maps: list[Tensor], limit: int) -> tuple[Tensor, Tensor, Tensor]:
    """Points `(N, 2)` in pixels of the first level, scales `(N,)` and scores `(N,)`, the highest `limit` first, of the
    score maps `(1, 1, H, W)` of a scale space.

    Each pixel has the score of the level that scores it highest; where that is a maximum of its neighbourhood lies a
    keypoint, which is then placed by soft argmax in the score map of its level.
    """
    maps = [_bordered(scores) for scores in maps]
    size = maps[0].shape[-2:]
    stacked = torch.cat([F.interpolate(scores, size, mode="bilinear", align_corners=False) for scores in maps], dim=1)
    best, level_of = stacked[0].max(dim=0)
    rows, columns = (peaks(best, APART) & (best > OUTSIDE / 100)).nonzero(as_tuple=True)
    order = best[rows, columns].argsort(descending=True, stable=True)[:limit]
    rows, columns = rows[order], columns[order]
    levels, scores = level_of[rows, columns], best[rows, columns]
    points = torch.stack([columns, rows], dim=1) + 0.5
    scales = torch.ones_like(scores)
    for level, (found, ratio) in enumerate(zip(maps, scales_of(maps), strict=True)):
        own = levels == level
        if own.any():
            ratio = ratio.to(points)
            points[own] = refine(found[0, 0], (points[own] / ratio).long(), WINDOW) * ratio
            scales[own] = ratio.mean()
    return points, scales, scores


def empty() -> Features:
    """No keypoints at all."""
    numbers = np.empty(0, np.float32)
    return Features(np.empty((0, 2), np.float32), numbers, numbers, numbers, np.empty((0, DIMENSIONS), np.float32))


def _bordered(scores: Tensor) -> Tensor:
    """The scores, those within `REACH` pixels of the border put out of the running."""
    inner = scores[..., REACH:-REACH, REACH:-REACH]
    if not inner.numel():
        return torch.full_like(scores, OUTSIDE)
    return F.pad(inner, (REACH, REACH, REACH, REACH), value=OUTSIDE)


def _channels_last(patches: Tensor) -> Tensor:
    return patches.contiguous(memory_format=torch.channels_last)


def _folded(module: M) -> M:
    """Each convolution that a batch normalisation follows takes over what that does."""
    for child in module.children():
        _folded(child)
    if isinstance(module, nn.Sequential):
        for index in range(len(module) - 1):
            first, second = module[index], module[index + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[index] = fuse_conv_bn_eval(first, second)
                module[index + 1] = nn.Identity()
    return module
