"""Our own command line in processes that are killed at random moments, started again, and looked at in between."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from butf.errors import BadInput
from butf.files import REPO

PATIENCE_S = 300.0


@dataclass(frozen=True)
class Job:
    """Something that is killed: `command` gives the arguments of our command line for a folder that may hold what an
    earlier one left, `look` raises AssertionError where a thing in it is neither whole nor absent, `same` where the
    finished folder differs from one that was never disturbed."""

    name: str
    command: Callable[[Path], Sequence[str]]
    look: Callable[[Path], None]
    same: Callable[[Path, Path], None]


@dataclass
class Kills:
    """What came of a job: kills that hit a living process, jobs finished after them, starts, and what was wrong."""

    kills: int = 0
    finished: int = 0
    starts: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


def undisturbed(job: Job, folder: Path, environment: Mapping[str, str]) -> None:
    """Run a job to its end by `python -m butf`. Raises `BadInput` with what it said where it fails."""
    command = [sys.executable, "-m", "butf", *job.command(folder)]
    done = subprocess.run(
        command, cwd=REPO, env={**os.environ, **environment}, capture_output=True, text=True, timeout=PATIENCE_S
    )
    if done.returncode:
        raise BadInput(f"{job.name} ended with {done.returncode}: {done.stderr.strip()[-300:]}")


def run(job: Job, root: Path, kills: int, seed: int, environment: Mapping[str, str]) -> Kills:
    """Kill a job so often, a few times in each folder, and let each folder be finished in the end."""
    rng, tally, began = random.Random(f"{seed} {job.name}"), Kills(), time.monotonic()
    reference = root / "undisturbed"
    undisturbed(job, reference, environment)
    whole_s = _lasts(job, root / "timed", environment)
    number = 0
    while tally.kills < kills and number < 4 * kills:
        number += 1
        folder = root / f"disturbed-{number}"
        for _ in range(rng.randint(1, 4)):
            if tally.kills == kills:
                break
            tally.starts += 1
            child = _forked(job.command(folder), environment)
            if not _killed(child, rng.uniform(0, 1.1 * whole_s)):
                break  # it was done before
            tally.kills += 1
            _judge(tally, f"after kill {tally.kills}", lambda folder=folder: job.look(folder))
        try:
            tally.starts += 1
            _finish(job, folder, environment)
        except BadInput as error:
            tally.wrong.append(f"it does not go on: {error}")
            continue
        tally.finished += 1
        _judge(tally, f"in {folder.name} at the end", lambda folder=folder: job.same(reference, folder))
    tally.seconds = time.monotonic() - began
    return tally


def _finish(job: Job, folder: Path, environment: Mapping[str, str]) -> None:
    """The next start, which nobody disturbs; one that says all is there already is as good."""
    child = _forked(job.command(folder), environment)
    code = _ended(child, PATIENCE_S)
    if code not in (0, None) and not _complete_already(folder):
        raise BadInput(f"{job.name} ended with {code} where {folder.name} was left by a kill")


def _complete_already(folder: Path) -> bool:
    return (folder / "dataset.json").is_file()


def _lasts(job: Job, folder: Path, environment: Mapping[str, str]) -> float:
    began = time.monotonic()
    _ended(_forked(job.command(folder), environment), PATIENCE_S)
    return time.monotonic() - began


def _judge(tally: Kills, when: str, look: Callable[[], None]) -> None:
    try:
        look()
    except (AssertionError, BadInput, OSError, ValueError, KeyError) as error:
        tally.wrong.append(f"{when}: {type(error).__name__}: {str(error)[:1500]}")


def forked(work: Callable[[], int]) -> int:
    """A child process in a group of its own that does `work`, and its number.

    It is a fork of this one, which has imported what is needed: a process of its own all the same, but one that begins
    to work at once, so that kills hit the work and not the imports.
    """
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _forked(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    def work() -> int:
        from butf.cli import main

        os.environ.update(environment)
        return main(list(arguments))

    return forked(work)


def _killed(child: int, after_s: float) -> bool:
    """Kill a child after some seconds; False when it had ended by itself."""
    if _ended(child, after_s) is not None:
        return False
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _ended(child: int, within_s: float) -> int | None:
    """The exit code of a child that ends within some seconds, else None."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def kill_writer(write: Callable[[int], None], after_s: float) -> int:
    """Let a child call `write(1)`, `write(2)`, ... for some seconds, kill it, and give the last that it finished."""
    reader, writer = os.pipe()

    def work() -> int:
        number = 0
        while True:
            number += 1
            write(number)
            os.write(writer, number.to_bytes(8, "little"))

    child = forked(work)
    os.close(writer)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as stream:
        told = stream.read()
    return int.from_bytes(told[len(told) // 8 * 8 - 8 : len(told) // 8 * 8], "little")
