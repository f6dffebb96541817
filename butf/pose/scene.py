"""What is to be put into a street and where: a goal on the map, the ground it stands on, and the error of a pose."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from butf.dataset.manifest import Camera
from butf.dataset.modalities import Map
from butf.pose.mesh import UP, Mesh
from butf.pose.pose import Pose
from butf.pose.raster import NEAR_M, project
from butf.pose.route import route
from butf.pose.things import OBJECTS, arrows, level, sign

KINDS = ("Sign", "Arrows", "Object")
FACINGS = ("the camera", "the street")
USUAL_HEIGHT_M = 1.5
LOWEST_M, HIGHEST_M = 0.3, 4.0
FOREGROUND = 0.85
ABOVE = 1.55
"""How much higher than the object beneath it a sign reaches."""


@dataclass(frozen=True)
class Wish:
    """What is to be drawn at a goal: `kinds` of `KINDS`, an object of `OBJECTS` so many metres tall, a sign with a
    `text` that looks to one of `FACINGS`, arrows of a `scale` of which 1 suits a street."""

    kinds: tuple[str, ...] = KINDS
    object: str = "Pin"
    text: str = "Here"
    facing: str = FACINGS[0]
    height_m: float = 2.0
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class Scene:
    """Virtual things in the data set's frame: metres east, north, up."""

    meshes: list[Mesh]
    goal: np.ndarray
    """(3,) where the things stand."""
    path: np.ndarray
    """(N, 2) the way from the camera to the goal."""


def scene(wish: Wish, pose: Pose, goal: np.ndarray, ground_m: float, places: np.ndarray) -> Scene:
    """The things of a wish at a `goal` (2,), seen by a camera that is `ground_m` above flat ground.

    `places` (D, 2) are those of the database, along which the arrows lead.
    """
    height = float(pose.centre[2]) - ground_m
    foot = np.array([*goal, height])
    path = route(pose.centre[:2], np.asarray(goal, float), places)
    meshes: list[Mesh] = []
    if "Arrows" in wish.kinds:
        meshes += arrows(path, height, wish.scale)
    if "Object" in wish.kinds:
        meshes += OBJECTS[wish.object](foot, wish.height_m)
    if "Sign" in wish.kinds:
        tall = wish.height_m * (ABOVE if "Object" in wish.kinds else 1.0)
        meshes += sign(foot, reading(wish.facing, pose, foot), wish.text, tall)
    return Scene(meshes, foot, path)


def reading(facing: str, pose: Pose, foot: np.ndarray) -> np.ndarray:
    """The horizontal direction (3,) of a sign's text, so that who is at the pose reads it the right way round.

    A sign that faces the camera stands square to the line of sight; one that faces the street is parallel to the
    direction in which the camera looks, as on a house front.
    """
    sight = level(foot - pose.centre)
    if facing == FACINGS[0]:
        return np.cross(sight, UP)
    ahead = level(pose.rotation[:, 2])
    across = np.cross(ahead, UP)
    return np.cross(across if sight @ across >= 0 else -across, UP)


def ground_below(depth: Map | None, camera: Camera, pose: Pose) -> tuple[float, bool]:
    """How many metres above the ground a camera is, and whether the depth in its foreground says so.

    The median height of what is seen in the middle of the lowest part of the picture; 1.5 m where there is no depth or
    what it says is no ground.
    """
    if depth is None:
        return USUAL_HEIGHT_M, False
    tall, wide = depth.values.shape
    rows, columns = np.mgrid[int(FOREGROUND * tall) : tall, wide // 4 : 3 * wide // 4]
    z, valid = depth.values[rows, columns], depth.valid[rows, columns]
    if not valid.any():
        return USUAL_HEIGHT_M, False
    u, v = (columns[valid] + 0.5) * camera.width / wide, (rows[valid] + 0.5) * camera.height / tall
    ray = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(len(u))], axis=1)
    found = float(pose.centre[2] - np.median(pose.to_world(ray * z[valid][:, None])[:, 2]))
    return (found, True) if LOWEST_M <= found <= HIGHEST_M else (USUAL_HEIGHT_M, False)


def erring(pose: Pose, metres: float, degrees: float) -> Pose:
    """A pose that is wrong by so much: too far to the camera's right, and turned to the right about the vertical.

    Both move what is drawn to the left, so that they never make up for each other.
    """
    angle = -math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    right = np.cross(level(pose.rotation[:, 2]), UP)
    return Pose(turn @ pose.rotation, pose.centre + metres * right)


def spot(pose: Pose, ahead_m: float, right_m: float) -> np.ndarray:
    """Metres east and north (2,) of a point so far ahead of a camera and to its right."""
    ahead = level(pose.rotation[:, 2])
    return (pose.centre + ahead_m * ahead + right_m * np.cross(ahead, UP))[:2]


def seen_at(pose: Pose, place: np.ndarray) -> tuple[float, float]:
    """The inverse of `spot`: how far ahead of a camera and to its right a place (2,) lies."""
    ahead = level(pose.rotation[:, 2])
    offset = np.array([*(np.asarray(place, float) - pose.centre[:2]), 0.0])
    return float(offset @ ahead), float(offset @ np.cross(ahead, UP))


def pixel_of(point: np.ndarray, camera: Camera, pose: Pose) -> np.ndarray | None:
    """The pixel (2,) of a world point (3,); None where it is behind the camera or too near."""
    there = pose.to_camera(np.asarray(point, float)[None])
    return project(there, camera)[0] if there[0, 2] > NEAR_M else None
