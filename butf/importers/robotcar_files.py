"""The files of the Oxford RobotCar dataset (Maddern et al. 2017), read and checked.

Beside the traversals, one folder each, lie `models/` (cameras) and `extrinsics/` (where each sensor sits). The vehicle
has x forward, y right, z down. `stereo.txt` takes the vehicle to the camera; `lms_front.txt`, `ldmrs.txt` and `ins.txt`
take their sensor to the vehicle. The lens of stereo/centre is described as `stereo_narrow_left`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from butf.errors import BadInput
from butf.files import open_picture, read_text
from butf.importers.push_broom import POINT_BYTES, Scans, check_size
from butf.importers.trajectory import inverse, transforms

PICTURES = Path("stereo/centre")
MODEL, STEREO, INS = "stereo_narrow_left", "stereo", "ins"
TRAVERSAL, NAME = re.compile(r"\d{4}(-\d\d){5}"), re.compile(r"\w[\w .+-]*")
LAYOUT = "expected 2014-12-09-13-21-02/ with stereo/centre/, lms_front/ and gps/ins.csv, beside models/ and extrinsics/"
LIGHTS = ("night", "dusk", "dawn")
WEATHERS = ("snow", "rain", "sun", "overcast", "clouds")
PNG_END = b"IEND\xaeB`\x82"


@dataclass(frozen=True, eq=False)
class Lens:
    """A pinhole camera as its model file has it: focal lengths and principal point in pixels, counted from the centre
    of the first pixel, and `mount` (4, 4), from its image frame (x right, y down, z forward) to the vehicle."""

    fx: float
    fy: float
    cx: float
    cy: float
    mount: np.ndarray


def find_traversals(src: Path) -> tuple[Path, list[Path]]:
    """The folder that holds traversals, and these; `src` may be either. Raises `BadInput` when there are none."""
    if not src.is_dir():
        raise BadInput(f"{src} is not a folder; {LAYOUT}")
    src = Path(os.path.abspath(src))  # the traversal's own name counts, also where it was called "."
    alone = _is_traversal(src)
    found = [src] if alone else sorted(path for path in src.iterdir() if path.is_dir() and _is_traversal(path))
    if not found:
        raise BadInput(f"{src} has no traversal; {LAYOUT}")
    odd = [path for path in found if not NAME.fullmatch(path.name)]
    if odd:
        raise BadInput(f"{odd[0]} cannot name a traversal; rename it with letters, digits and '_-+. '")
    return src.parent if alone else src, found


def _is_traversal(path: Path) -> bool:
    return TRAVERSAL.fullmatch(path.name) is not None or (path / PICTURES).is_dir()


def calibration_folder(base: Path, traversals: Sequence[Path], name: str) -> Path:
    """models/ or extrinsics/: beside the traversals, or in the only one of them."""
    for folder in (base / name, *(path / name for path in traversals if len(traversals) == 1)):
        if folder.is_dir():
            return folder
    raise BadInput(f"{base} has no folder {name}/; take it from the dataset's SDK and put it beside the traversals")


def read_lens(models: Path, extrinsics: Path) -> Lens:
    """The camera of stereo/centre. Raises `BadInput` for files that are missing or no such matrices."""
    path = models / f"{MODEL}.txt"
    fix = "expected fx fy cx cy on the first line, then a 4x4 matrix"
    values = _numbers(path, fix)
    if len(values) != 20 or min(values[:2]) <= 0:
        raise BadInput(f"{path} has {len(values)} numbers, beginning with {values[:2].tolist()}; {fix}")
    frame = values[4:].reshape(4, 4)
    wrong = np.abs(frame[:3, :3] @ frame[:3, :3].T - np.eye(3)).max()
    if wrong > 1e-3 or np.linalg.det(frame) < 0 or (frame[3] != (0, 0, 0, 1)).any():
        raise BadInput(f"{path} holds a 4x4 matrix that is no rigid motion (off by {wrong:.2g}); {fix}")
    camera = read_extrinsic(extrinsics, STEREO)
    fx, fy, cx, cy = values[:4].tolist()
    return Lens(fx, fy, cx, cy, inverse(camera) @ frame)


def read_extrinsic(extrinsics: Path, sensor: str) -> np.ndarray:
    """(4, 4) of a sensor's file: x y z in metres, roll pitch yaw in radians."""
    path = extrinsics / f"{sensor}.txt"
    fix = "expected x y z roll pitch yaw, in metres and radians"
    values = _numbers(path, fix)
    if len(values) != 6:
        raise BadInput(f"{path} has {len(values)} numbers; {fix}")
    if np.abs(values[3:]).max() > 2 * np.pi:
        raise BadInput(f"{path} has an angle of {values[3:][np.abs(values[3:]).argmax()]:g}, no radians; {fix}")
    transform: np.ndarray = transforms(values[None])[0]
    return transform


def read_lut(models: Path, size: tuple[int, int], picture: Path) -> np.ndarray:
    """The undistortion table (H, W, 2) column and row, for pictures of `size` (W, H) such as `picture`."""
    path = models / f"{MODEL}_distortion_lut.bin"
    if not path.is_file():
        raise BadInput(f"{path} does not exist; take it from the dataset's SDK (it is stored with git lfs)")
    content = path.read_bytes()
    width, height = size
    expected = 16 * width * height
    if len(content) != expected:
        raise BadInput(
            f"{path} has {len(content)} bytes; expected {expected} for pictures of {width}x{height} such as {picture} "
            f"(the SDK keeps it in git lfs, which leaves a pointer until it is pulled)"
        )
    lut = np.frombuffer(content, "<f8").reshape(2, height, width)
    if not np.isfinite(lut).all():
        raise BadInput(f"{path} holds {lut[~np.isfinite(lut)][0]}; copy it again")
    return np.moveaxis(lut, 0, 2)


