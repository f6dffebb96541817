"""Descriptors and the names of their pictures on disk, a segment for each addition, read by memory mapping.

A segment is three files that are never changed: the table row by row, the names as UTF-8, and where each name ends.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from butf.errors import BadInput

BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class Stored:
    """A file of a database: its name, bytes and BLAKE2b digest."""

    name: str
    bytes: int
    digest: str

    def check(self, folder: Path, deep: bool = False) -> None:
        """`BadInput` when the file is not there or not of its size; `deep` also reads it all for its digest."""
        path = folder / self.name
        size = path.stat().st_size if path.is_file() else None
        if size != self.bytes:
            found = "is missing" if size is None else f"has {size:,} bytes where {self.bytes:,} were written"
            raise BadInput(f"{path} {found}; restore it from a copy or build the database again")
        if deep and digest_of(path) != self.digest:
            raise BadInput(f"{path} is not what was written (its digest differs); restore it or build it again")


@dataclass(frozen=True)
class Segment:
    """The files of one addition of `rows` descriptors."""

    rows: int
    vectors: Stored
    names: Stored
    ends: Stored

    @property
    def files(self) -> tuple[Stored, ...]:
        """All its files."""
        return self.vectors, self.names, self.ends


def write_segment(
    folder: Path, stem: str, descriptors: np.ndarray, names: Sequence[str], dtype: np.dtype[np.floating]
) -> Segment:
    """Write descriptors `(N, D)`, in blocks, and their N names; `BadInput` for values that are not finite."""
    paths = [folder / f"{stem}.{end}" for end in ("vectors", "names", "ends")]
    encoded = [name.encode("utf-8", "surrogateescape") for name in names]  # a file name may be no text
    with paths[0].open("xb") as stream:
        for start in range(0, len(descriptors), BLOCK_ROWS):
            with np.errstate(over="ignore"):
                block = np.asarray(descriptors[start : start + BLOCK_ROWS]).astype(dtype)
            if not np.isfinite(block).all():
                row = start + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
                raise BadInput(f"descriptor {row} ({names[row]}) holds values that are not finite; describe it again")
            stream.write(block.tobytes())
    paths[1].write_bytes(b"".join(encoded))
    paths[2].write_bytes(np.cumsum([len(name) for name in encoded], dtype=np.int64).tobytes())
    return Segment(len(descriptors), *(stored(path) for path in paths))


def stored(path: Path) -> Stored:
    """What a file is, after it has reached the disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    return Stored(path.name, path.stat().st_size, digest_of(path))


def digest_of(path: Path) -> str:
    """BLAKE2b of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


class Vectors:
    """The descriptors of all segments as one table of `rows` by `width`, of which only what is asked for is read."""

    def __init__(self, folder: Path, segments: Sequence[Segment], width: int, dtype: np.dtype[np.floating]):
        self.width = width
        self._folder, self._segments = folder, tuple(segments)
        self._ends = np.cumsum([segment.rows for segment in segments], dtype=np.int64)
        shapes = [(segment.rows, width) for segment in segments]
        self._maps = [
            np.memmap(folder / segment.vectors.name, dtype, "r", shape=shape)
            for segment, shape in zip(segments, shapes, strict=True)
        ]

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """The descriptors `(N, D)` float32 of these row numbers."""
        table = np.empty((len(numbers), self.width), np.float32)
        segment = np.searchsorted(self._ends, numbers, side="right")
        for which in np.unique(segment):
            chosen = np.flatnonzero(segment == which)
            first = self._ends[which] - self._segments[which].rows
            # In the order of the disk, so that neighbours are read together.
            chosen = chosen[np.argsort(numbers[chosen])]
            table[chosen] = self._maps[which][numbers[chosen] - first]
        return table

    def blocks(self, start: int = 0, most: int = BLOCK_ROWS) -> Iterator[tuple[int, np.ndarray]]:
        """The rows from `start` on, in blocks of at most `most`: the first row's number, and float32 `(N, D)`."""
        for end, table in zip(self._ends, self._maps, strict=True):
            first = int(end) - len(table)
            for row in range(max(start - first, 0), len(table), most):
                yield first + row, np.asarray(table[row : row + most], np.float32)
            _advise(table, "MADV_DONTNEED")

    def scattered(self) -> None:
        """Tell the system that rows will be asked for here and there, so that it reads no more than those."""
        for table in self._maps:
            _advise(table, "MADV_RANDOM")

    def forget(self) -> None:
        """Give back the memory of what was read; it is read again where it is asked for."""
        for table in self._maps:
            _advise(table, "MADV_DONTNEED")

    def name(self, row: int) -> str:
        """The name of a row's picture."""
        which = int(np.searchsorted(self._ends, row, side="right"))
        segment = self._segments[which]
        place = row - (int(self._ends[which]) - segment.rows)
        with (self._folder / segment.ends.name).open("rb") as stream:
            stream.seek(max(place - 1, 0) * 8)
            ends = np.frombuffer(stream.read(16 if place else 8), np.int64)
        begin, end = (int(ends[0]), int(ends[1])) if place else (0, int(ends[0]))
        with (self._folder / segment.names.name).open("rb") as stream:
            stream.seek(begin)
            return stream.read(end - begin).decode("utf-8", "surrogateescape")


def _advise(table: np.memmap, advice: str) -> None:
    underlying = getattr(table, "_mmap", None)
    if underlying is not None and hasattr(mmap, advice):
        underlying.madvise(getattr(mmap, advice))
