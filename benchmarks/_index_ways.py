"""One way of searching a database that `benchmarks/index.py` made, in a process of its own: seconds, memory, recall.

`python -m benchmarks._index_ways WAY FOLDER THREADS` prints JSON. Nothing of torch is loaded: the memory is that of
Python, numpy, faiss and the index.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from butf.retrieval.addition import Part, add
from butf.retrieval.database import Database
from butf.retrieval.index import Index

TOP, ROUNDS = 10, 3


def listed(folder: Path) -> dict[str, Any]:
    """Train and write the lists of what is there, as the addition of one more descriptor does."""
    db = Database.open(folder / "db")
    one = db.rows(np.array([0])) + 1  # far from everything
    start = time.perf_counter()
    add(folder / "db", [Part(one, ["far"], "one more")])
    seconds = time.perf_counter() - start
    disk = sum(path.stat().st_size for path in (folder / "db").iterdir())
    return {"build_s": round(seconds, 1), "build_mb": _memory()["peak_mb"], "disk_mb": round(disk / 1e6)}


def database(folder: Path) -> dict[str, Any]:
    """Lists and full descriptors in mapped files: what `butf index search` does."""
    return _searched(folder, lambda db, queries: db.search(queries, TOP)[1])


def codes(folder: Path) -> dict[str, Any]:
    """The lists' codes alone, in mapped files."""
    return _searched(folder, lambda db, queries: db._lists.candidates(queries, TOP))


def exact(folder: Path) -> dict[str, Any]:
    """A flat index in memory."""
    return _in_memory(folder, "exact")


def hnsw(folder: Path) -> dict[str, Any]:
    """A graph over 8-bit descriptors in memory."""
    return _in_memory(folder, "hnsw")


WAYS = {"lists": listed, "database": database, "codes": codes, "exact": exact, "hnsw": hnsw}


def _in_memory(folder: Path, kind: str) -> dict[str, Any]:
    asked = np.load(folder / "asked.npz", allow_pickle=False)
    db = Database.open(folder / "db")
    table = db.rows(np.arange(len(db) - 1))  # without the far one
    start = time.perf_counter()
    index = Index.build(table, kind)
    found: dict[str, Any] = {"build_s": round(time.perf_counter() - start, 1), "build_mb": _memory()["peak_mb"]}
    del table
    found |= _timed(lambda queries: index.search(queries, TOP)[1], asked["queries"], asked["truth"])
    return found | {"peak_mb": _memory()["now_mb"], "own_mb": _memory()["own_mb"], "disk_mb": 0}


def _searched(folder: Path, search: Any) -> dict[str, Any]:
    asked = np.load(folder / "asked.npz", allow_pickle=False)
    for path in (folder / "db").iterdir():
        _drop(path)
    start = time.perf_counter()
    db = Database.open(folder / "db")
    opened = time.perf_counter() - start
    cold = _singly(lambda queries: search(db, queries), asked["queries"])[0]
    found = _timed(lambda queries: search(db, queries), asked["queries"], asked["truth"])
    memory = _memory()
    found |= {"ms_cold": round(1000 * float(np.mean(cold)), 2), "open_s": round(opened, 3)}
    return found | {"peak_mb": memory["peak_mb"], "own_mb": memory["own_mb"]}


def _timed(search: Any, queries: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Single queries, the best of some rounds of each; then all of them at once."""
    rounds, rows = zip(*(_singly(search, queries) for _ in range(ROUNDS)), strict=True)
    best = 1000 * np.min(rounds, axis=0)
    start = time.perf_counter()
    search(queries)
    batch = time.perf_counter() - start
    hits = [len(set(found) & set(wanted)) / TOP for found, wanted in zip(rows[0], truth.tolist(), strict=True)]
    return {
        "recall": round(float(np.mean(hits)), 4), "recall_error": round(float(np.std(hits) / len(hits) ** 0.5), 4),
        "ms": round(float(np.mean(best)), 2), "ms_95": round(float(np.quantile(best, 0.95)), 2),
        "ms_worst_round": round(1000 * float(np.max(np.mean(rounds, axis=1))), 2),
        "per_s": round(len(queries) / batch),
    }  # fmt: skip


def _singly(search: Any, queries: np.ndarray) -> tuple[list[float], list[list[int]]]:
    seconds, rows = [], []
    for query in queries:
        start = time.perf_counter()
        rows.append(search(query[None])[0].tolist())
        seconds.append(time.perf_counter() - start)
    return seconds, rows


def _drop(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _memory() -> dict[str, int]:
    """Resident memory of this process in MB: its highest, now, and what of that is no mapped file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = {line.partition(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}
    names = {"peak_mb": "VmHWM", "now_mb": "VmRSS", "own_mb": "RssAnon"}
    return {key: round(kilobytes[name] * 1024 / 1e6) for key, name in names.items()}


if __name__ == "__main__":
    faiss.omp_set_num_threads(int(sys.argv[3]))
    print(json.dumps(WAYS[sys.argv[1]](Path(sys.argv[2]))))
