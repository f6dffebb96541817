"""Writes the town as a data set: frames over several processes, then the tables. Finished frames are kept."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from butf.errors import BadInput
from butf.files import read_json, write_atomic
from butf.town.conditions import CONDITIONS
from butf.town.config import SPLITS, TownConfig
from butf.town.lidar import Lidar, known
from butf.town.lidar_maps import MEASURED, Scan, scan_all
from butf.town.pictures import complete, frame_path, has_end, render_tasks, tasks_for
from butf.town.progress import Progress
from butf.town.tables import write_tables


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
        tasks = [task for key, kept in chosen.items() for task in tasks_for(out, config, *key, kept, samples)]
        with Progress(sum(len(task.places) for task in tasks), enabled=progress) as bar:
            for finished in render_tasks(tasks, workers or _cores()):
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
    todo = [place for place in all_places if not has_end(frame_path(out, "lidar", split, condition, place))]
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
    write_atomic(note, json.dumps(wanted | ({"lidar": measured_by} if measured_by else {}), indent=1) + "\n")
    return measured_by


def _rendered(out: Path, config: TownConfig) -> dict[tuple[str, str], list[int]]:
    """Places whose frames lie in `out`, by split and condition: those of earlier calls count too."""
    every = {(split, condition): places(config, split, condition) for split in SPLITS for condition in CONDITIONS}
    found = {key: [place for place in kept if complete(out, *key, place)] for key, kept in every.items()}
    return {key: kept for key, kept in found.items() if kept}
