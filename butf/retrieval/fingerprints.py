"""What the content of a file counts for in a key: its size and samples of its bytes, read once and remembered.

A fresh process need not read a hundred thousand pictures to learn that their descriptors are there: where many files
of a folder were read, what they count for is kept on disk too. A file is taken for the one that was read while its
size, its inode and the times of its last changes are the same; the last of them nobody can set back.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np

from butf import files
from butf.errors import BadInput

State = tuple[int, int, int, int]
"""Size in bytes, inode, and nanoseconds of the last change of content and of the last change of anything."""
Entry = tuple[State, bytes]
"""A file's state when it was read, and what it counts for."""

_SAMPLE = 32_768  # bytes read at the head, middle and tail of a file
_SAMPLED = 200_000  # files whose samples this process remembers: some 60 MB
_MANY = 1_000  # files of a folder from which on it pays to keep on disk what they count for
_SETTLED_NS = 2_000_000_000  # what changed later than this before it was read may change again within a tick
_FORM = "1"  # in the names of kept files: change it when what is kept changes


def fingerprints(paths: Sequence[str]) -> dict[str, bytes]:
    """What each of some files counts for, 24 bytes, by its path.

    Files up to 96 kB count byte by byte, larger ones by their size and three samples of 32 kB: a picture that was
    encoded anew differs in all of them. Raises `BadInput` for one that cannot be read.
    """
    found: dict[str, bytes] = {}
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(os.path.dirname(path), []).append(path)
    for folder, own in folders.items():
        known = _recall(folder) if len(own) >= _MANY else {}
        seen = {path: _seen(path, known.get(os.path.basename(path))) for path in own}
        found |= {path: sample for path, (_, sample) in seen.items()}
        fresh = {os.path.basename(path): entry for path, entry in seen.items()}
        if len(fresh.items() - known.items()) >= _MANY:
            _remember(folder, known | fresh)
    return found


def _seen(path: str, known: Entry | None) -> Entry:
    """A file as it is now, read unless it is as it was when it was last read."""
    try:
        state = _state(path)
        return known if known is not None and known[0] == state else (state, _sampled(path, state))
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error}); restore it or drop its row") from error


def _state(path: str) -> State:
    state = os.stat(path)
    return state.st_size, state.st_ino, state.st_mtime_ns, state.st_ctime_ns


@lru_cache(maxsize=_SAMPLED)
def _sampled(path: str, state: State) -> bytes:
    """Size and samples of a file's content; `state` tells a changed file apart."""
    size = state[0]
    with open(path, "rb") as stream:
        content = stream.read(_SAMPLE)
        if size > _SAMPLE:
            stream.seek(max(_SAMPLE, (size - _SAMPLE) // 2))
            content += stream.read(_SAMPLE)
            stream.seek(max(2 * _SAMPLE, size - _SAMPLE))
            content += stream.read(_SAMPLE)
    return size.to_bytes(8, "little") + hashlib.blake2b(content, digest_size=16).digest()


def _kept_at(folder: str) -> Path:
    place = hashlib.blake2b(os.fsencode(os.path.abspath(folder)), digest_size=12).hexdigest()
    return files.cache_dir() / "fingerprints" / f"{place}-{_FORM}.npz"


def _recall(folder: str) -> dict[str, Entry]:
    """What is kept on disk of a folder's files; nothing where the kept file is damaged."""
    try:
        with np.load(_kept_at(folder), allow_pickle=False) as archive:
            if archive.zip.testzip() is not None:
                return {}
            names, states, samples = archive["names"], archive["states"], archive["samples"]
            sound = states.shape == (len(names), 4) and samples.shape == (len(names), 24)
            if not sound or (names.dtype.kind, states.dtype, samples.dtype) != ("U", np.int64, np.uint8):
                return {}
    except Exception:  # numpy and zipfile raise anything from TokenError to MemoryError on damaged files
        return {}
    entries = zip(map(tuple, states.tolist()), map(bytes, samples), strict=True)
    return dict(zip(names.tolist(), entries, strict=True))


def _remember(folder: str, found: dict[str, Entry]) -> None:
    """Keep on disk what has not changed just now; where that cannot be written the files are read again next time."""
    latest = time.time_ns() - _SETTLED_NS
    settled = {name: entry for name, entry in found.items() if max(entry[0][2:]) < latest}
    if not settled:
        return
    states = np.array([state for state, _ in settled.values()], np.int64)
    samples = np.frombuffer(b"".join(sample for _, sample in settled.values()), np.uint8).reshape(-1, 24)
    buffer = io.BytesIO()
    np.savez(buffer, names=np.array(list(settled)), states=states, samples=samples)
    with suppress(BadInput):
        files.write_atomic(_kept_at(folder), buffer.getvalue())
