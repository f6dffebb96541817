"""frames.csv: one row a frame, read into columns and checked as a whole."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import utm

from butf.dataset.columns import read_columns
from butf.errors import BadInput
from butf.files import write_atomic

SPLITS = ("train", "val", "test")
QUATERNION = ("qw", "qx", "qy", "qz")
# Digits after the point: tenths of a millimetre on the ground, far below a millidegree in rotation.
DECIMALS = {"time_s": 4, "lat": 9, "lon": 9, "easting_m": 4, "northing_m": 4, "altitude_m": 4} | dict.fromkeys(
    QUATERNION, 9
)
COLUMNS = ("frame", "traversal", "condition", "split", *DECIMALS)
FRAME_NAME = re.compile(r"\w[\w .+-]*/\w[\w .+-]*")
LONG = 200  # bytes of a frame's name: the disks take 255 for a file's, with its ending
SHOWN_FAULTS = 3
KEPT_FAULTS = 1000  # of each kind: the rest are counted only
Column = Sequence[Any] | np.ndarray
Pair = tuple[np.ndarray, np.ndarray]
AGREEMENT_M = 5.0


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a data set: in which file, what, and what would mend it.

    `row` counts as a spreadsheet does (the header is row 1); row, column and value are empty where they do not apply.
    """

    file: str
    what: str
    row: int | None = None
    column: str = ""
    value: str = ""


class TableFaults(BadInput):
    """What is wrong in a frame table: a sentence with the first few faults, `faults` in the order of the rows, `count`
    of all of them (no more than `KEPT_FAULTS` of a kind are listed)."""

    def __init__(self, text: str, faults: tuple[Fault, ...], count: int) -> None:
        super().__init__(text)
        self.faults = faults
        self.count = count


class Table:
    """The columns of a frame table, with the faults found so far.

    Rows are counted as a spreadsheet shows them: the header is row 1, the first frame row 2.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns = read_columns(path)
        self.faults: list[Fault] = []
        self.count = 0

    def mark(self, bad: np.ndarray, column: str, values: Column, fix: str) -> None:
        """Note a fault for each True of `bad`; `fix` says what is wrong and what is expected."""
        rows = np.flatnonzero(bad)
        self.count += len(rows)
        for row in rows[:KEPT_FAULTS].tolist():
            self.faults.append(Fault(self.path.name, fix, row + 2, column, str(values[row])))

    def check(self) -> None:
        """Raise `TableFaults` if there are any faults."""
        if not self.count:
            return
        faults = tuple(sorted(self.faults, key=lambda fault: fault.row or 0))
        shown = [f"row {one.row}, column {one.column}: {one.value!r} {one.what}" for one in faults[:SHOWN_FAULTS]]
        rest = self.count - len(shown)
        text = f"{self.path}: " + "; ".join(shown) + (f"; and {rest} more such faults" if rest else "")
        raise TableFaults(text, faults, self.count)

    def text(self, column: str) -> np.ndarray | None:
        """(N,) str array of a column, None where absent or wholly empty; an empty cell among others is a fault."""
        cells = self._filled(column)
        if cells is None:
            return None
        values = np.array(cells)
        self.mark(values == "", column, cells, "is empty; fill the column for all frames or for none")
        return values

    def numbers(self, column: str, unit: str) -> np.ndarray | None:
        """(N,) float64 of a column, None where it is absent or wholly empty; anything not finite is a fault."""
        cells = self._filled(column)
        if cells is None:
            return None
        try:
            values = np.array(list(map(float, cells)))
        except ValueError:
            values = np.array([_number(cell) for cell in cells])
        self.mark(~np.isfinite(values), column, cells, f"is not a finite number; give {unit}")
        return values

    def _filled(self, column: str) -> tuple[str, ...] | None:
        cells = self.columns.get(column)
        return cells if cells is not None and any(cells) else None


def frame_names(table: Table) -> np.ndarray:
    """(N,) frame names `<traversal>/<name>`, checked for form and uniqueness."""
    names = table.text("frame")
    if names is None:
        raise BadInput(
            f"{table.path}: the column frame is empty; name each frame <traversal>/<name>, e.g. drive/000123"
        )
    odd = np.array([FRAME_NAME.fullmatch(name) is None for name in names.tolist()])
    table.mark(
        odd & (names != ""), "frame", names, "is not <traversal>/<name>; give letters, digits, '_-+. ' around one '/'"
    )
    long = np.array([len(name) > LONG / 4 and len(name.encode()) > LONG for name in names.tolist()])
    table.mark(long, "frame", names, f"is too long for names of folders and files; give at most {LONG} bytes")
    if long.any():
        table.check()  # before anybody looks for files of such names
    again = np.ones(len(names), bool)
    again[np.unique(names, return_index=True)[1]] = False
    table.mark(again & (names != ""), "frame", names, "is there twice; name each frame once")
    return names


def splits(table: Table) -> np.ndarray:
    """(N,) split names, each train, val or test."""
    values = np.array(table.columns["split"])
    table.mark(~np.isin(values, SPLITS), "split", values, f"is unknown; give {', '.join(SPLITS)}")
    return values


def orientations(table: Table) -> np.ndarray | None:
    """(N, 4) unit quaternions qw, qx, qy, qz (camera to world), or None."""
    parts = [table.numbers(column, "a part of a unit quaternion") for column in QUATERNION]
    given = [part for part in parts if part is not None]
    if not given:
        return None
    if len(given) < len(parts):
        missing = [column for column, part in zip(QUATERNION, parts, strict=True) if part is None]
        raise BadInput(f"{table.path}: column {missing[0]} is missing; give all of {', '.join(QUATERNION)} or none")
    quaternion = np.stack(given, axis=1)
    norm = np.linalg.norm(quaternion, axis=1)
    wrong = np.isfinite(norm) & (np.abs(norm - 1) > 1e-3)
    table.mark(wrong, "qw..qz", [f"norm {value:.4g}" for value in norm], "is not a unit quaternion; scale it to norm 1")
    return quaternion / np.where(norm > 0, norm, 1)[:, None]


def positions(table: Table, zone: tuple[int, bool] | None) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Easting, northing, altitude in metres (N, 3), and latitude, longitude in degrees WGS84 (N,) or None.

    Eastings and northings are UTM metres of `zone` where that is known, else metres of a local frame. Whichever of
    the two forms a table lacks is computed from the other where the zone allows it.
    """
    degrees, metres = _degrees(table), _pair(table, "easting_m", "northing_m", "metres")
    if degrees is None and metres is None:
        raise BadInput(f"{table.path}: no position; fill the columns lat and lon, or easting_m and northing_m")
    altitude = table.numbers("altitude_m", "metres")
    table.check()
    if metres is None and degrees is not None:
        metres = _to_utm(table, degrees, zone or _zone_of(degrees))
    elif metres is not None and degrees is not None and zone is not None:
        utm_metres = _to_utm(table, degrees, zone)
        gap = np.hypot(utm_metres[0] - metres[0], utm_metres[1] - metres[1])
        fix = f"m away from easting_m, northing_m in UTM zone {zone[0]}; make them agree within {AGREEMENT_M:g} m"
        table.mark(gap > AGREEMENT_M, "lat, lon", [f"{value:.1f}" for value in gap], fix)
    elif metres is not None and zone is not None:
        degrees = _to_degrees(table, metres, zone)
    assert metres is not None  # of either form
    east, north = metres
    lat, lon = degrees or (None, None)
    return np.stack([east, north, np.zeros_like(east) if altitude is None else altitude], axis=1), lat, lon


