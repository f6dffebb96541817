"""Metres on the globe and back, against the series of Krüger that UTM is defined by, and against arcs of the earth."""

import dataclasses
import math

import numpy as np
import pytest

from butf.dataset.frames import Frames
from butf.pose.globe import off_globe, on_globe

EQUATOR_M, FLATTENING = 6_378_137.0, 1 / 298.257223563
"""WGS84."""


def krueger(lat: float, lon: float, zone: int, north: bool) -> tuple[float, float]:
    """Easting and northing of a point by Krüger's series to the third power of n: good to a tenth of a millimetre."""
    n = FLATTENING / (2 - FLATTENING)
    radius = EQUATOR_M / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    alpha = (n / 2 - 2 * n**2 / 3 + 5 * n**3 / 16, 13 * n**2 / 48 - 3 * n**3 / 5, 61 * n**3 / 240)
    sine, away = math.sin(math.radians(lat)), math.radians(lon - (6 * zone - 183))
    eccentric = 2 * math.sqrt(n) / (1 + n)
    t = math.sinh(math.atanh(sine) - eccentric * math.atanh(eccentric * sine))
    xi, eta = math.atan2(t, math.cos(away)), math.atanh(math.sin(away) / math.hypot(1, t))
    x = eta + sum(a * math.cos(2 * j * xi) * math.sinh(2 * j * eta) for j, a in enumerate(alpha, 1))
    y = xi + sum(a * math.sin(2 * j * xi) * math.cosh(2 * j * eta) for j, a in enumerate(alpha, 1))
    return 500_000 + 0.9996 * radius * x, 0.9996 * radius * y + (0 if north else 10_000_000)


def degree_m(lat: float) -> tuple[float, float]:
    """How long a degree of latitude and one of longitude are at a latitude, metres: the ellipsoid's two radii."""
    squared = FLATTENING * (2 - FLATTENING)
    across = EQUATOR_M / math.sqrt(1 - squared * math.sin(math.radians(lat)) ** 2)
    along = across**3 / EQUATOR_M**2 * (1 - squared)
    return math.radians(along), math.radians(across * math.cos(math.radians(lat)))


def of_zone(frames: Frames, zone: str | None) -> Frames:
    return dataclasses.replace(frames, origin=None if zone is None else {"lat": 0.0, "lon": 0.0, "utm_zone": zone})


def local(frames: Frames, spots: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> Frames:
    """A data set of no UTM zone with frames at metres (N, 2) of its own, whose degrees are known."""
    position = np.concatenate([spots, np.zeros((len(spots), 1))], axis=1)
    return dataclasses.replace(of_zone(frames.take(range(len(spots))), None), position=position, lat=lat, lon=lon)


@pytest.mark.parametrize(
    ("zone", "lat", "lon"),
    [("31N", 48.8, 2.3), ("32N", 51.5, 11.99), ("56S", -33.86, 151.21), ("18S", -12.05, -77.05), ("30U", 51.75, -1.25)],
)
def test_a_zones_metres_are_where_kruegers_series_has_them(tiny_frames, zone, lat, lon):
    frames, north = of_zone(tiny_frames, zone), zone[-1] != "S"
    degrees = np.array([[lat, lon], [lat + 0.01, lon - 0.02]])
    metres = np.array([krueger(*point, int(zone[:2]), north) for point in degrees.tolist()])
    assert np.abs(on_globe(frames, metres) - degrees).max() * 111_320 < 0.01
    for point, there in zip(degrees, metres, strict=True):
        assert off_globe(frames, *point.tolist()) == pytest.approx(there, abs=0.01)


def test_of_a_tiny_street_on_the_globe_the_degrees_are_its_own(tiny_frames):
    found = on_globe(tiny_frames, tiny_frames.position[:, :2])
    assert found == pytest.approx(np.stack([tiny_frames.lat, tiny_frames.lon], axis=1), abs=1e-8)


SHAPES = {
    "a district": np.array([[0.0, 0.0], [400.0, 30.0], [-100.0, 350.0], [220.0, -250.0]]),
    "a straight street": np.array([[0.0, 0.0], [100.0, 50.0], [200.0, 100.0], [-120.0, -60.0]]),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("turned_deg", [0.0, 90.0, -35.0])
def test_without_a_zone_frames_tell_where_their_metres_are(tiny_frames, shape, turned_deg):
    """Local metres are turned against the globe and counted from anywhere; the map is right beside the frames too."""
    lat, lon, angle = 48.8, 2.3, math.radians(turned_deg)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])

    def degrees_of(spots: np.ndarray) -> np.ndarray:
        east, north = (turn @ (spots - [5000.0, -70.0]).T).reshape(2, -1)
        along, across = degree_m(lat)
        return np.stack([lat + north / along, lon + east / across], axis=1)

    spots = SHAPES[shape] + [5000.0, -70.0]
    frames = local(tiny_frames, spots, *degrees_of(spots).T)
    beside = spots + np.array([[-25.0, 40.0]])
    error = (on_globe(frames, beside) - degrees_of(beside)) * degree_m(lat)
    assert np.abs(error).max() < 0.02
    for spot, degrees in zip(beside, degrees_of(beside), strict=True):
        assert off_globe(frames, *degrees.tolist()) == pytest.approx(spot, abs=0.02)


def test_without_a_zone_a_single_place_has_north_up(tiny_frames):
    frames = local(tiny_frames, np.full((3, 2), 7.0), np.full(3, -33.9), np.full(3, 151.2))
    along, across = degree_m(-33.9)
    there = on_globe(frames, np.array([[107.0, 7.0], [7.0, 57.0]]))
    assert there == pytest.approx(np.array([[-33.9, 151.2 + 100 / across], [-33.9 + 50 / along, 151.2]]), abs=1e-8)
    assert off_globe(frames, -33.9 + 50 / along, 151.2) == pytest.approx([7.0, 57.0])
