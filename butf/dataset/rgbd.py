"""RGB-D folders in the form of Microsoft 7-Scenes: real depth and real poses, indoors.

A folder holds `frame-000000.color.jpg` (or png), `.depth.png` (16-bit millimetres; 0 and 65535 = no measurement) and
`.pose.txt` (4x4, camera to world, metres) for each frame, and `camera-intrinsics.txt` (3x3). The camera frame is ours
(x right, y down, z forward). Their world has y down: it becomes east = x, north = z, up = -y, a proper rotation.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from butf.dataset.frames import Camera, Frames, PlaceRule, write_frames
from butf.dataset.modalities import Map, mode_in_words, write_map
from butf.dataset.pose_split import DATABASE, LEFT_OUT, QUERIES, split_by_pose
from butf.dataset.poses import quaternions
from butf.dataset.table import QUATERNION, Column
from butf.errors import BadInput
from butf.files import new_folder, read_image, read_pixels, read_text

PLACE = PlaceRule(radius_m=0.25, angle_deg=20.0)
DEPTH_RANGE = {"near_m": 0.3, "far_m": 10.0}
WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
COLOUR = re.compile(r"frame-([0-9]+)\.color\.(jpg|jpeg|png)")
PATTERN = "frame-000000.color.jpg (or .png), frame-000000.depth.png, frame-000000.pose.txt"
NOT_ROTATION = 0.01


@dataclass(frozen=True)
class ImportReport:
    """What an import took, `taken[split, traversal]` frames, and what it left: reason -> names of frames."""

    frames: Frames
    taken: dict[tuple[str, str], int]
    left: dict[str, tuple[str, ...]]
    matched: dict[str, tuple[int, int]]

    def __str__(self) -> str:
        lines = [f"{len(self.frames)} frames taken into {self.frames.root}"]
        lines += [f"  {split}, {traversal}: {count}" for (split, traversal), count in self.taken.items()]
        lines += [
            f"  {split}: {matched} of {asked} queries have a true match in the database"
            for split, (matched, asked) in self.matched.items()
        ]
        lines += [f"{len(names)} frames left out: {reason} ({_some(names)})" for reason, names in self.left.items()]
        return "\n".join(lines)


@dataclass(frozen=True)
class _Source:
    """One frame's files, and its pose in our world."""

    name: str
    colour: Path
    depth: Path
    centre: np.ndarray
    rotation: np.ndarray


def import_rgbd(
    src: Path | str,
    out: Path | str,
    test_share: float = 0.3,
    val_share: float = 0.15,
    place: PlaceRule = PLACE,
    progress: bool = True,
) -> ImportReport:
    """Turn an RGB-D folder into a data set, split by pose (see `pose_split`); a progress bar shows on a terminal only.

    Pictures are copied as they are; depth becomes metres x 256. Positions are metres in the folder's own room (no
    origin). A frame without depth or pose is left out and reported. Everything is written beside `out` and moved
    there at the end, so an import that was broken off is simply run again.

    Raises `BadInput` when `src` has no such frames, a pose or an image is broken, or `out` exists.
    """
    src, out = Path(src), Path(out)
    with new_folder(out) as root:
        found, left = _sources(src)
        camera = _camera(src, found[0].colour)
        centres = np.array([source.centre for source in found])
        orientation = quaternions(np.array([source.rotation for source in found]))
        parts = split_by_pose(centres, orientation, place, test_share, val_share)
        names = np.array([source.name for source in found])
        left |= {reason: tuple(names[parts.reason == reason].tolist()) for reason in LEFT_OUT if reason in parts.reason}
        kept = np.flatnonzero(parts.reason == "")
        table = _table(names[kept], parts.split[kept], parts.traversal[kept], centres[kept], orientation[kept])
        for frame, row in zip(tqdm(table["frame"], "frames", disable=None if progress else True), kept, strict=True):
            _write_frame(root, frame, found[row], camera)
        write_frames(root, table, _meta(src, out, camera, place))
        Frames.load(root)
    return _report(Frames.load(out), left)


def _sources(src: Path) -> tuple[list[_Source], dict[str, tuple[str, ...]]]:
    """Frames with all their files, in the order of the video, and the others by what they lack."""
    if not src.is_dir():
        raise BadInput(f"{src} is not a folder; expected one with {PATTERN}")
    matches = {path: COLOUR.fullmatch(path.name) for path in src.iterdir()}
    colours = sorted((int(match[1]), match[1], path) for path, match in matches.items() if match)
    if not colours:
        inner = next(iter(sorted(src.glob("*/frame-*.color.*"))), None)
        hint = f"; {inner.parent} has some: give that folder" if inner else ""
        raise BadInput(f"{src} has no frames; expected {PATTERN}{hint}")
    found: list[_Source] = []
    missing: dict[str, list[str]] = {"no depth": [], "no pose": []}
    for _, name, colour in colours:
        depth, pose = (src / f"frame-{name}.{kind}" for kind in ("depth.png", "pose.txt"))
        if not depth.is_file() or not pose.is_file():
            missing["no pose" if depth.is_file() else "no depth"].append(name)
            continue
        matrix = _pose(pose)
        found.append(_Source(name, colour, depth, WORLD @ matrix[:3, 3], WORLD @ matrix[:3, :3]))
    if not found:
        raise BadInput(f"{src}: none of {len(colours)} frames has both depth and pose; expected {PATTERN}")
    return found, {reason: tuple(names) for reason, names in missing.items() if names}


