"""Where the camera stands in each traversal, and how that is written down: UTM, WGS84, quaternions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import utm

from butf.town.conditions import Condition
from butf.town.config import TownConfig
from butf.town.plan import LANE, LEAD, Plan, stream

CAMERA_HEIGHT = 1.65
SPEED = 8.0  # metres a second
UTM_ZONE, UTM_BAND = 30, "T"  # the town lies in the Bay of Biscay, where no real town can be meant
UTM_ORIGIN = (388_000.0, 5_106_000.0)


@dataclass(frozen=True, eq=False)
class Poses:
    """Camera poses of one traversal of one district, one a place.

    `along` (N,) metres along the route; `position` (N, 3) east, north, up in metres of the town's frame; `yaw` (N,)
    radians from east, counter-clockwise; `side` (N,) metres right of the road's middle; `course` (N,) of the street.
    """

    along: np.ndarray
    position: np.ndarray
    yaw: np.ndarray
    side: np.ndarray
    course: np.ndarray


def make_poses(config: TownConfig, plan: Plan, condition: Condition) -> Poses:
    """The reference keeps its lane and heading; queries drift sideways, look aside and fall between the places."""
    rng = stream(config, "poses", plan.split, condition.name)
    count = config.places(plan.split)
    along = LEAD + config.spacing_m * np.arange(count)
    query = condition.role == "query"
    if query:
        along = along + rng.uniform(0, config.spacing_m, count)
    middle, course = plan.at(along)
    drift = _smooth(rng, along, 45.0)
    glance = 0.7 * (2 * _smooth(rng, along, 25.0) - 1) + 0.3 * rng.uniform(-1, 1, count)
    side = LANE / 2 + 0.2 * (2 * drift - 1)
    if query:
        side = LANE / 2 - condition.lane * config.lane_offset_m * drift
    yaw = course + (np.radians(config.heading_deg) * glance if query else 0.0)
    right = np.stack([np.sin(course), -np.cos(course)], axis=1)
    ground = middle + side[:, None] * right
    position = np.column_stack([ground, np.full(count, CAMERA_HEIGHT)])
    return Poses(along, position, yaw, side, course)


def _smooth(rng: np.random.Generator, along: np.ndarray, length: float) -> np.ndarray:
    """A random function of the way with values in 0..1 that changes over `length` metres."""
    knots = rng.uniform(0, 1, int(along[-1] / length) + 3)
    at = along / length
    k = at.astype(int)
    t = at - k
    t = t * t * (3 - 2 * t)
    smooth: np.ndarray = knots[k] * (1 - t) + knots[k + 1] * t
    return smooth


def quaternions(yaw: np.ndarray) -> np.ndarray:
    """(N, 4) qw, qx, qy, qz of level cameras: x right, y down, z forward to east, north, up."""
    half = np.asarray(yaw) / 2
    # Looking east is (1, -1, 1, -1) / 2; turning by yaw about the vertical multiplies from the left.
    c, s = np.cos(half), np.sin(half)
    return np.stack([c + s, -c - s, c - s, -c + s], axis=-1) / 2


def to_utm(position: np.ndarray) -> np.ndarray:
    """(N, 3) easting, northing, altitude of points in the town's frame."""
    metres: np.ndarray = np.asarray(position, float) + np.array([*UTM_ORIGIN, 0.0])
    return metres


def to_lat_lon(easting: float | np.ndarray, northing: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Degrees WGS84 of UTM coordinates in the town's zone."""
    lat, lon = utm.to_latlon(np.asarray(easting, float), np.asarray(northing, float), UTM_ZONE, UTM_BAND)
    return lat, lon
