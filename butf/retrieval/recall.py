"""Ranking a database for each query, and recall: by rank, by distance, with intervals.

A query is *matched* when the database holds at least one true match for it. Recall is a fraction of the matched
queries; the others say something of the data set, not of the model, and are counted apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from butf.dataset.frames import Frames, PlaceRule
from butf.retrieval.index import Index

RANKS = (1, 5, 10, 25)
DISTANCES_M = (5.0, 10.0, 25.0, 50.0)
SMALL_RADIUS_M = 5.0
_BLOCK = 4_000_000  # query-database pairs held at once


@dataclass(frozen=True, eq=False)
class Retrieval:
    """The ranked candidates of some queries.

    queries `(Q,)` and database `(D,)` are frame numbers; ids `(Q, K)` the frames found, nearest descriptor first;
    distances `(Q, K)` L2 between descriptors; metres `(Q, K)` between positions.
    """

    frames: Frames
    queries: np.ndarray
    database: np.ndarray
    ids: np.ndarray
    distances: np.ndarray
    metres: np.ndarray

    def judge(self, rule: PlaceRule | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Right or wrong, hits `(Q, K)`, and which queries are matched, `(Q,)`, under a rule (the data set's own)."""
        hits = np.zeros(self.ids.shape, bool)
        matched = np.zeros(len(self.queries), bool)
        for rows in _row_blocks(len(self.queries), len(self.database)):
            positives = self.frames.positives(self.queries[rows], self.database, rule)
            matched[rows] = positives.any(axis=1)
            hits[rows] = np.take_along_axis(positives, _columns(self.database, self.ids[rows]), axis=1)
        return hits, matched


def ranking(
    frames: Frames,
    queries: np.ndarray,
    database: np.ndarray,
    query_descriptors: np.ndarray,
    database_descriptors: np.ndarray,
    k: int,
) -> Retrieval:
    """The `k` nearest database frames of each query by descriptor; a query never retrieves itself.

    Descriptors are `(Q, C)` and `(D, C)`. Fewer than `k` are returned where the database has no more.
    """
    index = Index.build(database_descriptors, "exact")
    return ranked(frames, np.asarray(queries, np.int64), np.asarray(database, np.int64), query_descriptors, index, k)


def ranked(
    frames: Frames, queries: np.ndarray, database: np.ndarray, query_descriptors: np.ndarray, index: Index, k: int
) -> Retrieval:
    """`ranking` in an index of the database's descriptors that is there already."""
    spare = int(np.isin(queries, database).any())
    distances, rows = index.search(query_descriptors, k + spare)
    ids = database[rows]
    if spare:
        ids, distances = _without_itself(queries, ids, distances)
    return Retrieval(frames, queries, database, ids, distances, _metres(frames, queries, ids))


def first_correct(hits: np.ndarray) -> np.ndarray:
    """Rank (from 1) of the first right candidate of ranked hits `(Q, K)`; 0 where there is none."""
    if not hits.shape[1]:
        return np.zeros(len(hits), np.int64)
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)


def recall_at(hits: np.ndarray, matched: np.ndarray, n: int) -> float:
    """Recall@N: fraction of the matched queries `(Q,)` with a right one among the first `n` of ranked hits `(Q, K)`.

    Not a number when no query is matched.
    """
    found = hits[:, :n].any(axis=1)
    return _fraction(found & matched, matched)


def recall_at_distance(metres: np.ndarray, matched: np.ndarray, limit_m: float) -> float:
    """Recall@D: fraction of the matched queries whose first candidate, of `metres (Q, K)`, lies within `limit_m`."""
    if not metres.shape[1]:
        return _fraction(np.zeros(len(metres), bool), matched)
    return _fraction((metres[:, 0] <= limit_m) & matched, matched)


def distance_limits(radius_m: float) -> tuple[float, ...]:
    """The distances of recall@D in metres: 5, 10, 25, 50, or 0.2, 0.4, 1 and 2 radii where places are room-sized."""
    if radius_m >= SMALL_RADIUS_M:
        return DISTANCES_M
    return tuple(round(radius_m * share, 6) for share in (0.2, 0.4, 1.0, 2.0))


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (JASA 1927); not a number when there are no trials."""
    if trials == 0:
        return math.nan, math.nan
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def _fraction(found: np.ndarray, matched: np.ndarray) -> float:
    return float(found.sum() / matched.sum()) if matched.any() else math.nan


def _without_itself(queries: np.ndarray, ids: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drop each query from its own row, or the last candidate where the query is not in the row."""
    if not ids.shape[1]:
        return ids, distances
    itself = ids == queries[:, None]
    drop = np.where(itself.any(axis=1), itself.argmax(axis=1), ids.shape[1] - 1)
    keep = np.arange(ids.shape[1])[None] != drop[:, None]
    shape = (len(ids), ids.shape[1] - 1)
    return ids[keep].reshape(shape), distances[keep].reshape(shape)


def _metres(frames: Frames, queries: np.ndarray, ids: np.ndarray) -> np.ndarray:
    metres: np.ndarray = np.linalg.norm(frames.position[queries][:, None] - frames.position[ids], axis=-1)
    return metres


def _columns(database: np.ndarray, ids: np.ndarray) -> np.ndarray:
    order = np.argsort(database, kind="stable")
    return order[np.searchsorted(database, ids, sorter=order)]


def _row_blocks(rows: int, columns: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(1, columns))
    return (slice(start, start + step) for start in range(0, rows, step))
