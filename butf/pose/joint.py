"""One pose from the matches with several candidates, some of which show another place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from butf.keypoints.features import Features
from butf.pose.answer import CandidateMatches, Query
from butf.pose.pnp import Solution, solve
from butf.pose.pose import Pose

GROUPS = 4
"""How many groups of mutually near candidates are tried, those of most matches first, beside all together."""


@dataclass(frozen=True)
class Weighing:
    """How much errors count, see `localizer.Settings`."""

    noise_px: float
    threshold: float
    coarse_px: float
    depth: bool
    """Whether a match is weighed by how well its depth is known."""


def best_pose(
    query: Query, features: Features, matches: Sequence[CandidateMatches], weighing: Weighing, radius_m: float
) -> Solution | None:
    """The pose that chance would give least, of those found from all candidates and from groups of near ones.

    Candidates within `radius_m` of one of them are a group: the right ones stand together, the wrong ones apart.
    `features` are the query's. The solution's inliers are of all matches, in their order.
    """
    groups = [np.arange(len(matches)), *_groups(matches, radius_m)]
    found = [_solved(query, features, matches, group, weighing) for group in groups]
    return _surest([_settled(query, features, matches, weighing, one) for one in found if one is not None])


def better_pose(
    query: Query, features: Features, matches: Sequence[CandidateMatches], weighing: Weighing, radius_m: float,
    before: Solution,
) -> Solution:  # fmt: skip
    """The surer one of `before`, which knew fewer `matches`, and what all within `radius_m` of it give."""
    metres = np.array([np.linalg.norm(part.candidate.pose.centre - before.pose.centre) for part in matches])
    anew = _solved(query, features, matches, np.flatnonzero(metres <= radius_m), weighing)
    found = [_settled(query, features, matches, weighing, one) for one in (before, anew) if one is not None]
    surest = _surest(found)
    missing = sum(map(len, matches)) - len(before.inliers)
    return surest or replace(before, inliers=np.pad(before.inliers, (0, missing)))


def finer_pose(
    query: Query, features: Features, matches: Sequence[CandidateMatches], weighing: Weighing, before: Solution
) -> Solution | None:
    """`before` refined with matches that were sought near it, None where that gains none.

    What was sought there agrees more often by chance, so that `chance` stays as it was.
    """
    found = _settled(query, features, matches, weighing, before)
    gained = found is not None and found.inliers.sum() > before.inliers.sum()
    return replace(found, chance=before.chance) if found is not None and gained else None


def _groups(matches: Sequence[CandidateMatches], radius_m: float) -> list[np.ndarray]:
    centres = np.array([part.candidate.pose.centre for part in matches]).reshape(-1, 3)
    near = np.linalg.norm(centres[:, None] - centres[None], axis=2) <= radius_m
    several = {tuple(np.flatnonzero(row).tolist()) for row in near if row.sum() < len(matches)}
    ordered = sorted(several, key=lambda rows: (-sum(len(matches[row]) for row in rows), rows))
    return [np.array(rows) for rows in ordered[:GROUPS]]


def _solved(
    query: Query, features: Features, matches: Sequence[CandidateMatches], group: np.ndarray, weighing: Weighing,
    start: Pose | None = None,
) -> Solution | None:  # fmt: skip
    if not len(group):
        return None
    parts = [matches[row] for row in group]
    rows = np.concatenate([part.rows for part in parts])
    along = [part.spread[:, None] * (part.points - part.candidate.pose.centre) for part in parts]
    return solve(
        np.concatenate([part.query_pixels for part in parts]),
        np.concatenate([part.points for part in parts]),
        query.camera,
        weighing.threshold,
        keypoint=rows,
        noise_px=weighing.noise_px * np.maximum(features.scales[rows], 1),
        along=np.concatenate(along) if weighing.depth else None,
        coarse_px=weighing.coarse_px,
        start=start,
    )


def _settled(
    query: Query, features: Features, matches: Sequence[CandidateMatches], weighing: Weighing, found: Solution
) -> Solution | None:
    """A pose found from some of the matches, refined with all that agree with it."""
    return _solved(query, features, matches, np.arange(len(matches)), weighing, found.pose)


def _surest(found: Sequence[Solution | None]) -> Solution | None:
    return min((one for one in found if one is not None), key=lambda one: one.chance, default=None)
