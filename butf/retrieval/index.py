"""Exact nearest-neighbour search over descriptors."""

from __future__ import annotations

import sys

import faiss
import numpy as np


class Index:
    """Exact search by L2 distance (faiss `IndexFlat`), which ranks unit-norm parts as their dot product does."""

    def __init__(self, descriptors: np.ndarray) -> None:
        """Hold descriptors `(N, D)`; raises `ValueError` when they are not a finite table."""
        if sys.platform == "darwin":
            # torch and faiss bring one OpenMP library each there, and two thread pools crash the process.
            faiss.omp_set_num_threads(1)
        table = _finite_table(descriptors)
        self._flat = faiss.IndexFlat(table.shape[1], faiss.METRIC_L2)
        self._flat.add(table)

    @classmethod
    def build(cls, descriptors: np.ndarray) -> Index:
        """The index of descriptors `(N, D)`."""
        return cls(descriptors)

    def __len__(self) -> int:
        return int(self._flat.ntotal)

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The `k` nearest of each query `(Q, D)`, nearest first: L2 distances `(Q, K)` and row numbers `(Q, K)`.

        K is `k`, or the size of the index where that is smaller. Raises `ValueError` for another descriptor width.
        """
        table = _finite_table(queries)
        if table.shape[1] != self._flat.d:
            raise ValueError(f"queries have {table.shape[1]} values each; this index holds {self._flat.d}")
        k = min(k, len(self))
        if k < 1 or not len(table):
            return np.zeros((len(table), 0), np.float32), np.zeros((len(table), 0), np.int64)
        squared, rows = self._flat.search(table, k)
        # Rounding makes the squared distance of equal descriptors slightly negative.
        return np.sqrt(np.maximum(squared, 0.0)), rows


def _finite_table(values: np.ndarray) -> np.ndarray:
    table = np.ascontiguousarray(values, dtype=np.float32)
    if table.ndim != 2:
        raise ValueError(f"descriptors have shape {table.shape}; expected (N, D)")
    if not np.isfinite(table).all():
        raise ValueError("descriptors hold values that are not finite")
    return table
