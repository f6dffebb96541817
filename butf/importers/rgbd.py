"""RGB-D folders in the form of Microsoft 7-Scenes: real depth and real poses, indoors.

A folder holds `frame-000000.color.jpg` (or png), `.depth.png` (16-bit millimetres; 0 and 65535 = no measurement) and
`.pose.txt` (4x4, camera to world, metres) for each frame, and `camera-intrinsics.txt` (3x3). The camera frame is ours
(x right, y down, z forward). Their world has y down: it becomes east = x, north = z, up = -y, a proper rotation.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from butf.dataset.frames import Camera, Frames, PlaceRule, write_frames
from butf.dataset.modalities import Map, map_bytes, mode_in_words
from butf.dataset.poses import quaternions
from butf.dataset.table import QUATERNION, Column
from butf.errors import BadInput
from butf.files import read_image, read_pixels, read_text
from butf.importers.pose_split import DATABASE, LEFT_OUT, QUERIES, split_by_pose
from butf.importers.report import ImportReport, report_of, write_sources
from butf.importers.staging import FrameFiles, Progress, import_key, read_bytes, require_absent, resumable_folder

PLACE = PlaceRule(radius_m=0.25, angle_deg=20.0)
DEPTH_RANGE = {"near_m": 0.3, "far_m": 10.0}
WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
COLOUR = re.compile(r"frame-([0-9]+)\.color\.(jpg|jpeg|png)")
PATTERN = "frame-000000.color.jpg (or .png), frame-000000.depth.png, frame-000000.pose.txt"
NOT_ROTATION = 0.01


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
    progress: Progress | None = None,
    staging: Path | None = None,
) -> ImportReport:
    """Turn an RGB-D folder into a data set, split by pose (see `pose_split`).

    Pictures are copied as they are; depth becomes metres x 256. Positions are metres in the folder's own room (no
    origin). A frame without depth or pose is left out and reported. An import that was broken off goes on where it
    stopped (see `resumable_folder`, also for `staging`).

    Raises `BadInput` when `src` has no such frames, a pose or an image is broken, or `out` exists.
    """
    src, out = Path(src), Path(out)
    require_absent(out)
    found, left = _sources(src)
    camera = _camera(src, found[0].colour)
    centres = np.array([source.centre for source in found])
    orientation = quaternions(np.array([source.rotation for source in found]))
    parts = split_by_pose(centres, orientation, place, test_share, val_share)
    names = np.array([source.name for source in found])
    left |= {reason: tuple(names[parts.reason == reason].tolist()) for reason in LEFT_OUT}
    kept = np.flatnonzero(parts.reason == "")
    table = _table(names[kept], parts.split[kept], parts.traversal[kept], centres[kept], orientation[kept])
    pairs = list(zip(table["frame"], [found[row] for row in kept], strict=True))
    files = [path for source in found for path in (source.colour, source.depth)]
    options = {"test": test_share, "val": val_share, "place": dataclasses.asdict(place)}
    with resumable_folder(out, import_key("rgbd", src, files, **options), staging) as folder:
        folder.fill([_files(frame, source, camera) for frame, source in pairs], progress)
        write_sources(folder.folder, {frame: source.colour.name for frame, source in pairs}, left)
        write_frames(folder.folder, table, _meta(src, out, camera, place))
        Frames.load(folder.folder)
    return report_of(Frames.load(out), left, [folder.went_on])


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


def _files(frame: str, source: _Source, camera: Camera) -> FrameFiles:
    traversal, name = frame.split("/")
    picture, depth = f"{traversal}/rgb/{name}{source.colour.suffix}", f"{traversal}/depth/{name}.png"
    return FrameFiles(
        (picture, depth), lambda: {picture: _picture(source.colour, camera), depth: map_bytes(_depth(source.depth))}
    )


def _picture(path: Path, camera: Camera) -> bytes:
    """The picture's own bytes, once it was seen to be whole and of the camera's size."""
    size = read_image(path).size
    if size != (camera.width, camera.height):
        raise BadInput(f"{path} is {size[0]}x{size[1]}; expected {camera.width}x{camera.height} as the others")
    return read_bytes(path)


def _depth(path: Path) -> Map:
    stored = read_pixels(path)
    if stored.mode not in ("I;16", "I;16B", "I"):
        raise BadInput(f"{path} is {mode_in_words(stored.mode)}; expected 16-bit PNG, millimetres")
    millimetres = np.asarray(stored).astype(np.int64)
    valid = (millimetres > 0) & (millimetres < 65535)
    return Map("depth", (millimetres / 1000).astype(np.float32), valid)


def _meta(src: Path, out: Path, camera: Camera, place: PlaceRule) -> dict[str, Any]:
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
