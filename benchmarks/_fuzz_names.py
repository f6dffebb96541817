"""What fuzzing aims at in words: names and paths that visitors type, what an address asks for, and the command line."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from benchmarks import _fuzz_mutations as mutations
from benchmarks._fuzz_data import Target, dataset
from butf import browse, own_data
from butf.cli import COMMANDS, build_parser, main
from butf.commands.common import find_dataset
from butf.commands.import_ import KINDS
from butf.dataset.frames import Frames
from butf.dataset.manifest import PlaceRule
from butf.errors import BadInput
from butf.importers.geography import parse_zone
from butf.networks import zoo
from butf.training import runs
from butf.training.folder import Run, locate

SEPARATOR = b"\x1f"
FAILS_EARLY = ("describe", "search", "reconstruct", "localize", "evaluate", "stop", "runs", "import", "densify")
"""Commands that are run, not only parsed: with no name that exists they end before any work begins."""
COMMON = (
    "--help",
    "--data",
    "--model",
    "--models",
    "--out",
    "--json",
    "--split",
    "--top",
    "--run",
    "--resume",
    "--config",
    "--steps",
    "--device",
    "--radius",
    "--seed",
    "--set",
    "--preset",
    "--workers",
    "--grace",
    "--depth",
    "cpu",
    "-",
    "--",
    "-1",
    "nan",
    "inf",
    "1e400",
    *KINDS,
)


def targets(folder: Path) -> list[Target]:
    """All of this module, at work in an empty folder."""
    return [
        Target("names and paths", (b"my-drive", b"/tmp", b"~/x", b"31N"), (_other_text,), _names, 2.0),
        Target(
            "addresses", (b"all", b"wrong:bu-tf", b"gain:a:b", b"day/000000"), (_other_text,), _address(folder), 1.0
        ),
        Target("command line, parsed", _lines(tuple(COMMANDS)), (_other_line,), _parsed, 0.6),
        Target("command line, run", _lines(FAILS_EARLY), (_other_line,), _executed, 0.2),
    ]


def _other_text(rng: random.Random, data: bytes) -> bytes:
    if rng.random() < 0.4:
        data = rng.choice(mutations.TEXTS).encode("utf-8", "surrogatepass")
    return (
        mutations.of_bytes(rng, data)
        if rng.random() < 0.7
        else data + rng.choice(mutations.TEXTS).encode("utf-8", "replace")
    )


def _names(case: bytes) -> None:
    text = case.decode("utf-8", "surrogateescape")
    assert own_data.NAME.fullmatch(own_data.slug(text)), "a slug that cannot be a name"
    refusals = []
    for read in READERS:
        try:
            read(text)
        except BadInput as error:
            refusals.append(error)
    if len(refusals) == len(READERS):
        raise max(refusals, key=lambda error: len(str(error)))


def _new_data(text: str) -> None:
    own_data.check_name(text)
    made = own_data.home() / text
    assert made.parent == own_data.home(), f"{text!r} leads out of the data folder"


def _new_run(text: str) -> None:
    runs.check_name(text)
    assert locate(text).parent == runs.runs_dir(), f"{text!r} leads out of the runs folder"


READERS = (_new_data, _new_run, locate, Run.open, own_data.existing_folder, parse_zone, find_dataset, zoo.find)


def _address(folder: Path) -> Callable[[bytes], object]:
    frames = Frames.load(dataset(folder / "dataset"))
    queries = frames.queries("test")["night"]

    def run(case: bytes) -> None:
        text = case.decode("utf-8", "replace")
        browse.nearest_query(frames, "test", "night", text)
        if text in browse.filters(()):
            browse.narrowed((), queries, text, PlaceRule())
        frames.where(condition=text)

    return run


def _lines(commands: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(SEPARATOR.join(word.encode() for word in _started(COMMANDS[name].example)) for name in commands)


def _started(example: str) -> list[str]:
    """An example's words; what it names is not there."""
    return [
        word if word.startswith("-") or number == 0 else f"no-{word}" if "/" in word or "." in word else word
        for number, word in enumerate(example.split())
    ]


def _other_line(rng: random.Random, data: bytes) -> bytes:
    words = data.split(SEPARATOR)
    for _ in range(rng.randint(1, 4)):
        at, kind = rng.randrange(1, len(words) + 1), rng.randrange(5)
        text = rng.choice(COMMON if rng.random() < 0.4 else mutations.TEXTS)
        made = text.encode("utf-8", "surrogatepass").replace(b"\0", b"").replace(SEPARATOR, b"")
        if kind == 0 and len(words) > 1 and at < len(words):
            del words[at]
        elif kind == 1:
            words.insert(at, made)
        elif at < len(words):
            words[at] = made
    return SEPARATOR.join(words)


def _words(case: bytes) -> list[str]:
    return [word.decode("utf-8", "surrogateescape") for word in case.split(SEPARATOR)]


def _parsed(case: bytes) -> None:
    words = _words(case)
    try:
        build_parser(words[0]).parse_args(words)
    except SystemExit as end:
        assert end.code == 0, f"ended with {end.code}"  # --help


def _executed(case: bytes) -> None:
    words = _words(case)
    if words[0] not in FAILS_EARLY:
        return
    try:
        code = main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    assert code in (0, 2), f"ended with {code}"
    if code == 2:
        raise BadInput("the command line refused")