def _pose(path: Path) -> np.ndarray:
    """The (4, 4) camera-to-world matrix of a file, checked."""
    fix = "mend it, or delete it to leave the frame out"
    matrix = _numbers(path, (4, 4), fix)
    if not np.isfinite(matrix).all():
        raise BadInput(f"{path} holds a pose that is not finite ({matrix[~np.isfinite(matrix)][0]}); {fix}")
    rotation = matrix[:3, :3]
    wrong = max(np.abs(rotation @ rotation.T - np.eye(3)).max(), np.abs(matrix[3] - (0, 0, 0, 1)).max())
    if wrong > NOT_ROTATION or np.linalg.det(rotation) < 0:
        raise BadInput(
            f"{path} is no rigid pose (off by {wrong:.2g}); expected rotation, translation and 0 0 0 1: {fix}"
        )
    return matrix


def _camera(src: Path, picture: Path) -> Camera:
    path = src / "camera-intrinsics.txt"
    k = _numbers(path, (3, 3), "give the camera matrix fx 0 cx, 0 fy cy, 0 0 1")
    if not np.isfinite(k).all() or min(k[0, 0], k[1, 1]) <= 0:
        raise BadInput(f"{path} has focal lengths {k[0, 0]} and {k[1, 1]}; give pixels above 0")
    width, height = read_image(picture).size
    return Camera("rgbd", width, height, *(float(value) for value in (k[0, 0], k[1, 1], k[0, 2], k[1, 2])))


def _numbers(path: Path, shape: tuple[int, int], fix: str) -> np.ndarray:
    try:
        values = np.array([float(word) for word in read_text(path).split()])
    except ValueError as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path} holds something that is not a number ({error}); {fix}") from error
    if values.size != shape[0] * shape[1]:
        raise BadInput(f"{path} has {values.size} numbers; expected {shape[0]} x {shape[1]}: {fix}")
    return values.reshape(shape)


def _table(
    names: np.ndarray, split: np.ndarray, traversal: np.ndarray, centres: np.ndarray, orientation: np.ndarray
) -> dict[str, Column]:
    frame = [f"{drive}/{name}" for drive, name in zip(traversal, names, strict=True)]
    table: dict[str, Column] = {"frame": frame, "traversal": traversal, "condition": traversal, "split": split}
    table |= dict(zip(("easting_m", "northing_m", "altitude_m"), centres.T, strict=True))
    return table | dict(zip(QUATERNION, orientation.T, strict=True))


def _write_frame(root: Path, frame: str, source: _Source, camera: Camera) -> None:
    traversal, name = frame.split("/")
    size = read_image(source.colour).size
    if size != (camera.width, camera.height):
        raise BadInput(f"{source.colour} is {size[0]}x{size[1]}; expected {camera.width}x{camera.height} as the others")
    picture = root / traversal / "rgb" / (name + source.colour.suffix)
    picture.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source.colour, picture)
    stored = read_pixels(source.depth)
    if stored.mode not in ("I;16", "I;16B", "I"):
        raise BadInput(f"{source.depth} is {mode_in_words(stored.mode)}; expected 16-bit PNG, millimetres")
    millimetres = np.asarray(stored).astype(np.int64)
    valid = (millimetres > 0) & (millimetres < 65535)
    write_map(root / traversal / "depth" / f"{name}.png", Map("depth", (millimetres / 1000).astype(np.float32), valid))


def _meta(src: Path, out: Path, camera: Camera, place: PlaceRule) -> dict:
    return {
        "name": out.name,
        "licence": "as the source; 7-Scenes: research use",
        "source": f"RGB-D folder {src.resolve().name}",
        "cameras": [dataclasses.asdict(camera)],
        "origin": None,
        "modalities": {"depth": DEPTH_RANGE},
        "traversals": [
            {"name": DATABASE, "condition": DATABASE, "role": "reference", "labels": True},
            {"name": QUERIES, "condition": QUERIES, "role": "query", "labels": True},
        ],
        "place": dataclasses.asdict(place),
    }


def _report(frames: Frames, left: dict[str, tuple[str, ...]]) -> ImportReport:
    taken = Counter(zip(frames.split.tolist(), frames.traversal.tolist(), strict=True))
    matched = {}
    for split in frames.splits:
        for queries in frames.queries(split).values():
            hits = frames.positives(queries, frames.database(split)).any(axis=1)
            matched[split] = (int(hits.sum()), len(queries))
    return ImportReport(frames, dict(sorted(taken.items())), left, matched)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
