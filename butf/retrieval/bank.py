"""What a model says of a data set's pictures, computed once and kept in npz files.

A file is found by its key, made from the model's weights and from the content of the pictures: change a picture and
the key changes; clone the repository elsewhere and it does not. One file holds the frames of one traversal. The
shipped `assets/descriptors` are looked at first, then the cache.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from butf import files
from butf.dataset.frames import Frames
from butf.dataset.samples import Samples
from butf.errors import BadInput
from butf.retrieval.fingerprints import fingerprints

if TYPE_CHECKING:
    from butf.networks.zoo import Model
    from butf.retrieval.keypoint_vlad import KeypointVLAD

Progress = Callable[[int, int], None]
"""Called with how many are done and how many there are."""

_FORM = "1"  # part of every key: change it when what is kept changes its meaning
_BATCH = 16


def bank(
    frames: Frames,
    indices: np.ndarray,
    model: Model | KeypointVLAD,
    progress: Progress | None = None,
    keep: Path | None = None,
) -> np.ndarray:
    """Descriptors `(N, D)` float32 of some frames, from a file where there is one; `keep` also writes them there.

    A model that reads the side modality is given the frames' own; where nothing was measured a mask says so. Raises
    `BadInput` for a picture that cannot be read, and where `keep` cannot be written.
    """

    def describe(rows: np.ndarray, done: int) -> np.ndarray:
        if model.reads_side:
            return _measured(frames, rows, model, done, len(indices), progress)
        count = None if progress is None else lambda own: progress(done + own, len(indices))
        pictures = (partial(frames.image, int(i)) for i in rows)
        return np.asarray(model.describe(pictures, progress=count), np.float32)

    modalities = (model.encoding.modality,) if model.reads_side else ()
    return table(frames, indices, model, "descriptors", modalities, describe, keep)


def table(
    frames: Frames,
    indices: np.ndarray,
    model: Model | KeypointVLAD,
    kind: str,
    modalities: tuple[str, ...],
    compute: Callable[[np.ndarray, int], np.ndarray],
    keep: Path | None = None,
) -> np.ndarray:
    """Rows `(N, C)` float32 of some frames, one file a traversal, computed where no file holds them.

    `compute(frame numbers, how many frames came before)` gives the rows of one traversal; they are taken to depend on
    the model, on the pictures and on the files of `modalities`.
    """
    indices = np.asarray(indices, np.int64)
    parts, order, done = [], [], 0
    for traversal, places in _by_traversal(frames, indices):
        rows = indices[places]
        key = content_key(frames, rows, model, kind, modalities)
        values = _find(key, len(rows))
        fresh = values is None
        if values is None:
            values = compute(rows, done)
        _keep(values, key, _name(frames, traversal, model, key), keep, fresh)
        parts.append(values)
        order.append(places)
        done += len(rows)
    return _in_order(parts, order)


def kept(frames: Frames, indices: np.ndarray, model: Model | KeypointVLAD) -> tuple[np.ndarray | None, int]:
    """What `bank` would find in files: descriptors `(N, D)`, None unless all are there, and of how many there are none.

    Pictures are read, all of them, only where there is a file to compare them with. Raises `BadInput` for one that
    cannot be read.
    """
    indices = np.asarray(indices, np.int64)
    modalities = (model.encoding.modality,) if model.reads_side else ()
    parts, order, missing = [], [], 0
    for traversal, places in _by_traversal(frames, indices):
        rows, values = indices[places], None
        if any(next(folder.glob(_name(frames, traversal, model, "*")), None) for folder in _folders()):
            values = _find(content_key(frames, rows, model, "descriptors", modalities), len(rows))
        if values is None:
            missing += len(rows)
        else:
            parts.append(values)
            order.append(places)
    return None if missing else _in_order(parts, order), missing


def _by_traversal(frames: Frames, indices: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Each traversal of some frames, with the places in `indices` that are its."""
    of = frames.traversal[indices]
    for traversal in dict.fromkeys(of.tolist()):
        yield traversal, np.flatnonzero(of == traversal)


