"""Small sets in exactly the layout of the Oxford RobotCar dataset: a drive through the procedural town, and one along a
plain wall. What is written is computed here with scipy, not with the importer's own transforms.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from butf.dataset.manifest import Camera
from butf.town.conditions import CONDITIONS
from butf.town.config import TownConfig
from butf.town.district import District
from butf.town.render import Picture, Renderer
from butf.town.traversal import SPEED, UTM_BAND, UTM_ZONE, to_lat_lon, to_utm

START_US = 1_418_133_661_000_000
INS_HZ, LINES_HZ = 50.0, 25.0
TURNS = np.radians(np.arange(-135.0, 135.25, 0.5))
REACH_M = 50.0
INTENSITY = 200.0
"""Intensity that the made-up lidar gives for reflectance 1."""
# x y z roll pitch yaw: the vehicle in the camera's frame, the INS and the lidar's scan plane in the vehicle's.
STEREO = (0.3, -0.2, 0.15, 0.04, -0.03, 0.005)
INS = (-1.7132, 0.1181, 1.1948, -0.0125, 0.0400, 0.0050)
LENS = np.array([[0.0, 0, 1, 0], [1, 0, 0, -0.12], [0, 1, 0, 0], [0, 0, 0, 1]])
LIDAR_IN_CAMERA = (0.0, 0.3, 0.6)  # metres right, down and forward of the lens
NED = np.array([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]])
HEADER = [
    "timestamp", "ins_status", "latitude", "longitude", "altitude", "northing", "easting", "down", "utm_zone",
    "velocity_north", "velocity_east", "velocity_down", "roll", "pitch", "yaw",
]  # fmt: skip
STEP = ["source_timestamp", "destination_timestamp", "x", "y", "z", "roll", "pitch", "yaw"]
Track = Callable[[np.ndarray], np.ndarray]
"""Metres of way (N,) -> (N, 4, 4) poses of the lens (x right, y down, z forward) in UTM east, north, up."""


@dataclass
class Recording:
    """One traversal: its pictures, undistorted, at so many metres of way, and its scans likewise."""

    name: str
    tags: str
    track: Track
    pictures: list[np.ndarray]
    along: np.ndarray
    scans: list[np.ndarray]  # (P, 3) x, y, intensity
    scans_along: np.ndarray

    @property
    def poses(self) -> np.ndarray:
        """True poses (N, 4, 4) of the lens at its pictures."""
        return self.track(self.along)


def motion(components: Sequence[float]) -> np.ndarray:
    """(4, 4) of x y z roll pitch yaw."""
    made = np.eye(4)
    made[:3, :3] = Rotation.from_euler("xyz", components[3:]).as_matrix()
    made[:3, 3] = components[:3]
    return made


def components(pose: np.ndarray) -> list[float]:
    """x y z roll pitch yaw of (4, 4)."""
    return [*pose[:3, 3].tolist(), *Rotation.from_matrix(pose[:3, :3]).as_euler("xyz").tolist()]


VEHICLE_IN_LENS = np.linalg.inv(LENS) @ motion(STEREO)


def time_at(along: np.ndarray | float) -> np.ndarray:
    """Microseconds at which the car has gone so many metres."""
    return np.rint(START_US + np.asarray(along) / SPEED * 1e6).astype(np.int64)


def write_set(root: Path, camera: Camera, recordings: Sequence[Recording], distortion: float = -0.05) -> Path:
    """Write models, extrinsics and all traversals into a folder."""
    for name in ("models", "extrinsics"):
        (root / name).mkdir(parents=True)
    lines = [" ".join(map(repr, row)) for row in LENS.tolist()]
    first = f"{camera.fx} {camera.fy} {camera.cx - 0.5} {camera.cy - 0.5}"
    (root / "models" / "stereo_narrow_left.txt").write_text("\n".join([first, *lines]) + "\n")
    lut = table(camera, distortion)
    np.moveaxis(lut, 2, 0).astype("<f8").tofile(root / "models" / "stereo_narrow_left_distortion_lut.bin")
    lidar = np.eye(4)
    lidar[:3, 3] = LIDAR_IN_CAMERA
    of_lidar = components(np.linalg.inv(VEHICLE_IN_LENS) @ lidar)
    for name, values in (("stereo", STEREO), ("ins", INS), ("lms_front", of_lidar), ("ldmrs", of_lidar)):
        (root / "extrinsics" / f"{name}.txt").write_text(" ".join(map(repr, map(float, values))))
    for recording in recordings:
        write_recording(root / recording.name, camera, recording, distortion)
    return root


def table(camera: Camera, distortion: float) -> np.ndarray:
    """(H, W, 2) column and row in the raw picture of each undistorted pixel: radially by 1 + k r^2."""
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    x, y = (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy
    factor = 1 + distortion * (x * x + y * y)
    return np.stack([x * factor * camera.fx + camera.cx, y * factor * camera.fy + camera.cy], axis=2) - 0.5


def distorted(picture: np.ndarray, camera: Camera, distortion: float) -> np.ndarray:
    """The raw picture, in colour: each pixel looked up where the distortion came from, by fixed-point iteration."""
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    raw = np.stack([(columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy])
    plain = raw.copy()
    for _ in range(30):
        plain = raw / (1 + distortion * (plain**2).sum(axis=0))
    at = np.stack([plain[1] * camera.fy + camera.cy, plain[0] * camera.fx + camera.cx]) - 0.5
    channels = [map_coordinates(picture[..., k].astype(float), at, order=3, mode="nearest") for k in range(3)]
    return np.clip(np.rint(np.stack(channels, axis=2)), 0, 255).astype(np.uint8)


def mosaic(picture: np.ndarray) -> np.ndarray:
    """(H, W) what a sensor with the filter GBRG has of a picture (H, W, 3)."""
    raw = picture[..., 1].copy()
    raw[0::2, 1::2] = picture[0::2, 1::2, 2]
    raw[1::2, 0::2] = picture[1::2, 0::2, 0]
    return raw


def write_recording(folder: Path, camera: Camera, recording: Recording, distortion: float) -> None:
    """Pictures, scans, logs and tags of one traversal."""
    for name in ("stereo/centre", "lms_front", "gps", "vo"):
        (folder / name).mkdir(parents=True)
    (folder / "tags.csv").write_text(recording.tags)
    times = time_at(recording.along)
    for time, picture in zip(times, recording.pictures, strict=True):
        Image.fromarray(mosaic(distorted(picture, camera, distortion))).save(folder / f"stereo/centre/{time}.png")
    write_stamps(folder / "stereo.timestamps", times)
    scan_times = time_at(recording.scans_along)
    for time, scan in zip(scan_times, recording.scans, strict=True):
        scan.astype("<f8").tofile(folder / f"lms_front/{time}.bin")
    write_stamps(folder / "lms_front.timestamps", scan_times)
    low, high = recording.scans_along[[0, -1]]
    way = np.arange(low - 1, high + 1, SPEED / INS_HZ)
    write_ins(folder / "gps" / "ins.csv", way, recording.track(way))
    write_vo(folder / "vo" / "vo.csv", way[::3], recording.track(way[::3]))


def write_stamps(path: Path, times: np.ndarray) -> None:
    path.write_text("".join(f"{time} 1\n" for time in times.tolist()))


def write_ins(path: Path, way: np.ndarray, poses: np.ndarray) -> None:
    """Poses of the INS, as lens poses (N, 4, 4) say where it is."""
    found = NED @ poses @ VEHICLE_IN_LENS @ motion(INS)
    lat, lon = to_lat_lon(found[:, 1, 3], found[:, 0, 3])
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        for time, pose, *degrees in zip(time_at(way).tolist(), found, lat, lon, strict=True):
            north, east, down, roll, pitch, yaw = components(pose)
            place = [north, east, down, f"{UTM_ZONE}{UTM_BAND}"]
            writer.writerow([time, "INS_SOLUTION_GOOD", *degrees, -down, *place, 0, 0, 0, roll, pitch, yaw])


def write_vo(path: Path, way: np.ndarray, poses: np.ndarray) -> None:
    """Poses of the vehicle, each in the frame of the one before."""
    vehicle = poses @ VEHICLE_IN_LENS
    times = time_at(way).tolist()
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(STEP)
        for k in range(1, len(times)):
            writer.writerow([times[k], times[k - 1], *components(np.linalg.inv(vehicle[k - 1]) @ vehicle[k])])


def level(position: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """(N, 4, 4) of level lenses at (N, 3) metres that look along `yaw` (N,) radians from east."""
    made = np.zeros((len(yaw), 4, 4))
    made[:, 0, 0], made[:, 1, 0] = np.sin(yaw), -np.cos(yaw)
    made[:, 2, 1] = -1
    made[:, 0, 2], made[:, 1, 2] = np.cos(yaw), np.sin(yaw)
    made[:, :3, 3], made[:, 3, 3] = position, 1
    return made


# -- the town


TOWN = TownConfig(
    seed=3, test_places=30, width=160, height=120, facade_pool=3, block_types=1, traffic=0.0, heading_deg=0.0,
    lane_offset_m=1.0, jitter_m=12.0,
)  # fmt: skip


def town_recordings(
    places: Sequence[int], ahead_m: float = 75.0
) -> tuple[Camera, list[Recording], list[list[Picture]]]:
    """A drive by day and one in the rain: the camera, what was recorded, and the town's own pictures of it."""
    district = District(TOWN, "test")
    recordings, truth = [], []
    for name, tags, condition in (
        ("2014-12-09-13-21-02", "sun,clouds\n", "reference"),
        ("2015-02-03-08-45-10", "overcast,rain\n", "rain"),
    ):
        renderer = Renderer(district, CONDITIONS[condition])
        along = renderer.poses.along[list(places)]
        track = _town_track(renderer)
        way = np.arange(along[0] - 8, along[-1] + ahead_m, SPEED / LINES_HZ)
        pictures = [renderer.picture(place) for place in places]
        scans = _town_scans(renderer, track(way))
        recordings.append(Recording(name, tags, track, [one.rgb for one in pictures], along, scans, way))
        truth.append(pictures)
    return renderer.camera, recordings, truth