def read_pictures(traversal: Path) -> tuple[np.ndarray, list[str]]:
    """(N,) int64 microseconds, ascending, of the pictures of a traversal that are there, and the names of those whose
    time stereo.timestamps does not list. Raises `BadInput` when there are none."""
    folder = traversal / PICTURES
    if not folder.is_dir():
        raise BadInput(f"{traversal} has no folder {PICTURES}; {LAYOUT}")
    times = _stamps(folder, ".png")
    if not len(times):
        raise BadInput(f"{folder} has no picture named by its time, such as 1418133661893750.png")
    listed = _timestamps(traversal / "stereo.timestamps")
    known = np.ones(len(times), bool) if listed is None else np.isin(times, listed)
    if not known.any():
        raise BadInput(
            f"{traversal / 'stereo.timestamps'} lists none of the {len(times)} pictures of {folder}, such as "
            f"{times[0]}.png; copy both from the same traversal"
        )
    return times[known], [str(PICTURES / f"{time}.png") for time in times[~known].tolist()]


def picture_path(traversal: Path, time_us: int) -> Path:
    return traversal / PICTURES / f"{time_us}.png"


def check_picture(path: Path, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """Width and height of a raw picture. Raises `BadInput` unless it is whole by its first and last bytes, has one
    channel of 8 bits, and is of `size`."""
    try:
        with open_picture(path) as picture:
            found, mode = picture.size, picture.mode
        with path.open("rb") as stream:
            stream.seek(-len(PNG_END), 2)
            whole = stream.read() == PNG_END
    except Exception as error:  # Pillow raises anything on damaged files
        raise BadInput(f"{path} is no PNG picture; copy it again or delete it") from error
    if not whole:
        raise BadInput(f"{path} is truncated: it has no end of a PNG file; copy it again or delete it")
    if mode != "L":
        raise BadInput(f"{path} has pixels of kind {mode}; expected raw pictures: one channel of 8 bits, Bayer GBRG")
    if (size is not None and found != size) or min(found) < 2:
        expected = "as the others" if size is None else f"{size[0]}x{size[1]} as the others"
        raise BadInput(f"{path} is {found[0]}x{found[1]}; expected {expected}")
    return found


def read_scans(traversal: Path, lidar: str, extrinsics: Path) -> Scans:
    """The scans of a lidar that are there, each of a size that it may have. Raises `BadInput` when there are none."""
    folder = traversal / lidar
    if not folder.is_dir():
        raise BadInput(f"{traversal} has no folder {lidar}; {LAYOUT}, or choose another lidar")
    mount = read_extrinsic(extrinsics, lidar)
    _timestamps(traversal / f"{lidar}.timestamps")
    times = _stamps(folder, ".bin")
    scans = Scans(folder, times, mount, flat=lidar.startswith("lms"))
    sizes = [scans.path(row).stat().st_size for row in range(len(times))]
    for row in np.flatnonzero(np.array(sizes, int) % POINT_BYTES).tolist():
        check_size(scans.path(row), sizes[row])
    if not any(sizes):
        raise BadInput(f"{folder} has no scan named by its time, such as 1418133661893750.bin, with points in it")
    return scans


def read_condition(traversal: Path, base: Path) -> str:
    """Light and weather of a traversal as its tags say: night, dusk or dawn, then snow or rain, else sun, overcast or
    clouds; unknown without tags. `tags.csv` in the traversal, or `tags/NAME.yaml` (or .csv) as in the SDK."""
    for path in (traversal / "tags.csv", *(base / "tags" / f"{traversal.name}{end}" for end in (".csv", ".yaml"))):
        if path.is_file():
            tags = {word.lower() for word in re.findall(r"[\w-]*\w", read_text(path))}
            light = next((tag for tag in LIGHTS if tag in tags), None)
            weather = next((tag for tag in WEATHERS if tag in tags), None)
            if light and weather in ("snow", "rain"):
                return f"{light}-{weather}"
            return light or weather or "unknown"
    return "unknown"


def _stamps(folder: Path, end: str) -> np.ndarray:
    names = [path.name.removesuffix(end) for path in folder.iterdir() if path.name.endswith(end)]
    return np.array(sorted(int(name) for name in names if re.fullmatch(r"[1-9]\d{0,17}", name)), np.int64)


def _timestamps(path: Path) -> np.ndarray | None:
    """(N,) the times that a .timestamps file lists, each with the number of its chunk; None where there is no file."""
    if not path.is_file():
        return None
    lines = [line.split() for line in read_text(path).splitlines()]
    found: list[int] = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        if not re.fullmatch(r"\d{1,18}", line[0]):
            raise BadInput(f"{path}: line {number} begins with {line[0]!r}; expected microseconds and a chunk number")
        if found and int(line[0]) <= found[-1]:
            again = "repeats" if int(line[0]) == found[-1] else "comes before"
            raise BadInput(
                f"{path}: line {number}, {line[0]}, {again} the time before it; list each time once, ascending"
            )
        found.append(int(line[0]))
    return np.array(found, np.int64)


def _numbers(path: Path, fix: str) -> np.ndarray:
    try:
        values = np.array([float(word) for word in read_text(path).split()])
    except BadInput:
        raise
    except ValueError as error:
        raise BadInput(f"{path} holds something that is not a number ({error}); {fix}") from error
    if not np.isfinite(values).all():
        raise BadInput(f"{path} holds {values[~np.isfinite(values)][0]}; {fix}")
    return values
