"""Long computations in a thread of their own, one after the other, so that whoever asked can do something else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

_TURN = threading.Lock()


class Job:
    """A result being made by `make()`; the thread ends with the program, whatever it is at."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._future: futures.Future[Any] = futures.Future()
        self._begun = time.monotonic()
        threading.Thread(target=self._run, args=(make,), daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether there is a result, or an error in its place."""
        return self._future.done()

    @property
    def seconds(self) -> float:
        """How long ago it was asked for."""
        return time.monotonic() - self._begun

    def wait(self, seconds: float) -> None:
        """Wait for the result, so many seconds at most."""
        futures.wait([self._future], seconds)

    def result(self) -> Any:
        """The result, waited for; raises what `make` raised."""
        return self._future.result()

    def _run(self, make: Callable[[], Any]) -> None:
        with _TURN:
            try:
                self._future.set_result(make())
            except BaseException as error:  # it belongs to whoever asks for the result
                self._future.set_exception(error)