def _town_track(renderer: Renderer) -> Track:
    poses, plan = renderer.poses, renderer.plan

    def track(along: np.ndarray) -> np.ndarray:
        middle, course = plan.at(along)
        side = np.interp(along, poses.along, poses.side)
        right = np.stack([np.sin(course), -np.cos(course)], axis=1)
        height = np.full(len(along), poses.position[0, 2])
        return level(to_utm(np.column_stack([middle + side[:, None] * right, height])), course)

    return track


def _town_scans(renderer: Renderer, poses: np.ndarray) -> list[np.ndarray]:
    """Each line as the lidar gives it: x right, y down in its plane across the way, with a little noise."""
    rng = np.random.default_rng(0)
    flat = np.stack([np.sin(TURNS), np.cos(TURNS), np.zeros_like(TURNS)], axis=1)
    offset = to_utm(np.zeros((1, 3)))[0]
    scans = []
    for pose in poses:
        origin = pose[:3, :3] @ LIDAR_IN_CAMERA + pose[:3, 3] - offset
        seen, metres, reflectance = renderer.echoes(0, np.tile(origin, (len(flat), 1)), flat @ pose[:3, :3].T)
        metres = metres + rng.normal(0, 0.01, len(metres))
        near = metres < REACH_M
        points = flat[seen] * metres[:, None]
        scans.append(np.column_stack([points[:, :2], reflectance * INTENSITY])[near])
    return scans


