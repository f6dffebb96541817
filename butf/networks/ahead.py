"""Pictures made ready in a thread of their own, a batch ahead of the network that works on the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image


def batches_ahead(
    images: Iterable[Image.Image], ready: Callable[[Image.Image], np.ndarray], batch: int
) -> Iterator[np.ndarray]:
    """The pictures as `ready` leaves them, stacked `(B, ...)` in their order: neighbours of one shape, `batch` at most.

    No batch reaches over a multiple of `batch` pictures, so that whoever begins at one finds the same batches.
    Iterating over `images`, which is where files are decoded, and `ready` both happen in the thread. It is one batch
    ahead and no more, so that memory holds two of them. What either raises is raised here, after the batches before.
    """
    groups = _groups(map(ready, images), batch)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="pictures-ahead") as thread:
        coming = thread.submit(next, groups, None)
        while (group := coming.result()) is not None:
            coming = thread.submit(next, groups, None)
            yield group


def _groups(pictures: Iterator[np.ndarray], batch: int) -> Iterator[np.ndarray]:
    waiting: list[np.ndarray] = []
    for number, picture in enumerate(pictures):
        if waiting and (number % batch == 0 or picture.shape != waiting[0].shape):
            yield np.stack(waiting)
            waiting = []
        waiting.append(picture)
    if waiting:
        yield np.stack(waiting)
