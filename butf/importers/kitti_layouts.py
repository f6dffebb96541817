"""Where KITTI's recordings keep pictures, scans, calibration and poses, and reading them.

Three layouts (Geiger, Lenz, Stiller, Urtasun 2013, and the development kits):
- *odometry*: `image_2/`, `velodyne/`, `calib.txt`, `times.txt` in `sequences/00/`, poses in `poses/00.txt`;
- *raw*: `image_02/data/`, `velodyne_points/data/`, `oxts/data/` in a drive, `calib_*.txt` in the folder above it;
- *object*: `image_2/`, `velodyne/`, `calib/000000.txt`; there are no poses.

Scans are float32 x, y, z, reflectance in the lidar's frame (x forward, y left, z up).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from butf.dataset.manifest import Camera
from butf.densify.cloud import Cloud
from butf.errors import BadInput
from butf.files import read_text
from butf.importers.geography import commonest, convergence, to_metres, zones_of
from butf.importers.staging import read_bytes

EXPECTED = (
    "expected image_2/ and velodyne/ beside calib.txt (odometry) or calib/ (object), "
    "or a drive with image_02/data/ and velodyne_points/data/ (raw)"
)
# KITTI's first camera frame is level: its world becomes east = x, north = z, up = -y.
WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class Calibration:
    """The left colour camera: `matrix` (3, 3) pixels, and the rigid transforms (4, 4) that bring points of the lidar
    and of the first camera (both metres) into its frame."""

    matrix: np.ndarray
    from_lidar: np.ndarray
    from_first: np.ndarray

    def camera(self, size: tuple[int, int]) -> Camera:
        k = self.matrix
        return Camera("image_2", *size, *(float(value) for value in (k[0, 0], k[1, 1], k[0, 2], k[1, 2])))


@dataclass(frozen=True, eq=False)
class Positions:
    """Poses of N frames: `to_world` (N, 4, 4) from the camera, easting, northing and up in metres of UTM zone `zone`,
    or of the recording's own frame (None); `time_s` (N,) or None."""

    to_world: np.ndarray
    zone: tuple[int, bool] | None = None
    time_s: np.ndarray | None = None


@dataclass(frozen=True)
class Recording:
    """One drive: frames are the names that pictures and scans share."""

    layout: str
    root: Path
    pictures: dict[str, Path]
    scans: dict[str, Path]

    @classmethod
    def find(cls, src: Path) -> Recording:
        """The recording in a folder. `BadInput` where there is none, or a part is missing."""
        if not src.is_dir():
            raise BadInput(f"{src} is not a folder; {EXPECTED}")
        if (src / "image_02" / "data").is_dir():
            layout, pictures, scans = "raw", src / "image_02" / "data", src / "velodyne_points" / "data"
        else:
            layout = "odometry" if (src / "calib.txt").is_file() else "object"
            pictures, scans = src / "image_2", src / "velodyne"
        for folder in (pictures, scans):
            if not folder.is_dir():
                raise BadInput(f"{src} has no folder {folder.relative_to(src)}/; {EXPECTED}")
        return cls(layout, src, _files(pictures, (".png", ".jpg")), _files(scans, (".bin",)))

    def calibration(self, name: str) -> Calibration:
        """That of a frame. `BadInput` naming the file and what it lacks."""
        if self.layout == "raw":
            cameras, lidar = (self.root.parent / f"calib_{a}_to_cam.txt" for a in ("cam", "velo"))
            of, lies = _entries(cameras), _entries(lidar)
            first = _rigid(_matrix(lies, "R", (3, 3), lidar), _matrix(lies, "T", (3, 1), lidar))
            return _calibration(
                _matrix(of, "P_rect_02", (3, 4), cameras), _matrix(of, "R_rect_00", (3, 3), cameras), first, cameras
            )
        path = self.root / "calib.txt" if self.layout == "odometry" else self.root / "calib" / f"{name}.txt"
        of = _entries(path)
        key = "Tr" if "Tr" in of else "Tr_velo_to_cam"
        moved = _matrix(of, key, (3, 4), path)
        turned = _matrix(of, "R0_rect", (3, 3), path) if "R0_rect" in of else np.eye(3)
        return _calibration(_matrix(of, "P2", (3, 4), path), turned, _rigid(moved[:, :3], moved[:, 3:]), path)

    def positions(self, names: list[str], calibration: Calibration) -> Positions | None:
        """Poses of some frames, None where the layout has none."""
        if self.layout == "raw":
            return self._measured(names, calibration)
        if self.layout == "odometry":
            return self._given(names, calibration)
        return None

    def _given(self, names: list[str], calibration: Calibration) -> Positions | None:
        path = self.root.parent.parent / "poses" / f"{self.root.name}.txt"
        if not path.is_file():
            return None
        rows = [_numbers(line, path) for line in read_text(path).splitlines() if line.strip()]
        if any(len(row) != 12 for row in rows) or len(rows) < len(self.pictures):
            raise BadInput(f"{path} has {len(rows)} poses for {len(self.pictures)} pictures; expected 12 numbers each")
        number = {name: row for row, name in enumerate(sorted(self.pictures))}
        poses = np.array([_rigid(*np.split(np.reshape(rows[number[name]], (3, 4)), [3], axis=1)) for name in names])
        world = np.eye(4)
        world[:3, :3] = WORLD
        times = self.root / "times.txt"
        seconds = np.array(_numbers(read_text(times), times)) if times.is_file() else None
        if seconds is not None:
            if len(seconds) < len(self.pictures):
                raise BadInput(f"{times} has {len(seconds)} times for {len(self.pictures)} pictures; give one each")
            seconds = seconds[[number[name] for name in names]]
        return Positions(world @ poses @ np.linalg.inv(calibration.from_first), None, seconds)

    def _measured(self, names: list[str], calibration: Calibration) -> Positions:
        folder, imu = self.root / "oxts" / "data", self.root.parent / "calib_imu_to_velo.txt"
        if not folder.is_dir():
            raise BadInput(f"{self.root} has no folder oxts/data/; it holds the positions of a raw recording")
        rows = []
        for name in names:
            values = _numbers(read_text(folder / f"{name}.txt"), folder / f"{name}.txt")
            if len(values) < 6 or not np.isfinite(values[:6]).all():
                raise BadInput(f"{folder / f'{name}.txt'} has no latitude, longitude, altitude, roll, pitch and yaw")
            rows.append(values[:6])
        lat, lon, up, roll, pitch, yaw = np.array(rows).T
        zone = commonest(zones_of(lat, lon))
        to_world = np.tile(np.eye(4), (len(names), 1, 1))
        # Yaw counts from true east, the world's axes are the zone's grid.
        to_world[:, :3, :3] = _turned(roll, pitch, yaw + convergence(lat, lon, zone))
        to_world[:, :3, 3] = np.stack([*to_metres(lat, lon, zone), up], axis=1)
        of = _entries(imu)
        to_lidar = _rigid(_matrix(of, "R", (3, 3), imu), _matrix(of, "T", (3, 1), imu))
        return Positions(to_world @ np.linalg.inv(calibration.from_lidar @ to_lidar), zone, self._times(names))

    def _times(self, names: list[str]) -> np.ndarray | None:
        path = self.root / "image_02" / "timestamps.txt"
        if not path.is_file():
            return None
        lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
        number = {name: row for row, name in enumerate(sorted(self.pictures))}
        try:
            # Nanoseconds are written; six digits of a second are read.
            taken = [datetime.fromisoformat(lines[number[name]][:26]).replace(tzinfo=UTC) for name in names]
        except (ValueError, IndexError) as error:
            raise BadInput(f"{path} does not give a time for each picture ({error}); restore it") from error
        return np.array([(moment - taken[0]).total_seconds() for moment in taken])


