"""Work done in threads, ahead of whoever takes its results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int) -> Iterator[Result]:
    """What `work` makes of each item, in their order; made by so many threads, at most `ahead` items beyond the taken.

    `items` are taken in the caller's thread. What `work` raises is raised after the results before it; items that are
    not begun by then, or when the caller leaves, are left.
    """
    coming: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                coming.append(pool.submit(work, item))
                if len(coming) > ahead:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()


def batches(pictures: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Pictures stacked `(B, ...)` in their order: neighbours of one shape, `size` at most.

    No batch reaches over a multiple of `size` pictures, so that whoever begins at one finds the same batches.
    """
    waiting: list[np.ndarray] = []
    for number, picture in enumerate(pictures):
        if waiting and (number % size == 0 or picture.shape != waiting[0].shape):
            yield np.stack(waiting)
            waiting = []
        waiting.append(picture)
    if waiting:
        yield np.stack(waiting)
