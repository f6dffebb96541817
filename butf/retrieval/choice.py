"""Which index a database gets, by its size, and what that costs: bytes, memory and recall against exact search.

The recalls are measurements of `python -m benchmarks index`, see docs/scale.md; they are of descriptors as clustered
as those of the shipped town.
"""

from __future__ import annotations

from dataclasses import dataclass

EXACT_ROWS = 50_000
"""A database up to here is searched exactly: a query then reads 40 MB, some 15 ms."""
IN_MEMORY_ROWS = 1_000_000
"""An `Index` in memory is exact up to here, and a graph (HNSW over 8-bit descriptors) beyond."""
LINKS = 32
MOST_CODE_BYTES = 64
ID_BYTES = 8
CANDIDATES = 100
"""How many a query takes from the inverted lists; these are ranked by their full descriptors."""


@dataclass(frozen=True)
class Trade:
    """An index of so many descriptors: `memory` and `disk` are bytes in all, `recall` that of the first ten."""

    kind: str
    rows: int
    bytes_a_vector: int
    memory: int
    disk: int
    recall: str

    def __str__(self) -> str:
        return (
            f"{self.kind}, {self.rows:,} descriptors: {self.bytes_a_vector} bytes each to look through, about "
            f"{in_words(self.memory)} of memory at most when all of it is in use, {in_words(self.disk)} on disk; "
            f"recall@10 against exact search {self.recall}"
        )


def code_bytes(width: int) -> int:
    """Bytes of a compressed descriptor of `width` numbers: a byte for every four of them, at most 64."""
    return max(1, min(MOST_CODE_BYTES, width // 4))


def lists_for(rows: int) -> int:
    """How many inverted lists so many descriptors get: about the square root, a power of two from 16 to 65536."""
    return int(min(65_536, max(16, 2 ** round(max(rows, 1).bit_length() / 2))))


def database_trade(rows: int, width: int, itemsize: int, exact: bool) -> Trade:
    """What a database on disk of so many descriptors of `width` numbers costs, at `itemsize` bytes a number."""
    full = rows * width * itemsize
    if exact:
        return Trade("exact", rows, width * itemsize, full, full, "1")
    code = code_bytes(width) + ID_BYTES
    coarse = lists_for(rows) * width * 4
    recall = "at least 0.97, as measured up to ten million descriptors of the town's kind"
    kind = "ivf-pq, ranked anew by the full descriptors"
    return Trade(kind, rows, code, rows * code + coarse, full + rows * code, recall)


def memory_kind(rows: int) -> str:
    """`exact` or `hnsw`: what an index in memory of so many descriptors is."""
    return "exact" if rows <= IN_MEMORY_ROWS else "hnsw"


def in_words(count: float) -> str:
    """Bytes as people say them, 1 kB = 1000 bytes."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} bytes" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
