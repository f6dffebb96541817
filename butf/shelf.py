"""A place for results that are large or slow to make, shared by threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class Shelf:
    """The last `size` large results, shared by threads: each is made once, and others wait for it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._items: OrderedDict[Hashable, Any] = OrderedDict()
        self._makers: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def peek(self, key: Hashable) -> Any:
        """The result of this key where it was made already, else None."""
        with self._lock:
            return self._items.get(key)

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The result of this key; `make()` makes it where there is none. What `make` raises is raised, not kept."""
        with self._lock:
            maker = self._makers.setdefault(key, threading.Lock())
        with maker:
            with self._lock:
                if key in self._items:
                    self._items.move_to_end(key)
                    return self._items[key]
            made = make()
            with self._lock:
                self._items[key] = made
                while len(self._items) > self.size:
                    self._makers.pop(self._items.popitem(last=False)[0], None)
            return made
