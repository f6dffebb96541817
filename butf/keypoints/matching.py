"""Which keypoints of two pictures show the same thing, by their descriptors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.errors import BadInput
from butf.keypoints.features import Features


@dataclass(frozen=True, eq=False)
class Matches:
    """M pairs of keypoints, the nearest first."""

    pairs: np.ndarray
    """(M, 2) int64: the row in the first picture's features and that in the second's."""
    distances: np.ndarray
    """(M,) float32: Euclidean distance of their descriptors, 0 to 2."""

    def __len__(self) -> int:
        return len(self.pairs)


def match(first: Features, second: Features, ratio: float | None = None, mutual: bool = True) -> Matches:
    """Each keypoint of `first` with its nearest in `second`.

    `mutual` keeps a pair only where each is the other's nearest; `ratio` only where the nearest is closer than this
    share of the second nearest's distance (Lowe 2004). Raises `BadInput` when the descriptors are of different length.
    """
    if not len(first) or not len(second):
        return Matches(np.empty((0, 2), np.int64), np.empty(0, np.float32))
    if first.descriptors.shape[1] != second.descriptors.shape[1]:
        raise BadInput(
            f"descriptors have {first.descriptors.shape[1]} and {second.descriptors.shape[1]} numbers; "
            "match features of the same model"
        )
    squares = squared_distances(first.descriptors, second.descriptors)
    rows, nearest = np.arange(len(first)), squares.argmin(axis=1)
    kept = np.ones(len(first), bool)
    if mutual:
        kept &= squares.argmin(axis=0)[nearest] == rows
    if ratio is not None and len(second) > 1:
        kept &= squares[rows, nearest] < ratio**2 * np.partition(squares, 1, axis=1)[:, 1]
    pairs = np.stack([rows, nearest], axis=1)[kept].astype(np.int64)
    distances = np.sqrt(squares[rows, nearest][kept])
    order = np.argsort(distances, kind="stable")
    return Matches(pairs[order], distances[order])


def squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N, M) float32 squared Euclidean distances of the rows of (N, D) and (M, D)."""
    lengths = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None]
    squares: np.ndarray = np.maximum(lengths - 2 * first @ second.T, 0).astype(np.float32)
    return squares
