"""Hostile input by the hundred thousand: every reader must take it or refuse it in one sentence.

Each case is a sound file that was changed with its form in mind (`_fuzz_mutations`). Reading it may succeed or raise
`BadInput` with one line of bounded length. Any other exception, more than `HANG_S` seconds of processor time and more
than `MEMORY` beyond what the libraries have are findings: they are printed with the case, counted, and end the
command with 2.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import os
import random
import resource
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from benchmarks import _fuzz_data, _fuzz_imports, _fuzz_models, _fuzz_names
from benchmarks._fuzz_data import Target
from butf.commands.common import above_zero, at_least_one, text_table
from butf.errors import BadInput

HANG_S = 10.0
MEMORY = 4 << 30
LONGEST = 2000
"""Characters of a refusal; one that repeats a hostile file in full helps nobody."""


class Hang(BaseException):
    """A case took too long; no reader may catch it as one of its own errors."""


@dataclass
class Tally:
    """What came of a target's cases."""

    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    findings: dict[str, bytes] = field(default_factory=dict)
    """The first case of each kind of finding, by what it is."""
    found: collections.Counter[str] = field(default_factory=collections.Counter)


def main(argv: list[str]) -> None:
    """Fire at the targets and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--cases", type=at_least_one, default=100_000, metavar="N", help="in all, over the targets (100000)"
    )
    parser.add_argument("--only", metavar="WORD", default="", help="targets whose name holds this word")
    parser.add_argument("--seed", type=int, default=0, help="start of all random numbers (0)")
    parser.add_argument(
        "--most-seconds", type=above_zero, default=600.0, metavar="S", help="stop a target then (600 / targets)"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the first case of each finding there")
    args = parser.parse_args(argv)
    tallies: dict[str, Tally] = {}
    with workplace() as folder:
        chosen = [target for target in every_target(folder) if args.only in target.name]
        shares = sum(target.share for target in chosen)
        for target in chosen:
            cases = max(1, round(args.cases * target.share / shares))
            tallies[target.name] = fire(target, cases, args.seed, args.most_seconds / len(chosen))
    report(tallies, args.keep)
    if any(tally.findings for tally in tallies.values()):
        raise BadInput("there are findings; mend what is listed above")


def every_target(folder: Path) -> list[Target]:
    """All targets, each at work in a folder of its own."""
    made = []
    for number, module in enumerate((_fuzz_data, _fuzz_models, _fuzz_imports, _fuzz_names)):
        inner = folder / str(number)
        inner.mkdir()
        made += module.targets(inner)
    return made


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder in memory where that can be had, in which all files of ours lie; nothing is flushed to a disk."""
    memory = Path("/dev/shm")
    before = resource.getrlimit(resource.RLIMIT_AS)
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder, here = Path(name), Path.cwd()
        own = {f"BUTF_{key}": str(folder / key.lower()) for key in ("DATA", "RUNS", "CACHE")}
        (folder / "data").mkdir()
        (folder / "here").mkdir()
        shipped = (
            mock.patch("butf.files.ASSETS", folder / "assets"),
            mock.patch("butf.networks.zoo.MODELS", folder / "assets"),
        )
        unhurried = mock.patch("os.fsync"), mock.patch("os.sync"), mock.patch.dict(os.environ, own)
        with ExitStack() as patches:
            for patch in (*shipped, *unhurried, warnings.catch_warnings()):
                patches.enter_context(patch)
            warnings.simplefilter("ignore")
            resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MEMORY, before[1]))
            os.chdir(folder / "here")
            try:
                yield folder
            finally:
                os.chdir(here)
                resource.setrlimit(resource.RLIMIT_AS, before)


def _address_space() -> int:
    """Bytes of addresses that this process has already, most of them of libraries."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[0]) * resource.getpagesize() if status.exists() else 8 << 30


def fire(target: Target, cases: int, seed: int, most_s: float) -> Tally:
    """Read so many changed files, or as many as fit into `most_s` seconds."""
    rng, tally, began = random.Random(f"{seed} {target.name}"), Tally(), time.monotonic()
    with _watched(), open(os.devnull, "w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
        for sound in target.seeds:
            _try(target, sound, tally)
        while tally.accepted + tally.refused + tally.found.total() < cases and time.monotonic() - began < most_s:
            case = rng.choice(target.mutations)(rng, rng.choice(target.seeds))
            _try(target, case, tally)
    tally.seconds = time.monotonic() - began
    return tally


def _try(target: Target, case: bytes, tally: Tally) -> None:
    began = time.process_time()
    try:
        signal.setitimer(signal.ITIMER_PROF, HANG_S)
        target.run(case)
        tally.accepted += 1
    except BadInput as error:
        text = str(error)
        if "\n" in text or len(text) > LONGEST:
            _note(tally, f"a refusal of {len(text)} characters in {len(text.splitlines())} lines: {text[:60]!r}", case)
        else:
            tally.refused += 1
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        where = next((f for f in reversed(traceback.extract_tb(error.__traceback__)) if "butf" in f.filename), None)
        place = f"{Path(where.filename).name}:{where.lineno}" if where else "?"
        _note(tally, f"{type(error).__name__} at {place}: {str(error)[:80]!r}", case)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    tally.slowest = max(tally.slowest, time.process_time() - began)


@contextmanager
def _watched() -> Iterator[None]:
    """Have a timer of processor time, which other programs do not use up, raise `Hang`."""

    def hang(number: int, frame: object) -> None:
        raise Hang(f"more than {HANG_S:g} s")

    before = signal.signal(signal.SIGPROF, hang)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, before)


def _note(tally: Tally, what: str, case: bytes) -> None:
    kind = what.partition(": ")[0]
    tally.found[kind] += 1
    if tally.found[kind] == 1:
        tally.findings[what] = case


def report(tallies: dict[str, Tally], keep: Path | None) -> None:
    """A line a target, then the findings."""
    rows = [
        (
            name,
            f"{tally.accepted + tally.refused + tally.found.total():,}",
            f"{tally.accepted:,}",
            f"{tally.refused:,}",
            str(tally.found.total()),
            f"{tally.slowest:.2f}",
            f"{tally.seconds:.0f}",
        )
        for name, tally in tallies.items()
    ]
    total = sum(tally.accepted + tally.refused + tally.found.total() for tally in tallies.values())
    print(text_table(("target", "cases", "taken", "refused", "findings", "slowest s", "all s"), rows))
    print(f"{total:,} cases, {sum(tally.found.total() for tally in tallies.values())} findings")
    for name, tally in tallies.items():
        for what, case in tally.findings.items():
            print(f"  {name}: {what}\n    {case[:160]!r}")
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / hashlib.sha256(case).hexdigest()[:16]).write_bytes(case)
