"""areas.geojson: where each split lies, and the streets and buildings to draw where no map tiles can be had."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from butf.dataset.table import SPLITS
from butf.errors import BadInput
from butf.files import read_json, write_json

# A closed line (K, 2) for the border, then one for each hole; longitude, latitude.
Polygon = tuple[np.ndarray, ...]
BLOCK = 65536


@dataclass(frozen=True, eq=False)
class Areas:
    """Polygons of each split, and lines and polygons to draw. All points are longitude, latitude in degrees WGS84."""

    areas: dict[str, tuple[Polygon, ...]] = field(default_factory=dict)
    streets: tuple[np.ndarray, ...] = ()
    buildings: tuple[Polygon, ...] = ()

    def split_of(self, points: np.ndarray) -> np.ndarray:
        """(N,) str: the split whose area holds each point (N, 2) longitude, latitude; "" outside all of them.

        Where areas overlap the first of `areas` wins.
        """
        points = np.asarray(points, float)
        found = np.full(len(points), "", dtype="<U8")
        for split, polygons in self.areas.items():
            inside = np.zeros(len(points), bool)
            for polygon in polygons:
                inside |= contains(polygon, points)
            found[inside & (found == "")] = split
        return found


def contains(polygon: Polygon, points: np.ndarray) -> np.ndarray:
    """(N,) bool: which points (N, 2) lie inside, by the even-odd rule over border and holes.

    A ray to the east crosses an edge when one end is above the point and the other is not, so that a vertex on
    the ray counts once.
    """
    points = np.asarray(points, float)
    start, end = _edges(polygon)
    inside = np.zeros(len(points), bool)
    for first in range(0, len(points), max(1, BLOCK // max(len(start), 1))):
        rows = slice(first, first + max(1, BLOCK // max(len(start), 1)))
        inside[rows] = _odd(points[rows], start, end)
    return inside


def _odd(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    x, y = points[:, :1], points[:, 1:]
    crosses = (start[:, 1] > y) != (end[:, 1] > y)
    rise = np.where(end[:, 1] == start[:, 1], 1.0, end[:, 1] - start[:, 1])
    at = start[:, 0] + (y - start[:, 1]) * (end[:, 0] - start[:, 0]) / rise
    odd: np.ndarray = (crosses & (x < at)).sum(axis=1) % 2 == 1
    return odd


def _edges(polygon: Polygon) -> tuple[np.ndarray, np.ndarray]:
    rings = [np.asarray(ring, float) for ring in polygon]
    return np.concatenate(rings), np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])


def write_areas(path: Path | str, areas: Areas) -> None:
    """Write areas.geojson (RFC 7946): each feature's `kind` is area (with its `split`), street or building."""
    features = [
        _feature("Polygon", _rings(polygon), kind="area", split=split)
        for split, polygons in areas.areas.items()
        for polygon in polygons
    ]
    features += [_feature("LineString", _points(line), kind="street") for line in areas.streets]
    features += [_feature("Polygon", _rings(polygon), kind="building") for polygon in areas.buildings]
    write_json(path, {"type": "FeatureCollection", "features": features}, compact=True)


def read_areas(path: Path | str) -> Areas:
    """Read areas.geojson; features of any other `kind` are left out.

    Raises `BadInput` naming the file, the feature and what is wrong with it.
    """
    value = read_json(path)
    features = value.get("features") if isinstance(value, dict) else None
    if not isinstance(features, list):
        raise BadInput(f"{path} has no list of features; expected a GeoJSON FeatureCollection")
    areas: dict[str, list[Polygon]] = {}
    streets: list[np.ndarray] = []
    buildings: list[Polygon] = []
    for number, feature in enumerate(features, start=1):
        try:
            _sort_in(feature, areas, streets, buildings)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadInput(f"{path}: feature {number} is broken ({error}); {_EXPECTED}") from error
    return Areas({split: tuple(polygons) for split, polygons in areas.items()}, tuple(streets), tuple(buildings))


_EXPECTED = "expected an area with its split, a street or a building, with longitude, latitude in degrees"


def _sort_in(
    feature: Any, areas: dict[str, list[Polygon]], streets: list[np.ndarray], buildings: list[Polygon]
) -> None:
    properties, geometry = feature["properties"] or {}, feature["geometry"]
    kind, coordinates = properties.get("kind"), geometry["coordinates"]
    if kind == "street":
        streets.append(_line(coordinates, least=2))
    elif kind in ("area", "building"):
        shapes = coordinates if geometry["type"] == "MultiPolygon" else [coordinates]
        polygons = [tuple(_line(ring, least=4) for ring in shape) for shape in shapes]
        if not all(polygons):
            raise ValueError("a polygon has no border")
        if kind == "building":
            buildings.extend(polygons)
            return
        if properties.get("split") not in SPLITS:
            raise ValueError(f"split is {properties.get('split')!r}")
        areas.setdefault(properties["split"], []).extend(polygons)


def _line(coordinates: Any, least: int) -> np.ndarray:
    points = np.array(coordinates, float)
    if points.ndim != 2 or points.shape[1] < 2 or len(points) < least:
        raise ValueError(f"coordinates are not a list of at least {least} points")
    points = points[:, :2]
    if not np.isfinite(points).all() or (np.abs(points) > (180, 90)).any():
        raise ValueError("a coordinate is out of range")
    return points


def _feature(form: str, coordinates: list[Any], **properties: str) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": {"type": form, "coordinates": coordinates}}


def _points(line: np.ndarray) -> list[Any]:
    # Eight decimals of a degree are a millimetre.
    points: list[Any] = np.round(np.asarray(line, float), 8).tolist()
    return points


def _rings(polygon: Polygon) -> list[Any]:
    """Rings with the first point repeated at the end, as RFC 7946 wants them."""
    return [_points(ring if np.array_equal(ring[0], ring[-1]) else np.vstack([ring, ring[:1]])) for ring in polygon]
