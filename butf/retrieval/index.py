"""Nearest-neighbour search over descriptors in memory: exact, or by a graph where there are very many."""

from __future__ import annotations

import sys
from typing import Any

import faiss
import numpy as np

from butf.retrieval.choice import LINKS, memory_kind

EFFORT = 128
"""How many near ones a search of the graph keeps in sight."""


class Index:
    """Search by L2 distance (faiss), which ranks unit-norm parts as their dot product does.

    `exact` compares with every descriptor; `hnsw` walks a graph over 8-bit descriptors and may miss some.
    """

    def __init__(self, descriptors: np.ndarray, kind: str = "exact") -> None:
        """Hold descriptors `(N, D)`; raises `ValueError` when they are not a finite table."""
        one_pool()
        table = finite_table(descriptors)
        self.kind = kind
        self._index: Any = faiss.IndexFlat(table.shape[1], faiss.METRIC_L2) if kind == "exact" else _graph(table)
        self._index.add(table)

    @classmethod
    def build(cls, descriptors: np.ndarray, kind: str | None = None) -> Index:
        """The index of descriptors `(N, D)`: exact up to a million of them unless a `kind` is asked for."""
        return cls(descriptors, kind or memory_kind(len(descriptors)))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The `k` nearest of each query `(Q, D)`, nearest first: L2 distances `(Q, K)` and row numbers `(Q, K)`.

        K is `k`, or the size of the index where that is smaller. Raises `ValueError` for another descriptor width.
        """
        table = asked_table(queries, self._index.d)
        k = min(k, len(self))
        if k < 1 or not len(table):
            return np.zeros((len(table), 0), np.float32), np.zeros((len(table), 0), np.int64)
        if self.kind == "hnsw":
            self._index.hnsw.efSearch = max(EFFORT, 2 * k)
        squared, rows = self._index.search(table, k)
        # Rounding makes the squared distance of equal descriptors slightly negative.
        return np.sqrt(np.maximum(squared, 0.0)), rows


def one_pool() -> None:
    """On macOS torch and faiss bring one OpenMP library each, and two thread pools crash the process."""
    if sys.platform == "darwin":
        faiss.omp_set_num_threads(1)


def finite_table(values: np.ndarray) -> np.ndarray:
    """The values as `(N, D)` float32 in one piece; `ValueError` when they are no finite table."""
    table = np.ascontiguousarray(values, dtype=np.float32)
    if table.ndim != 2:
        raise ValueError(f"descriptors have shape {table.shape}; expected (N, D)")
    if not np.isfinite(table).all():
        raise ValueError("descriptors hold values that are not finite")
    return table


def asked_table(queries: np.ndarray, width: int) -> np.ndarray:
    """`finite_table` of queries of an index of descriptors of `width` numbers; `ValueError` for another width."""
    table = finite_table(queries)
    if table.shape[1] != width:
        raise ValueError(f"queries have {table.shape[1]} values each; this index holds {width}")
    return table


def _graph(table: np.ndarray) -> Any:
    graph = faiss.index_factory(table.shape[1], f"HNSW{LINKS},SQ8")
    graph.train(table)
    return graph
