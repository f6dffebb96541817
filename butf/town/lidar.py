"""A lidar on the town's car: where its pulses go, what comes back, and what a real sensor loses and adds.

Two sensors. The spinning one turns once a frame, as on KITTI's car; its rings end a little above the horizon. The
push-broom scans a plane across the street while the car drives, as on RobotCar's: a frame's cloud is made of all
lines from a little behind the camera to far ahead of it, so that it also holds what the camera cannot see, and moving
vehicles where they were when the scanner passed them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.dataset.manifest import Camera
from butf.densify.cloud import Cloud
from butf.errors import BadInput
from butf.town.render import Renderer
from butf.town.traversal import SPEED

KEPT_INTERVALS = 64


@dataclass(frozen=True)
class Lidar:
    """A scanner. `mount` is metres right, down and forward of the camera (of the car's heading, not the camera's
    glance). Angles are degrees.

    `noise_m` is the standard deviation of a range; a pulse of which less than about `dark` of the light comes back is
    lost, and of the others a share of `drop_out`; `speckle` is the relative standard deviation of an intensity.
    """

    name: str
    mount: tuple[float, float, float]
    elevations: tuple[float, float, int]  # lowest, highest, how many beams
    azimuths: tuple[float, float, float]  # left, right, step; across the street for the push-broom
    reach_m: float
    lines_hz: float = 0.0  # of a push-broom
    noise_m: float = 0.02
    drop_out: float = 0.03
    dark: float = 0.012
    speckle: float = 0.06


SPINNING = Lidar("spinning", (0.1, -0.35, -0.4), (-24.8, 2.0, 64), (-55.0, 55.0, 0.2), 90.0)
PUSH_BROOM = Lidar("push-broom", (0.0, 0.3, 0.6), (0.0, 0.0, 1), (-135.0, 135.0, 0.5), 50.0, lines_hz=50.0)
LIDARS = {lidar.name: lidar for lidar in (SPINNING, PUSH_BROOM)}
BEHIND_M, AHEAD_M = 6.0, 75.0


def known(name: str) -> Lidar:
    """The lidar of that name; `BadInput` for any other."""
    if name not in LIDARS:
        raise BadInput(f"lidar {name!r} is unknown; expected {' or '.join(LIDARS)}")
    return LIDARS[name]


class Scanner:
    """A lidar on the car that drives one traversal."""

    def __init__(self, renderer: Renderer, lidar: Lidar):
        self._renderer, self.lidar = renderer, lidar
        self._directions = _pulses(lidar)
        self._intervals: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def camera(self) -> Camera:
        """The camera whose frames are scanned."""
        return self._renderer.camera

    def cloud(self, index: int) -> Cloud:
        """What the lidar has measured around the camera of frame `index`, in that camera's frame."""
        points, reflectance = self._line(index) if self.lidar.lines_hz else self._turn(index)
        poses = self._renderer.poses
        return Cloud(to_camera(points - poses.position[index], float(poses.yaw[index])), reflectance)

    def _turn(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """One turn of a spinning lidar while the car stands: points (N, 3) in the town's frame and reflectance."""
        poses = self._renderer.poses
        return self._measured(index, poses.position[index : index + 1], poses.course[index : index + 1], "turn")

    def _line(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """All lines of a push-broom between `BEHIND_M` and `AHEAD_M` of the camera along the route."""
        along = self._renderer.poses.along
        first = max(int(np.searchsorted(along, along[index] - BEHIND_M)) - 1, 0)
        last = min(int(np.searchsorted(along, along[index] + AHEAD_M)), len(along) - 1)
        parts = [self._interval(number) for number in range(first, last)]
        if not parts:
            return np.zeros((0, 3)), np.zeros(0, np.float32)
        points, shares = zip(*parts, strict=True)
        return np.concatenate(points), np.concatenate(shares)

    def _interval(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The lines scanned from place `number` to the next; vehicles stand where they are at the former."""
        if number not in self._intervals:
            poses, plan = self._renderer.poses, self._renderer.plan
            start, end = poses.along[number], poses.along[number + 1]
            at = np.arange(start, max(end, start + 0.01), SPEED / self.lidar.lines_hz)
            middle, course = plan.at(at)
            side = np.interp(at, (start, end), poses.side[number : number + 2])
            right = np.stack([np.sin(course), -np.cos(course)], axis=1)
            car = np.column_stack([middle + side[:, None] * right, np.full(len(at), poses.position[number, 2])])
            if len(self._intervals) >= KEPT_INTERVALS:
                self._intervals.pop(next(iter(self._intervals)))
            self._intervals[number] = self._measured(number, car, course, "line")
        return self._intervals[number]

    def _measured(self, index: int, car: np.ndarray, course: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
        """Send all pulses from each of the car's poses (P, 3) and (P,) radians; give what comes back."""
        forward = np.stack([np.cos(course), np.sin(course), np.zeros(len(course))], axis=1)
        right = np.stack([np.sin(course), -np.cos(course), np.zeros(len(course))], axis=1)
        down = np.array([0.0, 0.0, -1.0])
        axes = np.stack([right, np.broadcast_to(down, right.shape), forward], axis=1)
        origins = car + np.einsum("i,pij->pj", np.array(self.lidar.mount), axes)
        directions = np.einsum("ni,pij->pnj", self._directions, axes).reshape(-1, 3)
        origins = np.repeat(origins, len(self._directions), axis=0)
        seen, distance, reflectance = self._renderer.echoes(index, origins, directions)
        rng = self._renderer.stream("lidar", self.lidar.name, what, index)
        strength = reflectance * (1 + self.lidar.speckle * rng.standard_normal(len(seen)))
        back = 1 - np.exp(-((np.maximum(strength, 0) / self.lidar.dark) ** 2))
        kept = (distance <= self.lidar.reach_m) & (rng.random(len(seen)) < back * (1 - self.lidar.drop_out))
        measured = distance[kept] + self.lidar.noise_m * rng.standard_normal(int(kept.sum()))
        points = origins[seen[kept]] + directions[seen[kept]] * measured[:, None]
        return points, np.clip(strength[kept], 1 / 255, 1).astype(np.float32)


def to_camera(offsets: np.ndarray, yaw: float) -> np.ndarray:
    """(N, 3) metres east, north, up of a level camera that looks along `yaw` (radians from east) -> (N, 3) float32 in
    its frame: x right, y down, z forward."""
    c, s = np.cos(yaw), np.sin(yaw)
    east, north, up = np.asarray(offsets, float).T
    return np.stack([s * east - c * north, -up, c * east + s * north], axis=1).astype(np.float32)


def _pulses(lidar: Lidar) -> np.ndarray:
    """(N, 3) unit directions of all pulses of a turn, or of a line: right, down, forward of the car."""
    left, right, step = lidar.azimuths
    turned = np.radians(np.arange(left, right + step / 2, step))
    if lidar.lines_hz:
        # The plane across the street: 0 is straight down, so that what the 270 degrees lack is overhead.
        return np.stack([np.sin(turned), np.cos(turned), np.zeros_like(turned)], axis=1)
    raised = np.radians(np.linspace(*lidar.elevations))
    up, side = (grid.ravel() for grid in np.meshgrid(raised, turned, indexing="ij"))
    return np.stack([np.cos(up) * np.sin(side), -np.sin(up), np.cos(up) * np.cos(side)], axis=1)
