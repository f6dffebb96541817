"""Descriptors drawn in the plane: PCA by our own singular value decomposition, t-SNE by scikit-learn."""

from __future__ import annotations

import contextlib
import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from butf import files
from butf.dataset.colours import srgb
from butf.dataset.frames import Frames
from butf.errors import BadInput

NEIGHBOURS = 10
MOST_SHOWN = 2000
"""Pictures drawn at most."""
PERPLEXITY = 30.0
_START = 1e-4  # standard deviation of what t-SNE begins with: small, as its authors ask
_BLOCK = 256  # rows of a table of distances worked on at once
# Oklab: west to east from blue to yellow, south to north from dark to light. Red and green carry nothing.
_YELLOW = 0.11
_LIGHTNESS = (0.5, 0.82)


@dataclass(frozen=True, eq=False)
class Projection:
    """Descriptors in the plane.

    points `(N, 2)` float32; `explained`, the share of the variance that the two axes hold (PCA only);
    `neighbours_kept`, the share of the nearest ten in descriptor space that are among the nearest ten in the plane.
    """

    points: np.ndarray
    explained: float | None
    neighbours_kept: float

    @cached_property
    def nearest(self) -> np.ndarray:
        """The row number `(N,)` of the point nearest to each point in the plane, itself left out."""
        found: np.ndarray = nearest_others(self.points)[:, 0]
        return found


def pca(descriptors: np.ndarray) -> Projection:
    """The two directions of largest variance of descriptors `(N, D)` (Pearson 1901).

    The sign of an axis means nothing; it is set so that the largest weight of its direction is positive. Raises
    `ValueError` for fewer than two descriptors.
    """
    table = _table(descriptors)
    centred = table - table.mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    axes = np.zeros((2, table.shape[1]))
    axes[: min(2, len(directions))] = directions[:2]
    largest = axes[[0, 1], np.abs(axes).argmax(axis=1)]
    axes *= np.where(largest < 0, -1.0, 1.0)[:, None]
    total = float((singular**2).sum())
    explained = float((singular[:2] ** 2).sum()) / total if total > 0 else 1.0
    return _projection(table, centred @ axes.T, explained)


def tsne(descriptors: np.ndarray, seed: int = 0) -> Projection:
    """t-SNE of descriptors `(N, D)` (van der Maaten and Hinton, JMLR 2008), the same on every call.

    It begins with PCA, and computes with one thread: sums over threads would come out in another order each time.
    Raises `ValueError` for fewer than two descriptors.
    """
    # Both take a second to import, and only a page that shows the map needs them.
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    table = _table(descriptors)
    perplexity = min(PERPLEXITY, (len(table) - 1) / 3)
    start = pca(table).points
    start *= _START / max(float(start[:, 0].std()), _START)
    with threadpool_limits(limits=1, user_api="openmp"):
        method = TSNE(perplexity=perplexity, init=start, random_state=seed, n_jobs=1)
        return _projection(table, method.fit_transform(table.astype(np.float32)), None)


def kept_tsne(descriptors: np.ndarray, keep: Path | None = None) -> Projection:
    """`tsne` of descriptors `(N, D)`, from a file where it was computed before; `keep` also writes it there.

    The shipped `assets/projections` are looked at first, then the cache. Raises `BadInput` where `keep` cannot be
    written.
    """
    table = _table(descriptors)
    key = hashlib.blake2b(table.astype(np.float32).tobytes(), digest_size=12, person=b"tsne 1").hexdigest()
    name, cache = f"tsne-{len(table)}-{key}.npz", files.cache_dir() / "projections"
    kept = (_read(folder / name, len(table)) for folder in (files.ASSETS / "projections", cache))
    points = next((points for points in kept if points is not None), None)
    found = tsne(table) if points is None else _projection(table, points, None)
    if points is None:
        with contextlib.suppress(BadInput):  # a cache that cannot be written costs time, not the result
            files.write_atomic(cache / name, _packed(found.points))
    if keep is not None:
        files.write_atomic(keep / name, _packed(found.points))
    return found


def neighbours_kept(descriptors: np.ndarray, points: np.ndarray, k: int = NEIGHBOURS) -> float:
    """Share of each descriptor's `k` nearest others, of `(N, D)`, that are among the `k` nearest of `points (N, 2)`."""
    k = min(k, len(descriptors) - 1)
    near, drawn = nearest_others(descriptors, k), nearest_others(points, k)
    return float(np.mean([len(np.intersect1d(*rows)) / k for rows in zip(near, drawn, strict=True)]))


def nearest_others(table: np.ndarray, k: int = 1) -> np.ndarray:
    """The row numbers `(N, k)` of the rows nearest to each row of `table (N, D)`, itself left out."""
    table = np.asarray(table, np.float64)
    squares = (table**2).sum(axis=1)
    found = []
    for start in range(0, len(table), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(table)))
        gaps = squares[None] - 2 * table[rows] @ table.T
        gaps[np.arange(len(rows)), rows] = np.inf
        nearest = np.argpartition(gaps, k - 1, axis=1)[:, :k]
        order = np.take_along_axis(gaps, nearest, axis=1).argsort(axis=1, kind="stable")
        found.append(np.take_along_axis(nearest, order, axis=1))
    return np.concatenate(found)


def shown_rows(count: int, most: int) -> np.ndarray:
    """All of `count` rows, or `most` of them spread evenly where there are more."""
    return np.arange(count) if count <= most else np.unique(np.linspace(0, count - 1, most).round().astype(np.int64))


def place_colours(position: np.ndarray) -> np.ndarray:
    """A colour `(N, 3)` uint8 for each position `(N, 3)` (east, north, up in metres), alike for neighbours.

    Blue in the west to yellow in the east, dark in the south to light in the north: both can be read without telling
    red from green.
    """
    east, north = (_share(np.asarray(position, np.float64)[:, axis]) for axis in (0, 1))
    lightness = _LIGHTNESS[0] + north * (_LIGHTNESS[1] - _LIGHTNESS[0])
    return srgb(np.stack([lightness, np.zeros(len(east)), _YELLOW * (2 * east - 1)], axis=1))


def metres_between(frames: Frames, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Metres `(N,)` between the camera centres of frames `(N,)` and as many others."""
    metres: np.ndarray = np.linalg.norm(frames.position[first] - frames.position[second], axis=1)
    return metres


METHODS: dict[str, Callable[[np.ndarray], Projection]] = {"PCA": pca, "t-SNE": kept_tsne}


def _read(path: Path, count: int) -> np.ndarray | None:
    """The points in a file, or None: a damaged one is computed again rather than believed."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            points = archive["points"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return points if points.shape == (count, 2) and np.isfinite(points).all() else None


def _packed(points: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, points=points)
    return buffer.getvalue()


def _projection(table: np.ndarray, points: np.ndarray, explained: float | None) -> Projection:
    return Projection(points.astype(np.float32), explained, neighbours_kept(table, points))


def _share(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.full(len(values), 0.5)


def _table(descriptors: np.ndarray) -> np.ndarray:
    table = np.asarray(descriptors, np.float64)
    if table.ndim != 2 or len(table) < 2:
        raise ValueError(f"descriptors have shape {table.shape}; expected (N, D) with N of at least 2")
    return table
