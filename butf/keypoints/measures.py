"""How good keypoints are on a pair of pictures whose true correspondences are known (Mikolajczyk and Schmid)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from sklearn.metrics import average_precision_score

from butf.keypoints.features import Features
from butf.keypoints.matching import match
from butf.keypoints.warping import View, warp

TOLERANCE_PX = 3.0


@dataclass(frozen=True)
class PairScores:
    """One pair's numbers; those that are shares are 0..1. Only keypoints that both pictures see are counted."""

    repeatability: float
    """Keypoints of the one with one of the other where they belong, each used once, over the smaller number of both."""
    matching_score: float
    """Mutually nearest descriptors that are right, over the same number."""
    average_precision: float
    """Area under precision and recall of the nearest neighbours in the other picture, the surest first."""
    precision: float
    """Share of the mutually nearest that are right."""
    correct: int
    """How many are."""
    error_px: float
    """Median distance of the right ones from where they belong; not a number where there is none."""
    counted: int
    """Keypoints in the common area of the picture that has fewer."""

    def as_dict(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)


def measure_pair(
    first: Features, second: Features, one: View, other: View, tolerance: float = TOLERANCE_PX
) -> PairScores | None:
    """The scores of keypoints of two views within `tolerance` pixels; None where either has none in the common area."""
    there, seen = _warped(first, one, other)
    _, seen_back = _warped(second, other, one)
    first, there, second = first.take(seen), there[seen], second.take(seen_back)
    fewer = min(len(first), len(second))
    if not fewer:
        return None
    repeated = one_to_one(there, second.points, tolerance)
    mutual = match(first, second)
    gaps = np.linalg.norm(there[mutual.pairs[:, 0]] - second.points[mutual.pairs[:, 1]], axis=1)
    right = gaps <= tolerance
    return PairScores(
        repeatability=repeated / fewer,
        matching_score=float(right.sum() / fewer),
        average_precision=average_precision(first, second, there, tolerance),
        precision=float(right.mean()) if len(right) else 0.0,
        correct=int(right.sum()),
        error_px=float(np.median(gaps[right])) if right.any() else float("nan"),
        counted=fewer,
    )


def one_to_one(there: np.ndarray, points: np.ndarray, tolerance: float) -> int:
    """How many of `there` (N, 2) and `points` (M, 2) are each other's nearest and within `tolerance` pixels."""
    gap, nearest = map(np.asarray, cKDTree(points).query(there))
    back = np.asarray(cKDTree(there).query(points)[1])
    return int(((gap <= tolerance) & (back[nearest] == np.arange(len(there)))).sum())


def average_precision(first: Features, second: Features, there: np.ndarray, tolerance: float) -> float:
    """Of nearest-neighbour matching: right answers count against all keypoints of `first` that have a right answer.

    0 where none has.
    """
    findable = int((np.asarray(cKDTree(second.points).query(there)[0]) <= tolerance).sum())
    nearest = match(first, second, mutual=False)
    gaps = np.linalg.norm(there[nearest.pairs[:, 0]] - second.points[nearest.pairs[:, 1]], axis=1)
    right = gaps <= tolerance
    if not findable or not right.any():
        return 0.0
    # scikit-learn's recall is of the right answers given; those never given must count too.
    return float(average_precision_score(right, -nearest.distances) * right.sum() / findable)


def mean_scores(scores: list[PairScores]) -> dict[str, float]:
    """Means over pairs, of `error_px` the median; empty without any."""
    if not scores:
        return {}
    table = {name: np.array([getattr(score, name) for score in scores], float) for name in scores[0].as_dict()}
    errors = table.pop("error_px")
    means = {name: round(float(values.mean()), 4) for name, values in table.items()}
    return means | ({"error_px": round(float(np.nanmedian(errors)), 4)} if np.isfinite(errors).any() else {})


def _warped(features: Features, one: View, other: View) -> tuple[np.ndarray, np.ndarray]:
    there, seen = warp(torch.from_numpy(np.ascontiguousarray(features.points)), one, other)
    return there.numpy(), seen.numpy()
