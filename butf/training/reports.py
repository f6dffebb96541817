"""What a run tells while it trains: a line of metrics every ten steps, its status, and the bar of a terminal."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import NoReturn

from torch import Tensor
from tqdm import tqdm

from butf.training.folder import Run
from butf.training.metrics import Terms

LOG_EVERY = 10
STATUS_EVERY_S = 0.5  # a status is waited for until it lies on the disk, for which a GPU has no time every ten steps


@dataclass(frozen=True)
class Standing:
    """Where a run stands: optimiser steps done, and of how many; seconds; and which training step of which, from 1."""

    step: int
    steps: int
    seconds: float
    phase: str
    phase_index: int
    phases: int


class Reports:
    """Of one run; `told` is False where another rank tells them."""

    def __init__(self, run: Run, standing: Callable[[], Standing], told: bool = True) -> None:
        self.run, self.standing, self.told = run, standing, told
        self._bar: tqdm[NoReturn] = tqdm(disable=True)
        self._said = 0.0
        self._untold: Callable[[], None] | None = None
        self.begin()

    def begin(self) -> None:
        """Begin a stretch of steps, and its clock."""
        self._terms, self._pictures, self._since = Terms(), 0, time.perf_counter()

    def add(self, terms: Mapping[str, Tensor], pictures: int) -> None:
        """A step of the stretch: the terms of its loss, and how many pictures it saw."""
        self._tell_rest()  # now that a GPU has this step to do while the numbers of those before are read
        self._terms.add(terms)
        self._pictures += pictures
        self._bar.update()

    def tell(self, learning_rate: float, later: bool = False) -> None:
        """Tell of the stretch and begin the next one; `later`: once there is another step, or `settle` is called."""
        rate = self._pictures / (time.perf_counter() - self._since)
        self._untold = partial(self._tell, self.standing(), self._terms, rate, learning_rate, later)
        if not later:
            self._tell_rest()
        self.begin()

    def settle(self) -> None:
        """Before a run is saved or measured: tell what is untold. BadInput where the loss of a step was not finite."""
        self._tell_rest()
        self._terms.check(self.standing().step)

    def log(self, record: Mapping[str, object], standing: Standing | None = None) -> None:
        """A line of metrics.jsonl, with where the run stands, or stood."""
        place = asdict(standing or self.standing())
        if self.told:
            self.run.log_metrics(place | {"seconds": round(place["seconds"], 2)} | dict(record))

    def say_status(self) -> None:
        """Write the run's status."""
        self._said, standing = time.perf_counter(), self.standing()
        if self.told:
            self.run.write_status(state="running", step=standing.step, steps=standing.steps, phase=standing.phase)

    @contextmanager
    def bar(self) -> Iterator[None]:
        """Show how far the run is, where there is a terminal."""
        standing, hidden = self.standing(), None if self.told else True
        with tqdm(total=standing.steps, initial=standing.step, unit="step", disable=hidden) as self._bar:
            yield

    def _tell_rest(self) -> None:
        tell, self._untold = self._untold, None
        if tell is not None:
            tell()

    def _tell(self, standing: Standing, terms: Terms, rate: float, learning_rate: float, late: bool) -> None:
        means = terms.means(standing.step)
        self.log({**means, "images_per_s": round(rate, 2), "lr": learning_rate}, standing)
        if not late or time.perf_counter() - self._said > STATUS_EVERY_S:
            self.say_status()
        self._bar.set_postfix_str(f"{standing.phase}: loss {means['loss']:.3f}, {rate:.0f} images/s")
