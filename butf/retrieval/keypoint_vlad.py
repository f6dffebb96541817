"""The classical way to describe a place: VLAD of its keypoints' descriptors (Jegou 2010), no network for places."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from butf.errors import BadInput
from butf.keypoints.features import Features
from butf.networks.card import Card
from butf.networks.netvlad import hard_assignment, residual_sums, visual_words, vlad
from butf.networks.weights import read_weights, save_weights
from butf.networks.zoo import Picture, off_the_shelf_card, opened

WORDS = 64
LIMIT = 256
"""Most keypoints of a picture."""


class Extractor(Protocol):
    """What finds keypoints: that of `butf.keypoints.zoo.load_keypoints`, or any other with a digest of its own."""

    @property
    def digest(self) -> str:
        """Of its weights."""
        ...

    def extract(self, image: Image.Image, limit: int) -> Features:
        """At most `limit` keypoints of a picture."""
        ...


@dataclass(frozen=True, eq=False)
class KeypointVLAD:
    """Describes pictures by VLAD; it has what a search asks of a model (`butf.networks.zoo.Model`).

    Each keypoint's descriptor goes to the nearest of K words; residuals are summed word by word, each word's row is
    made of unit length (intra-normalisation, Arandjelovic 2013), then the whole. A picture without keypoints gets
    zeros, which are equally far from all places.
    """

    extractor: Extractor
    centres: Tensor
    """(K, D) float32."""
    name: str = "keypoint-vlad"
    reads_side: Literal[False] = False
    reconstructs: Literal[False] = False

    @property
    def digest(self) -> str:
        """What a cache of descriptors is keyed by."""
        return hashlib.sha256(self.extractor.digest.encode() + self.centres.numpy().tobytes()).hexdigest()

    @property
    def card(self) -> Card:
        """Its sizes, as reports have them; the words count as parameters, the keypoints' networks where there are."""
        network = getattr(self.extractor, "network", None)
        own = sum(part.numel() for part in network.parameters()) if network is not None else 0
        floor, parameters = off_the_shelf_card(), own + self.centres.numel()
        return replace(
            floor,
            name=self.name,
            descriptor_dim=self.centres.numel(),
            parameters=parameters,
            size_ratio=round(parameters / floor.parameters, 4),
        )

    def describe(
        self, pictures: Iterable[Picture], batch: int = 1, progress: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """Descriptors `(N, K D)` float32 of pictures of any size; `progress` is told how many are done."""
        rows = []
        for picture in pictures:
            rows.append(self.aggregate(self.extractor.extract(opened(picture), LIMIT)))
            if progress:
                progress(len(rows))
        return np.stack(rows) if rows else np.empty((0, self.centres.numel()), np.float32)

    def aggregate(self, features: Features) -> np.ndarray:
        """The descriptor `(K D,)` of one picture's keypoints."""
        local = torch.from_numpy(np.ascontiguousarray(features.descriptors, np.float32))
        return vlad(residual_sums(local, self.centres, hard_assignment(local, self.centres))).numpy()

    def save(self, path: Path) -> None:
        """Write the words as a safetensors file, with the digest of the extractor that they belong to."""
        save_weights(path, {"centres": self.centres}, {"extractor": self.extractor.digest})


def learn(extractor: Extractor, images: Iterable[Image.Image], words: int = WORDS) -> KeypointVLAD:
    """VLAD whose words are those of k-means over the keypoints of some pictures; BadInput when these are too few."""
    found = np.concatenate([extractor.extract(image, LIMIT).descriptors for image in images])
    if len(found) < words:
        raise BadInput(f"the pictures have {len(found)} keypoints in all; {words} visual words need at least as many")
    return KeypointVLAD(extractor, visual_words(torch.from_numpy(found), words))


def load(path: Path, extractor: Extractor) -> KeypointVLAD:
    """The words that `save` wrote. Raises BadInput when the file is foreign or of another extractor."""
    tensors, metadata = read_weights(path)
    if "centres" not in tensors or metadata.get("extractor") != extractor.digest:
        raise BadInput(f"{path} holds no visual words of these keypoints; delete it and learn them anew")
    return KeypointVLAD(extractor, tensors["centres"])
