"""What each phase of training changes and minimises: descriptor, orientation, detector, then all under one cost."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from butf.keypoints.config import KeypointConfig
from butf.keypoints.corners import Corners
from butf.keypoints.feed import Pair
from butf.keypoints.losses import DESCRIPTOR_LOSSES, DETECTOR_SCORES, classification_loss, place_loss
from butf.keypoints.networks import KeypointNetwork
from butf.keypoints.patches import crop_scaled, scale_space
from butf.keypoints.sampling import Correspondences, Labelled, candidates, correspond, label
from butf.keypoints.soft_argmax import soft_argmax, windows
from butf.keypoints.warping import inside, warp
from butf.training.augmentation import uniform

REACH = 4
"""Windows of the detector's losses reach so many pixels to each side of a point."""
JITTER_RAD, JITTER_SCALE, JITTER_PX = math.radians(8), 0.15, 0.7
"""Standard deviations by which true patches are turned, scaled (logarithm) and moved: what is found is never exact."""
SCALES = (1.0, 2.8)

Terms = dict[str, Tensor]


class KeypointRecipe(nn.Module):
    """The networks in training, and the losses of each phase."""

    def __init__(self, config: KeypointConfig) -> None:
        super().__init__()
        # Channels last: convolutions of so few channels take a quarter less time on a CPU.
        self.network = KeypointNetwork().to(memory_format=torch.channels_last)
        self.config, self.corners = config, Corners()
        self.descriptor_loss = DESCRIPTOR_LOSSES[config.descriptor_loss]
        self.score = DETECTOR_SCORES[config.detector_score]

    def trained(self, phase: str) -> list[nn.Module]:
        """The modules that a phase changes."""
        own = {"descriptor": ["descriptor"], "orientation": ["orientation"], "detector": ["detector"]}
        return [getattr(self.network, name) for name in own.get(phase, ["descriptor", "orientation", "detector"])]

    @staticmethod
    def sees_turned(phase: str) -> bool:
        """Whether a phase needs turned pictures; patches of the first two are turned as they are cut."""
        return phase in ("detector", "joint")

    def losses(self, phase: str, pairs: list[Pair]) -> Terms:
        """The loss of a step and its terms."""
        of: dict[str, Callable[[list[Pair]], Terms]] = {
            "descriptor": self._describe, "orientation": self._orient, "detector": self._detect, "joint": self._join,
        }  # fmt: skip
        return of[phase](pairs)

    def _describe(self, pairs: list[Pair]) -> Terms:
        patches = [self._true_patches(pair, *self._drawn(pair)) for pair in pairs]
        loss = self._compare([p[0] for p in patches], [p[1] for p in patches], [p[2] for p in patches])
        return {"loss": loss, "descriptor": loss}

    def _orient(self, pairs: list[Pair]) -> Terms:
        turned = []
        for pair in pairs:
            found, scales = self._drawn(pair)
            turned.append((*self._turned_patches(pair, found.first, found.second, scales, found.ratio), found))
        loss = self._compare([t[0] for t in turned], [t[1] for t in turned], [t[2] for t in turned])
        return {"loss": loss, "orientation": loss}

    def _detect(self, pairs: list[Pair]) -> Terms:
        found = [self._found(pair) for pair in pairs]
        classes = torch.stack([classes for classes, *_ in found]).mean()
        places = torch.stack([places for _, places, *_ in found]).mean()
        return {"loss": classes + self.config.sigma_place * places, "detector": classes, "place": places}

    def _join(self, pairs: list[Pair]) -> Terms:
        """The lecture's single cost: classes of windows, and descriptors where the soft argmax of both windows is."""
        classes, places, patches = [], [], []
        for pair in pairs:
            own, place, first, second = self._found(pair)
            classes.append(own)
            places.append(place)
            found = correspond(pair, first.detach())
            if len(found) == len(first) and len(first) > 1:
                scales = torch.ones(len(first))
                patches.append((*self._turned_patches(pair, first, second, scales, found.ratio), found))
        detector, place = torch.stack(classes).mean(), torch.stack(places).mean()
        described = detector * 0.0
        if patches:
            described = self._compare([p[0] for p in patches], [p[1] for p in patches], [p[2] for p in patches])
        loss = detector + described + self.config.sigma_place * place
        return {"loss": loss, "detector": detector, "place": place, "descriptor": described}

    def _drawn(self, pair: Pair) -> tuple[Correspondences, Tensor]:
        """Random correspondences at corners, and random scales `(N,)` at which to look at them in the first picture."""
        found = correspond(pair, candidates([self.corners(pair.first.images)]))
        found = found.take(torch.randperm(len(found))[: self.config.points])
        low, high = map(math.log, SCALES)
        return found, uniform(len(found), low, high).exp()

    def _true_patches(
        self, pair: Pair, found: Correspondences, scales: Tensor
    ) -> tuple[Tensor, Tensor, Correspondences]:
        """Patches of both pictures in the same true frame, at any angle, but for a small error."""
        count = len(found)
        angles = uniform(count, -math.pi, math.pi)
        other = angles + found.turn + JITTER_RAD * torch.randn(count)
        moved = found.second + JITTER_PX * scales[:, None] * torch.randn(count, 2)
        seen = (scales * found.ratio * (JITTER_SCALE * torch.randn(count)).exp()).clamp(0.7, 4)
        first = self._cut(pair.first.images, found.first, angles, scales)
        return first, self._cut(pair.second.images, moved, other, seen), found

    def _turned_patches(
        self, pair: Pair, first: Tensor, second: Tensor, scales: Tensor, ratio: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Patches at points of both pictures, turned as the orientation network says, each from a random angle."""
        seen = (scales * ratio * (JITTER_SCALE * torch.randn(len(first))).exp()).clamp(0.7, 4).detach()
        found = []
        for images, points, sizes in ((pair.first.images, first, scales), (pair.second.images, second, seen)):
            start = uniform(len(points), -math.pi, math.pi)
            angles = start + self.network.orientation(self._cut(images, points.detach(), start, sizes))
            found.append(self._cut(images, points, angles, sizes))
        return found[0], found[1]

    def _cut(self, images: Tensor, points: Tensor, angles: Tensor, scales: Tensor) -> Tensor:
        pictures = torch.zeros(len(points), dtype=torch.long)
        return crop_scaled(scale_space(images), pictures, points, angles, scales)

    def _compare(self, first: list[Tensor], second: list[Tensor], found: list[Correspondences]) -> Tensor:
        """The loss of the descriptors of all pairs together: points of different pairs are always distinct."""
        both = self.network.descriptor(torch.cat([*first, *second]))
        one, other = both.chunk(2)
        distinct = ~torch.block_diag(*(~each.distinct() for each in found)).bool()
        return self.descriptor_loss(one, other, distinct)

    def _found(self, pair: Pair) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The detector's loss on a pair, that of its places, and some repeatable points of both pictures `(N, 2)`.

        Candidates are corners and what the detector itself finds, as it now is.
        """
        views = pair.first, pair.second
        maps = [self.network.detector(view.images) for view in views]
        found = [candidates([self.corners(v.images), own.detach()]) for v, own in zip(views, maps, strict=True)]
        labels = label(pair, *found)
        one, two = (self._classes(scores, own) for scores, own in zip(maps, labels[:2], strict=True))
        repeated = labels[2][torch.randperm(len(labels[2]))[: self.config.points]]
        there, _ = warp(repeated, pair.first, pair.second)
        (width, height), margin = pair.second.size, REACH + 1.0
        kept = inside(there - margin, (width - 2 * margin, height - 2 * margin))
        first = self._placed(maps[0], repeated[kept])
        second = self._placed(maps[1], there[kept])
        expected, seen = warp(first, pair.first, pair.second)
        places = place_loss(expected[seen], second[seen])
        return (one + two) / 2, places, first[seen], second[seen]

    def _classes(self, scores: Tensor, labelled: Labelled) -> Tensor:
        found, _ = self._windows(scores, labelled.points)
        return classification_loss(self.score(found), labelled.signs)

    def _placed(self, scores: Tensor, points: Tensor) -> Tensor:
        found, corners = self._windows(scores, points)
        return soft_argmax(found) + corners

    def _windows(self, scores: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Windows about points, each a pixel off at random: where a keypoint lies must not be told by the window."""
        height, width = scores.shape[-2:]
        size = 2 * REACH + 1
        corners = points.long() - REACH + torch.randint(-1, 2, points.shape)
        corners = corners.clamp(min=0).minimum(torch.tensor([width - size, height - size]))
        return windows(scores, torch.zeros(len(points), dtype=torch.long), corners, size), corners
