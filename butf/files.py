"""Where things lie on disk, and reading and writing them without leaving halves behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from butf.errors import BadInput

REPO = Path(__file__).resolve().parent.parent
ASSETS = REPO / "assets"
MAX_PIXELS = 50_000_000
MAX_DIGITS = 300  # of a whole number in JSON: it can still be made a float
NAME_BYTES, PATH_BYTES = 255, 4000  # of a file's name and of a path, on the usual disks
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}")  # as `write_atomic` names what it has not finished
FORMATS = ("JPEG", "PNG")
"""Pillow's other decoders are never asked: one of them starts another program, and all are more to be attacked."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture of each EXIF orientation upright."""
SIDEWAYS = (5, 6, 7, 8)
"""The orientations whose pictures lie on their side."""


def _folder(variable: str, default: str) -> Path:
    return user_path(os.environ.get(variable) or REPO / default)


def user_path(text: Path | str) -> Path:
    """The path that somebody typed, `~` being their home; `BadInput` for what no file can be named."""
    path = Path(text)
    try:
        path = path.expanduser()
    except (RuntimeError, ValueError):  # there is no such user, or can be none
        path = Path(text)
    longest = max((len(_on_disk(part)) for part in path.parts), default=0)
    if "\0" in str(path) or len(_on_disk(str(path))) > PATH_BYTES or longest > NAME_BYTES:
        raise BadInput(f"{str(text)!r} is no path: too long, or with a NUL in it; check it")
    return path


