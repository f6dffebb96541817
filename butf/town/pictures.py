"""Renders frames and writes their files, over several processes. These need no torch, so none imports it."""

from __future__ import annotations

import io
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from butf.dataset.modalities import Map, map_bytes
from butf.files import write_atomic
from butf.town.config import TownConfig
from butf.town.districts import renderer
from butf.town.render import Picture
from butf.workers import end_with_parent

FIRST_NUMBER = {"train": 0, "val": 100_000, "test": 200_000}  # of a split's frames, whatever the preset keeps
CHUNK = 48  # frames a task; a traversal's scene takes as long to build as about twenty frames
_ENDS = {".jpg": b"\xff\xd9", ".png": b"IEND\xaeB`\x82"}
_FOLDERS = {"rgb": ".jpg", "depth": ".png", "reflectance": ".png", "semantics": ".png"}


@dataclass(frozen=True)
class Task:
    """Frames of one traversal of one district that one process renders."""

    out: Path
    config: TownConfig
    split: str
    condition: str
    places: tuple[int, ...]
    samples: int


def tasks_for(
    out: Path, config: TownConfig, split: str, condition: str, places: Sequence[int], samples: int
) -> list[Task]:
    """What is left to render of a traversal, in portions that processes share."""
    todo = [place for place in places if not complete(out, split, condition, place)]
    cuts = [tuple(todo[k : k + CHUNK]) for k in range(0, len(todo), CHUNK)]
    return [Task(out, config, split, condition, cut, samples) for cut in cuts]


def frame_path(out: Path, folder: str, split: str, condition: str, place: int) -> Path:
    """Where a frame's picture or side map lies."""
    return out / condition / folder / f"{FIRST_NUMBER[split] + place:06d}{_FOLDERS.get(folder, '.png')}"


def complete(out: Path, split: str, condition: str, place: int) -> bool:
    """Are all files of the frame there, with their ends?"""
    return all(has_end(frame_path(out, folder, split, condition, place)) for folder in _FOLDERS)


def has_end(path: Path) -> bool:
    """Is a picture there, with its end?"""
    try:
        with path.open("rb") as file:
            file.seek(-8, os.SEEK_END)
            return file.read().endswith(_ENDS[path.suffix])
    except OSError:
        return False


def render_tasks(tasks: list[Task], workers: int) -> Iterator[int]:
    """Numbers of finished frames as they come."""
    if workers == 1 or len(tasks) < 2:
        for task in tasks:
            yield from _render(task)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(tasks)), end_with_parent) as pool:
        yield from pool.imap_unordered(_render_whole, tasks)


def _render_whole(task: Task) -> int:
    return sum(_render(task))


def _render(task: Task) -> Iterator[int]:
    traversal = renderer(task.config, task.split, task.condition, task.samples)
    for place in task.places:
        for folder, data in encoded(traversal.picture(place), task.config).items():
            path = frame_path(task.out, folder, task.split, task.condition, place)
            write_atomic(path, data, durable=False)  # after a power cut `complete` finds files without their end
        yield 1


def encoded(picture: Picture, config: TownConfig) -> dict[str, bytes]:
    """The four files of a frame. Depth and reflectance are rounded first, which makes them compress."""
    file = io.BytesIO()
    Image.fromarray(picture.rgb).save(file, "JPEG", quality=config.jpeg_quality)
    depth = rounded_depth(picture.depth, config.depth_bits)
    step = config.reflectance_step
    reflectance = np.maximum(np.rint(picture.reflectance * 255 / step) * step, 1) / 255
    everywhere = np.ones(depth.shape, bool)
    return {
        "rgb": file.getvalue(),
        "depth": map_bytes(Map("depth", depth, depth > 0)),
        "reflectance": map_bytes(Map("reflectance", reflectance.astype(np.float32), picture.reflectance > 0)),
        "semantics": map_bytes(Map("semantics", picture.classes.astype(np.float32), everywhere)),
    }


def rounded_depth(depth: np.ndarray, bits: int) -> np.ndarray:
    """Metres with `bits` significant bits in units of 1/256 m; 0 (no measurement) from 255.99 m on."""
    step = np.exp2(np.maximum(np.floor(np.log2(np.maximum(depth * 256, 1))) + 1 - bits, 0))
    stored = np.rint(depth * 256 / step) * step
    return np.where(stored > 65535, 0, stored / 256).astype(np.float32)
