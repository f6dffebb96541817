"""Positions in file names, as the benchmarks of visual place recognition write them.

`@easting@northing@zone number@zone letter@latitude@longitude@pano id@tile@heading@pitch@roll@height@time@note@.jpg`
(Berton et al., "Deep Visual Geo-localization Benchmark", CVPR 2022, and their VPR-datasets-downloader). Only easting
and northing are always there. The letter is a latitude band as in MGRS: N and all after it lie north of the equator.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from butf.dataset.table import AGREEMENT_M
from butf.errors import BadInput
from butf.importers.geography import Zone, parse_zone, to_metres, zone_text, zones_of

FORM = "@easting@northing@zone number@zone letter@latitude@longitude@...@.jpg"
EASTINGS_M, NORTHINGS_M = (100_000.0, 900_000.0), (0.0, 10_000_000.0)
LOCAL = "local"
STAMP = re.compile(r"(\d{4})(\d{2})(\d{2})(?:_?(\d{2})(?:(\d{2})(\d{2})?)?)?")


@dataclass(frozen=True)
class Named:
    """What a file's name says: metres, UTM zone, degrees WGS84, degrees clockwise from north, seconds since 1970."""

    path: Path
    east: float
    north: float
    zone: Zone | None = None
    lat: float | None = None
    lon: float | None = None
    heading: float | None = None
    time: float | None = None


def parse_name(path: Path) -> Named | None:
    """What a name says, None where it has no easting and northing.

    Raises `BadInput` for a zone that there is none of, and for a latitude or longitude out of range.
    """
    fields = path.stem.split("@")[1:]
    fields += [""] * (13 - len(fields))
    east, north = _number(fields[0]), _number(fields[1])
    if east is None or north is None:
        return None
    lat, lon = _number(fields[4]), _number(fields[5])
    if lat is None or lon is None:
        lat = lon = None
    elif abs(lat) > 90 or abs(lon) > 180:
        hint = "they look swapped" if abs(lon) <= 90 and abs(lat) <= 180 else "correct the name"
        raise BadInput(
            f"{path} has latitude {lat:g} and longitude {lon:g}; expected -90 to 90 and -180 to 180 degrees: {hint}"
        )
    return Named(
        path, east, north, _zone(path, fields[2], fields[3], lat), lat, lon, _number(fields[8]), _time(fields[12])
    )


def settle_zone(named: Sequence[Named], given: str | None) -> list[Zone | None]:
    """Each frame's zone: that of its name, else the one `given`; all None where that is "local".

    Raises `BadInput` for a frame without any, and where a name and `given` disagree.
    """
    if given == LOCAL:
        return [None] * len(named)
    stated = None if given is None else parse_zone(given)
    for one in named:
        if one.zone is None and stated is None:
            raise BadInput(
                f"{one.path} names no UTM zone; give one, e.g. --zone 33N, or --zone local where the metres are of none"
            )
        if one.zone is not None and stated is not None and one.zone != stated:
            raise BadInput(
                f"{one.path} is in UTM zone {zone_text(one.zone)} by its name, not {zone_text(stated)}; give the right "
                "zone or none"
            )
    return [one.zone or stated for one in named]


def check_positions(named: Sequence[Named], zones: Sequence[Zone | None]) -> None:
    """`BadInput` for an easting or northing out of range, and where a name's degrees lie elsewhere than its metres."""
    for one, zone in zip(named, zones, strict=True):
        if zone is not None:
            _check_range(one)
    for zone in dict.fromkeys(zones):
        both = [one for one, its in zip(named, zones, strict=True) if its == zone and one.lat is not None]
        if zone is None or not both:
            continue
        metres = np.array([(one.east, one.north) for one in both])
        lat, lon = np.array([(one.lat, one.lon) for one in both], float).T
        found = np.stack(to_metres(lat, lon, zone), axis=1)
        gaps = np.hypot(*(found - metres).T)
        wrong = ~(gaps <= AGREEMENT_M)  # far from its zone a point has no metres at all
        if wrong.any():
            _complain(both[int(wrong.argmax())], zone, f"{wrong.sum()} of {len(wrong)} names")


def _check_range(one: Named) -> None:
    fine = EASTINGS_M[0] <= one.east <= EASTINGS_M[1] and NORTHINGS_M[0] <= one.north <= NORTHINGS_M[1]
    if fine:
        return
    swapped = EASTINGS_M[0] <= one.north <= EASTINGS_M[1] and EASTINGS_M[1] < one.east <= NORTHINGS_M[1]
    if swapped:
        hint = "the two look swapped: easting comes first"
    elif EASTINGS_M[0] <= one.east <= EASTINGS_M[1]:
        hint = "expected a northing of 0 to 10,000,000 m; correct the name"
    else:
        hint = "expected an easting of 100,000 to 900,000 m; correct it, or give --zone local for metres of no UTM zone"
    raise BadInput(f"{one.path} has easting {one.east:.10g} and northing {one.north:.10g}; {hint}")


def _complain(one: Named, zone: Zone, often: str) -> None:
    """Say that degrees and metres disagree, and what would make them agree if anything simple does."""
    assert one.lat is not None and one.lon is not None
    hint = "correct the one that is wrong"
    own = zones_of(np.array([one.lat]), np.array([one.lon]))[0] if -80 <= one.lat <= 84 else zone
    if _gap(one, one.lat, one.lon, own) <= AGREEMENT_M:
        hint = f"they agree in zone {zone_text(own)}: correct the zone"
    elif abs(one.lon) <= 84 and _gap(one, one.lon, one.lat, zone) <= AGREEMENT_M:
        hint = "latitude and longitude are swapped"
    far = _gap(one, one.lat, one.lon, zone)
    distance = f"{far:,.0f} m" if far < 10_000 else f"{far / 1000:,.0f} km" if far < 1e7 else "far"
    raise BadInput(
        f"{one.path}: latitude {one.lat:g}, longitude {one.lon:g} lies {distance} from easting {one.east:.0f}, "
        f"northing {one.north:.0f} in UTM zone {zone_text(zone)} (as in {often}); {hint}"
    )


def _gap(one: Named, lat: float, lon: float, zone: Zone) -> float:
    """Metres between the name's easting and northing in a zone and a point in degrees."""
    east, north = to_metres(np.array([lat]), np.array([lon]), zone)
    return float(np.hypot(east[0] - one.east, north[0] - one.north))


def _zone(path: Path, number: str, letter: str, lat: float | None) -> Zone | None:
    if not number.strip():
        return None
    band = letter.strip().upper()
    if not number.strip().isdecimal() or not 1 <= int(number) <= 60 or not re.fullmatch("[C-HJ-NP-X]?", band):
        raise BadInput(f"{path} has UTM zone {number!r} {letter!r}; expected 1 to 60 and a latitude band, C to X")
    if band:
        return int(number), band >= "N"
    return None if lat is None else (int(number), lat >= 0)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _time(text: str) -> float | None:
    """Seconds since 1970 of YYYYMMDD_hhmmss, which may end after the day, the hour or the minute; taken as UTC."""
    match = STAMP.fullmatch(text.strip())
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None
