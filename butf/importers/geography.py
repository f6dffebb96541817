"""Degrees and UTM metres of many points at once, and the orientation of a level camera of known heading."""

from __future__ import annotations

from collections import Counter

import numpy as np
import utm

from butf.dataset.manifest import utm_zone
from butf.dataset.poses import quaternions
from butf.errors import BadInput

Zone = tuple[int, bool]
"""A UTM zone: its number, and whether its northings count from the equator to the north."""
SOUTHMOST, NORTHMOST = -80.0, 84.0
"""Latitudes in degrees between which UTM is defined."""


def parse_zone(text: str) -> Zone:
    """A zone as a person gives it: 33N or 56S, N and S being hemispheres. Raises `BadInput` for anything else."""
    try:
        zone = utm_zone({"utm_zone": text})
    except ValueError as error:
        raise BadInput(f"{text!r} is no UTM zone; give a number from 1 to 60 and N or S, as in 33N") from error
    assert zone is not None
    return zone


def zone_text(zone: Zone) -> str:
    """33N or 56S: number and hemisphere."""
    return f"{zone[0]}{'N' if zone[1] else 'S'}"


def zones_of(lat: np.ndarray, lon: np.ndarray) -> list[Zone]:
    """The zone in which each point lies, degrees WGS84 (N,)."""
    return [(int(utm.latlon_to_zone_number(a, b)), a >= 0) for a, b in zip(lat.tolist(), lon.tolist(), strict=True)]


def commonest(zones: list[Zone]) -> Zone:
    """The zone that occurs most often; of several the first."""
    return Counter(zones).most_common(1)[0][0]


def to_metres(lat: np.ndarray, lon: np.ndarray, zone: Zone) -> tuple[np.ndarray, np.ndarray]:
    """Degrees WGS84 (N,) -> easting and northing (N,) in metres of `zone`, wherever the points lie."""
    east, north = utm.from_latlon(lat, lon, force_zone_number=zone[0], force_northern=zone[1])[:2]
    return np.asarray(east), np.asarray(north)


def to_degrees(east: np.ndarray, north: np.ndarray, zone: Zone) -> tuple[np.ndarray, np.ndarray]:
    """Easting and northing (N,) in metres of `zone` -> latitude and longitude (N,) in degrees WGS84."""
    lat, lon = utm.to_latlon(east, north, zone[0], northern=zone[1], strict=False)
    return np.asarray(lat), np.asarray(lon)


def facing(heading_deg: np.ndarray, lat: np.ndarray, lon: np.ndarray, zone: Zone) -> np.ndarray:
    """Orientations (N, 4) qw, qx, qy, qz, camera to world, of level cameras that look along a heading.

    Headings (N,) are degrees clockwise from true north; the world's north is the zone's grid north, which is turned
    against it by `convergence`.
    """
    angle = np.radians(heading_deg) - convergence(lat, lon, zone)
    sine, cosine, zero = np.sin(angle), np.cos(angle), np.zeros(len(angle))
    right, down, ahead = (cosine, -sine, zero), (zero, zero, zero - 1), (sine, cosine, zero)
    return quaternions(np.moveaxis(np.array([right, down, ahead]), (0, 1), (2, 1)))


def convergence(lat: np.ndarray, lon: np.ndarray, zone: Zone) -> np.ndarray:
    """Radians (N,) by which a zone's grid north is turned clockwise from true north, at degrees WGS84 (N,).

    tan(convergence) = tan(lon - central meridian) sin(lat), on the sphere.
    """
    off = np.radians((np.asarray(lon) - (6 * zone[0] - 183) + 180) % 360 - 180)
    angle: np.ndarray = np.arctan(np.tan(off) * np.sin(np.radians(lat)))
    return angle
