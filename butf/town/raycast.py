"""Visibility by Embree: a large scene that stays for a traversal and a small one that changes with every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh

from butf.town.mesh import Mesh

NEAR_TRAFFIC = 14.0  # metres from a vehicle's middle within which its shadow is looked for
CELL, CELLS = 2.0, 128  # a map of where vehicles are near: size of a cell in metres, cells on a side

_Embree = tuple[Any, Any]


@dataclass(frozen=True, eq=False)
class Hits:
    """First hits of N rays: row of `Scene.table` (-1: none), distance in metres, barycentric u and v."""

    row: np.ndarray
    distance: np.ndarray
    u: np.ndarray
    v: np.ndarray


class Scene:
    """Triangles and their attribute rows; `set_traffic` replaces the moving ones."""

    def __init__(self, mesh: Mesh):
        self._still = _embree(mesh)
        self._count = len(mesh.points)
        self._surfaces = float(mesh.table[:, 15].max()) + 1
        self.table = np.concatenate([mesh.table, np.zeros((8192, 16), np.float32)])
        self._moving: _Embree | None = None
        self._middles = np.zeros((0, 2), np.float32)

    def set_traffic(self, mesh: Mesh, middles: np.ndarray) -> None:
        """Vehicles of the next frame; `middles` (V, 2) are their centres."""
        self._moving, self._middles = None, np.asarray(middles, np.float32)
        if len(mesh.points):
            self._moving = _embree(mesh)
            self._map_traffic()
            rows = self.table[self._count : self._count + len(mesh.table)]
            rows[:] = mesh.table[: len(rows)]
            rows[:, 15] += self._surfaces

    def _map_traffic(self) -> None:
        """Marks the cells near a vehicle; the map's rim stays unmarked, as it stands for everything outside."""
        self._corner = self._middles.mean(0) - np.float32(CELL * CELLS / 2)
        centres = np.arange(CELLS, dtype=np.float32) * CELL + CELL / 2
        self._around = np.zeros((CELLS, CELLS), bool)
        for x, y in self._middles - self._corner:
            self._around |= (np.abs(centres - x) < NEAR_TRAFFIC)[:, None] & (np.abs(centres - y) < NEAR_TRAFFIC)
        self._around[[0, -1]] = self._around[:, [0, -1]] = False

    def is_moving(self, row: np.ndarray) -> np.ndarray:
        return row >= self._count

    def first_hits(self, origins: np.ndarray, directions: np.ndarray) -> Hits:
        """First hits of rays (N, 3) with unit directions."""
        found = self._still[0].run(origins, directions, output=1)
        row, distance, u, v = found["primID"], found["tfar"], found["u"], found["v"]
        if self._moving is not None:
            near = np.flatnonzero(self._towards_traffic(origins, directions))
            if len(near):
                other = self._moving[0].run(
                    np.ascontiguousarray(origins[near]), np.ascontiguousarray(directions[near]), output=1
                )
                front = (other["primID"] >= 0) & ((row[near] < 0) | (other["tfar"] < distance[near]))
                at = near[front]
                row[at] = other["primID"][front] + self._count
                distance[at], u[at], v[at] = other["tfar"][front], other["u"][front], other["v"][front]
        return Hits(row, distance, u, v)

    def occluded(self, points: np.ndarray, directions: np.ndarray, reach: np.ndarray | None = None) -> np.ndarray:
        """Is anything between `points` (N, 3) and `reach` (N,) metres (default: no end) along `directions`?

        `directions` is (N, 3) or one direction (1, 3) for all.
        """
        hidden: np.ndarray = self._still[0].run(points, directions, dists=reach, query="OCCLUDED") == 0
        if self._moving is not None:
            cell = ((points[:, :2] - self._corner) * np.float32(1 / CELL)).astype(np.int32)
            np.clip(cell, 0, CELLS - 1, out=cell)
            near = np.flatnonzero(self._around[cell[:, 0], cell[:, 1]] & ~hidden)
            if len(near):
                directions = directions if len(directions) == 1 else np.ascontiguousarray(directions[near])
                hidden[near] = (
                    self._moving[0].run(
                        np.ascontiguousarray(points[near]),
                        directions,
                        dists=None if reach is None else reach[near],
                        query="OCCLUDED",
                    )
                    == 0
                )
        return hidden

    def _towards_traffic(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Rays that pass within 6.5 m of a vehicle's middle, seen from above."""
        east, north = np.ascontiguousarray(directions[:, 0]), np.ascontiguousarray(directions[:, 1])
        x0, y0 = np.ascontiguousarray(origins[:, 0]), np.ascontiguousarray(origins[:, 1])
        reach = np.float32(6.5) * np.sqrt(east * east + north * north)
        near = np.zeros(len(origins), bool)
        for x, y in self._middles:
            dx, dy = x - x0, y - y0
            near |= (np.abs(dx * north - dy * east) < reach) & (dx * east + dy * north > -6.5)
        return near


def _embree(mesh: Mesh) -> _Embree:
    """The scene and the mesh object that must live as long as it."""
    scene = rtcore_scene.EmbreeScene()
    return scene, TriangleMesh(scene, np.ascontiguousarray(mesh.points))
