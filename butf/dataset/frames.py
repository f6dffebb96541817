"""The frame table: which picture was taken where, under which condition, and in which split."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from butf.dataset import table as tables
from butf.dataset.manifest import Camera, Manifest, PlaceRule, Traversal, read_manifest, utm_zone
from butf.dataset.modalities import Map, read_map
from butf.dataset.noise import add_noise, level
from butf.dataset.pictures import expected, has_picture, picture_file, picture_files
from butf.dataset.poses import angles_deg
from butf.errors import BadInput
from butf.files import data_dirs, image_size, read_image, write_json

__all__ = ["Camera", "Frames", "PlaceRule", "Traversal", "find_datasets", "write_frames"]

# Rows of a (Q, D) table worked on at once, so that angles of large sets need little memory.
BLOCK = 512


@dataclass(frozen=True, eq=False)
class Frames:
    """A data set, read once and checked once. N frames in the order of frames.csv.

    Positions are easting, northing, altitude of the camera centre in metres: UTM where `origin` names a `utm_zone`,
    else a local east, north, up frame. Latitude and longitude are degrees WGS84. Orientations are unit quaternions
    qw, qx, qy, qz, camera (x right, y down, z forward) to world (east, north, up).
    """

    root: Path
    name: str
    licence: str
    source: str
    cameras: tuple[Camera, ...]
    origin: dict[str, Any] | None
    modalities: dict[str, dict[str, Any]]
    traversals: tuple[Traversal, ...]
    place: PlaceRule
    frame: np.ndarray
    traversal: np.ndarray
    condition: np.ndarray
    split: np.ndarray
    position: np.ndarray
    lat: np.ndarray | None = None
    lon: np.ndarray | None = None
    time_s: np.ndarray | None = None
    orientation: np.ndarray | None = None
    noise: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def load(cls, path: Path | str, pictures: bool = True) -> Frames:
        """Read a data set folder; `pictures` False skips the look whether every frame has its picture.

        Raises `BadInput` naming file, row, column, value and fix of the first few faults.
        """
        root = Path(path)
        if not (root / "dataset.json").is_file():
            raise BadInput(
                f"{root} is not a data set: no dataset.json in it; give a folder with dataset.json and frames.csv"
            )
        manifest = read_manifest(root / "dataset.json")
        table = tables.Table(root / "frames.csv")
        frame = tables.frame_names(table)
        split = tables.splits(table)
        time_s = table.numbers("time_s", "seconds")
        orientation = tables.orientations(table)
        position, lat, lon = tables.positions(table, utm_zone(manifest.origin))
        traversal, condition, traversals = _traversals(table, frame, manifest)
        if pictures:
            lacking = ~has_picture(root, frame.tolist())
            table.mark(lacking, "frame", frame, f"has no picture; expected {expected(str(frame[0]))}")
        table.check()
        if manifest.place.angle_deg is not None and orientation is None:
            raise BadInput(
                f"{root / 'dataset.json'}: place has angle_deg but frames.csv no qw, qx, qy, qz; add them or give null"
            )
        described = {key: getattr(manifest, key) for key in _described()}
        return cls(
            root=root, **described | {"traversals": traversals}, frame=frame, traversal=traversal, condition=condition,
            split=split, position=position, lat=lat, lon=lon, time_s=time_s, orientation=orientation,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def conditions(self) -> list[str]:
        """Conditions that have frames, in the order in which the data set lists its traversals."""
        present = set(self.condition.tolist())
        return [name for name in dict.fromkeys(t.condition for t in self.traversals) if name in present]

    @property
    def splits(self) -> list[str]:
        """Splits that have frames, in the order train, val, test."""
        present = set(self.split.tolist())
        return [name for name in tables.SPLITS if name in present]

    def seen(self, condition: str) -> bool:
        """Whether training may use the place labels of this condition."""
        return all(traversal.labels for traversal in self.traversals if traversal.condition == condition)

    def where(self, split: str | None = None, condition: str | None = None, traversal: str | None = None) -> np.ndarray:
        """(M,) int64 ascending indices of the frames that have all of the given values.

        Raises `BadInput` for a split, condition or traversal that no data set, or this one, can have.
        """
        mask = np.ones(len(self), bool)
        known = {"split": tables.SPLITS, "condition": self._all_conditions(), "traversal": self._all_traversals()}
        for key, value in (("split", split), ("condition", condition), ("traversal", traversal)):
            if value is None:
                continue
            if value not in known[key]:
                raise BadInput(f"{self.root} has no {key} {value!r}; give one of {', '.join(known[key])}")
            mask &= getattr(self, key) == value
        return np.flatnonzero(mask)

    def take(self, indices: Sequence[int] | np.ndarray) -> Frames:
        """The same data set with only these frames, in this order."""
        rows = np.asarray(indices)
        columns = ("frame", "traversal", "condition", "split", "position", "lat", "lon", "time_s", "orientation")
        kept: dict[str, Any] = {
            key: None if (column := getattr(self, key)) is None else column[rows] for key in columns
        }
        return dataclasses.replace(self, **kept)

    def image_path(self, i: int) -> Path:
        """Where frame i's picture lies; `BadInput` when there is none."""
        return Path(picture_file(self.root, str(self.frame[i])))

    def image_files(self, indices: np.ndarray) -> list[str]:
        """Where the pictures of many frames lie, as strings; `BadInput` when there is one that has none."""
        return picture_files(self.root, self.frame[indices].tolist())

    def image(self, i: int, least: int | None = None) -> Image.Image:
        """Frame i's picture as RGB, with the sensor noise that dataset.json declares (the same on every call).

        `least`: see `read_image`; a picture with noise always has its size. Raises `BadInput` when it is missing,
        truncated or of a size that no camera of the data set has.
        """
        path = self.image_path(i)
        std = level(self.noise, "rgb", str(self.condition[i]))
        picture = read_image(path, least=least if std == 0 else None)
        sizes = [(camera.width, camera.height) for camera in self.cameras]
        width, height = picture.size if least is None or not sizes else image_size(path)
        if sizes and (width, height) not in sizes:
            expected = " or ".join(f"{camera_width}x{camera_height}" for camera_width, camera_height in sizes)
            raise BadInput(f"{path} is {width}x{height}; expected {expected} as the camera in dataset.json")
        return picture if std == 0 else Image.fromarray(add_noise(np.asarray(picture), std, f"{self.frame[i]} rgb"))

    def modality_path(self, i: int, name: str) -> Path | None:
        """Where frame i's map of a side modality lies; None where there is none (or dataset.json does not list it)."""
        if name not in self.modalities:
            return None
        traversal, frame = str(self.frame[i]).split("/")
        path = self.root / traversal / name / f"{frame}.png"
        return path if path.is_file() else None

    def modality(self, i: int, name: str) -> Map | None:
        """Frame i's map of a side modality at its stored size, None where there is none."""
        path = self.modality_path(i, name)
        if path is None:
            return None
        clean = read_map(path, name, classes=len(self.modalities[name].get("classes", ())) or None)
        std = level(self.noise, name, str(self.condition[i]))
        if std == 0:
            return clean
        levels = np.rint(clean.values * 255).astype(np.uint8)
        noisy = add_noise(levels, std, f"{self.frame[i]} {name}").astype(np.float32) / 255
        return dataclasses.replace(clean, values=np.where(clean.valid, noisy, clean.values))

    def database(self, split: str) -> np.ndarray:
        """(M,) indices of the split's reference frames; all of its frames where no traversal has that role."""
        inside = self.where(split=split)
        return inside[self._is_reference()[inside]] if self._has_reference() else inside

    def queries(self, split: str) -> dict[str, np.ndarray]:
        """The split's other frames by condition; all of its frames (leave-one-out) where there is no reference role."""
        inside = self.where(split=split)
        asked = inside[~self._is_reference()[inside]] if self._has_reference() else inside
        grouped = {name: asked[self.condition[asked] == name] for name in self.conditions}
        return {name: indices for name, indices in grouped.items() if len(indices)}

    def distances(self, queries: np.ndarray, database: np.ndarray) -> np.ndarray:
        """(Q, D) float64 metres between camera centres (in three dimensions)."""
        squared = np.zeros((len(queries), len(database)))
        for axis in range(3):
            squared += np.subtract.outer(self.position[queries, axis], self.position[database, axis]) ** 2
        return np.sqrt(squared)

    def angles(self, queries: np.ndarray, database: np.ndarray) -> np.ndarray:
        """(Q, D) float64 degrees of the rotation from one camera to the other, 0 to 180."""
        if self.orientation is None:
            raise BadInput(f"{self.root / 'frames.csv'} has no orientations; add qw, qx, qy, qz to compare angles")
        return angles_deg(self.orientation[queries], self.orientation[database])

    def positives(self, queries: np.ndarray, database: np.ndarray, rule: PlaceRule | None = None) -> np.ndarray:
        """(Q, D) bool: the same place by `rule` (the data set's own by default); never a frame with itself."""
        rule, queries, database = rule or self.place, np.asarray(queries), np.asarray(database)
        same = np.zeros((len(queries), len(database)), bool)
        for start in range(0, len(queries), BLOCK):
            rows = queries[start : start + BLOCK]
            near = (self.distances(rows, database) <= rule.radius_m) & (rows[:, None] != database[None, :])
            if rule.angle_deg is not None:
                near &= self.angles(rows, database) <= rule.angle_deg
            same[start : start + BLOCK] = near
        return same

    def _all_conditions(self) -> list[str]:
        return list(dict.fromkeys(traversal.condition for traversal in self.traversals))

    def _all_traversals(self) -> list[str]:
        return [traversal.name for traversal in self.traversals]

    def _has_reference(self) -> bool:
        return any(traversal.role == "reference" for traversal in self.traversals)

    def _is_reference(self) -> np.ndarray:
        return np.isin(
            self.traversal, [traversal.name for traversal in self.traversals if traversal.role == "reference"]
        )


