"""Writes the town as a data set: frames over several processes, then the tables. Finished frames are kept."""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from butf.dataset.modalities import Map, map_bytes
from butf.errors import BadInput
from butf.files import read_json
from butf.town.conditions import CONDITIONS
from butf.town.config import SPLITS, TownConfig
from butf.town.districts import renderer
from butf.town.lidar import Lidar, known
from butf.town.lidar_maps import MEASURED, Scan, scan_all
from butf.town.progress import Progress
from butf.town.render import Picture
from butf.town.tables import FIRST_NUMBER, write_tables

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


def write_town(
    out: Path | str,
    config: TownConfig,
    workers: int | None = None,
    splits: Sequence[str] = SPLITS,
    conditions: Sequence[str] | None = None,
    stride: int = 1,
    samples: int = 2,
    lidar: str | None = None,
    progress: bool = True,
) -> Path:
    """Render the town into folder `out` and return it.

    Only every `stride`-th place of the given `splits` and `conditions` (default: all) is rendered; a frame is the
    same whichever others are asked for. Frames found complete in `out` are kept, so that an interrupted run goes on
    where it stopped; `lidar` adds maps of what that sensor (see `lidar.LIDARS`) would give, also to a town rendered
    before. `workers` processes are used (default: one a core). Raises `BadInput` for unknown names, when `out` holds a
    town of other settings, or when it cannot be written.
    """
    out = Path(out)
    conditions = tuple(CONDITIONS if conditions is None else conditions)
    _check(splits, SPLITS, "split")
    _check(conditions, tuple(CONDITIONS), "condition")
    if stride < 1 or samples not in (1, 2):
        raise BadInput(f"town stride {stride} and samples {samples}; expected stride >= 1 and samples 1 or 2")
    if workers is not None and workers < 1:
        raise BadInput(f"town workers is {workers}; expected at least 1")
    sensor = known(lidar) if lidar else None
    with _writable(out):
        out.mkdir(parents=True, exist_ok=True)
        measured_by = _claim(out, config, samples, lidar or "")
        chosen = {(s, c): places(config, s, c, stride) for s in splits for c in conditions}
        tasks, count = [], 0
        for (split, condition), all_places in chosen.items():
            todo = [place for place in all_places if not _complete(out, split, condition, place)]
            count += len(todo)
            tasks += [
                Task(out, config, split, condition, tuple(todo[k : k + CHUNK]), samples)
                for k in range(0, len(todo), CHUNK)
            ]
        with Progress(count, enabled=progress) as bar:
            for finished in _results(tasks, workers or _cores()):
                bar.advance(finished)
        if sensor:
            scans = [_scan_of(out, config, sensor, *key, all_places) for key, all_places in chosen.items()]
            with Progress(sum(len(scan.places) for scan in scans), enabled=progress) as bar:
                for finished in scan_all(scans, workers or _cores()):
                    bar.advance(finished)
        write_tables(out, config, _rendered(out, config), measured_by)
    return out


def _scan_of(
    out: Path, config: TownConfig, lidar: Lidar, split: str, condition: str, all_places: Sequence[int]
) -> Scan:
    """What is left to scan of a traversal."""
    # The filled map is written last.
    todo = [place for place in all_places if not _ends(frame_path(out, "lidar", split, condition, place))]
    pictures = tuple(frame_path(out, "rgb", split, condition, place) for place in todo)
    maps = tuple({name: frame_path(out, name, split, condition, place) for name in MEASURED} for place in todo)
    return Scan(config, lidar, split, condition, tuple(todo), pictures, maps)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def places(config: TownConfig, split: str, condition: str, stride: int = 1) -> list[int]:
    """Places of a traversal that the configuration keeps, in order; every `stride`-th of them."""
    count = config.places(split)
    kept = {"train": config.train_kept, "val": config.val_kept, "test": config.test_queries_kept}[split]
    if not kept or kept >= count or (split == "test" and CONDITIONS[condition].role == "reference"):
        kept = count
    return [int(place) for place in np.floor(np.arange(kept) * count / kept)][::stride]


def frame_path(out: Path, folder: str, split: str, condition: str, place: int) -> Path:
    """Where a frame's picture or side map lies."""
    return out / condition / folder / f"{FIRST_NUMBER[split] + place:06d}{_FOLDERS.get(folder, '.png')}"


def _check(given: Sequence[str], known: Sequence[str], what: str) -> None:
    for name in given:
        if name not in known:
            raise BadInput(f"unknown town {what} {name!r}; expected some of {', '.join(known)}")


@contextlib.contextmanager
def _writable(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadInput(f"{out} cannot be written ({reason}); free space or choose a writable folder") from error


def _claim(out: Path, config: TownConfig, samples: int, lidar: str) -> str:
    """Notes the settings in `out`; frames of other settings must not be taken for ours. Gives the lidar's name, ""
    where no maps of one are there or asked for."""
    note = out / "town.json"
    wanted = {name: value for name, value in config.as_dict().items() if not name.endswith("_kept")}
    wanted["samples"] = samples
    present = read_json(note) if note.exists() else wanted
    measured_by = present.pop("lidar", "") if isinstance(present, dict) else ""
    if present != wanted:
        raise BadInput(f"{out} holds a town of other settings; give another folder or remove it")
    if lidar and measured_by not in ("", lidar):
        raise BadInput(f"{out} has maps of a {measured_by} lidar; give another folder for {lidar}, or the same lidar")
    measured_by = measured_by or lidar
    note.write_text(json.dumps(wanted | ({"lidar": measured_by} if measured_by else {}), indent=1) + "\n", "utf-8")
    return measured_by


def _rendered(out: Path, config: TownConfig) -> dict[tuple[str, str], list[int]]:
    """Places whose frames lie in `out`, by split and condition: those of earlier calls count too."""
    every = {(split, condition): places(config, split, condition) for split in SPLITS for condition in CONDITIONS}
    found = {key: [place for place in kept if _complete(out, *key, place)] for key, kept in every.items()}
    return {key: kept for key, kept in found.items() if kept}


def _complete(out: Path, split: str, condition: str, place: int) -> bool:
    """Are all files of the frame there, with their ends?"""
    return all(_ends(frame_path(out, folder, split, condition, place)) for folder in _FOLDERS)


def _ends(path: Path) -> bool:
    """Is a picture there, with its end?"""
    try:
        with path.open("rb") as file:
            file.seek(-8, os.SEEK_END)
            return file.read().endswith(_ENDS[path.suffix])
    except OSError:
        return False


def _results(tasks: list[Task], workers: int) -> Iterator[int]:
    """Numbers of finished frames as they come."""
    if workers == 1 or len(tasks) < 2:
        for task in tasks:
            yield from _render(task)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(tasks))) as pool:
        yield from pool.imap_unordered(_render_all, tasks)


def _render_all(task: Task) -> int:
    return sum(_render(task))


def _render(task: Task) -> Iterator[int]:
    traversal = renderer(task.config, task.split, task.condition, task.samples)
    with _writable(task.out):
        for folder in _FOLDERS:
            (task.out / task.condition / folder).mkdir(parents=True, exist_ok=True)
        for place in task.places:
            for folder, data in encoded(traversal.picture(place), task.config).items():
                _replace(frame_path(task.out, folder, task.split, task.condition, place), data)
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


def _replace(path: Path, data: bytes) -> None:
    """Atomic but not flushed: after a power cut `_complete` finds files without their end."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
