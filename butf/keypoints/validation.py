"""Keypoints measured while they are trained: queries of the val areas against the nearest picture of the database."""

from __future__ import annotations

import numpy as np
from PIL import Image

from butf.dataset.frames import Frames
from butf.keypoints.card import KeypointCard
from butf.keypoints.extractor import Extractor
from butf.keypoints.measures import PairScores, mean_scores, measure_pair
from butf.keypoints.networks import KeypointNetwork
from butf.keypoints.pairs import Views
from butf.keypoints.warping import View

LIMIT = 256


class KeypointValidation:
    """The pairs of the val areas that a run measures itself by; none where a data set has no val areas."""

    def __init__(self, frames: Frames, count: int) -> None:
        """`count` pairs of each condition, evenly along its queries."""
        self.views = Views.of(frames)
        self.pairs = {name: pairs[:: max(1, len(pairs) // count)][:count] for name, pairs in val_pairs(frames).items()}

    def scores(self, network: KeypointNetwork) -> dict[str, dict[str, float]]:
        """Mean scores (see `PairScores`) by condition, and their `mean`; empty without val pairs."""
        extractor = Extractor.of(network, KeypointCard("in training"), "")
        found = {}
        for condition, pairs in self.pairs.items():
            scores = [self._measured(extractor, *pair) for pair in pairs]
            found[condition] = mean_scores([score for score in scores if score is not None])
        told = [scores for scores in found.values() if scores]
        if told:
            found["mean"] = {name: round(float(np.mean([each.get(name, 0) for each in told])), 4) for name in told[0]}
        return found

    def _measured(self, extractor: Extractor, query: int, other: int) -> PairScores | None:
        one, two = self.views.view(query), self.views.view(other)
        first, second = (extractor.extract(picture(view), LIMIT) for view in (one, two))
        return measure_pair(first, second, one, two)


def val_pairs(frames: Frames, split: str = "val") -> dict[str, list[tuple[int, int]]]:
    """By condition, each query with the nearest frame of the database, where that shows the same place and both have
    depth."""
    views, database, found = Views.of(frames), frames.database(split), {}
    if not len(database):
        return {}
    for condition, queries in frames.queries(split).items():
        metres = frames.distances(queries, database)
        metres[queries[:, None] == database[None]] = np.inf  # where all frames are both, none is its own pair
        nearest = database[metres.argmin(axis=1)]
        usable = metres.min(axis=1) <= frames.place.radius_m
        usable &= views.has_depth(queries) & views.has_depth(nearest)
        found[condition] = list(zip(queries[usable].tolist(), nearest[usable].tolist(), strict=True))
    return found


def picture(view: View) -> Image.Image:
    """The picture of a colour view `(1, 3, H, W)`."""
    pixels = (view.images[0].permute(1, 2, 0) * 255).round().byte().numpy()
    return Image.fromarray(pixels)
