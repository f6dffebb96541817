"""Where things lie on disk, and reading and writing them without leaving halves behind."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from butf.errors import BadInput

REPO = Path(__file__).resolve().parent.parent
ASSETS = REPO / "assets"
MAX_PIXELS = 50_000_000


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or REPO / default).expanduser()


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
    path = Path(path)
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise BadInput(f"{path} is not valid JSON at line {error.lineno}: {error.msg}; mend or restore it") from error
    except RecursionError as error:
        raise BadInput(f"{path} is not a JSON file of ours: nested too deeply; mend or restore it") from error


def write_json(path: Path | str, value: Any, compact: bool = False) -> None:
    """Write a JSON file atomically, indented unless `compact`; not-a-number is refused since JSON has none."""
    form = {"separators": (",", ":")} if compact else {"indent": 2}
    write_atomic(path, json.dumps(value, ensure_ascii=False, allow_nan=False, **form) + "\n")


def read_image(source: Path | str | BinaryIO, name: str | None = None) -> Image.Image:
    """A picture as RGB, turned upright by its EXIF orientation.

    `name` is what errors call it (the path by default). Raises `BadInput` for a missing or truncated file,
    for what is no image, and for more than 50 megapixels, which is seen before anything is decoded.
    """
    label = name or (str(source) if isinstance(source, (str, Path)) else "the uploaded file")
    return upright_rgb(read_pixels(source, label))


def upright_rgb(picture: Image.Image) -> Image.Image:
    """The picture turned upright by its EXIF orientation, as RGB (16-bit grey scaled to 8 bits)."""
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):
        # Pillow's own conversion clips at 255 and would show a 16-bit photograph as white.
        upright = Image.fromarray((np.asarray(upright) // 257).clip(0, 255).astype(np.uint8))
    return upright.convert("RGB")


def read_pixels(source: Path | str | BinaryIO, label: str | None = None) -> Image.Image:
    """A picture decoded in its stored mode (16-bit depth stays 16-bit); raises as `read_image`."""
    label = label or str(source)
    limit = f"expected at most {MAX_PIXELS // 1_000_000} megapixels"
    try:
        with warnings.catch_warnings():
            # Our own limit below says it in one sentence.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(source)
        if picture.width * picture.height > MAX_PIXELS:
            raise BadInput(f"{label} has {picture.width * picture.height / 1e6:.0f} megapixels; {limit}")
        picture.load()
    except BadInput:
        raise
    except FileNotFoundError as error:
        raise BadInput(f"{label} does not exist; check the path") from error
    except UnidentifiedImageError as error:
        raise BadInput(f"{label} is not an image; expected a JPEG or PNG file") from error
    except Image.DecompressionBombError as error:
        raise BadInput(f"{label} is far too large to open; {limit}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, OSError) and error.errno:
            raise BadInput(f"{label} cannot be read ({_reason(error)}); check the path and its permissions") from error
        raise BadInput(f"{label} is truncated or damaged ({error}); copy or export it again") from error
    return picture
