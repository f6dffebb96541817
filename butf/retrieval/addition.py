"""Adding to a database on disk: all of an addition counts, or nothing of it.

Everything is written under new names, and `database.json` is replaced at the end; what a killed addition left behind
is in no catalogue, and the next one removes it.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from butf.errors import BadInput
from butf.files import new_folder
from butf.locks import FileLock
from butf.retrieval.catalogue import SUFFIXES, Catalogue, ListFile
from butf.retrieval.choice import ID_BYTES, code_bytes, in_words, lists_for
from butf.retrieval.database import expect, without_lists
from butf.retrieval.inverted import FEWEST_SAMPLES, merge_lists, sample_size, train, write_lists
from butf.retrieval.segments import Vectors, stored, write_segment

Progress = Callable[[int, int], None]
LIST_ROWS = 1_000_000
"""Rows of a file of lists that is written at once; one is held in memory meanwhile."""
SMALL_FILES = 8
"""So many files of lists with fewer rows are joined."""
OUTGROWN = 4
"""Lists are made anew when a database should have so many times as many of them: once in a 16-fold growth."""
SPARE = 64_000_000
SAMPLED_ROWS = 8192


@dataclass(frozen=True, eq=False)
class Part:
    """Descriptors `(N, D)`, which may be memory-mapped, and the N names of their pictures; `source` is for messages.

    `digest` is that of the model's weights, None where only the caller's word is known.
    """

    descriptors: np.ndarray
    names: Sequence[str]
    source: str
    digest: str | None = None


def build(folder: Path | str, empty: Catalogue, parts: Iterable[Part], progress: Progress | None = None) -> Catalogue:
    """Make a database of parts, of which `empty` says model, width and form; `BadInput` as `add`, or when it exists."""
    with new_folder(folder) as fresh:
        empty.save(fresh)
        return add(fresh, parts, progress)


def add(folder: Path | str, parts: Iterable[Part], progress: Progress | None = None) -> Catalogue:
    """Add parts, one after the other, to a database: all of them or, on any failure, none.

    `progress` is called with how many rows are in the lists and how many there are. Raises `BadInput` for another
    width or model, for values that are not finite, when the disk is too small, and while another adds.
    """
    folder = Path(folder)
    with _alone(folder) as before:
        try:
            after = before
            for part in parts:
                after = _with_segment(folder, after, part)
            after = _with_lists(folder, after, progress)
            after.save(folder)
        except OSError as error:
            raise BadInput(f"{folder} cannot be added to ({error.strerror or error}); nothing was added") from error
        except RuntimeError as error:  # faiss has no other for a file that it cannot write
            raise BadInput(f"{folder} cannot be added to ({str(error)[-80:]}); nothing was added") from error
    return after


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[Catalogue]:
    """The catalogue, under a lock; what is in no catalogue is removed before and after."""
    Catalogue.load(folder)
    lock = FileLock(folder / "lock")
    if not lock.acquire():
        raise BadInput(f"{folder} is being added to by another process; try again when it has ended")
    try:
        catalogue = Catalogue.load(folder)
        _sweep(folder, catalogue)
        yield catalogue
    finally:
        with contextlib.suppress(BadInput):
            _sweep(folder, Catalogue.load(folder))
        lock.release()


def _sweep(folder: Path, catalogue: Catalogue) -> None:
    known = {file.name for file in catalogue.files}
    for path in folder.iterdir():
        if path.suffix in SUFFIXES and path.name not in known:
            with contextlib.suppress(OSError):
                path.unlink()


def _with_segment(folder: Path, catalogue: Catalogue, part: Part) -> Catalogue:
    if part.descriptors.ndim != 2 or len(part.names) != len(part.descriptors):
        shape, names = part.descriptors.shape, len(part.names)
        raise BadInput(f"{part.source} has descriptors {shape} and {names} names; expected (N, D) and N of them")
    expect(catalogue, part.descriptors.shape[1], part.digest, part.source)
    if not len(part.descriptors):
        raise BadInput(f"{part.source} holds no descriptors; describe some pictures first")
    dtype = np.dtype(catalogue.dtype)
    row = catalogue.width * dtype.itemsize + code_bytes(catalogue.width) + ID_BYTES + 8
    _room(folder, len(part.descriptors) * row + sum(map(len, part.names)), part.source)
    try:
        segment = write_segment(folder, secrets.token_hex(8), part.descriptors, part.names, dtype)
    except BadInput as error:
        raise BadInput(f"{part.source}: {error}") from error
    return replace(catalogue, segments=(*catalogue.segments, segment))


def _room(folder: Path, needed: int, source: str) -> None:
    free = shutil.disk_usage(folder).free
    if needed + SPARE > free:
        raise BadInput(
            f"{source} does not fit: it needs {in_words(needed)} and {folder} has {in_words(free)} left; free space"
        )


def _with_lists(folder: Path, catalogue: Catalogue, progress: Progress | None) -> Catalogue:
    rows = catalogue.rows
    if rows <= max(catalogue.exact_rows, FEWEST_SAMPLES):
        return catalogue
    vectors = Vectors(folder, catalogue.segments, catalogue.width, np.dtype(catalogue.dtype))
    if catalogue.trained is None or lists_for(rows) >= OUTGROWN * lists_for(catalogue.trained_rows):
        catalogue = _trained(folder, without_lists(catalogue), vectors)
    assert catalogue.trained is not None
    done = sum(part.rows for part in catalogue.lists)
    for _, blocks in groupby(vectors.blocks(done), lambda block: (block[0] - done) // LIST_ROWS):
        path = folder / f"{secrets.token_hex(8)}.lists"
        counted = _Counted(blocks, rows, progress)
        write_lists(folder / catalogue.trained.name, counted, path)
        catalogue = replace(catalogue, lists=(*catalogue.lists, ListFile(counted.rows, stored(path))))
    return _joined(folder, catalogue)


def _trained(folder: Path, catalogue: Catalogue, vectors: Vectors) -> Catalogue:
    size = sample_size(len(vectors))
    chosen = np.sort(np.random.default_rng(0).choice(len(vectors), size, replace=False))
    path = folder / f"{secrets.token_hex(8)}.trained"
    train(_taken(vectors, chosen), len(vectors), path)
    return replace(catalogue, trained=stored(path), trained_rows=len(vectors))


def _taken(vectors: Vectors, rows: np.ndarray) -> np.ndarray:
    """The descriptors of ascending rows, a stretch at a time: the system keeps the neighbours of each in memory too."""
    table = np.empty((len(rows), vectors.width), np.float32)
    for start in range(0, len(rows), SAMPLED_ROWS):
        stretch = slice(start, start + SAMPLED_ROWS)
        table[stretch] = vectors.rows(rows[stretch])
        vectors.forget()
    return table


def _joined(folder: Path, catalogue: Catalogue) -> Catalogue:
    """The same lists, the small files of them joined to one when there are many."""
    small = [part for part in catalogue.lists if part.rows < LIST_ROWS]
    if len(small) < SMALL_FILES:
        return catalogue
    path = folder / f"{secrets.token_hex(8)}.lists"
    merge_lists([folder / part.file.name for part in small], path)
    joined = ListFile(sum(part.rows for part in small), stored(path))
    return replace(catalogue, lists=(*(part for part in catalogue.lists if part not in small), joined))


class _Counted:
    """Blocks passed on, and how many rows they had."""

    def __init__(self, blocks: Iterable[tuple[int, np.ndarray]], total: int, progress: Progress | None):
        self.rows = 0
        self._blocks, self._total, self._progress = blocks, total, progress

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        for first, block in self._blocks:
            yield first, block
            self.rows += len(block)
            if self._progress is not None:
                self._progress(first + len(block), self._total)
