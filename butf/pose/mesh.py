"""Surfaces of virtual things: triangles in the data set's world, in metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Mesh:
    """T triangles of one virtual thing: east, north, up in metres, as `Pose` has them.

    `slack` is how much farther than the depth map's surface, as a share of its own distance, the thing may lie and
    still be seen: a map that a network reconstructed is not exact, least of all along the ground.
    """

    corners: np.ndarray
    """(T, 3, 3) world metres."""
    colours: np.ndarray
    """(T, 3) 0..255."""
    texture: np.ndarray | None = None
    """(h, w, 3) uint8: a picture on the surface, which then takes the place of `colours`."""
    places: np.ndarray | None = None
    """(T, 3, 2) where in the texture each corner lies: 0..1 to the right, 0..1 down."""
    opacity: float = 1.0
    lit: bool = True
    slack: float = 0.05

    @property
    def normals(self) -> np.ndarray:
        """(T, 3) unit normals; 0 for a triangle without an area."""
        first, second = self.corners[:, 1] - self.corners[:, 0], self.corners[:, 2] - self.corners[:, 0]
        normal = np.cross(first, second)
        unit: np.ndarray = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        return unit

    def with_slack(self, slack: float) -> Mesh:
        return replace(self, slack=slack)


def quads(corners: np.ndarray, colours: np.ndarray) -> Mesh:
    """Quadrilaterals (Q, 4, 3), each corner beside the one before, in colours (Q, 3)."""
    corners = np.asarray(corners, float)
    triangles = corners[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3, 3)
    return Mesh(triangles, np.repeat(np.asarray(colours, float), 2, axis=0))


def board(corners: np.ndarray, texture: np.ndarray) -> Mesh:
    """A picture (h, w, 3) uint8 on a quadrilateral (4, 3): its top left, top right, bottom right, bottom left."""
    corners = np.asarray(corners, float)
    at = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    halves = [[0, 1, 2], [0, 2, 3]]
    return Mesh(corners[halves], np.full((2, 3), 255.0), texture, at[halves])


def flat_polygon(points: np.ndarray, colour: Sequence[float]) -> Mesh:
    """A polygon (N, 3) that its first point sees all of, as a fan of triangles."""
    points = np.asarray(points, float)
    fan = np.stack([np.repeat(points[:1], len(points) - 2, axis=0), points[1:-1], points[2:]], axis=1)
    return Mesh(fan, np.tile(np.asarray(colour, float), (len(fan), 1)), lit=False)


def box(
    centre: np.ndarray, along: np.ndarray, sizes: Sequence[float], colours: Sequence[Sequence[float]], up: float = 0.0
) -> Mesh:
    """An upright box standing with the middle of its foot at `centre` (3,), `up` metres higher.

    `along` is the horizontal direction (3,) of its width; `sizes` width, thickness and height in metres; `colours` of
    the faces along the width, along the thickness, and of top and bottom.
    """
    width, thickness, height = sizes
    x = np.asarray(along, float) / np.linalg.norm(along) * width / 2
    y = np.cross(UP, x)
    y = y / np.linalg.norm(y) * thickness / 2
    low = np.asarray(centre, float) + up * UP
    foot = np.array([low - x - y, low + x - y, low + x + y, low - x + y])
    head = foot + height * UP
    sides = [np.stack([foot[i], foot[j], head[j], head[i]]) for i, j in ((0, 1), (1, 2), (2, 3), (3, 0))]
    front, side, cap = colours
    return quads(np.stack([*sides, foot, head]), np.array([front, side, front, side, cap, cap], float))


def turned(profile: Sequence[tuple[float, float]], centre: np.ndarray, sides: int, colour: Sequence[float]) -> Mesh:
    """A surface of revolution about the vertical through `centre` (3,): radius and height in metres, from the foot."""
    angles = 2 * np.pi * (np.arange(sides + 1) + 0.5) / sides
    around = np.stack([np.cos(angles), np.sin(angles), np.zeros(sides + 1)], axis=1)
    rings = [np.asarray(centre, float) + radius * around + height * UP for radius, height in profile]
    bands = [np.stack([low[:-1], low[1:], high[1:], high[:-1]], axis=1) for low, high in pairwise(rings)]
    corners = np.concatenate(bands)
    return quads(corners, np.tile(np.asarray(colour, float), (len(corners), 1)))


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """Plain surfaces of one thing as one; what is textured stays a mesh of its own."""
    if any(mesh.texture is not None for mesh in meshes):
        raise ValueError("meshes with a texture cannot be joined")
    corners, colours = (np.concatenate([getattr(mesh, key) for mesh in meshes]) for key in ("corners", "colours"))
    return replace(meshes[0], corners=corners, colours=colours)
