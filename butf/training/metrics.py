"""What a training measures: the terms of its loss, and metrics.jsonl, one JSON object a line, only ever appended to."""

import json
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from butf.errors import BadInput
from butf.files import parse_json


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Append one line. Raises BadInput when the disk is full; earlier lines stay."""
    line = json.dumps(record).encode() + b"\n"
    try:
        with path.open("ab+") as file:
            if file.tell() and not _ends_line(file):
                line = b"\n" + line
            file.write(line)
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror}); free space and resume") from error


def read_records(path: Path) -> list[dict[str, Any]]:
    """Every line in the order of training; none where there is no file.

    A line that is half written is left out. A resumed run repeats the steps after its checkpoint; only their last
    account is returned.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    return without_overrun(filter(None, map(_parsed, lines)))


def without_overrun(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records without those of steps that were done again later, in a run that was resumed."""
    kept: list[tuple[tuple[int, int], dict[str, Any]]] = []
    for record in records:
        phase = record.get("phase_index", kept[-1][0][0] if kept else 0)
        place = (phase, record.get("step", 0))
        if kept and place < kept[-1][0]:
            kept = [earlier for earlier in kept if earlier[0] < place]
        # Killed just after a line was written, a run that goes on tells the same once more.
        at = len(kept)
        while at and kept[at - 1][0] == place:
            at -= 1
            told = kept[at][1]
            if told.keys() == record.keys() or ("loss" in told and "loss" in record):
                del kept[at:]
        kept.append((place, record))
    return [record for _, record in kept]


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None for half a line, and for one that no trainer of ours wrote."""
    try:
        record = parse_json(line.decode("utf-8"), "metrics.jsonl")
    except (BadInput, UnicodeDecodeError):
        return None
    ours = isinstance(record, dict) and all(type(record.get(key, 0)) is int for key in ("phase_index", "step"))
    return record if ours else None


def _ends_line(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


class Terms:
    """Terms of the loss of the last steps, left on the device until asked for: a GPU need not wait at each step."""

    def __init__(self) -> None:
        self._steps: defaultdict[str, list[Tensor]] = defaultdict(list)

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Those of one more step, numbers without gradient; not every step has to have each of them but the `loss`."""
        for name, value in terms.items():
            self._steps[name].append(value)

    def means(self, step: int) -> dict[str, float]:
        """Each one's mean; `step` is how many steps were done. BadInput where the loss of one was not finite."""
        self.check(step)
        return {name: round(float(np.mean(_read(values))), 6) for name, values in self._steps.items()}

    def check(self, step: int) -> None:
        """BadInput where the loss of a step was not finite: what came of it must not be saved or measured."""
        losses = _read(self._steps["loss"])
        wrong = next((number for number, loss in enumerate(losses) if not math.isfinite(loss)), None)
        if wrong is not None:
            at = step - len(losses) + wrong
            raise BadInput(f"the loss is {losses[wrong]} at step {at}; lower learning_rate and start again")


def _read(values: list[Tensor]) -> list[float]:
    return torch.stack(values).tolist() if values else []
