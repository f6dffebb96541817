"""Triangle meshes with one row of surface attributes a triangle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from butf.town.canvas import SIZE, Numbers

# columns of Mesh.table
NORMAL, UV0, UV1, UV2, TINT = slice(0, 3), slice(3, 5), slice(5, 7), slice(7, 9), slice(9, 12)
DENSITY, TEXTURE, KIND, SURFACE = 12, 13, 14, 15  # texels a metre; texture; class or 0 (the texture's); surface number
WHITE = (1.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Mesh:
    """`points` (N, 3, 3) float32 metres; `table` (N, 16) float32. UV1 and UV2 are differences from UV0."""

    points: np.ndarray
    table: np.ndarray

    def moved(self, x: float, y: float, z: float = 0.0, yaw: float = 0.0, scale: float = 1.0) -> Mesh:
        """Scaled, turned by `yaw` radians about the vertical, then moved."""
        c, s = np.cos(yaw), np.sin(yaw)
        turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.float32)
        table = self.table.copy()
        table[:, NORMAL] = table[:, NORMAL] @ turn
        table[:, DENSITY] /= scale
        return Mesh(self.points @ (turn * np.float32(scale)) + np.array([x, y, z], np.float32), table)

    def tinted(self, tint: Numbers) -> Mesh:
        """Every triangle with a negative tint (paint, see `PAINT`) gets this one."""
        table = self.table.copy()
        table[table[:, 9] < 0, TINT] = tint
        return Mesh(self.points, table)


PAINT = (-1.0, -1.0, -1.0)  # tint of a part that is painted later


def joined(meshes: list[Mesh]) -> Mesh:
    """One mesh of several; surface numbers stay distinct."""
    meshes = [mesh for mesh in meshes if len(mesh.points)]
    if not meshes:
        return Mesh(np.zeros((0, 3, 3), np.float32), np.zeros((0, 16), np.float32))
    table = np.concatenate([mesh.table for mesh in meshes])
    sizes = [len(mesh.points) for mesh in meshes]
    counts = [int(mesh.table[:, SURFACE].max()) + 1 for mesh in meshes]
    table[:, SURFACE] += np.repeat(np.concatenate([[0], np.cumsum(counts)[:-1]]), sizes).astype(np.float32)
    return Mesh(np.concatenate([mesh.points for mesh in meshes]), table)


class Builder:
    """Collects quadrilaterals and convex polygons; `mesh()` packs them. Corners go round the outline."""

    def __init__(self) -> None:
        self._quads: list[tuple[float, ...]] = []
        self._surfaces = 0

    def quad(
        self,
        a: Numbers,
        b: Numbers,
        c: Numbers,
        d: Numbers,
        texture: int,
        uv: Sequence[float] = (0, 0, 1, 1),
        tint: Numbers = WHITE,
        kind: int = 0,
        same: bool = False,
    ) -> None:
        """`uv`: (u0, v0, u1, v1) of corners a and c, or eight numbers. `same` continues the surface before it."""
        if len(uv) == 4:
            u0, v0, u1, v1 = uv
            uv = (u0, v0, u1, v0, u1, v1, u0, v1)
        if not same:
            self._surfaces += 1
        self._quads.append((*a, *b, *c, *d, *uv, texture, *tint, kind, self._surfaces - 1))

    def face(
        self,
        corners: Sequence[Numbers],
        texture: int,
        uv: Sequence[float] = (0, 0, 1, 1),
        tint: Numbers = WHITE,
        kind: int = 0,
        same: bool = False,
    ) -> None:
        """`quad` of four corners in one list."""
        a, b, c, d = corners
        self.quad(a, b, c, d, texture, uv, tint, kind, same)

    def polygon(
        self, corners: Sequence[Numbers], texture: int, metres: float, tint: Numbers = WHITE, kind: int = 0
    ) -> None:
        """A convex, level polygon with the texture laid over the ground, `metres` a tile."""
        corners = [tuple(corner) for corner in corners]
        for k in range(1, len(corners) - 1, 2):
            four = corners[0], corners[k], corners[k + 1], corners[min(k + 2, len(corners) - 1)]
            uv = tuple(value / metres for corner in four for value in corner[:2])
            self.quad(*four, texture, uv, tint, kind, same=k > 1)

    def box(
        self,
        centre: Numbers,
        axis: Numbers,
        length: float,
        width: float,
        z0: float,
        height: float,
        texture: int,
        tint: Numbers = WHITE,
        kind: int = 0,
        taper: float = 1.0,
        tile: float = 2.0,
    ) -> None:
        """A box along the unit vector `axis` without a floor; `taper` shrinks its top."""
        (cx, cy), (ax, ay) = centre, axis
        corners = []
        for z, k in ((z0, 0.5), (z0 + height, 0.5 * taper)):
            for p, q in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                along, across = p * length * k, q * width * k
                corners.append((cx + ax * along - ay * across, cy + ay * along + ax * across, z))
        for i in range(4):
            j = (i + 1) % 4
            side = length if i % 2 == 0 else width
            uv = (0, height / tile, side / tile, 0)
            self.quad(corners[i], corners[j], corners[4 + j], corners[4 + i], texture, uv, tint, kind)
        self.face(corners[4:], texture, (0, 0, length / tile, width / tile), tint, kind)

    def pole(
        self,
        x: float,
        y: float,
        z0: float,
        height: float,
        radius: float,
        texture: int,
        tint: Numbers = WHITE,
        kind: int = 0,
        taper: float = 1.0,
        sides: int = 6,
    ) -> None:
        """An upright prism that tapers; its sides count as one surface."""
        ring = [(np.cos(a), np.sin(a)) for a in np.arange(sides) * 2 * np.pi / sides]
        for i, (p, q) in enumerate(zip(ring, ring[1:] + ring[:1], strict=True)):
            a, b = ((x + radius * k[0], y + radius * k[1], z0) for k in (p, q))
            c, d = ((x + radius * taper * k[0], y + radius * taper * k[1], z0 + height) for k in (q, p))
            self.quad(a, b, c, d, texture, (0, 0, 0.3, height / 2), tint, kind, same=i > 0)

    def mesh(self) -> Mesh:
        if not self._quads:
            return joined([])
        rows = np.array(self._quads, np.float64)
        corners, uv, rest = rows[:, :12].reshape(-1, 4, 3), rows[:, 12:20].reshape(-1, 4, 2), rows[:, 20:]
        halves = [[0, 1, 2], [0, 2, 3]]
        return attributes(
            corners[:, halves].reshape(-1, 3, 3), uv[:, halves].reshape(-1, 3, 2), np.repeat(rest, 2, axis=0)
        )


def attributes(points: np.ndarray, uv: np.ndarray, rest: np.ndarray) -> Mesh:
    """A mesh of triangles (N, 3, 3) with uv (N, 3, 2) and rest (N, 6): texture, tint (3), class, surface."""
    normal = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    twice_area = np.linalg.norm(normal, axis=1)
    keep = twice_area > 1e-8  # a triangular polygon gives one empty half
    points, uv, rest, normal, twice_area = (x[keep] for x in (points, uv, rest, normal, twice_area))
    e1, e2 = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    uv_area = np.abs(e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0])
    table = np.empty((len(points), 16), np.float32)
    table[:, NORMAL] = normal / twice_area[:, None]
    table[:, UV0], table[:, UV1], table[:, UV2] = uv[:, 0], e1, e2
    table[:, TINT], table[:, TEXTURE] = rest[:, 1:4], rest[:, 0]
    table[:, KIND], table[:, SURFACE] = rest[:, 4], rest[:, 5]
    table[:, DENSITY] = np.sqrt(uv_area / twice_area) * SIZE
    return Mesh(points.astype(np.float32), table)
