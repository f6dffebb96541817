"""Processes that work for another one and end with it, however that ends."""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing.connection import wait


def end_with_parent() -> None:
    """Called in a process that `multiprocessing` started: end it as soon as the one that started it is gone.

    A pool's processes wait for work on a pipe that they hold open themselves: were their parent killed, they would
    wait for ever, with all that they have loaded.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