def write_frames(root: Path | str, table: Mapping[str, tables.Column], meta: dict[str, Any]) -> None:
    """Write a data set's frames.csv (columns of `table`, see `tables.COLUMNS`) and dataset.json (`meta`, plain values).

    dataset.json comes last: a folder without it is no data set, so a broken-off writer leaves nothing to be found.
    """
    root = Path(root)
    tables.write_table(root / "frames.csv", table)
    write_json(root / "dataset.json", meta)


def find_datasets() -> dict[str, Path]:
    """Folder name -> folder of each data set in `files.data_dirs()`; a second one of a name gets its parent too."""
    found: dict[str, Path] = {}
    for parent in data_dirs():
        for manifest in sorted(parent.glob("*/dataset.json")):
            folder = manifest.parent
            if folder.name.startswith("."):
                continue  # still being written
            name = folder.name if folder.name not in found else f"{folder.name} ({parent.name})"
            found[name] = folder
    return found


def _described() -> list[str]:
    return [entry.name for entry in dataclasses.fields(Manifest)]


def _traversals(
    table: tables.Table, frame: np.ndarray, manifest: Manifest
) -> tuple[np.ndarray, np.ndarray, tuple[Traversal, ...]]:
    """Traversal and condition of each frame, (N,) str, and the traversals themselves; what is not said is derived."""
    traversal = np.array([name.partition("/")[0] for name in frame.tolist()])
    stated = table.text("traversal")
    if stated is not None:
        table.mark(stated != traversal, "traversal", stated, "is not the first part of frame; make them agree")
    condition = table.text("condition")
    if not manifest.traversals:
        condition = traversal if condition is None else condition
        first = dict(zip(traversal[::-1].tolist(), condition[::-1].tolist(), strict=True))
        listed_once = dict.fromkeys(traversal.tolist())
        return traversal, condition, tuple(Traversal(name, first[name], "query") for name in listed_once)
    of = {entry.name: entry.condition for entry in manifest.traversals}
    listed = np.array([of.get(name, "") for name in traversal.tolist()])
    table.mark(listed == "", "frame", frame, f"is of no traversal in dataset.json; expected {', '.join(of)}")
    if condition is not None:
        fix = "is not its traversal's condition in dataset.json; make them agree"
        table.mark((listed != "") & (condition != listed), "condition", condition, fix)
    return traversal, listed, manifest.traversals