def _in_order(parts: list[np.ndarray], order: list[np.ndarray]) -> np.ndarray:
    """The rows of all traversals, each at its place."""
    if not parts:
        return np.zeros((0, 0), np.float32)
    values, place = np.concatenate(parts), np.concatenate(order)
    return values if np.all(place[:-1] < place[1:]) else values[np.argsort(place)]  # of large sets a copy takes a while


def content_key(
    frames: Frames, indices: np.ndarray, model: Model | KeypointVLAD, kind: str, modalities: tuple[str, ...] = ()
) -> str:
    """A key of what is computed from these frames by this model: no times, no absolute paths."""
    digest = hashlib.blake2b(digest_size=12)
    noise = json.dumps(frames.noise, sort_keys=True)
    digest.update(repr((_FORM, kind, model.digest, model.card.image_area, modalities, noise)).encode())
    pictures = zip(indices, frames.image_files(indices), strict=True)
    files_of = [[picture, *_modality_files(frames, int(i), modalities)] for i, picture in pictures]
    counted = fingerprints([path for row in files_of for path in row if path is not None])
    for name, row in zip(frames.frame[indices].tolist(), files_of, strict=True):
        parts = (b"none" if path is None else counted[path] for path in row)
        digest.update(b"".join((name.encode(), b"\0", *parts)))
    return digest.hexdigest()


def _modality_files(frames: Frames, i: int, modalities: tuple[str, ...]) -> list[str | None]:
    paths = (frames.modality_path(i, modality) for modality in modalities)
    return [None if path is None else str(path) for path in paths]


def _measured(
    frames: Frames, rows: np.ndarray, model: Model, done: int, total: int, progress: Progress | None
) -> np.ndarray:
    samples = Samples(frames, rows, model.size(*frames.image(int(rows[0])).size), model.card.encoding)
    parts = []
    for start in range(0, len(rows), _BATCH):
        batch = [samples[k] for k in range(start, min(start + _BATCH, len(rows)))]
        images, side = torch.stack([item["image"] for item in batch]), torch.stack([item["side"] for item in batch])
        parts.append(model.describe_measured(images, side, torch.stack([item["valid"] for item in batch])))
        if progress is not None:
            progress(done + start + len(batch), total)
    return np.concatenate(parts)


def _folders() -> tuple[Path, Path]:
    return files.ASSETS / "descriptors", files.cache_dir() / "descriptors"


def _name(frames: Frames, traversal: str, model: Model | KeypointVLAD, key: str) -> str:
    return f"{_slug(frames.name)}-{_slug(traversal)}-{_slug(model.name)}-{key}.npz"


def _find(key: str, rows: int) -> np.ndarray | None:
    for folder in _folders():
        for path in sorted(folder.glob(f"*-{key}.npz")):
            values = _read(path, key)
            if values is not None and len(values) == rows:
                return values
    return None


def _read(path: Path, key: str) -> np.ndarray | None:
    """The rows in a file of this key, or None: a damaged file is computed again rather than believed."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            if archive.zip.testzip() is not None:
                return None  # numpy stops reading where the array's header says, before the checksum is looked at
            values = archive["values"]
            sound = str(archive["key"]) == key and values.ndim == 2 and values.dtype == np.float32
    except Exception:  # numpy and zipfile raise anything from TokenError to MemoryError on damaged files
        return None
    return values if sound else None


def _keep(values: np.ndarray, key: str, name: str, keep: Path | None, fresh: bool) -> None:
    if keep is not None and _read(keep / name, key) is None:
        files.write_atomic(keep / name, _packed(values, key))
    elif fresh and os.access(_existing(files.cache_dir()), os.W_OK):
        with suppress(BadInput):  # on a full disk the answer is worth more than not having to compute it again
            files.write_atomic(files.cache_dir() / "descriptors" / name, _packed(values, key))


def _packed(values: np.ndarray, key: str) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, key=np.array(key), values=values)
    return buffer.getvalue()


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip(".-")[:40] or "unnamed"
