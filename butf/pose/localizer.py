"""Hierarchical localization: retrieve, match, lift by depth, PnP, refine (Sarlin 2019; Piasco 2019 for learned depth).

    localizer = Localizer.open(frames, "test", zoo.load("bu-tf"), load_keypoints(), Settings())
    answer = localizer.localize(query_of(frames, picture))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from butf.dataset.frames import Frames
from butf.keypoints.features import Features
from butf.pose.answer import Localization, Query, Stage
from butf.retrieval.bank import Progress

if TYPE_CHECKING:
    from butf.networks.zoo import Model

DEPTHS = ("measured", "reconstructed")


class Extractor(Protocol):
    """What finds keypoints: `butf.keypoints.load_keypoints()` gives one."""

    name: str
    digest: str
    """Of its weights: what a cache of features is keyed by."""

    def extract(self, image: Image.Image, limit: int) -> Features:
        """The strongest `limit` keypoints of a picture."""
        ...


@dataclass(frozen=True)
class Settings:
    """How a query is localized; all was chosen on val."""

    top: int = 10
    """How many candidates are retrieved."""
    depth: str = "measured"
    """Whence the candidates' depth: measured, or reconstructed by a bu-tf model."""


class Localizer:
    """One split's database, ready to localize pictures in."""

    @classmethod
    def open(
        cls,
        frames: Frames,
        split: str | None,
        model: Model,
        keypoints: Extractor,
        settings: Settings | None = None,
        depth_model: Model | None = None,
        progress: Progress | None = None,
    ) -> Localizer:
        """Describe the database of a split (all splits for None); `depth_model` reconstructs depth (default: `model`).

        Raises `BadInput` when the data set has no database there, no orientations or no camera, when measured depth is
        asked for and there is none, or reconstructed depth from a model that reconstructs none.
        """
        raise NotImplementedError

    def stages(self, query: Query, descriptor: np.ndarray | None = None) -> Iterator[Stage]:
        """`Candidates`, then `CandidateMatches` of each candidate, then one `Localization`.

        `descriptor` (C,) where the query's is known already. Raises `BadInput` for a photo where the model needs the
        measured side modality.
        """
        raise NotImplementedError

    def localize(self, query: Query, descriptor: np.ndarray | None = None) -> Localization:
        """The last of the stages."""
        raise NotImplementedError
