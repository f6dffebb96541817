"""How good poses are: shares within thresholds with intervals, medians."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from butf.pose.pose import Pose
from butf.retrieval.recall import wilson

THRESHOLDS = ((0.25, 2.0), (0.5, 5.0), (5.0, 10.0))
"""Metres and degrees: fine, medium, coarse (Sattler et al. 2018)."""


def pose_errors(found: Sequence[Pose | None], true: Sequence[Pose]) -> np.ndarray:
    """(N, 2) metres and degrees between found and true poses; infinite where there is none."""
    pairs = zip(found, true, strict=True)
    errors = [(math.inf, math.inf) if a is None else (a.metres_to(b), a.degrees_to(b)) for a, b in pairs]
    return np.array(errors, float).reshape(-1, 2)


def within(errors: np.ndarray, metres: float, degrees: float) -> np.ndarray:
    """(N,) bool: which errors (N, 2) are within both."""
    return (errors[:, 0] <= metres) & (errors[:, 1] <= degrees)


def scores(errors: np.ndarray) -> dict[str, Any]:
    """Of errors (N, 2): `queries`, `within` with `interval95` (Wilson) by "0.25 m, 2 deg", `median_m`, `median_deg`.

    Medians are over all queries, None where half of them or more have no pose (an infinite error).
    """
    shares, intervals = {}, {}
    for metres, degrees in THRESHOLDS:
        hits, name = within(errors, metres, degrees), threshold_name(metres, degrees)
        shares[name] = float(hits.mean()) if len(hits) else None
        intervals[name] = [round(end, 4) for end in wilson(int(hits.sum()), len(hits))] if len(hits) else [None, None]
    middle = np.median(errors, axis=0) if len(errors) else np.array([math.inf, math.inf])
    off_m, off_deg = (float(value) if math.isfinite(value) else None for value in middle)
    return {
        "queries": len(errors), "within": shares, "interval95": intervals, "median_m": off_m, "median_deg": off_deg,
    }  # fmt: skip


def threshold_name(metres: float, degrees: float) -> str:
    """A threshold as a key: "0.25 m, 2 deg"."""
    return f"{metres:g} m, {degrees:g} deg"
