"""Two models on the same queries: how often each is right where the other is wrong, and whether that is chance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from butf.dataset.frames import PlaceRule
from butf.retrieval.compare import area_groups, gain, mcnemar_exact, paired_permutation
from butf.retrieval.explore import SplitSearch
from butf.retrieval.recall import first_correct

AREA_RADII = 4
"""Side, in radii of the place rule, of the squares whose queries are taken as dependent."""


@dataclass(frozen=True)
class Pair:
    """How models `a` and `b` do at rank 1 on the matched queries of a condition (None: of all conditions).

    The four counts add up to those queries; `gain` is the recall@1 of a minus that of b, not a number without
    queries. `p` is McNemar's exact test over queries, `p_blocks` a permutation test that flips the queries of a
    square of the map together, under all their conditions: neighbours are no independent witnesses.
    """

    a: str
    b: str
    condition: str | None
    both: int
    a_only: int
    b_only: int
    neither: int
    gain: float
    p: float
    p_blocks: float

    def entry(self) -> dict[str, Any]:
        """The pair as `python -m butf evaluate --json` writes it."""
        return {
            "a": self.a, "b": self.b, "condition": self.condition,
            "gain": None if math.isnan(self.gain) else self.gain,
            "p": self.p, "p_blocks": self.p_blocks, "a_only": self.a_only, "b_only": self.b_only,
        }  # fmt: skip


def by_condition(a: SplitSearch, b: SplitSearch, rule: PlaceRule) -> list[Pair]:
    """The pair under each condition; both searches are of one split of one data set."""
    return [_pair(a, b, rule, condition, rows) for condition, rows in condition_rows(a)]


def overall(a: SplitSearch, b: SplitSearch, rule: PlaceRule) -> Pair:
    """The pair over the queries of all conditions together."""
    return _pair(a, b, rule, None, np.arange(len(a.queries)))


def condition_rows(search: SplitSearch) -> Iterator[tuple[str, np.ndarray]]:
    """Each condition and the rows of its queries."""
    conditions = search.frames.condition[search.queries]
    for condition in dict.fromkeys(conditions.tolist()):
        yield condition, np.flatnonzero(conditions == condition)


def _pair(a: SplitSearch, b: SplitSearch, rule: PlaceRule, condition: str | None, rows: np.ndarray) -> Pair:
    if not np.array_equal(a.queries, b.queries):
        raise ValueError(f"{a.model_name} and {b.model_name} were not asked the same queries")
    (hits_a, matched), (hits_b, _) = a.judge(rule), b.judge(rule)
    counted = rows[matched[rows]]
    right_a, right_b = (first_correct(hits[counted]) == 1 for hits in (hits_a, hits_b))
    blocks = area_groups(a.frames.position[a.queries[counted]], AREA_RADII * rule.radius_m)
    return Pair(
        a=a.model_name,
        b=b.model_name,
        condition=condition,
        both=int((right_a & right_b).sum()),
        a_only=int((right_a & ~right_b).sum()),
        b_only=int((right_b & ~right_a).sum()),
        neither=int((~right_a & ~right_b).sum()),
        gain=gain(right_a, right_b),
        p=mcnemar_exact(right_a, right_b),
        p_blocks=paired_permutation(right_a, right_b, blocks),
    )
