"""A CSV beside photographs that says where each was taken; its columns are known by their usual names."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from butf.dataset.table import SPLITS
from butf.errors import BadInput
from butf.files import read_text
from butf.importers.exif import Facts, position_problem

NAMES: dict[str, tuple[str, ...]] = {
    "file": ("file", "filename", "imagefile", "image", "imagename", "imagepath", "filepath", "path", "photo", "picture",
             "img", "sourcefile", "name"),
    "lat": ("latitude", "lat", "gpslatitude", "gpslat"),
    "lon": ("longitude", "lon", "lng", "long", "gpslongitude", "gpslon", "gpslng"),
    "altitude": ("altitude", "alt", "altitudem", "gpsaltitude", "elevation", "ele"),
    "time": ("time", "times", "timestamp", "datetime", "datetimeoriginal", "capturedat", "date"),
    "heading": ("heading", "headingdeg", "compassangle", "bearing", "direction", "gpsimgdirection"),
    "role": ("role",),
    "split": ("split",),
}  # fmt: skip
"""Spellings of each column, without case, spaces and signs; the first that is there counts."""
NEEDED = {"file": "the file's name", "lat": "latitude", "lon": "longitude"}
ROLES = {"query": True, "queries": True, "database": False, "reference": False, "gallery": False, "db": False}
EXPECTED = "expected columns such as filename, latitude, longitude"
DEGREES = re.compile(
    r"([\d.]+)\s*(?:deg|°|d)\s*(?:([\d.]+)\s*['′m]\s*)?(?:([\d.]+)\s*[\"″s]\s*)?([NSEW])?", re.IGNORECASE
)
MILLISECONDS = 1e11


@dataclass(frozen=True)
class Row:
    """What a row says of a photograph; `query` and `split` None where the table does not say."""

    number: int
    file: str
    facts: Facts
    query: bool | None
    split: str | None


def find_table(src: Path, given: Path | None) -> tuple[Path | None, str]:
    """The CSV to read: the one given, or the only one in the folder that has the columns; and a note on any other.

    Raises `BadInput` when the one given lacks a column, when one has a latitude but not all, and when several fit.
    """
    if given is not None:
        _columns(given, _rows(given)[0], needed=True)
        return given, ""
    fitting: list[Path] = []
    others: list[Path] = []
    for path in sorted(path for path in src.iterdir() if path.suffix.lower() == ".csv" and path.is_file()):
        header = _rows(path)[0]
        columns = _columns(path, header, needed=any(_find(header, key) is not None for key in ("lat", "lon")))
        (fitting if len(NEEDED.keys() & columns) == len(NEEDED) else others).append(path)
    if len(fitting) > 1:
        names = ", ".join(path.name for path in fitting)
        raise BadInput(f"{src} has {len(fitting)} tables of photographs ({names}); say which by --csv")
    names = ", ".join(path.name for path in others)
    return (fitting[0] if fitting else None), f"{names} was not used: {EXPECTED}" if others else ""


def read_table(path: Path) -> list[Row]:
    """All rows of a CSV of photographs.

    Raises `BadInput` when a column is missing, the columns of latitude and longitude are swapped, a role or split is
    unknown, or a file is named twice.
    """
    header, *rows = _rows(path)
    columns = _columns(path, header, needed=True)
    cells = [
        (number, {key: row[at].strip() if at < len(row) else "" for key, at in columns.items()})
        for number, row in enumerate(rows, start=2)
        if any(row)
    ]
    if not cells:
        raise BadInput(f"{path} has a header but no rows; expected one row a photograph")
    _check_order(path, header, columns, cells)
    found: dict[str, int] = {}
    for number, cell in cells:
        if found.setdefault(cell["file"], number) != number:
            raise BadInput(
                f"{path}: row {number} names {cell['file']!r} again (as row {found[cell['file']]}); keep one"
            )
    return [_row(path, number, cell) for number, cell in cells]


def _rows(path: Path) -> list[list[str]]:
    text = read_text(path)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BadInput(f"{path} is not a table ({error}); export it again as CSV") from error
    if not rows:
        raise BadInput(f"{path} is empty; {EXPECTED}")
    return rows


def _find(header: Sequence[str], key: str) -> int | None:
    plain = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in header]
    return next((plain.index(name) for name in NAMES[key] if name in plain), None)


def _columns(path: Path, header: Sequence[str], needed: bool) -> dict[str, int]:
    """Column numbers by key; `BadInput` for a needed one that is missing."""
    found = {key: at for key in NAMES if (at := _find(header, key)) is not None}
    for key, words in NEEDED.items():
        if needed and key not in found:
            there = ", ".join(name.strip() for name in header)
            raise BadInput(f"{path} has no column for {words}; found {there}: {EXPECTED}")
    return found


def _check_order(
    path: Path, header: Sequence[str], columns: Mapping[str, int], cells: Sequence[tuple[int, Mapping[str, str]]]
) -> None:
    """`BadInput` where latitude and longitude are swapped for certain: most latitudes are beyond 90 degrees and all
    would be in range the other way round."""
    pairs = [(number, degrees(cell["lat"]), degrees(cell["lon"])) for number, cell in cells]
    known = [pair for pair in pairs if math.isfinite(pair[1]) and math.isfinite(pair[2])]
    beyond = [pair for pair in known if abs(pair[1]) > 90]
    if 2 * len(beyond) > len(known) and all(abs(lat) <= 180 and abs(lon) <= 90 for _, lat, lon in known):
        number, lat, _ = beyond[0]
        names = " and ".join(header[columns[key]].strip() for key in ("lat", "lon"))
        raise BadInput(
            f"{path}: row {number} has latitude {lat:g}, beyond 90 degrees, and so have {len(beyond)} of {len(known)} "
            f"rows; the columns {names} are swapped: exchange their names"
        )


def _row(path: Path, number: int, cell: Mapping[str, str]) -> Row:
    lat, lon = degrees(cell["lat"]), degrees(cell["lon"])
    problem = position_problem(lat, lon) if math.isfinite(lat) and math.isfinite(lon) else f"no position in {path.name}"
    time = seconds(cell.get("time", ""))
    facts = Facts(
        lat, lon, _number(cell.get("altitude", "")), time, time, _number(cell.get("heading", "")), False, problem
    )
    query, split = _role(path, number, cell.get("role", "")), None
    word = cell.get("split", "").lower()
    if word in ROLES:
        query = ROLES[word]
    elif word:
        split = "val" if word == "validation" else word
        if split not in SPLITS:
            raise BadInput(f"{path}: row {number}, split {word!r} is unknown; give {', '.join(SPLITS)}")
    return Row(number, cell["file"], facts, query, split)


def _role(path: Path, number: int, word: str) -> bool | None:
    if not word:
        return None
    if word.lower() not in ROLES:
        raise BadInput(f"{path}: row {number}, role {word!r} is unknown; give query or database")
    return ROLES[word.lower()]


def degrees(text: str) -> float:
    """Degrees of 48.8, 48,8 or 48 deg 48' 0.00" N; not a number for anything else."""
    match = DEGREES.fullmatch(text.strip())
    if match is None:
        value = _number(text)
        return math.nan if value is None else value
    parts = [_number(part or "0") or 0.0 for part in match.groups()[:3]]
    value = sum(part / 60.0**power for power, part in enumerate(parts))
    return -value if (match[4] or "").upper() in ("S", "W") else value


def seconds(text: str) -> float | None:
    """Seconds since 1970 of a number (milliseconds where it is that large), an ISO 8601 time or an EXIF time."""
    value = _number(text)
    if value is not None:
        return value / 1000 if value > MILLISECONDS else value
    try:
        moment = datetime.fromisoformat(re.sub(r"^(\d{4}):(\d{2}):(\d{2})", r"\1-\2-\3", text.strip()))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(text: str) -> float | None:
    text = text.strip()
    try:
        value = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