def _on_disk(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def runs_dir() -> Path:
    """Folder of the training runs: `$BUTF_RUNS`, or `runs/` of this repository."""
    return _folder("BUTF_RUNS", "runs")


def data_dirs() -> list[Path]:
    """Folders searched for data sets: the shipped assets, then `$BUTF_DATA` or `data/` of this repository."""
    return [ASSETS, _folder("BUTF_DATA", "data")]


def cache_dir() -> Path:
    """Folder of what may be computed again: `$BUTF_CACHE`, or `.cache/` of this repository."""
    return _folder("BUTF_CACHE", ".cache")


def write_atomic(path: Path | str, data: bytes | str, durable: bool = True) -> None:
    """Write a file so that a reader sees either the old content or all of the new one (text as UTF-8).

    One that is not `durable` is much faster among many; a power cut soon after may leave it empty.
    Raises `BadInput` naming the path when it cannot be written (disk full, read-only, no folder can be made).
    """
    path = Path(path)
    content = data.encode("utf-8") if isinstance(data, str) else data
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as stream:
            stream.write(content)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written ({_reason(error)}); free space or choose a writable folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what a kill within `write_atomic` left in a folder; for those who alone write there."""
    for path in folder.glob(".*"):
        if TEMPORARY.fullmatch(path.name) and path.is_file():
            with contextlib.suppress(OSError):
                path.unlink()


@contextlib.contextmanager
def new_folder(out: Path | str) -> Iterator[Path]:
    """A temporary folder beside `out` that becomes `out` when the block ends well, and vanishes when it does not.

    Raises `BadInput` when `out` already exists (nothing is ever overwritten) or cannot be made or written.
    """
    out = Path(out)
    if out.exists():
        raise BadInput(f"{out} already exists; give a folder that does not, or remove it first")
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(6)}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        os.rename(temporary, out)
    except OSError as error:
        raise BadInput(f"{out} cannot be written ({_reason(error)}); free space or choose a writable folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def read_text(path: Path | str) -> str:
    """The UTF-8 text of a file (a byte order mark is dropped); `BadInput` when missing or not text."""
    path = Path(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise BadInput(f"{path} does not exist; check the path") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({_reason(error)}); check the path and its permissions") from error


def read_json(path: Path | str) -> Any:
    """The value in a JSON file; `BadInput` when it is missing or broken."""
    return parse_json(read_text(path), path)


def parse_json(text: str, source: Path | str) -> Any:
    """The value in a JSON text, called `source` in errors.

    Raises `BadInput` for what is no JSON, and for what later readers trip over: nesting without end, whole numbers
    beyond what a float holds, and halves of surrogate pairs, which cannot be written or sent. NaN and Infinity pass.
    """
    try:
        value = json.loads(text, parse_int=_whole)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise BadInput(f"{source} is not valid JSON at line {error.lineno}: {error.msg}; mend or restore it") from error
    except RecursionError as error:
        raise BadInput(f"{source} is not a JSON file of ours: nested too deeply; mend or restore it") from error
    except ValueError as error:
        reason = "half a surrogate pair" if isinstance(error, UnicodeEncodeError) else str(error)
        raise BadInput(f"{source} is not a JSON file of ours: {reason}; mend or restore it") from error
    return value


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return int(digits)


def write_json(path: Path | str, value: Any, compact: bool = False) -> None:
    """Write a JSON file atomically, indented unless `compact`; not-a-number is refused since JSON has none."""
    form = {"separators": (",", ":")} if compact else {"indent": 2}
    write_atomic(path, json.dumps(value, ensure_ascii=False, allow_nan=False, **form) + "\n")


def read_image(source: Path | str | BinaryIO, name: str | None = None, least: int | None = None) -> Image.Image:
    """A picture as RGB, turned upright by its EXIF orientation.

    `name` is what errors call it (the path by default). With `least` a JPEG is decoded at a half, a quarter or an
    eighth of its size where that keeps its proportions to the pixel and its shorter side has `least` pixels: of a
    photo of twelve megapixels in a fifth of the time. Raises `BadInput` for a missing or truncated file, for what is
    no image, and for more than 50 megapixels, which is seen before anything is decoded.
    """
    label = name or (str(source) if isinstance(source, (str, Path)) else "the uploaded file")
    return upright_rgb(read_pixels(source, label, least))


def image_size(source: Path | str | BinaryIO) -> tuple[int, int]:
    """(W, H) of a picture turned upright, by its header; raises what Pillow raises."""
    with open_picture(source) as picture:
        width, height = picture.size
        return (height, width) if orientation(picture) in SIDEWAYS else (width, height)


def upright_rgb(picture: Image.Image) -> Image.Image:
    """The picture turned upright by its EXIF orientation, as RGB (16-bit grey scaled to 8 bits)."""
    turned = upright(picture)
    if turned.mode.startswith("I"):
        # Pillow's own conversion clips at 255 and would show a 16-bit photograph as white.
        turned = Image.fromarray((np.asarray(turned) // 257).clip(0, 255).astype(np.uint8))
    return turned.convert("RGB")


def upright(picture: Image.Image) -> Image.Image:
    """The picture turned upright by its EXIF orientation, the same object where it is so already."""
    turn = TURNS.get(orientation(picture))
    return picture if turn is None else picture.transpose(turn)


def orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) to 8; 1 where there is none or the EXIF is broken."""
    try:
        found = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # of a broken EXIF Pillow raises anything from struct.error to TypeError
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _reduce(picture: Image.Image, least: int) -> None:
    """Have a JPEG that is not decoded yet decoded smaller, see `read_image`; other pictures stay as they are."""
    for part in (8, 4, 2):
        if not any(side % part for side in picture.size) and min(picture.size) >= part * least:
            picture.draft(None, (picture.width // part, picture.height // part))
            return


def open_picture(source: Path | str | BinaryIO) -> Image.Image:
    """A JPEG or PNG file whose header was read; raises what Pillow raises, also for every other format."""
    with warnings.catch_warnings():
        # `MAX_PIXELS` says it in one sentence.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(source, formats=FORMATS)


def read_pixels(source: Path | str | BinaryIO, label: str | None = None, least: int | None = None) -> Image.Image:
    """A picture decoded in its stored mode (16-bit depth stays 16-bit); `least` and what it raises: `read_image`."""
    label = label or str(source)
    limit = f"expected at most {MAX_PIXELS // 1_000_000} megapixels"
    try:
        with open_picture(source) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise BadInput(f"{label} has {picture.width * picture.height / 1e6:.0f} megapixels; {limit}")
            if least is not None:
                _reduce(picture, least)
            picture.load()
    except BadInput:
        raise
    except MemoryError as error:  # a chunk that says it has gigabytes
        raise BadInput(f"{label} asks for more memory than there is; copy or export it again") from error
    except FileNotFoundError as error:
        raise BadInput(f"{label} does not exist; check the path") from error
    except UnidentifiedImageError as error:
        raise BadInput(f"{label} is not an image; expected a JPEG or PNG file") from error
    except Image.DecompressionBombError as error:
        raise BadInput(f"{label} is far too large to open; {limit}") from error
    except Exception as error:  # Pillow's decoders raise anything from SyntaxError to IndexError on damaged files
        if isinstance(error, OSError) and error.errno:
            raise BadInput(f"{label} cannot be read ({_reason(error)}); check the path and its permissions") from error
        raise BadInput(f"{label} is truncated or damaged ({error}); copy or export it again") from error
    return picture