def write_table(path: Path, table: Mapping[str, Column]) -> None:
    """Write frames.csv from columns of equal length, in the order of `COLUMNS`; numbers to a tenth of a millimetre."""
    unknown = [column for column in table if column not in COLUMNS]
    if unknown or len({len(values) for values in table.values()}) > 1:
        raise ValueError(f"columns must have one length and be among {COLUMNS}, not {unknown}")
    columns = [column for column in COLUMNS if column in table]
    cells = [[_cell(column, value) for value in table[column]] for column in columns]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*cells, strict=True))
    write_atomic(path, text.getvalue())


def _cell(column: str, value: Any) -> str:
    if column not in DECIMALS:
        return str(value)
    return f"{float(value):.{DECIMALS[column]}f}".rstrip("0").rstrip(".")


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _pair(table: Table, first: str, second: str, unit: str) -> Pair | None:
    a, b = table.numbers(first, unit), table.numbers(second, unit)
    if a is not None and b is not None:
        return a, b
    if a is None and b is None:
        return None
    missing, other = (first, second) if a is None else (second, first)
    raise BadInput(f"{table.path}: column {missing} is missing; fill it beside {other}")


def _degrees(table: Table) -> Pair | None:
    pair = _pair(table, "lat", "lon", "degrees")
    if pair is not None:
        lat, lon = pair
        beyond = np.isfinite(lat) & ((lat < -80) | (lat > 84))
        table.mark(beyond, "lat", lat, "is out of range; give -80 to 84 degrees, as UTM covers")
        table.mark(np.isfinite(lon) & (np.abs(lon) > 180), "lon", lon, "is out of range; give -180 to 180 degrees")
    return pair


def _zone_of(degrees: Pair) -> tuple[int, bool]:
    lat, lon = float(degrees[0][0]), float(degrees[1][0])
    return utm.latlon_to_zone_number(lat, lon), lat >= 0


def _to_utm(table: Table, degrees: Pair, zone: tuple[int, bool]) -> Pair:
    number, northern = zone
    lat, lon = degrees
    off = np.abs((lon - (6 * number - 183) + 180) % 360 - 180)
    table.mark(off > 9, "lon", lon, f"is far outside UTM zone {number}; make one data set a region")
    table.check()
    east, north = utm.from_latlon(lat, lon, force_zone_number=number, force_northern=northern)[:2]
    return east, north


def _to_degrees(table: Table, metres: Pair, zone: tuple[int, bool]) -> Pair:
    east, north = metres
    table.mark(
        (east < 100_000) | (east > 999_999), "easting_m", east, "is no UTM easting; give 100000 to 999999 metres"
    )
    table.mark((north < 0) | (north > 10_000_000), "northing_m", north, "is no UTM northing; give 0 to 10000000 metres")
    table.check()
    lat, lon = utm.to_latlon(east, north, zone[0], northern=zone[1])
    return lat, lon
