"""One trainer at work: its lock, its turn on the device, its last word, and being asked to stop.

with session(run, device) as stop:
    for step in ...:
        ...
        if stop:
            save_checkpoint(...)
            raise StopRequested(stop.signal)
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from butf.errors import BadInput
from butf.files import sweep
from butf.locks import FileLock
from butf.training.folder import Run
from butf.training.turns import waiting_before

POLL_S = 0.5


class StopRequested(Exception):
    """Raised by a trainer that has saved its checkpoint because it was asked to stop."""

    def __init__(self, number: int):
        super().__init__("stopped as asked, and saved; resume it whenever you like")
        self.signal = number

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that this signal ended: 130 after Ctrl-C."""
        return 128 + self.signal


class StopFlag:
    """False until SIGTERM or SIGINT arrives; the trainer looks at it after every step."""

    def __init__(self) -> None:
        self.signal = 0

    def __bool__(self) -> bool:
        return self.signal != 0

    def set(self, number: int, _frame: FrameType | None = None) -> None:
        """Ask for a stop: the signal handler, which does nothing but remember."""
        self.signal = number


@contextmanager
def stop_flag() -> Iterator[StopFlag]:
    """Turn SIGTERM and SIGINT into a flag while the block runs; the former handlers come back after it.

    Outside the main thread python allows no handlers, and the flag stays False.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    former = {number: signal.signal(number, flag.set) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield flag
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def session(run: Run, device: str) -> Iterator[StopFlag]:
    """Be the trainer of `run`: hold its lock, wait for `device`, and leave a status that says how it ended.

    `device` is "cpu", "cuda:0", ...: runs side by side in one folder take turns on it. Ends the run as "finished"
    when its weights and card are there, "stopped" on StopRequested (raised here too, when the request comes while
    waiting), "failed" on any other error; all are raised on. Raises BadInput when another process trains this run.
    """
    lock = run.take_lock()
    try:
        sweep(run.path)
        with stop_flag() as stop, _last_word(run):
            turn = _wait_for(run, device, stop)
            try:
                run.write_status(state="running", message="")
                yield stop
            finally:
                turn.release()
    finally:
        lock.release()


@contextmanager
def _last_word(run: Run) -> Iterator[None]:
    try:
        if run.status().get("state") != "queued":  # started from a terminal: the app has it queue already
            run.join_queue()
        run.write_status(state="queued", message="")
        yield
    except StopRequested:
        _say(run, "stopped", "")
        raise
    except BaseException as error:
        _say(run, "failed", str(error) if isinstance(error, BadInput) else f"{type(error).__name__}: {error}")
        raise
    run.write_status(state="finished" if run.complete else "stopped", message="")


def _say(run: Run, state: str, message: str) -> None:
    # On a full disk the error on its way is worth more than the one that writing would raise.
    with suppress(BadInput):
        run.write_status(state=state, message=message)


def _wait_for(run: Run, device: str, stop: StopFlag) -> FileLock:
    turn = FileLock(run.path.parent / f".device-{device.replace(':', '-')}.lock")
    run.write_status(device=device)
    announced = False
    while not _take_turn(run, turn):
        if stop:
            raise StopRequested(stop.signal)
        if not announced:
            run.write_status(state="queued", message=f"Waits for its turn: another run is training on {device}.")
            announced = True
        time.sleep(POLL_S)
    return turn


def _take_turn(run: Run, turn: FileLock) -> bool:
    """Take the device if it is free and nobody came earlier. The queue is looked at only then: it means many files."""
    if not turn.acquire():
        return False
    if waiting_before(run):
        turn.release()
        return False
    return True
