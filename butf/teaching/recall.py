"""Recall@N taken apart: at which rank each query of a condition finds its place, and what share that makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.dataset.frames import PlaceRule
from butf.figures.recall import Curve
from butf.retrieval.explore import SplitSearch
from butf.retrieval.recall import first_correct, wilson


@dataclass(frozen=True, eq=False)
class Count:
    """The matched queries `(M,)` of a condition and the rank `(M,)` of each one's first right candidate, 0 for none.

    `unmatched` queries have no true match in the database and are left out.
    """

    model: str
    queries: np.ndarray
    first: np.ndarray
    unmatched: int

    def found(self, n: int) -> int:
        """How many queries have a right one among their first `n` candidates."""
        return int(((self.first > 0) & (self.first <= n)).sum())

    def curve(self, ranks: range) -> Curve:
        """recall@N over these ranks with its 95 % intervals; at least one query must be matched."""
        total = len(self.queries)
        bounds = [wilson(self.found(n), total) for n in ranks]
        low, high = zip(*bounds, strict=True)
        return Curve(self.model, list(ranks), [self.found(n) / total for n in ranks], low, high)

    def rank(self, query: int) -> int | None:
        """The rank of a query's first right candidate, 0 for none; None when the query has no match."""
        rows = np.flatnonzero(self.queries == query)
        return int(self.first[rows[0]]) if len(rows) else None


def count(search: SplitSearch, queries: np.ndarray, rule: PlaceRule) -> Count:
    """The count of one condition's `queries`, which are frame numbers, under a rule of what is the same place."""
    hits, matched = search.judge(rule)
    own = np.isin(search.queries, queries)
    counted = own & matched
    return Count(search.model_name, search.queries[counted], first_correct(hits[counted]), int((own & ~matched).sum()))
