"""Which pictures meet in a batch: positives by metres and degrees, negatives that look alike but lie far apart."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from butf.dataset.frames import Frames
from butf.training.config import TrainConfig
from butf.training.guesses import UNKNOWN

LOOK_ALIKES = 10
SEARCHED = 600


@dataclass(frozen=True)
class Geometry:
    """Positions `(N, 3)` in metres and optical axes `(N, 3)` of the frames that training may pair."""

    position: np.ndarray
    axis: np.ndarray | None
    positive_m: float
    positive_deg: float
    negative_m: float

    def metres(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Distances `(A, B)` in the horizontal plane where positions are geographic, in space otherwise."""
        distances: np.ndarray = np.linalg.norm(self.position[a][:, None] - self.position[b][None], axis=-1)
        return distances

    def positives(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """`(A, B)`: near enough and looking the same way; a frame is never its own positive."""
        fitting: np.ndarray = self.near(a, b) & (np.asarray(a)[:, None] != np.asarray(b)[None])
        return fitting

    def near(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """`(A, B)`: near enough and looking the same way."""
        near = self.metres(a, b) <= self.positive_m
        if self.axis is None:
            return near
        cosine = self.axis[a] @ self.axis[b].T
        fitting: np.ndarray = near & (cosine >= np.cos(np.radians(self.positive_deg)))
        return fitting

    def negatives(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """`(A, B)`: certainly another place."""
        return self.metres(a, b) >= self.negative_m


def geometry_of(frames: Frames, config: TrainConfig) -> Geometry:
    """The geometry of all frames, with the thresholds of `config` scaled by the data set's place radius."""
    radius = frames.place.radius_m
    position = frames.position if frames.lat is None else frames.position * [1, 1, 0]
    return Geometry(
        position,
        optical_axes(frames.orientation),
        radius * config.positive_share,
        config.positive_deg,
        radius * config.negative_share,
    )


def optical_axes(orientation: np.ndarray | None) -> np.ndarray | None:
    """Unit viewing directions `(N, 3)` of camera-to-world quaternions `(N, 4)`: the third column of the rotation."""
    if orientation is None:
        return None
    w, x, y, z = orientation.T
    return np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)


class PlaceBatches:
    """Draws batches of `places` x `views` frames, each place seen from different traversals where there are some."""

    def __init__(self, frames: Frames, indices: np.ndarray, config: TrainConfig):
        self.indices = np.asarray(indices)
        self.traversal: list[str] = frames.traversal.tolist()
        self.geometry = geometry_of(frames, config)
        self.config = config
        self.look_alikes: Tensor | None = None
        """(M, 1 + LOOK_ALIKES) frame indices: a frame, and far places that look like it (part of a checkpoint)."""

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Frame indices `(places * views,)`, the views of a place next to each other."""
        anchors = self._anchors(rng)
        near = self.geometry.positives(np.array(anchors), self.indices)
        views = [self._views(int(anchor), self.indices[row], rng) for anchor, row in zip(anchors, near, strict=True)]
        return np.array(views, np.int64).ravel()

    def _anchors(self, rng: np.random.Generator) -> list[int]:
        pairs = self.look_alikes
        hard = int(self.config.places * self.config.hard_share / 2) if pairs is not None else 0
        anchors = list(rng.choice(self.indices, self.config.places - 2 * hard))
        if pairs is not None:
            for row in rng.integers(len(pairs), size=hard):
                pair = pairs[row].numpy()
                anchors += [pair[0], pair[1 + rng.integers(LOOK_ALIKES)]]
        return anchors

    def _views(self, anchor: int, near: np.ndarray, rng: np.random.Generator) -> list[int]:
        """The anchor and its positives `near`, first one of each other traversal, then any, then itself again."""
        first: list[int] = []
        rest: list[int] = []
        seen = {self.traversal[anchor]}
        for frame in rng.permutation(near).tolist():  # a handful: numpy would take three times as long
            traversal = self.traversal[frame]
            (rest if traversal in seen else first).append(frame)
            seen.add(traversal)
        views = [anchor, *rng.permutation(np.array(first, np.int64)).tolist(), *rest, *[anchor] * self.config.views]
        return views[: self.config.views]

    def searched(self, rng: np.random.Generator) -> np.ndarray:
        """The frames among which look-alikes are sought next: a sample that is quick to describe."""
        return np.sort(rng.choice(self.indices, min(SEARCHED, len(self.indices)), replace=False))

    def find_look_alikes(self, indices: np.ndarray, descriptors: np.ndarray) -> None:
        """Keep, for each of `indices`, the far frames with the nearest `descriptors` `(M, D)`."""
        likeness = descriptors @ descriptors.T
        likeness[~self.geometry.negatives(indices, indices)] = -np.inf
        order = np.argsort(-likeness, axis=1, kind="stable")[:, :LOOK_ALIKES]
        usable = np.isfinite(np.take_along_axis(likeness, order, axis=1)).all(axis=1) & (order.shape[1] == LOOK_ALIKES)
        rows = np.concatenate([indices[usable, None], indices[order[usable]]], axis=1)
        self.look_alikes = torch.from_numpy(rows) if len(rows) else None

    def pairs(self, batch: np.ndarray, guessed: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
        """Who is a positive and who a negative of whom in a batch of B frames: two `(B, B)` bool tensors.

        Where `guessed` `(E,)` names frames at whose places E further pictures were taken, or UNKNOWN, these stand
        behind the batch, `(B + E, B + E)`: one of unknown place is nobody's positive or negative.
        """
        more = np.empty(0, np.int64) if guessed is None else guessed
        place = np.concatenate([batch, np.where(more == UNKNOWN, batch[0], more)])
        # Further pictures are other ones than those of the batch, even of the very same place.
        identity = np.concatenate([batch, UNKNOWN - 1 - np.arange(len(more))])
        told = np.concatenate([np.ones(len(batch), bool), more != UNKNOWN])
        told = told[:, None] & told[None]
        positives = self.geometry.near(place, place) & (identity[:, None] != identity[None]) & told
        return torch.from_numpy(positives), torch.from_numpy(self.geometry.negatives(place, place) & told)
