"""Where the pictures of frames lie: `<traversal>/rgb/<name>.jpg`, `.jpeg` or `.png` below a data set's folder."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from butf.errors import BadInput

SUFFIXES = (".jpg", ".jpeg", ".png")
"""Of two files of one name the earlier ending is the frame's picture."""


def picture_file(root: Path, frame: str) -> str:
    """Where a frame's picture lies; `BadInput` when there is none."""
    stem = f"{root}/{frame.replace('/', '/rgb/')}"
    for suffix in SUFFIXES:
        if os.path.isfile(stem + suffix):
            return stem + suffix
    raise _missing(root, frame)


def picture_files(root: Path, frames: Sequence[str]) -> list[str]:
    """Where the pictures of many frames lie; `BadInput` when one has none.

    From one listing a traversal: a look at each of 100,000 files takes longer than all the rest.
    """
    suffix = _listed(root, frames)
    for frame in frames:
        if frame not in suffix:
            raise _missing(root, frame)
    return [f"{root}/{frame.replace('/', '/rgb/')}{suffix[frame]}" for frame in frames]


def has_picture(root: Path, frames: Sequence[str]) -> np.ndarray:
    """Which frames have a picture, `(N,)` bool."""
    suffix = _listed(root, frames)
    return np.array([frame in suffix for frame in frames], bool)


def fine_enough(area: int) -> int:
    """The `least` of `read_image` for a picture that is made `area` pixels small: its sides are still twice as long."""
    return 2 * math.ceil(math.sqrt(area))


def expected(frame: str) -> str:
    """What a frame's picture may be called, for errors."""
    traversal, _, name = frame.partition("/")
    others = ", ".join(SUFFIXES[1:])
    return f"e.g. {traversal}/rgb/{name}{SUFFIXES[0]} (or {others})"


def _listed(root: Path, frames: Sequence[str]) -> dict[str, str]:
    """The ending of each picture of the frames' traversals, by the name that its frame has."""
    found: dict[str, str] = {}
    for traversal in {frame.partition("/")[0] for frame in frames}:
        folder = root / traversal / "rgb"
        for name in os.listdir(folder) if folder.is_dir() else []:
            stem, dot, ending = name.rpartition(".")
            frame, suffix = f"{traversal}/{stem}", dot + ending
            if suffix in SUFFIXES and (frame not in found or SUFFIXES.index(suffix) < SUFFIXES.index(found[frame])):
                found[frame] = suffix
    return found


def _missing(root: Path, frame: str) -> BadInput:
    return BadInput(f"{root}: frame {frame} has no picture; expected {expected(frame)}")
