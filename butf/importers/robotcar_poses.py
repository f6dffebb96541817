"""Where the car was: the logs of RobotCar's inertial navigation (gps/ins.csv), of RTK, and of visual odometry.

INS and RTK give northing, easting, down in metres of a UTM zone and roll, pitch, yaw in radians of the INS; visual
odometry gives the vehicle's pose at one picture in its frame at the picture before.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from butf.errors import BadInput
from butf.files import read_text
from butf.importers.geography import NORTHMOST, SOUTHMOST, Zone, parse_zone, to_metres, zone_text, zones_of
from butf.importers.trajectory import Trajectory, chained, inverse, transforms

POSE = ("northing", "easting", "down", "roll", "pitch", "yaw")
DEGREES = ("latitude", "longitude")
STEP = ("x", "y", "z", "roll", "pitch", "yaw")
AGREEMENT_M = 5.0
TO_WORLD = np.array([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]])
"""North, east, down to east, north, up."""
HEADING_DEG = 1.0
GOOD = ("INS_SOLUTION_GOOD", "INS_ALIGNMENT_COMPLETE")


@dataclass(frozen=True, eq=False)
class Solution:
    """A log of poses: the vehicle's `trajectory` in east, north, up metres of a UTM `zone`, and notes on how good they
    are, if they are not."""

    trajectory: Trajectory
    zone: Zone
    notes: tuple[str, ...] = ()


def rtk_file(traversal: Path, base: Path) -> Path | None:
    """The log of RTK of a traversal, None where there is none."""
    places = (traversal / "rtk.csv", traversal / "gps" / "rtk.csv", base / "rtk" / traversal.name / "rtk.csv")
    return next((path for path in places if path.is_file()), None)


def read_solution(path: Path, ins: np.ndarray) -> Solution:
    """A log of INS or RTK; `ins` (4, 4) takes the INS to the vehicle.

    Raises `BadInput` when a column is missing or not finite, times repeat or go back, degrees and metres disagree
    (swapped, another zone), or the log lies in several zones.
    """
    table = _Log(path, ("timestamp", *DEGREES, *POSE, "utm_zone"))
    times = table.times("timestamp")
    values = np.stack([table.numbers(column) for column in POSE], axis=1)
    lat, lon = (table.numbers(column) for column in DEGREES)
    zone = _zone(path, table)
    _check_position(path, lat, lon, values[:, 1], values[:, 0], zone)
    poses = TO_WORLD @ transforms(values) @ inverse(ins)
    trajectory = Trajectory.of(times, poses)
    notes = (_status_note(path, table), _heading_note(trajectory, poses))
    return Solution(trajectory, zone, tuple(filter(None, notes)))


def read_odometry(path: Path, anchor: Trajectory) -> Trajectory:
    """Visual odometry, chained; its first pose within the trajectory `anchor` is that one's there.

    Raises `BadInput` when a column is missing or not finite, a step does not begin where the one before ended, or the
    two do not overlap in time.
    """
    table = _Log(path, ("source_timestamp", "destination_timestamp", *STEP))
    after, before = table.times("source_timestamp"), table.times("destination_timestamp")
    back = np.flatnonzero(after <= before)
    if len(back):
        raise BadInput(
            f"{path}: row {back[0] + 2} leads from {before[back[0]]} to {after[back[0]]}; expected the destination "
            f"before the source, one picture earlier"
        )
    torn = np.flatnonzero(before[1:] != after[:-1])
    if len(torn):
        raise BadInput(
            f"{path}: row {torn[0] + 3} begins at {before[torn[0] + 1]} and the row before it ends at "
            f"{after[torn[0]]}; the steps must follow each other: copy the log again, or use --poses ins"
        )
    times = np.concatenate([before[:1], after])
    poses = chained(transforms(np.stack([table.numbers(column) for column in STEP], axis=1)))
    inside = np.flatnonzero(anchor.covers(times, 10**18))
    if not len(inside):
        raise BadInput(f"{path} {span(times)} does not overlap the poses of the INS, {span(anchor.time_us)}")
    first = inside[0]
    return Trajectory.of(times, anchor.at(times[first : first + 1]) @ inverse(poses[first]) @ poses)


def span(times: np.ndarray) -> str:
    """From when to when, as microseconds since 1970."""
    return f"({times[0]} to {times[-1]})"


class _Log:
    """A comma-separated log with a header, by columns; rows count as a spreadsheet shows them."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        rows = [row for row in csv.reader(io.StringIO(read_text(path))) if row]
        header = [name.strip() for name in rows[0]] if rows else []
        missing = [column for column in columns if column not in header]
        if missing:
            raise BadInput(f"{path} has no column {', '.join(missing)}; found {', '.join(header) or 'nothing'}")
        if len(rows) < 3:
            raise BadInput(f"{path} has {len(rows) - 1} rows; expected two poses or more")
        for number, row in enumerate(rows, start=1):
            if len(row) != len(header):
                raise BadInput(f"{path}: row {number} has {len(row)} cells; expected {len(header)} as in the header")
        self.path = path
        self.columns = {name: [row[number].strip() for row in rows[1:]] for number, name in enumerate(header)}

    def numbers(self, column: str) -> np.ndarray:
        """(N,) float64 of a column; `BadInput` names the first that is not finite."""
        values = np.array([_number(cell) for cell in self.columns[column]])
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            cell = self.columns[column][bad[0]]
            raise BadInput(
                f"{self.path}: row {bad[0] + 2}, column {column}: {cell!r} is not a finite number; delete the row "
                f"({len(bad)} such)"
            )
        return values

    def times(self, column: str) -> np.ndarray:
        """(N,) int64 microseconds of a column; `BadInput` unless each is later than the one before."""
        cells = self.columns[column]
        odd = [number for number, cell in enumerate(cells) if not (cell.isdecimal() and len(cell) <= 18)]
        if odd:
            raise BadInput(
                f"{self.path}: row {odd[0] + 2}, column {column}: {cells[odd[0]]!r} is no time; give microseconds"
            )
        times = np.array([int(cell) for cell in cells], np.int64)
        late = np.flatnonzero(np.diff(times) <= 0)
        if len(late):
            again = "repeats" if times[late[0]] == times[late[0] + 1] else "goes back behind"
            raise BadInput(
                f"{self.path}: row {late[0] + 3}, column {column}: {times[late[0] + 1]} {again} the time of the row "
                f"before; delete one of the rows"
            )
        return times


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _zone(path: Path, table: _Log) -> Zone:
    found = sorted(set(table.columns["utm_zone"]))
    if len(found) > 1:
        raise BadInput(f"{path} has rows in the UTM zones {', '.join(found)}; give a log in one zone")
    try:
        return parse_zone(found[0])
    except BadInput as error:
        raise BadInput(f"{path}: column utm_zone: {error}") from error


