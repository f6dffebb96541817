"""Between the metres of a data set's frame and WGS84."""

from __future__ import annotations

import math

import numpy as np

from butf.dataset.frames import Frames
from butf.dataset.manifest import utm_zone
from butf.importers.geography import to_degrees, to_metres

EQUATOR_M, ECCENTRICITY_2 = 6_378_137.0, 0.006_694_379_990_14
"""WGS84: the larger radius, and the square of the eccentricity."""
LEAST_SPREAD_M = 1.0
"""Frames nearer to their middle than this (root mean square) do not tell which way their metres are turned."""


def on_globe(frames: Frames, places: np.ndarray) -> np.ndarray:
    """Metres east and north (N, 2) of the data set's frame as latitude and longitude (N, 2).

    Where no UTM zone says how, as the frames have it, whose degrees are known: turned and scaled, never sheared.
    """
    zone = utm_zone(frames.origin)
    if zone is not None:
        return np.stack(to_degrees(places[:, 0], places[:, 1], zone), axis=1)
    there, middle, degrees = _as_frames(frames)
    lon_lat: np.ndarray = degrees + (places - middle) @ there
    return lon_lat


def off_globe(frames: Frames, lat: float, lon: float) -> np.ndarray:
    """The inverse of `on_globe` for one point: metres east and north (2,)."""
    zone = utm_zone(frames.origin)
    if zone is not None:
        east, north = to_metres(np.array([lat]), np.array([lon]), zone)
        return np.array([east[0], north[0]])
    there, middle, degrees = _as_frames(frames)
    return middle + np.linalg.solve(there.T, np.array([lat, lon]) - degrees)


def _as_frames(frames: Frames) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Degrees per metre (2, 2), to be multiplied from the right, and the frames' middle in metres and in degrees.

    Least squares over a turn and a scale: a plane would leave open what lies beside the frames of a straight street.
    """
    assert frames.lat is not None and frames.lon is not None
    middle, degrees = frames.position[:, :2].mean(axis=0), np.array([frames.lat.mean(), frames.lon.mean()])
    along, across = _degree_m(float(degrees[0]))
    own = (frames.position[:, :2] - middle) @ (1, 1j)
    true = across * (frames.lon - degrees[1]) + 1j * along * (frames.lat - degrees[0])
    spread = float(np.mean(np.abs(own) ** 2))
    turn = (np.mean(own.conj() * true) / spread if spread > LEAST_SPREAD_M**2 else 0) or 1.0
    return np.array([[turn.imag, turn.real], [turn.real, -turn.imag]]) / (along, across), middle, degrees


def _degree_m(lat: float) -> tuple[float, float]:
    """Metres of a degree of latitude and of one of longitude, at a latitude in degrees."""
    sine, cosine = math.sin(math.radians(lat)), math.cos(math.radians(lat))
    across = EQUATOR_M / math.sqrt(1 - ECCENTRICITY_2 * sine**2)
    along = across * (1 - ECCENTRICITY_2) / (1 - ECCENTRICITY_2 * sine**2)
    return math.radians(along), math.radians(across * cosine)
