"""The command line: `python -m butf COMMAND ...`.

Exit codes: 0 done, 2 bad usage or bad input (one sentence on standard error), 130 after Ctrl-C. A command's module is
imported only when it is called, so that help is instant.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from butf import __version__
from butf.errors import BadInput

PROGRAM = "python -m butf"
BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 2, 130, 141
INSIST_S = 5.0


@dataclass(frozen=True)
class Command:
    """A command: where it is written, what it does in a line, and an example."""

    module: str
    summary: str
    example: str
    over_ranks: bool = False
    """Whether several processes that torchrun started can share it."""


COMMANDS = {
    "town": Command(
        "butf.town.command",
        "render a procedural town: pictures, depth, reflectance and semantics in seven conditions",
        "town --out data/town --preset paper",
    ),
    "import": Command(
        "butf.commands.import_",
        "turn a recorded data set into ours",
        "import rgbd recordings/office --out data/office",
    ),
    "densify": Command(
        "butf.commands.densify",
        "fill a data set's lidar samples into dense maps, guided by the pictures",
        "densify data/drive-1 --out data/drive-1-dense",
    ),
    "train": Command(
        "butf.commands.train",
        "train a method on a data set, or go on with a run that was stopped",
        "train --method bu-tf --data town --run runs/first --steps 300",
        over_ranks=True,
    ),
    "train-keypoints": Command(
        "butf.commands.train_keypoints",
        "train keypoints on a data set with depth and poses: detector, orientation, descriptor",
        "train-keypoints --data town --run runs/points --descriptor-steps 400",
    ),
    "runs": Command("butf.commands.runs", "list the training runs and their states", "runs"),
    "stop": Command("butf.commands.stop", "ask a training run to save and stop", "stop runs/first"),
    "evaluate": Command(
        "butf.commands.evaluate",
        "recall, reconstruction errors and paired tests of models on a split",
        "evaluate --data town --split test --models image-only bu-tf --json results.json",
    ),
    "experiment": Command(
        "butf.commands.experiment",
        "train and judge everything that a claim rests on; resumable at every model",
        "experiment paper --data data/town",
    ),
    "describe": Command(
        "butf.commands.describe",
        "write the descriptors of all pictures in a folder",
        "describe holiday/ --model bu-tf --out holiday.npz",
        over_ranks=True,
    ),
    "search": Command(
        "butf.commands.search",
        "find where in a data set a picture was taken",
        "search --data town --model bu-tf photo.jpg --top 5",
    ),
    "index": Command(
        "butf.commands.index",
        "keep descriptors in a database on disk, of any size: build, add, search, check",
        "index build places/ holiday.npz",
    ),
    "reconstruct": Command(
        "butf.commands.reconstruct",
        "write the depth that a model sees in a picture",
        "reconstruct --model bu-tf photo.jpg --out depth.png",
    ),
    "localize": Command(
        "butf.commands.localize",
        "find from where, and in which direction, a photo was taken",
        "localize --data town --model bu-tf-adapted photo.jpg --depth measured",
    ),
    "models": Command("butf.commands.models", "list the models: what is shipped, and finished runs", "models"),
}


class Parser(argparse.ArgumentParser):
    """An argument parser that reports bad usage as one sentence, and prints examples as they are typed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; see `{self.prog} --help`")


def build_parser(chosen: str | None = None) -> Parser:
    """The parser of all commands; only the chosen one knows its own arguments, the others are not imported."""
    parser = Parser(
        prog=PROGRAM,
        description="Visual place recognition that learns the geometry of scenes, and what it is compared with.",
        epilog=f"example:  {PROGRAM} {COMMANDS['evaluate'].example}",
    )
    parser.add_argument("--version", action="version", version=f"butf {__version__}")
    parsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for name, command in COMMANDS.items():
        epilog = f"example:  {PROGRAM} {command.example}"
        summary = command.summary[0].upper() + command.summary[1:] + "."
        child = parsers.add_parser(name, help=command.summary, description=summary, epilog=epilog)
        if name == chosen:
            module = importlib.import_module(command.module)
            module.add_arguments(child)
            child.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `argv` without the program's name."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        with insistent_interrupts():
            args = build_parser(arguments[0] if arguments else None).parse_args(arguments)
            if several_ranks() and not COMMANDS[args.command].over_ranks:
                able = " and ".join(name for name, command in COMMANDS.items() if command.over_ranks)
                raise BadInput(f"{args.command} cannot be shared by ranks; only {able} can: start it without torchrun")
            code = args.run(args) or 0
            sys.stdout.flush()
            return code
    except BadInput as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (say `head`) has left; python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        return _complain(f"{error.filename or 'a file'}: {error.strerror or error}; check the path and its permissions")


@contextmanager
def insistent_interrupts() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, and again every `INSIST_S` seconds until it gets through.

    One that is raised while a library is imported or an object is deleted may be lost there.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def interrupt(number: int, frame: object) -> NoReturn:
        signal.setitimer(signal.ITIMER_REAL, INSIST_S)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGALRM)}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def several_ranks() -> bool:
    """As `butf.ranks.launched`, which imports torch; most of the command line does without it."""
    return "MASTER_ADDR" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def _complain(sentence: str) -> int:
    who = f"rank {os.environ.get('RANK')}: " if several_ranks() else ""
    print(f"error: {who}{' '.join(sentence.split())}", file=sys.stderr)
    return BAD_INPUT
