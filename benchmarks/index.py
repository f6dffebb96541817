"""Indexes of 10^4 to 10^7 descriptors: build time, memory, milliseconds a query, recall@10 against exact search.

Descriptors are made up after those of the shipped town (see `benchmarks/_streets.py`); at the town's own size the
same coarse index is built on real and on made-up ones, to see whether it loses the same. The exact answer is computed
while they are made. Each way is then measured in a process of its own, whose memory is what the system says of it:
pages of mapped files that it touched count. `cold`: first pass after the files were dropped from the page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks._index_ways import TOP
from benchmarks._streets import Law, Real
from butf.commands.common import add_data, add_model, at_least_one, open_dataset, open_model, text_table
from butf.files import read_json, write_json
from butf.retrieval.addition import Part, build
from butf.retrieval.catalogue import Catalogue

SIZES = (10_000, 100_000, 1_000_000)
SEED = 0
PATIENT = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads that wait by spinning measure, on a machine with other work, mostly each other."""
COLUMNS = {
    "rows": "descriptors", "way": "way", "build_s": "build, s", "build_mb": "build RAM, MB", "peak_mb": "RAM, MB",
    "own_mb": "of it not mapped, MB", "disk_mb": "disk, MB", "recall": "recall@10", "ms": "ms a query",
    "ms_95": "95 % within", "ms_cold": "cold, ms", "per_s": "queries/s in batches",
}  # fmt: skip


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks index", description=__doc__.partition("\n")[0])
    add_data(parser)
    add_model(parser)
    parser.set_defaults(data="town", model="bu-tf")
    for action in parser._actions:
        action.required = False  # --data and --model have defaults here
    parser.add_argument("--sizes", type=at_least_one, nargs="+", default=SIZES, metavar="N", help="descriptors")
    parser.add_argument("--queries", type=at_least_one, default=300, metavar="N", help="queries (300)")
    parser.add_argument("--graph-rows", type=int, default=1_000_000, metavar="N", help="no HNSW beyond (1000000)")
    parser.add_argument("--exact-rows", type=int, default=1_000_000, metavar="N", help="no flat index beyond (1000000)")
    parser.add_argument("--threads", type=at_least_one, default=2, metavar="N", help="threads (2)")
    parser.add_argument("--half", action="store_true", help="keep 16-bit descriptors on disk")
    parser.add_argument("--folder", type=Path, help="where databases are made, and removed (the system's temporary)")
    parser.add_argument("--json", type=Path, help="write all numbers here too; other sizes that it holds are kept")
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="only print the table of what --json wrote, as Markdown"
    )
    args = parser.parse_args(argv)
    faiss.omp_set_num_threads(args.threads)
    if args.table:
        print(markdown(read_json(args.table)))
        return
    model = open_model(args.model, args.device)
    real = Real.of(open_dataset(args.data), model)
    law = Law.of(real)
    result: dict[str, Any] = {"threads": args.threads, "width": real.reference.shape[1], "law": _law_in_words(law)}
    result["likeness"] = likeness(real, law)
    print(text_table(("the town's size", *result["likeness"]["real"]), _likeness_rows(result["likeness"])), flush=True)
    before = read_json(args.json)["sizes"] if args.json and args.json.exists() else []
    result["sizes"] = [row for row in before if row["rows"] not in args.sizes]
    for rows in args.sizes:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            found = measured(law, rows, Path(folder), args)
        print(text_table(list(COLUMNS.values()), [_cells(row) for row in found]), flush=True)
        result["sizes"] = sorted(result["sizes"] + found, key=lambda row: (row["rows"], row["way"]))
        if args.json:
            write_json(args.json, result)


