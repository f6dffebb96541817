"""What several commands share: finding data sets, choosing the device, progress, tables and JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from butf.device import choose_device
from butf.errors import BadInput
from butf.files import user_path, write_atomic

if TYPE_CHECKING:
    from butf.dataset.frames import Frames
    from butf.networks.zoo import Model
    from butf.retrieval.bank import Progress

STANDARD_OUTPUT = Path("-")


def add_data(parser: argparse.ArgumentParser) -> None:
    """`--data`: a data set by folder or name."""
    parser.add_argument("--data", required=True, metavar="DATASET", help="a data set's folder, or its name")


def add_model(parser: argparse.ArgumentParser) -> None:
    """`--model` and `--device`."""
    parser.add_argument("--model", required=True, metavar="NAME", help="a method's name, a run, or a checkpoint file")
    add_device(parser)


def add_sought(parser: argparse.ArgumentParser) -> None:
    """`--data`, `--model`, and the picture that is sought there: `IMAGE`, `--split` and `--top`."""
    add_data(parser)
    add_model(parser)
    parser.add_argument("image", type=Path, metavar="IMAGE", help="a JPEG or PNG file")
    parser.add_argument("--split", help="search only this split's database (all splits)")
    parser.add_argument("--top", type=at_least_one, default=10, metavar="N", help="how many candidates (10)")


def add_device(parser: argparse.ArgumentParser) -> None:
    """`--device`."""
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute (auto)")


def add_radius(parser: argparse.ArgumentParser, usual_m: float) -> None:
    """`--radius`: what counts as the same place."""
    parser.add_argument(
        "--radius", type=above_zero, default=usual_m, metavar="METRES",
        help=f"frames within this distance show the same place ({usual_m:g})",
    )  # fmt: skip


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON; - prints it")


def open_dataset(text: str) -> Frames:
    """The data set known by a name, or in a folder; `BadInput` lists the known ones."""
    from butf.dataset.frames import Frames

    return Frames.load(find_dataset(text))


def find_dataset(text: str) -> Path:
    """Folder of the data set known by a name, or the folder itself; `BadInput` lists the known ones."""
    from butf.dataset.frames import find_datasets

    found = find_datasets()
    folder = found.get(text) or user_path(text)
    if not folder.is_dir():
        known = f"known by name: {', '.join(found)}" if found else "make one with `python -m butf town`"
        raise BadInput(f"there is no data set {text!r}; give its folder ({known})")
    return folder


def open_model(name: str, device: str) -> Model:
    """A model on the device asked for."""
    from butf.networks import zoo

    return zoo.load(name, choose_device(device))


def at_least_one(text: str) -> int:
    """Argument type: a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def above_zero(text: str) -> float:
    """Argument type: a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def check_output(path: Path | None) -> None:
    """Refuse at once what could only fail after all the work."""
    if path is None or path == STANDARD_OUTPUT:
        return
    if path.is_dir():
        raise BadInput(f"{path} is a folder; give the name of a file to write")
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise BadInput(f"{path} cannot be written: {parent} is no folder that you may write to; choose another")


@contextmanager
def progress_bar(what: str, hidden: bool = False) -> Iterator[Progress]:
    """A bar on a terminal, nothing elsewhere or where `hidden`; starts again when the count does."""
    with tqdm(desc=what, unit="image", disable=hidden or None, leave=False) as bar:

        def report(done: int, total: int) -> None:
            if done < bar.n:
                bar.reset()
            bar.total = total
            bar.update(done - bar.n)

        yield report


def write_result(path: Path | None, value: Any, text: str) -> None:
    """Write JSON where it was asked for, and print the text unless the JSON itself goes to standard output."""
    if path == STANDARD_OUTPUT:
        json.dump(value, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
        print()
        return
    if path is not None:
        write_atomic(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    print(text)


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned: numbers to the right, words to the left."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numeric = [all(cell[:1].isdigit() or cell[:1] in "+-" for cell in column[1:]) for column in columns]
    lines = []
    for row in (header, *rows):
        cells = zip(row, widths, numeric, strict=True)
        lines.append("  ".join(cell.rjust(w) if right else cell.ljust(w) for cell, w, right in cells).rstrip())
    return "\n".join(lines)
