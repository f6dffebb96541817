"""Queries whose first candidate is wrong, narrowed to the ones of interest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.dataset.frames import PlaceRule
from butf.retrieval.explore import SplitSearch
from butf.retrieval.recall import first_correct

RELATIONS = {"any": "right or wrong", "wrong": "also wrong", "right": "right"}
"""What another model does on the same query: key -> words."""


@dataclass(frozen=True)
class Failure:
    """A matched query that a model gets wrong: frame numbers of the query and of the model's first candidate.

    `metres` lie between them; `first_correct` is the rank of the first right candidate, None when there is none among
    those that were searched.
    """

    query: int
    candidate: int
    metres: float
    first_correct: int | None


@dataclass(frozen=True)
class Wanted:
    """Which failures are asked for: under a condition (None: all), by what another model does, and how far off."""

    condition: str | None = None
    relation: str = "any"
    beyond_m: float = 0.0


def failures(search: SplitSearch, other: SplitSearch | None, rule: PlaceRule, wanted: Wanted) -> list[Failure]:
    """The failures of a model, the farthest off first.

    `other` is the model that the relation speaks of; without one the relation narrows nothing. Raises `ValueError`
    when it was asked other queries.
    """
    hits, matched = search.judge(rule)
    rank, metres = first_correct(hits), search.retrieval.metres[:, 0]
    kept = matched & (rank != 1) & (metres > wanted.beyond_m)
    if wanted.condition is not None:
        kept &= search.frames.condition[search.queries] == wanted.condition
    if other is not None and wanted.relation != "any":
        if not np.array_equal(search.queries, other.queries):
            raise ValueError(f"{search.model_name} and {other.model_name} were not asked the same queries")
        right = first_correct(other.judge(rule)[0]) == 1
        kept &= right if wanted.relation == "right" else ~right
    rows = np.flatnonzero(kept)
    rows = rows[np.argsort(-metres[rows], kind="stable")]
    return [
        Failure(int(search.queries[row]), int(search.retrieval.ids[row, 0]), float(metres[row]), int(rank[row]) or None)
        for row in rows
    ]