def _check_position(
    path: Path, lat: np.ndarray, lon: np.ndarray, east: np.ndarray, north: np.ndarray, zone: Zone
) -> None:
    """`BadInput` unless degrees and metres agree; it says which mistake would explain it."""
    gap = _gap(lat, lon, east, north, zone)
    if gap <= AGREEMENT_M:
        return
    if _gap(lon, lat, east, north, zone) <= AGREEMENT_M:
        words = "latitude and longitude are swapped; exchange the names of the two columns"
    elif _gap(lat, lon, north, east, zone) <= AGREEMENT_M:
        words = "northing and easting are swapped; exchange the names of the two columns"
    else:
        off = f"northing and easting lie {gap:,.0f} m" if np.isfinite(gap) else "northing and easting lie far"
        words = f"{off} away from latitude and longitude in UTM zone {zone_text(zone)}; mend the columns"
        if (np.abs(lat) <= NORTHMOST).all() and (np.abs(lon) <= 180).all():
            own = zones_of(lat[:1], lon[:1])[0]
            if own != zone and _gap(lat, lon, east, north, own) <= AGREEMENT_M:
                words = f"utm_zone says {zone_text(zone)}, the positions lie in {zone_text(own)}; mend the column"
    raise BadInput(f"{path}: {words}")


def _gap(lat: np.ndarray, lon: np.ndarray, east: np.ndarray, north: np.ndarray, zone: Zone) -> float:
    """The median distance in metres between degrees and metres; infinite where degrees are outside of UTM."""
    off = np.abs((lon - (6 * zone[0] - 183) + 180) % 360 - 180)
    if lat.min() < SOUTHMOST or lat.max() > NORTHMOST or np.abs(lon).max() > 180 or off.max() > 60:
        return float("inf")
    to_east, to_north = to_metres(lat, lon, zone)
    return float(np.median(np.hypot(to_east - east, to_north - north)))


def _status_note(path: Path, table: _Log) -> str:
    """A note on the rows that the receiver itself does not call good, where it says so."""
    status = table.columns.get("ins_status", [])
    poor = Counter(word for word in status if word not in GOOD)
    if not poor:
        return ""
    return f"{poor.total():,} of {len(status):,} poses of {path.name} are {', '.join(sorted(poor))}"


def _heading_note(trajectory: Trajectory, poses: np.ndarray) -> str:
    """A note where the vehicle's forward axis is turned against the way it goes, as it is when yaw counts from true
    north and positions from grid north."""
    step = np.diff(trajectory.position[:, :2], axis=0)
    seconds = np.diff(trajectory.time_us) / 1e6
    fast = np.linalg.norm(step, axis=1) > 2.0 * seconds
    if fast.sum() < 20:
        return ""
    ahead = poses[:-1, :2, 0]
    turned = np.arctan2(ahead[:, 0] * step[:, 1] - ahead[:, 1] * step[:, 0], (ahead * step).sum(axis=1))
    angle = float(np.degrees(np.median(turned[fast])))
    if abs(angle) < HEADING_DEG:
        return ""
    side = "left" if angle > 0 else "right"
    return (
        f"the car goes {abs(angle):.1f} degrees to the {side} of where its yaw points; its headings may count from "
        f"another north than its positions"
    )
