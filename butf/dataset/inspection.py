"""All that is wrong with a data set folder: its tables, and the pictures and side maps of its frames."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from butf.dataset import table as tables
from butf.dataset.areas import read_areas
from butf.dataset.frames import Frames
from butf.dataset.manifest import Manifest, read_manifest
from butf.dataset.modalities import MODALITIES
from butf.dataset.pictures import SUFFIXES
from butf.dataset.table import Fault, Table, TableFaults
from butf.errors import BadInput

Progress = Callable[[int, int], None]
OPENED = 400
"""Frames whose files are opened; the files of all others are looked for only."""
FILES = ("dataset.json", "frames.csv", "areas.geojson")


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found in a folder.

    `frames` is None where not even their names can be read; it is `whole` when the tables are in order, else its
    positions mean nothing. `faults` keep the data set out, `notes` are worth knowing. `count` is the number of faults,
    `opened` that of the frames whose files were opened, `sides[modality]` that of the frames that have it.
    """

    root: Path
    frames: Frames | None
    whole: bool
    faults: tuple[Fault, ...]
    count: int
    notes: tuple[str, ...]
    opened: int
    sides: dict[str, int]

    @property
    def fine(self) -> bool:
        return self.count == 0


def inspect(root: Path, progress: Progress | None = None, opened: int = OPENED) -> Inspection:
    """Check a data set folder as a whole: tables first, then that every frame has its picture, then what is in the
    pictures and side maps of `opened` frames, evenly spread (of all, where there are no more)."""
    manifest, frames, faults, count = _read(root)
    whole = frames is not None
    found = _Found(root, list(faults), count)
    if (root / "areas.geojson").exists():
        found.read(lambda: read_areas(root / "areas.geojson"), "areas.geojson")
    if frames is None and manifest is not None:
        frames = _as_far_as_legible(root, manifest)
    if frames is None:
        return found.inspection(None, False, (), 0, {})
    missing = _missing(frames)
    for i in np.flatnonzero(missing).tolist():
        traversal, name = str(frames.frame[i]).split("/")
        what = f"has no picture; expected {traversal}/rgb/{name}.jpg (or .jpeg, .png)"
        found.add(Fault("frames.csv", what, i + 2 if whole else None, "frame", str(frames.frame[i])))
    there = np.flatnonzero(~missing)
    chosen = there[np.unique(np.linspace(0, len(there) - 1, min(opened, len(there))).astype(int))] if len(there) else []
    for number, i in enumerate(chosen, start=1):
        _open(frames, int(i), found)
        if progress is not None:
            progress(number, len(chosen))
    sides = {name: _with_side(frames, name) for name in frames.modalities}
    return found.inspection(frames, whole, _notes(frames, sides, whole), len(chosen), sides)


class _Found:
    """The faults found so far; of one kind no more than `KEPT_FAULTS` are kept."""

    def __init__(self, root: Path, faults: list[Fault], count: int) -> None:
        self.root, self.faults, self.count = root, faults, count

    def read(self, reading: Callable[[], object], file: str) -> None:
        """Note what `reading` raises."""
        try:
            reading()
        except BadInput as error:
            self.add(fault(error, self.root, file))

    def add(self, fault: Fault) -> None:
        self.count += 1
        if len(self.faults) < tables.KEPT_FAULTS:
            self.faults.append(fault)

    def inspection(
        self, frames: Frames | None, whole: bool, notes: tuple[str, ...], opened: int, sides: dict[str, int]
    ) -> Inspection:
        return Inspection(self.root, frames, whole, tuple(self.faults), self.count, notes, opened, sides)


def fault(error: BadInput, root: Path, file: str) -> Fault:
    """A sentence about a file beneath `root` as a fault; paths are given from `root`."""
    text = str(error).replace(f"{root}/", "").replace(f"{root}: ", "")
    named = next((name for name in (file, *FILES) if text.startswith(name)), None)
    what = text[len(named) :].lstrip(": ") if named else text
    return Fault(named or file, what)