# -- a plain street: flat ground, a wall on the left


CAMERA = Camera("plain", 64, 48, 40.0, 40.0, 32.0, 24.0)
HEIGHT, WALL_M = 1.6, 5.0
ORIGIN = to_utm(np.zeros((1, 3)))[0] + (100.0, 200.0, HEIGHT)
GROUND, WALL = 0.3, 0.6


def plain_track(along: np.ndarray) -> np.ndarray:
    """Straight to the east."""
    return level(ORIGIN + np.column_stack([along, np.zeros((len(along), 2))]), np.zeros(len(along)))


def plain_depth() -> np.ndarray:
    """(H, W) depth that every picture of the plain street has; infinite above the horizon on the right."""
    columns, rows = np.meshgrid(np.arange(CAMERA.width) + 0.5, np.arange(CAMERA.height) + 0.5)
    ground = np.where(rows > CAMERA.cy, HEIGHT * CAMERA.fy / np.maximum(rows - CAMERA.cy, 1e-9), np.inf)
    wall = np.where(columns < CAMERA.cx, WALL_M * CAMERA.fx / np.maximum(CAMERA.cx - columns, 1e-9), np.inf)
    return np.minimum(ground, wall)


def plain_recording(name: str, tags: str, along: np.ndarray, scans: tuple[float, float] = (-8.0, 60.0)) -> Recording:
    """A drive with smooth pictures at `along` (N,) metres, and scans from before the first to after the last."""
    shades = np.linspace(60, 180, CAMERA.width)[None, :, None] + np.zeros((CAMERA.height, 1, 3))
    pictures = [np.rint(shades + number).astype(np.uint8) for number in range(len(along))]
    way = np.arange(along[0] + scans[0], along[-1] + scans[1], SPEED / LINES_HZ)
    right, down = np.sin(TURNS), np.cos(TURNS)
    below = HEIGHT - LIDAR_IN_CAMERA[1]
    to_ground = np.where(down > 0, below / np.maximum(down, 1e-9), np.inf)
    to_wall = np.where(right < 0, WALL_M / np.maximum(-right, 1e-9), np.inf)
    metres = np.minimum(to_ground, to_wall)
    strength = INTENSITY * np.where(to_ground < to_wall, GROUND, WALL)
    near = metres < REACH_M
    scan = np.column_stack([right * metres, down * metres, strength])[near]
    return Recording(name, tags, plain_track, pictures, along, [scan] * len(way), way)


def write_plain(root: Path) -> Path:
    """Two drives along the plain wall, with pictures at 0, 0.5, 12 and 24 m of way, the second 1 m further."""
    along = np.array([0.0, 0.5, 12, 24])
    drives = [plain_recording("2014-12-09-13-21-02", "night,rain\n", along)]
    drives.append(plain_recording("2015-02-03-08-45-10", "overcast,roadworks\n", along + 1))
    return write_set(root, CAMERA, drives)
