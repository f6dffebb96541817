"""Batches as the papers made them: anchors, each with the hardest of a few random positives and negatives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from butf.training.mining import Geometry

POSITIVES, NEGATIVES = 4, 20
"""Candidates of each anchor."""
KEPT_POSITIVES, KEPT_NEGATIVES = 2, 5
"""How many of them, the hardest, come into the batch."""
LENGTH = 1 + KEPT_POSITIVES + KEPT_NEGATIVES

Describe = Callable[[np.ndarray], np.ndarray]
"""Descriptors `(N, D)` of frames `(N,)`, by the network as it is."""


class TupleBatches:
    """Draws batches of tuples: an anchor, its farthest positives and its nearest negatives among random ones."""

    def __init__(self, geometry: Geometry, indices: np.ndarray, pictures: int):
        """`indices`: the frames to draw from; `pictures`: how many a batch holds, about."""
        self.geometry, self.indices = geometry, np.asarray(indices)
        self.tuples = tuples_of(pictures)

    def draw(self, rng: np.random.Generator, describe: Describe) -> np.ndarray:
        """Frame indices `(tuples * LENGTH,)`: tuple by tuple the anchor, its positives, its negatives."""
        candidates = np.stack([self._candidates(rng) for _ in range(self.tuples)])
        descriptors = describe(candidates.ravel()).reshape(*candidates.shape, -1)
        return np.concatenate([hardest(*pair) for pair in zip(candidates, descriptors, strict=True)])

    def _candidates(self, rng: np.random.Generator) -> np.ndarray:
        """An anchor that has a positive, POSITIVES of them (some again where there are fewer), NEGATIVES others."""
        while True:
            anchor = rng.choice(self.indices, 1)
            near = self.indices[self.geometry.positives(anchor, self.indices)[0]]
            far = self.indices[self.geometry.negatives(anchor, self.indices)[0]]
            if len(near) and len(far):
                break
        positives = rng.choice(near, POSITIVES, replace=len(near) < POSITIVES)
        negatives = rng.choice(far, NEGATIVES, replace=len(far) < NEGATIVES)
        return np.concatenate([anchor, positives, negatives])

    def pairs(self) -> tuple[Tensor, Tensor]:
        """Who is a positive and who a negative of whom in a batch: two `(B, B)` bool tensors, anchors' rows only."""
        place = np.arange(self.tuples * LENGTH)
        own = place[:, None] // LENGTH == place[None] // LENGTH
        anchors, rank = (place % LENGTH == 0)[:, None], (place % LENGTH)[None]
        positives = own & anchors & (rank > 0) & (rank <= KEPT_POSITIVES)
        return torch.from_numpy(positives), torch.from_numpy(own & anchors & (rank > KEPT_POSITIVES))


def tuples_of(pictures: int) -> int:
    """How many tuples come as near as can be to so many pictures, one at least."""
    return max(1, round(pictures / LENGTH))


def hardest(candidates: np.ndarray, descriptors: np.ndarray) -> np.ndarray:
    """A tuple's `(LENGTH,)` frames of its candidates `(1 + POSITIVES + NEGATIVES,)` and their descriptors."""
    distances = np.linalg.norm(descriptors[1:] - descriptors[:1], axis=1)
    positives, negatives = candidates[1 : 1 + POSITIVES], candidates[1 + POSITIVES :]
    farthest = np.argsort(-distances[:POSITIVES], kind="stable")[:KEPT_POSITIVES]
    nearest = np.argsort(distances[POSITIVES:], kind="stable")[:KEPT_NEGATIVES]
    return np.concatenate([candidates[:1], positives[farthest], negatives[nearest]])
