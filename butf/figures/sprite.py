"""A sheet of small pictures in one file, so that a drawing of many points can show any of them at once."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps

from butf.dataset.frames import Frames
from butf.figures.gallery import data_uri
from butf.files import open_picture, upright

WIDTH = 96
QUALITY = 60
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Sprite:
    """A JPEG in a data URI; picture k lies in column k % columns and row k // columns of cells of width x height."""

    uri: str
    columns: int
    width: int
    height: int

    def cell(self, k: int) -> tuple[int, int, int, int]:
        """The box (left, top, right, bottom) of picture k in pixels of the sheet."""
        left, top = self.width * (k % self.columns), self.height * (k // self.columns)
        return left, top, left + self.width, top + self.height


def sprite_sheet(frames: Frames, rows: Sequence[int], progress: Progress | None = None, width: int = WIDTH) -> Sprite:
    """The pictures of some frames on one sheet, each within a cell of the first one's proportions.

    The sensor noise that dataset.json declares is left out: nobody would see it at this size. Raises `BadInput` for a
    picture that cannot be read.
    """
    columns = max(1, math.ceil(math.sqrt(len(rows))))
    first = _small(frames, rows[0], (width, width))
    height = max(1, round(width * first.height / first.width))
    sheet = Image.new("RGB", (columns * width, math.ceil(len(rows) / columns) * height), (128, 128, 128))
    for k, row in enumerate(rows):
        picture = _small(frames, row, (width, height))
        at = (width * (k % columns) + (width - picture.width) // 2, height * (k // columns))
        sheet.paste(picture, (at[0], at[1] + (height - picture.height) // 2))
        if progress is not None:
            progress(k + 1, len(rows))
    stream = io.BytesIO()
    sheet.save(stream, "JPEG", quality=QUALITY)
    return Sprite(data_uri(stream.getvalue()), columns, width, height)


def _small(frames: Frames, row: int, size: tuple[int, int]) -> Image.Image:
    """A frame's picture within `size` (W, H), in its own proportions."""
    try:
        with open_picture(frames.image_path(row)) as stored:
            stored.draft("RGB", size)  # a JPEG decoded at a fraction of its size takes a sixth of the time
            picture = upright(stored).convert("RGB")
    except Exception:  # Pillow's decoders raise anything on damaged files
        picture = frames.image(row)  # which says in a sentence what is wrong
    return ImageOps.contain(picture, size, Image.Resampling.BILINEAR)