def measured(law: Law, rows: int, folder: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Make a database of so many descriptors, and measure every way of searching it."""
    dtype = "float16" if args.half else "float32"
    start = time.perf_counter()
    shards = _Shards(law, rows, args.queries)
    made = build(folder / "db", Catalogue("made up", "0" * 64, len(law.mean), dtype, 10**12), shards)
    replace(made, exact_rows=0).save(folder / "db")  # lists are made, and timed, in a process of their own
    np.savez(folder / "asked.npz", queries=shards.queries, truth=shards.truth)
    print(f"{rows:,} made in {time.perf_counter() - start:.0f} s, with the exact answer of {args.queries}", flush=True)
    ways = ["lists", "codes", "database"]
    ways += ["exact"] * (rows <= args.exact_rows) + ["hnsw"] * (rows <= args.graph_rows)
    found = {}
    for way in ways:
        command = [sys.executable, "-m", "benchmarks._index_ways", way, str(folder), str(args.threads)]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=PATIENT)
        found[way] = json.loads(run.stdout.splitlines()[-1])
        print(f"  {way}: {found[way]}", flush=True)
    lists = found.pop("lists")
    for way in ("codes", "database"):
        found[way] = lists | found[way]
    found["codes"]["disk_mb"] = round(sum(p.stat().st_size for p in (folder / "db").glob("*.lists")) / 1e6)
    return [{"rows": rows, "way": way, **values} for way, values in found.items()]


class _Shards:
    """Parts of a database that are made when they are asked for; afterwards `truth (Q, 10)` is their exact answer."""

    def __init__(self, law: Law, rows: int, queries: int):
        self._law, self._rows, self._count = law, rows, queries
        self.queries = np.zeros((0, len(law.mean)), np.float32)
        self.truth = np.zeros((0, TOP), np.int64)

    def __iter__(self) -> Iterator[Part]:
        first, best = 0, np.zeros((0, 0), np.float32)
        for shard in self._law.shards(self._rows, SEED):
            if not first:
                self.queries = self._law.asked(shard, self._count, SEED)
                best, self.truth = np.zeros((self._count, 0), np.float32), np.zeros((self._count, 0), np.int64)
            near, places = faiss.knn(self.queries, shard, TOP)
            best, self.truth = np.hstack([best, near]), np.hstack([self.truth, places + first])
            order = np.argsort(best, axis=1)[:, :TOP]
            best, self.truth = np.take_along_axis(best, order, 1), np.take_along_axis(self.truth, order, 1)
            yield Part(shard, [f"{first + row:09d}.jpg" for row in range(len(shard))], "made up")
            first += len(shard)


def likeness(real: Real, law: Law) -> dict[str, dict[str, float]]:
    """How real and made-up descriptors of one number lie, and what the same coarse indexes lose on them."""
    shard = next(law.shards(len(real.reference), SEED))
    made = law.asked(shard, min(len(shard), len(real.queries)), SEED)
    return {"real": _lie(real.reference, real.queries), "made up": _lie(shard, made)}


def _lie(table: np.ndarray, queries: np.ndarray) -> dict[str, float]:
    values = np.linalg.eigvalsh(np.cov(table.T))
    squared, truth = faiss.knn(queries, table, TOP)
    found = {
        "dimensions": values.sum() ** 2 / np.square(values).sum(),
        "nearest": np.sqrt(squared[:, 0]).mean(), "tenth": np.sqrt(squared[:, -1]).mean(),
    }  # fmt: skip
    for name, probes in (("PCAR208,IVF16,Flat", 4), ("PQ52x4", 1), ("SQ4", 1)):
        factory = name.replace("208", str(table.shape[1])).replace("52", str(table.shape[1] // 4))
        index = faiss.index_factory(table.shape[1], factory)
        _quiet(index)
        index.train(table)
        index.add(table)
        if "IVF" in name:
            faiss.extract_index_ivf(index).nprobe = probes
        rows = index.search(queries, TOP)[1]
        found[name] = np.mean([len(set(a) & set(b)) / TOP for a, b in zip(rows.tolist(), truth.tolist(), strict=True)])
    return {name: round(float(value), 3) for name, value in found.items()}


def _quiet(index: faiss.Index) -> None:
    """Let it be trained on few descriptors without a warning for each of its clusterings."""
    lists = faiss.try_extract_index_ivf(index)
    for holder in (lists, getattr(index, "pq", None)):
        if holder is not None:
            holder.cp.min_points_per_centroid = 1


def markdown(result: dict[str, Any]) -> str:
    """The table of all sizes as Markdown."""
    rows = [list(COLUMNS.values()), ["---"] * len(COLUMNS), *(_cells(row) for row in result["sizes"])]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _likeness_rows(found: dict[str, dict[str, float]]) -> list[list[str]]:
    return [[name, *(f"{value:.3f}" for value in values.values())] for name, values in found.items()]


def _law_in_words(law: Law) -> dict[str, float]:
    return {"nugget": round(law.nugget, 3), "length_m": round(law.length_m, 1), "kept": round(law.kept, 3)}


def _cells(row: dict[str, Any]) -> list[str]:
    return [str(row.get(key, "-")) for key in COLUMNS]
