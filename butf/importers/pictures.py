"""Pictures on their way into a data set: seen to be whole, turned upright, else byte for byte."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from butf import files
from butf.files import MAX_PIXELS, read_pixels
from butf.importers.staging import FrameFiles, read_bytes

SAME_BYTES = "the same bytes as another picture"
QUALITY = 95


def picture_files(frames: Mapping[str, Path], upright: bool = False) -> list[FrameFiles]:
    """The files of frames that are a picture each, `frames` being frame -> file of the source."""
    return [_picture_file(frame, path, upright) for frame, path in frames.items()]


def picture_bytes(path: Path, upright: bool = False) -> bytes:
    """A picture's own bytes once it was seen to be whole; with `upright` it is written anew if it lies on its side.

    Raises `BadInput` for what is no picture, truncated or too large.
    """
    picture = read_pixels(path)
    turned = files.upright(picture) if upright else picture
    if turned is picture:
        return read_bytes(path)
    file = io.BytesIO()
    if path.suffix.lower() == ".png":
        turned.save(file, "PNG")
    else:
        turned.save(file, "JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue()


def fault_of(path: Path) -> str:
    """Why a picture cannot be opened, "" where it can; a JPEG is decoded small, which reads all of it."""
    try:
        with files.open_picture(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return f"more than {MAX_PIXELS // 1_000_000} megapixels"
            picture.draft("RGB", (picture.width // 8, picture.height // 8))
            picture.load()
    except Exception:  # Pillow's decoders raise anything on damaged files
        return "cannot be opened"
    return ""


def _picture_file(frame: str, path: Path, upright: bool) -> FrameFiles:
    traversal, name = frame.split("/")
    file = f"{traversal}/rgb/{name}{path.suffix.lower()}"
    return FrameFiles((file,), lambda: {file: picture_bytes(path, upright)})
