"""The camera that took a picture: as the data set says, else as the photo's EXIF says, else as a person says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from butf.dataset.frames import Frames
from butf.pose.answer import Query

USUAL_VIEW_DEG = 60.0
FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)


def query_of(
    frames: Frames, picture: Image.Image, source: Path | BinaryIO | None = None, view_deg: float | None = None
) -> Query:
    """A photo as a query: its camera is the one of `frames` of that size, unless `view_deg` or EXIF say otherwise.

    In this order: `view_deg`, degrees across the picture's width, where it is given; the 35 mm focal length in the
    EXIF of `source` (the file that `picture` was read from); the data set's camera of the same size; 60 degrees.
    `camera_source` says which it was. Raises `BadInput` for a `view_deg` outside 1 to 179.
    """
    raise NotImplementedError


def query_of_frame(frames: Frames, i: int) -> Query:
    """Frame i of a data set as a query, with the data set's camera of its size (else as `query_of`)."""
    raise NotImplementedError
