"""How sure a pose is, and when to say that there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from butf.pose.answer import CandidateMatches
from butf.pose.pnp import Solution

FEWEST_INLIERS = 8
LEAST_CONFIDENCE = 0.1


def evidence(solution: Solution, matches: Sequence[CandidateMatches]) -> np.ndarray:
    """What the confidence is made of, (4,): log of the keypoints that agree, their share of those that were matched,
    log of the position's standard deviation in metres, and log10 of chance."""
    rows = np.concatenate([part.rows for part in matches])
    agreeing, known = (len(np.unique(part)) for part in (rows[solution.inliers], rows))
    return np.array([
        math.log(agreeing), agreeing / known, math.log(max(solution.position_std_m, 1e-4)),
        math.sqrt(max(-solution.chance, 0.0)),
    ])  # fmt: skip


WEIGHTS = {
    "measured": (-19.376, 1.79, 0.847, -2.46, 0.412),
    "reconstructed": (-15.31, 0.984, 1.015, -2.107, 0.286),
}
"""Intercept and weights of `evidence` of a logistic regression, fitted to 120 queries of the town's val district with
the shipped keypoints (docs/localize.md): other keypoints want another fit."""


def confidence(solution: Solution | None, matches: Sequence[CandidateMatches], depth: str) -> float:
    """The probability, 0 to 1, that a pose is right within 0.5 m and 5 degrees; 0 without one."""
    return 0.0 if solution is None else float(probabilities(evidence(solution, matches)[None], WEIGHTS[depth])[0])


def probabilities(found: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """(N,) probabilities 0..1 of poses with the `evidence` `(N, 4)`; `weights` as in `WEIGHTS`."""
    intercept, *slopes = weights
    shares: np.ndarray = expit(intercept + found @ np.array(slopes))
    return shares


def fitted(found: np.ndarray, right: np.ndarray) -> tuple[float, ...]:
    """Weights for `WEIGHTS` from poses with the `evidence` `(N, 4)` of which those in `right` `(N,)` bool were right.

    Raises `ValueError` where all or none were.
    """
    # Takes a second to import, and only a fit needs it.
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10, max_iter=5000).fit(found, right)
    return tuple(round(float(value), 3) for value in (model.intercept_[0], *model.coef_[0]))


def doubt(solution: Solution | None, matches: Sequence[CandidateMatches], sure: float) -> str:
    """Why there is no pose to speak of, in one sentence; "" where there is one."""
    found = sum(map(len, matches))
    if not matches:
        return "Retrieval found no candidates."
    if not found:
        return f"No keypoint of the photo looks like one of the {len(matches)} candidates."
    if not any(np.isfinite(part.points).all(axis=1).any() for part in matches):
        return f"None of the {found} matched keypoints has a depth in its candidate."
    if solution is None:
        return f"No pose explains more of the {found} matches with {len(matches)} candidates than chance would."
    rows = np.concatenate([part.rows for part in matches])
    agreeing = len(np.unique(rows[solution.inliers]))
    if agreeing < FEWEST_INLIERS:
        return f"Only {agreeing} keypoints agree with the best pose; {FEWEST_INLIERS} are asked for."
    if sure < LEAST_CONFIDENCE:
        return f"The best pose is right with a probability of {100 * sure:.0f} % only."
    return ""
