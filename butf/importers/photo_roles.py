"""Which photographs are asked and which are the database, and in which split each lies."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from butf.dataset.areas import Areas, read_areas
from butf.dataset.manifest import PlaceRule
from butf.errors import BadInput
from butf.importers.exif import Facts

PLACE = PlaceRule(radius_m=25.0)
SHARE = 0.2
OUTSIDE = "outside the train, val and test areas"


@dataclass(frozen=True)
class Choice:
    """What a user may choose: who is a query, the splits, the place rule, and whether altitudes count.

    `share` of the photographs are queries, unless `query_folder` beneath the source names them or a table says so.
    `areas` is a GeoJSON of train, val and test areas (see `butf.dataset.areas`), `table` the CSV where
    there are several.
    """

    share: float = SHARE
    query_folder: str | None = None
    areas: Path | None = None
    table: Path | None = None
    place: PlaceRule = PLACE
    flat: bool = False


@dataclass(frozen=True)
class Photo:
    """A photograph with what is known of it; `query` and `split` None where nothing says."""

    path: Path
    name: str
    facts: Facts
    query: bool | None = None
    split: str | None = None


def read_split_areas(path: Path) -> Areas:
    """The areas of a GeoJSON; `BadInput` when it has none."""
    areas = read_areas(path)
    if not areas.areas:
        raise BadInput(f"{path} has no area; expected polygons with kind area and split train, val or test")
    return areas


def in_splits(
    src: Path, photos: Sequence[Photo], areas: Areas | None, choice: Choice, left: dict[str, list[str]]
) -> list[Photo]:
    """Every photograph with its split and role, the database first; those outside the areas are left out.

    Raises `BadInput` where areas and table both give splits, no photograph lies in an area or in the query folder, and
    where all are queries or none is.
    """
    if areas is not None and any(photo.split for photo in photos):
        raise BadInput(f"{choice.areas} and the table both give splits; leave out the areas or the table's column")
    splits = [photo.split or "test" for photo in photos]
    if areas is not None:
        lat, lon = (np.array([getattr(photo.facts, key) for photo in photos]) for key in ("lat", "lon"))
        splits = areas.split_of(np.stack([lon, lat], axis=1)).tolist()
        left[OUTSIDE] = [photo.name for photo, split in zip(photos, splits, strict=True) if not split]
    placed = [dataclasses.replace(photo, split=split) for photo, split in zip(photos, splits, strict=True) if split]
    if not placed:
        raise BadInput(f"all {len(photos)} photographs lie {OUTSIDE} of {choice.areas}; check the areas")
    queries = _asked(src, placed, choice)
    placed = [dataclasses.replace(photo, query=query) for photo, query in zip(placed, queries, strict=True)]
    if len(set(queries)) < 2:
        missing, there = ("database", "query") if queries[0] else ("query", "database")
        raise BadInput(f"{src}: every photograph is a {there}, none is a {missing}; choose other queries")
    return sorted(placed, key=lambda photo: bool(photo.query))


def _asked(src: Path, photos: Sequence[Photo], choice: Choice) -> list[bool]:
    """Whether each photograph is a query: by the folder named, by the table, or a share of each split."""
    if choice.query_folder is not None:
        folder = (src / choice.query_folder).resolve()
        found = [photo.path.resolve().is_relative_to(folder) for photo in photos]
        if not any(found):
            raise BadInput(
                f"{src} has no photographs with a position in the folder {choice.query_folder!r}; name another"
            )
        return found
    if any(photo.query is not None for photo in photos):
        return [bool(photo.query) for photo in photos]
    asked = np.zeros(len(photos), bool)
    for split in {photo.split for photo in photos}:
        rows = [row for row, photo in enumerate(photos) if photo.split == split]
        degrees = np.array([(photos[row].facts.lat, photos[row].facts.lon) for row in rows])
        metres = (degrees - degrees[0]) * (1, np.cos(np.radians(degrees[0, 0])))
        asked[rows] = spread(choice.share, times_of([photos[row] for row in rows]), metres) if len(rows) > 1 else False
    return asked.tolist()


def times_of(photos: Sequence[Photo]) -> list[float | None]:
    """Times of one clock for all: the satellites' where all have it, else the camera's."""
    given = [photo.facts.gps_time for photo in photos]
    return [photo.facts.taken for photo in photos] if None in given else given


def spread(share: float, times: Sequence[float | None], points: np.ndarray) -> np.ndarray:
    """(N,) bool: a `share` of the photographs, evenly in time where all have one, else along the main axis of `points`
    (N, 2), the direction in which they vary most. At least one and never all, where there are two or more."""
    count = len(points)
    known = [time for time in times if time is not None]
    if len(known) == count:
        key = np.array(known)
    else:
        offset = points - points.mean(axis=0)
        axis = np.linalg.svd(offset, full_matrices=False)[2][0]
        # The sign of a singular vector is arbitrary; the choice must not be.
        key = offset @ (axis * np.sign(axis[np.abs(axis).argmax()]))
    order = np.argsort(key, kind="stable")
    asked = min(max(round(share * count), 1), count - 1)
    chosen = np.zeros(count, bool)
    chosen[order[((np.arange(asked) + 0.5) * count / asked).astype(int)]] = True
    return chosen
