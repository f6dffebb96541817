"""The camera that took a picture: as the data set says, else as the photo's EXIF says, else as is usual."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import BinaryIO

from PIL import Image
from PIL.ExifTags import IFD, Base

from butf.dataset.frames import Frames
from butf.dataset.manifest import Camera
from butf.errors import BadInput
from butf.files import open_picture
from butf.pose.answer import Query

USUAL_VIEW_DEG = 60.0
FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)


def query_of(
    frames: Frames, picture: Image.Image, source: Path | BinaryIO | None = None, view_deg: float | None = None
) -> Query:
    """A photo as a query, with its camera and where that is from.

    In this order: `view_deg`, degrees across the picture's width, where it is given; the 35 mm focal length in the
    EXIF of `source` (the file that `picture` was read from); the data set's camera of the same size; 60 degrees.
    Raises `BadInput` for a `view_deg` outside 1 to 179.
    """
    if view_deg is not None:
        if not 1 <= view_deg <= 179:
            raise BadInput(f"the field of view is {view_deg:g} degrees; give degrees across the width, from 1 to 179")
        return Query(picture, seeing(view_deg, picture.size), f"{view_deg:g} degrees across the width, as given")
    film_mm = None if source is None else focal_35mm(source)
    if film_mm is not None:
        return Query(picture, of_film(film_mm, picture.size), f"{film_mm:g} mm of 35 mm film, by the photo's EXIF")
    camera = camera_of_size(frames, picture.size)
    if camera is not None:
        return Query(picture, camera, f"camera {camera.name} of data set {frames.name}, which has this size")
    words = f"none known: {USUAL_VIEW_DEG:g} degrees across the width are assumed"
    return Query(picture, seeing(USUAL_VIEW_DEG, picture.size), words)


def query_of_frame(frames: Frames, i: int) -> Query:
    """Frame i of a data set as a query, with the data set's camera of its size (without one as `query_of`)."""
    picture = frames.image(i)
    camera = camera_of_size(frames, picture.size)
    if camera is not None:
        return Query(picture, camera, f"camera {camera.name} of data set {frames.name}", int(i))
    photo = query_of(frames, picture, frames.image_path(i))
    return Query(picture, photo.camera, photo.camera_source, int(i))


def camera_of_size(frames: Frames, size: tuple[int, int]) -> Camera | None:
    """The data set's first camera whose pictures are of this size (W, H)."""
    return next((camera for camera in frames.cameras if (camera.width, camera.height) == size), None)


def seeing(view_deg: float, size: tuple[int, int]) -> Camera:
    """A camera that sees so many degrees across the width of a picture of `size` (W, H), centred."""
    return _centred(size[0] / 2 / math.tan(math.radians(view_deg) / 2), size)


def of_film(film_mm: float, size: tuple[int, int]) -> Camera:
    """A camera of a 35 mm equivalent focal length, which compares diagonals (CIPA DCG-001)."""
    return _centred(film_mm * math.hypot(*size) / FILM_DIAGONAL_MM, size)


def focal_35mm(source: Path | BinaryIO) -> float | None:
    """The 35 mm equivalent focal length in a picture's EXIF, millimetres; None where there is none."""
    start = None if isinstance(source, Path) else source.tell()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tags that are not as they should be
            if not isinstance(source, Path):
                source.seek(0)
            with open_picture(source) as picture:
                value = float(picture.getexif().get_ifd(IFD.Exif).get(Base.FocalLengthIn35mmFilm, 0))
    except Exception:  # of a broken EXIF Pillow raises anything
        return None
    finally:
        if start is not None and not isinstance(source, Path):
            source.seek(start)
    return value if 1 <= value < 2000 else None


def _centred(focal: float, size: tuple[int, int]) -> Camera:
    width, height = size
    return Camera("assumed", width, height, focal, focal, width / 2, height / 2)
