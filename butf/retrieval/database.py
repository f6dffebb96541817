"""A database of descriptors on disk, which may be larger than memory: made, added to, reopened, searched.

A small one is searched exactly. In a larger one inverted lists of compressed descriptors give candidates, and the full
descriptors of these alone are read to rank them; all of it is memory-mapped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np

from butf.errors import BadInput
from butf.retrieval.catalogue import Catalogue
from butf.retrieval.choice import CANDIDATES, Trade, database_trade
from butf.retrieval.index import asked_table, one_pool
from butf.retrieval.inverted import Lists
from butf.retrieval.segments import BLOCK_ROWS, Vectors


class Database:
    """An opened database: as it was when it was opened, whatever is added meanwhile."""

    def __init__(self, folder: Path, catalogue: Catalogue):
        """Use `open`."""
        one_pool()
        self.folder, self.catalogue = folder, catalogue
        self._vectors = Vectors(folder, catalogue.segments, catalogue.width, np.dtype(catalogue.dtype))
        self._lists: Lists | None = None
        if catalogue.trained is not None:
            catalogue.trained.check(folder, deep=True)
            self._lists = _lists(folder, catalogue)
            self._vectors.scattered()

    @classmethod
    def open(cls, folder: Path | str) -> Database:
        """Open a folder; `BadInput` when it is no database, or a file of it is missing, truncated or damaged."""
        return cls(Path(folder), Catalogue.load(Path(folder)))

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def trade(self) -> Trade:
        """What kind of index this is, and what it costs."""
        itemsize = np.dtype(self.catalogue.dtype).itemsize
        return database_trade(len(self), self.catalogue.width, itemsize, self.catalogue.exact)

    def search(
        self, queries: np.ndarray, k: int, probes: int | None = None, candidates: int = CANDIDATES
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `k` nearest of each query `(Q, D)`: L2 distances `(Q, K)` and row numbers `(Q, K)`, as `Index` has them.

        In a large database `probes` lists (see `Lists.candidates`) are looked through for `candidates`; where a query
        has fewer than K of them its row ends in -1, at an infinite distance. Raises `ValueError` for another
        descriptor width.
        """
        table = asked_table(queries, self.catalogue.width)
        k = min(k, len(self))
        if k < 1 or not len(table):
            return np.zeros((len(table), 0), np.float32), np.zeros((len(table), 0), np.int64)
        if self._lists is None:
            return self._exact(table, k)
        found = self._lists.candidates(table, max(candidates, k), probes)
        ranked = [self._ranked(query, rows[rows >= 0], k) for query, rows in zip(table, found, strict=True)]
        return np.stack([distances for distances, _ in ranked]), np.stack([rows for _, rows in ranked])

    def names(self, rows: np.ndarray) -> list[str]:
        """The names of the pictures of these rows."""
        return [self._vectors.name(int(row)) for row in rows]

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """The descriptors `(N, D)` float32 of these rows."""
        return self._vectors.rows(np.asarray(numbers, np.int64))

    def check(self) -> Iterator[str]:
        """Read every file for its digest, yielding each name; `BadInput` for the first one that is damaged."""
        for file in self.catalogue.files:
            file.check(self.folder, deep=True)
            yield file.name

    def _exact(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        squared, rows = np.zeros((len(queries), 0), np.float32), np.zeros((len(queries), 0), np.int64)
        for first, block in self._vectors.blocks(most=BLOCK_ROWS):
            near, places = faiss.knn(queries, block, min(k, len(block)))
            squared, rows = np.hstack([squared, near]), np.hstack([rows, places + first])
            order = np.argsort(squared, axis=1, kind="stable")[:, :k]
            squared, rows = np.take_along_axis(squared, order, 1), np.take_along_axis(rows, order, 1)
        return np.sqrt(np.maximum(squared, 0.0)), rows

    def _ranked(self, query: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        squared = np.square(self._vectors.rows(rows) - query).sum(axis=1)
        order = np.lexsort((rows, squared))[:k]
        distances, numbers = np.full(k, np.inf, np.float32), np.full(k, -1, np.int64)
        distances[: len(order)], numbers[: len(order)] = np.sqrt(squared[order]), rows[order]
        return distances, numbers


def expect(catalogue: Catalogue, width: int, digest: str | None, source: str) -> None:
    """`BadInput` unless descriptors of this width, by the model of this digest where it is known, belong here."""
    if width != catalogue.width:
        raise BadInput(
            f"{source} has descriptors of {width} numbers; this database holds {catalogue.width} ({catalogue.model})"
        )
    if digest is not None and digest != catalogue.digest:
        raise BadInput(
            f"{source} was described by weights {digest[:12]}; this database by {catalogue.digest[:12]} "
            f"({catalogue.model}): describe it with the same model"
        )


def _lists(folder: Path, catalogue: Catalogue) -> Lists:
    assert catalogue.trained is not None
    try:
        lists = Lists(folder / catalogue.trained.name, [folder / part.file.name for part in catalogue.lists])
    except RuntimeError as error:
        raise BadInput(f"{folder} has lists that faiss cannot read; restore it or build it again") from error
    if lists.rows != catalogue.rows:
        raise BadInput(f"{folder} has lists of {lists.rows} descriptors, not {catalogue.rows}; restore it")
    return lists


def without_lists(catalogue: Catalogue) -> Catalogue:
    """The same descriptors with nothing trained on them."""
    return replace(catalogue, trained=None, trained_rows=0, lists=())
