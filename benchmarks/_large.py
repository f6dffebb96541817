"""A data set of any size, to measure tables and pages with: a car drives through a town of square blocks, four times.

Positions, headings, times, streets and buildings are those of a town of that size; the pictures are hard links to a few
of the shipped town's, by condition, since what is measured does not depend on what they show.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import utm

from butf.dataset.areas import Areas, write_areas
from butf.dataset.frames import write_frames
from butf.files import ASSETS

TRAVERSALS = {"reference": "reference", "overcast": "overcast", "snow": "snow", "night": "night"}
SPACING_M, BLOCK_M, LANE_M = 4.5, 100.0, 1.5
ORIGIN, ZONE = np.array([448_000.0, 5_105_000.0]), 30
SHARES = {"train": 0.15, "val": 0.15, "test": 0.70}
"""Most of it is asked about: what Explore has to show grows with its split, not with the data set."""
SHARED_PICTURES = 24


def write_large(root: Path, frames: int) -> Path:
    """Write `frames` frames (a multiple of four) and what belongs to them into the folder `root`, and return it."""
    places = frames // len(TRAVERSALS)
    route, yaw, side = _route(places)
    rows: dict[str, Any] = {key: [] for key in ("frame", "traversal", "condition", "split", "time_s")}
    positions = []
    splits = np.repeat(list(SHARES), np.diff(np.round(np.cumsum([0.0, *SHARES.values()]) * places).astype(int)))
    for lane, name in enumerate(TRAVERSALS):
        across = np.stack([-np.sin(yaw), np.cos(yaw)], axis=1) * LANE_M * lane
        positions.append(route + across)
        rows["frame"] += [f"{name}/{place:06d}" for place in range(places)]
        rows["traversal"] += [name] * places
        rows["condition"] += [name] * places
        rows["split"] += splits.tolist()
        rows["time_s"] += (86_400.0 * lane + np.arange(places) * SPACING_M / 10).tolist()
        _link_pictures(root / name / "rgb", name, places)
    metres = np.concatenate(positions) + ORIGIN
    lat, lon = _degrees(metres)
    turned = _quaternions(np.tile(yaw, len(TRAVERSALS)))
    placed = {"lat": lat, "lon": lon, "easting_m": metres[:, 0], "northing_m": metres[:, 1]}
    write_areas(root / "areas.geojson", _ground(side))
    write_frames(root, rows | placed | {"altitude_m": np.full(len(metres), 20.0)} | turned, _description())
    return root


def _route(places: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Up and down the town's streets: (P, 2) metres, (P,) heading in radians from east, and the town's side."""
    side = math.ceil(math.sqrt(places * SPACING_M * BLOCK_M) / BLOCK_M) * BLOCK_M
    along = np.arange(places) * SPACING_M
    street, at = np.divmod(along, side)
    back = street % 2 == 1
    route = np.stack([np.where(back, side - at, at), street * BLOCK_M], axis=1)
    return route, np.where(back, np.pi, 0.0), side


def _quaternions(yaw: np.ndarray) -> dict[str, np.ndarray]:
    """Camera (x right, y down, z forward) to world of level cameras: a turn about up after the one that looks east."""
    half, s = yaw / 2, 0.5
    w, z = np.cos(half), np.sin(half)
    return {"qw": s * (w - -z), "qx": s * (-w - z), "qy": s * (w - z), "qz": s * (-w + z)}


def _ground(side: float) -> Areas:
    lines = np.arange(0.0, side + 1, BLOCK_M)
    streets = [_globe([(0, y), (side, y)]) for y in lines] + [_globe([(x, 0), (x, side)]) for x in lines]
    corners = [(x + dx, y + dy) for x in lines[:-1] for y in lines[:-1] for dx in (12, 52) for dy in (12, 52)]
    ends = np.cumsum([0.0, *SHARES.values()]) * side
    areas = {
        split: ((_box(-20, ends[k], side + 20, ends[k + 1] - 1),),) for k, split in enumerate(SHARES)
    }  # only drawn: which frame is of which split, frames.csv says
    return Areas(areas, tuple(streets), tuple((_box(x, y, x + 36, y + 36),) for x, y in corners))


def _box(west: float, south: float, east: float, north: float) -> np.ndarray:
    return _globe([(west, south), (east, south), (east, north), (west, north), (west, south)])


def _globe(points: list[tuple[float, float]]) -> np.ndarray:
    lat, lon = _degrees(np.array(points, float) + ORIGIN)
    return np.stack([lon, lat], axis=1)


def _degrees(metres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lat, lon = utm.to_latlon(metres[:, 0], metres[:, 1], ZONE, northern=True)
    return lat, lon


def _link_pictures(folder: Path, condition: str, places: int) -> None:
    """Copies of a few of the shipped town's pictures, and hard links to these."""
    folder.mkdir(parents=True)
    shipped = sorted((ASSETS / "town" / condition / "rgb").glob("*.jpg"))[-SHARED_PICTURES:]
    for place in range(places):
        path = folder / f"{place:06d}.jpg"
        if place < len(shipped):
            shutil.copyfile(shipped[place], path)
        else:
            os.link(folder / f"{place % len(shipped):06d}.jpg", path)


def _description() -> dict[str, Any]:
    """The shipped town's, but for what is not here."""
    town = json.loads((ASSETS / "town" / "dataset.json").read_text("utf-8"))
    lat, lon = _degrees(ORIGIN[None])
    roles = [
        {"name": name, "condition": name, "role": "query" if number else "reference", "labels": name != "night"}
        for number, name in enumerate(TRAVERSALS)
    ]
    return town | {
        "name": "large town", "source": "made up to measure with", "modalities": {}, "noise": {}, "traversals": roles,
        "origin": {"lat": float(lat[0]), "lon": float(lon[0]), "utm_zone": f"{ZONE}T"},
    }  # fmt: skip
