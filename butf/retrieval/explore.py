"""What the Explore page asks of one query, and of all queries of a split, from descriptors alone.

`split_search` describes a split once; afterwards another query, k or radius costs neither inference nor disk. All
queries are ranked when something is asked of all of them; one is ranked alone, so that a split of any size can answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from butf.dataset.frames import Frames, PlaceRule
from butf.errors import BadInput
from butf.retrieval.bank import Progress, bank
from butf.retrieval.index import Index
from butf.retrieval.recall import Retrieval, first_correct, ranked

if TYPE_CHECKING:
    from butf.networks.zoo import Model
    from butf.retrieval.keypoint_vlad import KeypointVLAD


@dataclass(frozen=True)
class Candidate:
    """A retrieved database frame: `rank` from 1, `distance` L2 of descriptors, `metres` from the query.

    `metres` and `correct` are None where the position of the query is unknown (a user's own photo).
    """

    rank: int
    frame: int
    distance: float
    metres: float | None = None
    correct: bool | None = None


@dataclass(frozen=True)
class QueryResult:
    """The candidates of one query by one model; `query` is its frame number, None for a user's own photo.

    `matched`: the database holds a true match. `first_correct`: rank of the first right candidate, None when there
    is none among those that were searched.
    """

    model: str
    query: int | None
    matched: bool | None
    first_correct: int | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, eq=False)
class SplitSearch:
    """The queries of a split and the database that one model ranks for them, as frame numbers `(Q,)` and `(D,)`.

    `table` `(D, C)` and `asked` `(Q, C)` are their descriptors; `depth` candidates are ranked.
    """

    model_name: str
    frames: Frames
    queries: np.ndarray
    database: np.ndarray
    index: Index
    table: np.ndarray
    asked: np.ndarray
    depth: int
    _judged: dict[PlaceRule, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, repr=False)

    @cached_property
    def pictures(self) -> np.ndarray:
        """The frame numbers of all that is searched or asked about, ascending."""
        return np.unique(np.concatenate([self.database, self.queries]))

    def descriptors_of(self, frames: np.ndarray) -> np.ndarray:
        """Descriptors `(N, C)` of some of its pictures."""
        known = np.concatenate([self.database, self.queries])
        order = np.argsort(known, kind="stable")
        found: np.ndarray = np.concatenate([self.table, self.asked])[order[np.searchsorted(known[order], frames)]]
        return found

    @cached_property
    def retrieval(self) -> Retrieval:
        """The ranked candidates of all queries; made when first asked for."""
        return ranked(self.frames, self.queries, self.database, self.asked, self.index, self.depth)

    def judge(self, rule: PlaceRule | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Hits `(Q, K)` and matched `(Q,)` under a rule (the data set's own), remembered for the last few rules."""
        rule = rule or self.frames.place
        if rule not in self._judged:
            if len(self._judged) >= 8:
                self._judged.clear()
            self._judged[rule] = self.retrieval.judge(rule)
        return self._judged[rule]

    def result(self, query: int, k: int = 5, rule: PlaceRule | None = None) -> QueryResult:
        """The first `k` candidates of a query frame; raises `KeyError` when it is no query of this split."""
        found = self._alone(self._row(query))
        (hits,), (matched,) = found.judge(rule)
        candidates = tuple(
            Candidate(
                rank=column + 1,
                frame=int(found.ids[0, column]),
                distance=float(found.distances[0, column]),
                metres=float(found.metres[0, column]),
                correct=bool(hits[column]),
            )
            for column in range(min(k, found.ids.shape[1]))
        )
        rank = int(first_correct(hits[None])[0])
        return QueryResult(self.model_name, int(query), bool(matched), rank or None, candidates)

    def _alone(self, row: int) -> Retrieval:
        """The ranked candidates of one query: from the ranking of all, where that was made already."""
        one = slice(row, row + 1)
        if "retrieval" not in self.__dict__:
            return ranked(self.frames, self.queries[one], self.database, self.asked[one], self.index, self.depth)
        every = self.retrieval
        parts = (every.queries[one], self.database, every.ids[one], every.distances[one], every.metres[one])
        return Retrieval(self.frames, *parts)

    def nearest(self, descriptor: np.ndarray, k: int = 5) -> QueryResult:
        """The first `k` candidates of a picture from elsewhere, by its descriptor `(C,)`."""
        distances, rows = self.index.search(np.reshape(descriptor, (1, -1)), k)
        found = zip(self.database[rows[0]], distances[0], strict=True)
        candidates = tuple(Candidate(rank, int(i), float(distance)) for rank, (i, distance) in enumerate(found, 1))
        return QueryResult(self.model_name, None, None, None, candidates)

    def descriptor(self, query: int) -> np.ndarray:
        """The descriptor `(C,)` of a query frame; raises `KeyError` when it is no query of this split."""
        descriptor: np.ndarray = self.asked[self._row(query)]
        return descriptor

    def _row(self, query: int) -> int:
        rows = np.flatnonzero(self.queries == query)
        if not len(rows):
            raise KeyError(f"frame {query} is no query of this split")
        return int(rows[0])


@dataclass(frozen=True, eq=False)
class QueryTable:
    """All queries of a split, by several models.

    queries and matched `(Q,)`; first_correct: by model name, the rank `(Q,)` of the first right candidate, 0 where
    there is none among the `depth` that were searched.
    """

    queries: np.ndarray
    matched: np.ndarray
    first_correct: dict[str, np.ndarray]
    depth: int

    def failures(self, model: str) -> np.ndarray:
        """Frame numbers of the matched queries whose first candidate is wrong."""
        failed: np.ndarray = self.queries[self.matched & (self.first_correct[model] != 1)]
        return failed

    def gains(self, model: str, over: str) -> np.ndarray:
        """Frame numbers of the queries on which `model` ranks the first right one higher than `over`, best first."""
        gain = self._ranks(over) - self._ranks(model)
        order = np.argsort(-gain, kind="stable")
        gained: np.ndarray = self.queries[order[(gain > 0)[order] & self.matched[order]]]
        return gained

    def _ranks(self, model: str) -> np.ndarray:
        ranks = self.first_correct[model]
        return np.where(ranks == 0, self.depth + 1, ranks)


def split_search(
    frames: Frames,
    split: str,
    model: Model | KeypointVLAD,
    depth: int = 100,
    progress: Progress | None = None,
    keep: Path | None = None,
    descriptors: np.ndarray | None = None,
) -> SplitSearch:
    """A search that ranks the first `depth` database frames of the queries of a split.

    `descriptors` `(N, C)` are those of all its frames, from the bank unless they are given. Raises `BadInput` when the
    split has no queries or no database.
    """
    database = frames.database(split)
    conditions = [queries for queries in frames.queries(split).values() if len(queries)]
    if not len(database) or not conditions:
        lacking = "queries" if len(database) else "database frames"
        known = ", ".join(frames.splits)
        raise BadInput(f"data set {frames.name} has no {lacking} in split {split!r}; its splits are {known}")
    indices = frames.where(split=split)
    if descriptors is None:
        descriptors = bank(frames, indices, model, progress, keep)
    row = np.full(len(frames), -1)
    row[indices] = np.arange(len(indices))
    queries = np.concatenate(conditions)
    table, asked = descriptors[row[database]], descriptors[row[queries]]
    return SplitSearch(model.name, frames, queries, database, Index.build(table), table, asked, depth)


def query_table(searches: Sequence[SplitSearch], rule: PlaceRule | None = None) -> QueryTable:
    """Where each model's first right candidate stands, for filters; the searches are of one split of one data set."""
    first = searches[0]
    if any(not np.array_equal(search.queries, first.queries) for search in searches):
        raise ValueError("the searches are not of the same queries")
    ranks = {search.model_name: first_correct(search.judge(rule)[0]) for search in searches}
    depth = max(search.retrieval.ids.shape[1] for search in searches)
    return QueryTable(first.queries, first.judge(rule)[1], ranks, depth)
