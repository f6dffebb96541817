"""Checkpoints that a run resumes from.

A checkpoint (`checkpoint.pt`) is one `torch.save` file of tensors, numbers, strings and plain containers, so that
`torch.load(weights_only=True)` reads it: loading a file never runs code from it. It is written aside and renamed:
a reader, or a machine that loses power, sees the old file or the new one, never half of one.
"""

import io
import random
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from butf.errors import BadInput
from butf.files import write_atomic

FORMAT = "butf-checkpoint-1"
PARTS = ("format", "model", "optimizer", "scheduler", "progress", "rng")


@dataclass
class Progress:
    """Where training stands: all that a trainer's checkpoint must hold beside weights and random states."""

    phase: int
    """Index of the training step."""
    step: int = 0
    """Optimiser steps done in it."""
    images: int = 0
    seconds: float = 0.0
    best: float = -1.0
    """The highest mean recall@1 measured in the last training step."""


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None,
    progress: Mapping[str, Any],
    rng: Mapping[str, Any],
) -> None:
    """Write all that training needs to go on as if it had never stopped.

    `progress` and `rng` may hold tensors, numbers, strings, None and lists, tuples or dicts of these; `rng` is what
    `random_states` returns. Raises BadInput, and leaves the former checkpoint as it was, when the disk is full or
    read-only.
    """
    parts = {
        "format": FORMAT,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict() if optimizer else None,
        "scheduler": scheduler.state_dict() if scheduler else None,
        "progress": dict(progress),
        "rng": dict(rng),
    }
    buffer = io.BytesIO()
    torch.save(parts, buffer)
    write_atomic(path, buffer.getvalue())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The parts that `save_checkpoint` wrote, every tensor on the CPU.

    Returns a dict with `model`, `optimizer`, `scheduler` (state dicts, or None), `progress`, `rng` and `format`.
    Raises BadInput when the file is missing, truncated, damaged or no checkpoint of ours.
    """
    if not path.is_file():
        raise BadInput(f"{path} is missing; start the run again without --resume")
    return parse_checkpoint(read_checkpoint(path), path)


def read_checkpoint(path: Path) -> bytes:
    """The file as it is, for `parse_checkpoint`; empty when there is none. BadInput when it cannot be read."""
    if not path.is_file():
        return b""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check its permissions") from error


def parse_checkpoint(content: bytes, path: Path) -> dict[str, Any]:
    """As `load_checkpoint`, from what was read from `path`, maybe by another rank."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # torch itself does not look at the checksums, and believes a file in which bits were turned.
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"the checksum of {damaged} is wrong")
        parts = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises anything from EOFError to RuntimeError on bytes that are not its own
        raise BadInput(f"{path} is truncated or no checkpoint; delete it and start the run again") from error
    if not isinstance(parts, dict) or parts.get("format") != FORMAT or set(parts) != set(PARTS):
        raise BadInput(f"{path} was not written by this trainer; expected the format {FORMAT}")
    return parts


def random_states(generator: np.random.Generator | None = None) -> dict[str, Any]:
    """The random states of python, torch (CPU and every CUDA device) and a numpy generator, in plain containers."""
    return {
        "python": random.getstate(),
        "numpy": None if generator is None else _plain(generator.bit_generator.state),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_states(states: Mapping[str, Any], generator: np.random.Generator | None = None) -> None:
    """Set what `random_states` returned, so that the next draws are those that would have come then.

    Raises BadInput when the checkpoint holds no numpy state for `generator`, or that of another kind of generator.
    """
    random.setstate(states["python"])
    torch.set_rng_state(states["torch"])
    if torch.cuda.is_available() and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    if generator is None:
        return
    found = (states["numpy"] or {}).get("bit_generator")
    expected = generator.bit_generator.state["bit_generator"]
    if found != expected:
        raise BadInput(f"the checkpoint's numpy random state is of kind {found}; expected {expected}")
    generator.bit_generator.state = states["numpy"]


def _plain(value: Any) -> Any:
    """`value` with numpy arrays as lists: some bit generators keep arrays, which weights_only refuses to load."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value
