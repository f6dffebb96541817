"""Between the metres of a data set's frame and WGS84."""

from __future__ import annotations

import numpy as np

from butf.dataset.frames import Frames
from butf.dataset.manifest import utm_zone
from butf.importers.geography import to_degrees, to_metres


def on_globe(frames: Frames, places: np.ndarray) -> np.ndarray:
    """Metres east and north (N, 2) of the data set's frame as latitude and longitude (N, 2).

    Where no UTM zone says how, by a plane through the frames, whose degrees are known.
    """
    zone = utm_zone(frames.origin)
    if zone is not None:
        return np.stack(to_degrees(places[:, 0], places[:, 1], zone), axis=1)
    plane, middle = _plane(frames)
    return (np.concatenate([places - middle, np.ones((len(places), 1))], axis=1)) @ plane


def off_globe(frames: Frames, lat: float, lon: float) -> np.ndarray:
    """The inverse of `on_globe` for one point: metres east and north (2,)."""
    zone = utm_zone(frames.origin)
    if zone is not None:
        east, north = to_metres(np.array([lat]), np.array([lon]), zone)
        return np.array([east[0], north[0]])
    plane, middle = _plane(frames)
    return np.linalg.solve(plane[:2].T, np.array([lat, lon]) - plane[2]) + middle


def _plane(frames: Frames) -> tuple[np.ndarray, np.ndarray]:
    middle = frames.position[:, :2].mean(axis=0)
    table = np.concatenate([frames.position[:, :2] - middle, np.ones((len(frames), 1))], axis=1)
    return np.linalg.lstsq(table, np.stack([frames.lat, frames.lon], axis=1), rcond=None)[0], middle
