"""The search of a split that is too large to be waited for: found or made in a thread, while a page shows what it can.

Nothing is described unasked: a hundred thousand pictures keep a computer busy for most of an hour.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from butf.dataset.frames import Frames
from butf.networks.zoo import Model
from butf.retrieval.bank import kept
from butf.retrieval.explore import SplitSearch, split_search

LARGE = 5_000
"""Pictures of a split from which on it is not described while one waits: some minutes for three models."""
_TURN = threading.Lock()


class Describing:
    """One model's search of a split on its way.

    At first a thread looks whether the split's pictures are described. Where they are the search becomes `ready`; else
    `missing` says how many are not, until `start` has them described.
    """

    def __init__(self, frames: Frames, split: str, model: Model) -> None:
        self.model_name = model.name
        self.total = len(frames.where(split=split))
        self.missing = 0
        self.done = 0
        self._parts = (frames, split, model)
        self._search: SplitSearch | None = None
        self._error: Exception | None = None
        self._begun: float | None = None
        self._thread: threading.Thread | None = None
        self.look()

    @property
    def busy(self) -> bool:
        """Whether the thread is at work, or waits for its turn."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def ready(self) -> bool:
        """Whether there is a search."""
        return self._search is not None

    @property
    def seconds_left(self) -> float | None:
        """How long describing will take at its present pace; None where that is not known."""
        if self._begun is None or not self.done:
            return None
        return (time.monotonic() - self._begun) / self.done * (self.total - self.done)

    def result(self) -> SplitSearch:
        """The search, waited for; raises what went wrong, `RuntimeError` where pictures are not described."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error
        if self._search is None:
            raise RuntimeError(f"{self.missing} pictures are not described by {self.model_name}")
        return self._search

    @property
    def failed(self) -> bool:
        """Whether something went wrong, which `result` raises."""
        return self._error is not None and not self.busy

    def look(self) -> None:
        """Look (again) whether the pictures are described, and take the search where they are."""
        self._run(self._look)

    def start(self) -> None:
        """Have the pictures described; another model's come first where they are being described already."""
        self._run(self._describe)

    def wait(self, seconds: float) -> None:
        """Wait for the thread, so many seconds at most."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, work: Callable[[], None]) -> None:
        if self.busy or self.ready:
            return
        self._error = None
        self._thread = threading.Thread(target=self._guarded, args=(work,), daemon=True)
        self._thread.start()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            with _TURN:
                work()
        except Exception as error:  # it belongs to whoever asks for the result
            self._error = error

    def _look(self) -> None:
        frames, split, model = self._parts
        descriptors, self.missing = kept(frames, frames.where(split=split), model)
        if descriptors is not None:
            self._search = split_search(frames, split, model, descriptors=descriptors)

    def _describe(self) -> None:
        frames, split, model = self._parts
        self._begun = time.monotonic()
        self._search = split_search(frames, split, model, progress=self._progress)
        self.missing = 0

    def _progress(self, done: int, total: int) -> None:
        self.done = done
