"""Inverted lists of compressed descriptors (faiss IVF-PQ) in memory-mapped files: candidates for an exact ranking.

What is trained (a rotation, the middles of the lists, the code books) and the lists are files apart; the lists of
several additions are searched as if they were one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import faiss as _faiss
import numpy as np

from butf.retrieval.choice import CANDIDATES, code_bytes, lists_for
from butf.retrieval.index import one_pool

faiss: Any = _faiss  # its types lack some of its classes, and fields of others
FEWEST_PROBES = 64
SAMPLE_A_LIST = 48
FEWEST_SAMPLES = 256
CODE_SAMPLES = 16_384


def sample_size(rows: int) -> int:
    """How many of so many descriptors the training of the lists looks at."""
    return min(rows, max(CODE_SAMPLES, SAMPLE_A_LIST * lists_for(rows)))


def probes_for(lists: int) -> int:
    """How many of so many lists a query looks through: twice the square root, at least 64.

    With 64 throughout recall@10 fell to 0.93 at ten million descriptors (docs/scale.md).
    """
    return max(FEWEST_PROBES, round(2 * math.sqrt(lists)))


def train(sample: np.ndarray, rows: int, path: Path) -> None:
    """Learn lists and codes for `rows` descriptors from some of them `(N, D)`, at least 256, and write them."""
    one_pool()
    size = code_bytes(sample.shape[1])
    # Without `np` the codes would be put in an order that is of no use here, which takes minutes.
    index = faiss.index_factory(
        sample.shape[1], f"PCAR{min(sample.shape[1], 4 * size)},IVF{lists_for(rows)},PQ{size}np"
    )
    lists = ivf(index)
    for clustering in (lists.cp, lists.pq.cp):
        clustering.niter = 10
        clustering.min_points_per_centroid = 1  # it would complain of small databases on standard error
    lists.pq.cp.max_points_per_centroid = CODE_SAMPLES // 256
    lists.cp.max_points_per_centroid = SAMPLE_A_LIST
    index.train(sample)
    faiss.write_index(index, str(path))


def write_lists(trained: Path, blocks: Iterable[tuple[int, np.ndarray]], path: Path) -> None:
    """Compress descriptors, given as first row number and `(N, D)`, into a file of lists."""
    index = _open_trained(trained)
    for first, block in blocks:
        index.add_with_ids(block, np.arange(first, first + len(block), dtype=np.int64))
    _write(ivf(index).invlists, path)


def merge_lists(files: Sequence[Path], path: Path) -> None:
    """Join files of lists to one; all of them pass through memory."""
    parts = [_read(file) for file in files]
    joined = faiss.ArrayInvertedLists(parts[0].nlist, parts[0].code_size)
    for part in parts:
        part.invlists.copy_subset_to(joined, faiss.InvertedLists.SUBSET_TYPE_ID_RANGE, 0, np.iinfo(np.int64).max)
    _write(joined, path)


class Lists:
    """The lists of some files, searched as one; nothing is read until it is searched."""

    def __init__(self, trained: Path, files: Sequence[Path]):
        """Raises `RuntimeError` when faiss cannot read a file."""
        one_pool()
        self._parts = [_read(file) for file in files]
        pointers = faiss.InvertedListsPtrVector()
        for part in self._parts:
            pointers.push_back(part.invlists)
        self._stack = faiss.HStackInvertedLists(pointers.size(), pointers.data())
        self._index = _open_trained(trained)
        ivf(self._index).replace_invlists(self._stack, False)
        self.rows = sum(int(part.invlists.compute_ntotal()) for part in self._parts)

    def candidates(self, queries: np.ndarray, count: int = CANDIDATES, probes: int | None = None) -> np.ndarray:
        """Row numbers `(Q, count)` that are probably near each query `(Q, D)`; -1 where there are no more.

        `probes` lists are looked through, `probes_for` all of them unless told.
        """
        lists = ivf(self._index)
        probes = probes or probes_for(lists.nlist)
        asked = faiss.SearchParametersPreTransform(
            index_params=faiss.SearchParametersIVF(nprobe=min(probes, lists.nlist))
        )
        # Several threads share the queries; a single query's lists are shared among them instead.
        lists.parallel_mode = 0 if len(queries) > 1 else 1
        rows: np.ndarray = self._index.search(queries, count, params=asked)[1]
        return rows


def ivf(index: Any) -> Any:
    """The inverted lists' index behind the rotation."""
    return faiss.downcast_index(faiss.extract_index_ivf(index))


def _open_trained(path: Path) -> Any:
    # The table that would be computed takes lists x code bytes x 1 kB of memory and saves a fraction of a millisecond.
    return faiss.read_index(str(path), faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE)


def _read(path: Path) -> Any:
    """The lists of a file, memory-mapped, as `invlists` of an index that owns them and is of no other use.

    Python must not be made their owner (`this.own`): in faiss 1.15.1 their end then takes a reference too many from
    the module, which after some of them is torn down.
    """
    lists = faiss.read_InvertedLists(faiss.FileIOReader(str(path)), faiss.IO_FLAG_MMAP)
    if isinstance(lists, faiss.OnDiskInvertedLists):
        lists.prefetch_nthread = 0  # else 32 threads a query, which may still read when the file is unmapped
    owner = faiss.IndexIVFFlat(faiss.IndexFlatL2(1), 1, lists.nlist)
    owner.code_size = lists.code_size
    owner.replace_invlists(lists, True)
    return owner


def _write(lists: Any, path: Path) -> None:
    writer = faiss.FileIOWriter(str(path))
    faiss.write_InvertedLists(lists, writer)
    del writer  # closes the file