def _read(root: Path) -> tuple[Manifest | None, Frames | None, tuple[Fault, ...], int]:
    """Both tables; where dataset.json is wrong, frames.csv is read all the same."""
    try:
        manifest = read_manifest(root / "dataset.json")
    except BadInput as error:
        _, faults, count = _caught(lambda: _read_table(root), root)
        return None, None, (fault(error, root, "dataset.json"), *faults), count + 1
    frames, faults, count = _caught(lambda: Frames.load(root, pictures=False), root)
    return manifest, frames, faults, count


def _caught(reading: Callable[[], Frames | None], root: Path) -> tuple[Frames | None, tuple[Fault, ...], int]:
    try:
        return reading(), (), 0
    except TableFaults as error:
        return None, error.faults, error.count
    except BadInput as error:
        return None, (fault(error, root, "frames.csv"),), 1


def _read_table(root: Path) -> None:
    """frames.csv by itself, without what dataset.json would say about it."""
    table = Table(root / "frames.csv")
    tables.frame_names(table)
    tables.splits(table)
    table.numbers("time_s", "seconds")
    tables.orientations(table)
    tables.positions(table, None)
    table.check()


def _as_far_as_legible(root: Path, manifest: Manifest) -> Frames | None:
    """The frames whose names are well formed, without a position, so that their pictures can be looked at."""
    try:
        names = Table(root / "frames.csv").columns["frame"]
    except BadInput:
        return None
    frame = np.array([name for name in dict.fromkeys(names) if tables.FRAME_NAME.fullmatch(name)])
    if not len(frame):
        return None
    traversal = np.array([name.partition("/")[0] for name in frame.tolist()])
    of = {entry.name: entry.condition for entry in manifest.traversals}
    condition = np.array([of.get(name, name) for name in traversal.tolist()])
    described = {entry.name: getattr(manifest, entry.name) for entry in dataclasses.fields(manifest)}
    return Frames(
        root=root, **described, frame=frame, traversal=traversal, condition=condition,
        split=np.full(len(frame), ""), position=np.zeros((len(frame), 3)),
    )  # fmt: skip


def _listing(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def _missing(frames: Frames) -> np.ndarray:
    """(N,) bool: frames without a picture, from one listing a traversal."""
    listed = {name: _listing(frames.root / name / "rgb") for name in set(frames.traversal.tolist())}
    return np.array(
        [
            not any(name.partition("/")[2] + suffix in listed[traversal] for suffix in SUFFIXES)
            for name, traversal in zip(frames.frame.tolist(), frames.traversal.tolist(), strict=True)
        ]
    )


def _with_side(frames: Frames, modality: str) -> int:
    listed = {name: _listing(frames.root / name / modality) for name in set(frames.traversal.tolist())}
    return sum(
        f"{name.partition('/')[2]}.png" in listed[traversal]
        for name, traversal in zip(frames.frame.tolist(), frames.traversal.tolist(), strict=True)
    )


def _open(frames: Frames, i: int, found: _Found) -> None:
    """Decode a frame's picture and side maps."""
    found.read(lambda: frames.image(i), str(frames.image_path(i).relative_to(frames.root)))
    for name in frames.modalities:
        path = frames.modality_path(i, name)
        if path is not None:
            found.read(functools.partial(frames.modality, i, name), str(path.relative_to(frames.root)))


def _notes(frames: Frames, sides: dict[str, int], whole: bool) -> tuple[str, ...]:
    """What is no fault and yet may not be meant."""
    notes = [f"{name}: {count} of {len(frames)} frames have it" for name, count in sides.items() if count < len(frames)]
    for name in MODALITIES:
        if name not in frames.modalities and _with_side(frames, name):
            notes.append(f"{name} is there but dataset.json does not list it; add it to modalities to make use of it")
    if frames.licence == "unknown":
        notes.append("dataset.json gives no licence")
    if not frames.cameras:
        notes.append(
            "dataset.json gives no cameras, so sizes of pictures are not checked and the field of view is unknown"
        )
    if whole and not any(frames.queries(split) for split in frames.splits):
        notes.append("no frame is a query, so there is nothing to search for; give a traversal the role query")
    return tuple(notes)
