"""From a data set to what the Data page draws: tracks and frames for the map or plan, and the panels of one frame."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from butf.dataset.areas import Areas
from butf.dataset.frames import Frames
from butf.dataset.summary import forward
from butf.figures.areas_map import Dot, Here, Track
from butf.figures.classes import class_figure, legend_html
from butf.figures.depth import map_figure
from butf.figures.map import fit
from butf.views import Panel, coverage, has_map, lat_lon, side_scale

MAP_PIXELS = (460, 520)
THIN = 5e-4
MANY_DOTS = 1500
MANY_BUILDINGS = 1000
GAP = 4.0
SIDE_HEIGHT = 214
MEANING = {
    "depth": "how far away",
    "reflectance": "how bright to the lidar",
    "lidar": "how far away, as a lidar measured it",
    "points": "how far away, where a lidar's point falls into the picture",
    "returns": "how bright to the lidar, where a point falls into the picture",
    "semantics": "what it is",
}


def points(frames: Frames) -> np.ndarray:
    """(N, 2): longitude and latitude where the data set has them, else metres east and north."""
    if has_map(frames):
        lat, lon = lat_lon(frames)
        return np.stack([lon, lat], axis=1)
    return frames.position[:, :2]


def thin_tracks(frames: Frames) -> list[Track]:
    """All traversals with as few points as can be seen: true to `THIN` of the data set's extent."""
    metres = frames.position[:, :2]
    return tracks(frames, tolerance_m=THIN * float(np.ptp(metres, axis=0).max(initial=0.0)))


def tracks(frames: Frames, traversal: str | None = None, tolerance_m: float = 0.0) -> list[Track]:
    """The traversals (or one of them) split by split, broken where a step is more than `GAP` times the usual one.

    Points that lie within `tolerance_m` metres of the line through the others are left out.
    """
    xy, metres, found = points(frames), frames.position[:, :2], []
    for name in [traversal] if traversal else list(dict.fromkeys(frames.traversal.tolist())):
        for split in frames.splits:
            rows = frames.where(split=split, traversal=name)
            step = np.linalg.norm(np.diff(metres[rows], axis=0), axis=1)
            breaks = np.flatnonzero(step > GAP * np.median(step)) + 1 if len(step) else np.zeros(0, int)
            for part in np.split(rows, breaks):
                if len(part) > 1:
                    kept = part[corners(metres[part], tolerance_m)] if tolerance_m else part
                    found.append(Track(name, split, xy[kept]))
    return found


def corners(line: np.ndarray, tolerance: float) -> np.ndarray:
    """(K,) indices of the points of a line (M, 2) that are needed to follow it within `tolerance` (Douglas and
    Peucker 1973); both ends are among them."""
    kept, open_parts = {0, len(line) - 1}, [(0, len(line) - 1)]
    while open_parts:
        first, last = open_parts.pop()
        if last - first < 2:
            continue
        away = _distances(line[first + 1 : last], line[first], line[last])
        if away.max() >= tolerance:
            middle = first + 1 + int(away.argmax())
            kept.add(middle)
            open_parts += [(first, middle), (middle, last)]
    return np.array(sorted(kept))


def _distances(between: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(K,) distances of points (K, 2) to the stretch from `start` to `end`."""
    along = end - start
    share = np.clip((between - start) @ along / max(float(along @ along), 1e-12), 0, 1)
    distances: np.ndarray = np.linalg.norm(between - start - share[:, None] * along, axis=1)
    return distances


def ground(areas: Areas | None) -> Areas | None:
    """What to draw of the areas at the size of a whole town: houses by the thousand would be sent with every click."""
    if areas is None or len(areas.buildings) <= MANY_BUILDINGS:
        return areas
    return dataclasses.replace(areas, buildings=())


def dots(frames: Frames, rows: np.ndarray, most: int = MANY_DOTS) -> tuple[list[Dot], str]:
    """The frames `rows` (M,) to click, at most `most`, and words for how they were thinned (empty if they were not)."""
    every = max(1, math.ceil(len(rows) / most))
    xy = points(frames)
    shown = [
        Dot(str(frames.frame[i]), str(frames.split[i]), float(xy[i, 0]), float(xy[i, 1]))
        for i in rows[::every].tolist()
    ]
    return shown, f"Every {_ordinal(every)} of its {len(rows):,} frames is drawn." if every > 1 else ""


def here(frames: Frames, i: int) -> Here:
    """Where frame i is and which way it looks."""
    x, y = points(frames)[i].tolist()
    if frames.orientation is None:
        return Here(x, y, None)
    east, north, _ = forward(frames.orientation[i])
    return Here(x, y, math.degrees(math.atan2(east, north)) % 360)


def home(frames: Frames, areas: Areas | None = None) -> tuple[tuple[float, float], float]:
    """Centre (latitude, longitude) and zoom at which all frames and areas are in view."""
    rings = [] if areas is None else [polygon[0] for polygons in areas.areas.values() for polygon in polygons]
    return fit(np.concatenate([points(frames), *rings])[:, ::-1], *MAP_PIXELS)


def side_panel(frames: Frames, i: int, modality: str) -> Panel | None:
    """Frame i's map of a modality with its legend and how much was measured; None where it has none.

    Raises `BadInput` when the file is damaged.
    """
    side = frames.modality(i, modality)
    if side is None:
        return None
    title, note = modality.capitalize(), coverage(side) or "all measured"
    alt = f"{title} of {frames.frame[i]}: {MEANING[modality]}"
    if modality == "semantics":
        names = frames.modalities[modality].get("classes", ())
        figure = class_figure(side, names, SIDE_HEIGHT)
        return Panel(modality, title, note, alt, figure, legend_html(side, names))
    figure = map_figure(side.values, side.valid, side_scale(frames, modality), SIDE_HEIGHT)
    return Panel(modality, title, note, alt, figure)


def nearest(frames: Frames, traversal: str, before: str | None) -> str:
    """The frame of a traversal taken nearest to the frame named `before`; its first one without such a frame."""
    rows = frames.where(traversal=traversal)
    old = np.flatnonzero(frames.frame == before)
    at = int(frames.distances(old, rows)[0].argmin()) if len(old) else 0
    return str(frames.frame[rows[at]])


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
