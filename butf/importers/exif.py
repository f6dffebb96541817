"""Where, when and which way a photograph was taken, as its EXIF says (CIPA DC-008, "Exif 2.32", GPS attributes)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL.ExifTags import GPS, IFD, Base

from butf.files import open_picture

NO_GPS = "no GPS in its EXIF"
NO_REFERENCE = "GPS in its EXIF lacks N or S, E or W"
SWAPPED = "GPS in its EXIF is swapped: the latitude is marked E or W"
OUT_OF_RANGE = "latitude outside -90 to 90 or longitude outside -180 to 180"
NO_FIX = "position 0, 0, which a camera writes without a fix"


@dataclass(frozen=True)
class Facts:
    """What is known of a photograph: degrees WGS84, metres above sea level, seconds since 1970, degrees from north.

    `gps_time` is UTC; `taken` is the camera's clock, taken for UTC where it has no offset. `magnetic` headings count
    from magnetic north. `problem` says why there is no position, "" where there is one.
    """

    lat: float = math.nan
    lon: float = math.nan
    altitude: float | None = None
    gps_time: float | None = None
    taken: float | None = None
    heading: float | None = None
    magnetic: bool = False
    problem: str = NO_GPS


def read_exif(path: Path) -> Facts:
    """The facts in a picture's EXIF; a broken or missing EXIF has none, and so has what is no picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tags that are not as they should be
            with open_picture(path) as picture:
                exif = picture.getexif()
                gps, details = exif.get_ifd(IFD.GPSInfo), exif.get_ifd(IFD.Exif)
                return _facts(gps, {**exif, **details})
    except Exception:  # of a broken EXIF Pillow raises anything from struct.error to IndexError
        return Facts()


def position_problem(lat: float, lon: float) -> str:
    """Why a pair of degrees is no position, "" where it is one."""
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        return OUT_OF_RANGE
    return NO_FIX if lat == 0 and lon == 0 else ""


def _facts(gps: Mapping[int, Any], details: Mapping[int, Any]) -> Facts:
    lat, lon, problem = _position(gps)
    heading = _number(gps.get(GPS.GPSImgDirection))
    return Facts(
        lat=lat,
        lon=lon,
        altitude=_altitude(gps),
        gps_time=_gps_time(gps),
        taken=_taken(details),
        heading=heading if heading is not None and 0 <= heading <= 360 else None,
        magnetic=_letter(gps.get(GPS.GPSImgDirectionRef)) == "M",
        problem=problem,
    )


def _position(gps: Mapping[int, Any]) -> tuple[float, float, str]:
    lat, lon = _degrees(gps.get(GPS.GPSLatitude)), _degrees(gps.get(GPS.GPSLongitude))
    if lat is None or lon is None:
        return math.nan, math.nan, NO_GPS
    north, east = _letter(gps.get(GPS.GPSLatitudeRef)), _letter(gps.get(GPS.GPSLongitudeRef))
    if north in ("E", "W") or east in ("N", "S"):
        return math.nan, math.nan, SWAPPED
    if north not in ("N", "S") or east not in ("E", "W"):
        return math.nan, math.nan, NO_REFERENCE
    lat, lon = (-lat if north == "S" else lat), (-lon if east == "W" else lon)
    return lat, lon, position_problem(lat, lon)


def _degrees(value: Any) -> float | None:
    """Degrees of one to three rationals: degrees, minutes, seconds."""
    parts = [_number(part) for part in value] if isinstance(value, Sequence) else [_number(value)]
    known = [part for part in parts[:3] if part is not None]
    if not known or len(known) < len(parts[:3]):
        return None
    return sum(part / 60.0**power for power, part in enumerate(known))


def _altitude(gps: Mapping[int, Any]) -> float | None:
    metres = _number(gps.get(GPS.GPSAltitude))
    below = gps.get(GPS.GPSAltitudeRef) in (b"\x01", 1)
    return None if metres is None else -metres if below else metres


def _gps_time(gps: Mapping[int, Any]) -> float | None:
    date, clock = str(gps.get(GPS.GPSDateStamp, "")).strip("\0 "), gps.get(GPS.GPSTimeStamp)
    parts = [_number(part) for part in clock] if isinstance(clock, Sequence) else []
    known = [part for part in parts if part is not None]
    if not len(parts) == len(known) == 3:
        return None
    try:
        day = datetime.strptime(date.replace("-", ":"), "%Y:%m:%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    hours, minutes, seconds = known
    return day.timestamp() + 3600 * hours + 60 * minutes + seconds


def _taken(details: Mapping[int, Any]) -> float | None:
    text = str(details.get(Base.DateTimeOriginal, "")).strip("\0 ")
    offset = str(details.get(Base.OffsetTimeOriginal, "")).strip("\0 ")
    try:
        if offset:
            return datetime.strptime(text + offset, "%Y:%m:%d %H:%M:%S%z").timestamp()
        return datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def _letter(value: Any) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return text.strip("\0 ").upper()[:1]