def read_scan(path: Path, calibration: Calibration) -> Cloud:
    """A scan in the camera's frame; points that are not finite are dropped. `BadInput` for a truncated file."""
    content = read_bytes(path)
    if not content or len(content) % 16:
        raise BadInput(f"{path} has {len(content)} bytes; expected 16 a point (x, y, z, reflectance): copy it again")
    values = np.frombuffer(content, "<f4").reshape(-1, 4)
    values = values[np.isfinite(values).all(axis=1)]
    turn, move = calibration.from_lidar[:3, :3], calibration.from_lidar[:3, 3]
    points = (values[:, :3] @ turn.T + move).astype(np.float32)
    return Cloud(points, np.clip(values[:, 3], 0, 1))


def _calibration(projection: np.ndarray, rectified: np.ndarray, lidar_to_first: np.ndarray, path: Path) -> Calibration:
    """From P (3, 4), which is the camera matrix times (I | offset), and the lidar's pose before rectification."""
    first, turned = np.eye(4), np.eye(4)
    turned[:3, :3] = rectified
    try:
        first[:3, 3] = np.linalg.solve(projection[:, :3], projection[:, 3])
        np.linalg.inv(turned @ lidar_to_first)  # points are brought both ways
    except np.linalg.LinAlgError as error:
        raise BadInput(f"{path} holds a camera or a pose that cannot be inverted ({error}); restore it") from error
    return Calibration(projection[:, :3], first @ turned @ lidar_to_first, first)


def _turned(roll: np.ndarray, pitch: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """(N, 3, 3): the unit's axes (forward, left, up) in east, north, up: about z, then y, then x; radians."""
    turn = np.tile(np.eye(3), (len(yaw), 1, 1))
    for angle, (a, b) in ((yaw, (0, 1)), (pitch, (2, 0)), (roll, (1, 2))):
        one = np.tile(np.eye(3), (len(yaw), 1, 1))
        one[:, a, a] = one[:, b, b] = np.cos(angle)
        one[:, a, b], one[:, b, a] = -np.sin(angle), np.sin(angle)
        turn = turn @ one
    return turn


def _rigid(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, np.ravel(translation)
    return pose


def _files(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in suffixes}


def _entries(path: Path) -> dict[str, str]:
    """`key: numbers` of a calibration file."""
    lines = (line.partition(":") for line in read_text(path).splitlines())
    return {key.strip(): value for key, colon, value in lines if colon}


def _matrix(entries: dict[str, str], key: str, shape: tuple[int, int], path: Path) -> np.ndarray:
    if key not in entries:
        raise BadInput(f"{path} has no {key}; give the calibration file of the recording as it is published")
    values = _numbers(entries[key], path)
    if len(values) != shape[0] * shape[1] or not np.isfinite(values).all():
        raise BadInput(f"{path}: {key} has {len(values)} numbers; expected {shape[0]} x {shape[1]} finite ones")
    return np.reshape(values, shape)


def _numbers(text: str, path: Path) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError as error:
        raise BadInput(f"{path} holds something that is not a number ({error}); restore it") from error
