"""Progress of a long job: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

INTERVAL_S = 30.0


class Progress:
    """Counts frames towards a total; silent when not enabled."""

    def __init__(self, total: int, enabled: bool = True):
        self._total, self._done, self._enabled = total, 0, enabled
        self._start = self._said = time.monotonic()
        terminal = enabled and sys.stderr.isatty()
        self._bar = tqdm(total=total, unit="frame", smoothing=0.05) if terminal else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(count)
        elif self._enabled and (now - self._said > INTERVAL_S or self._done == self._total):
            self._said = now
            rate = self._done / max(now - self._start, 1e-9)
            left = (self._total - self._done) / rate
            print(
                f"{self._done} of {self._total} frames, {rate:.1f} a second, {left / 60:.0f} min left",
                file=sys.stderr,
                flush=True,
            )
