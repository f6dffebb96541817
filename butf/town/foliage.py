"""Trees: a trunk and branches that stay, and leaves that change with the season."""

from __future__ import annotations

import numpy as np

from butf.town.materials import Materials
from butf.town.mesh import NORMAL, Builder, Mesh, attributes, joined

LEAVES = {"green": 1500, "thin": 620, "autumn": 1000, "bare": 0}  # leaves of a tree near the route
FAR_SHARE = 0.2  # of them on a tree far from it, each larger
KINDS = 6  # different trees, seen turned and scaled
_COLOURS = {"green": (0.55, 0.72, 0.42), "thin": (0.66, 0.66, 0.40), "autumn": (1.15, 0.62, 0.26)}
Tree = tuple[float, float, float, float, int, float]  # x, y, z, height, kind, turn


class Grove:
    """Trees one metre high at the origin, by kind and by state of the leaves."""

    def __init__(self, materials: Materials, rng: np.random.Generator):
        self._materials = materials
        self.wood = [self._wood(rng) for _ in range(KINDS)]
        clumps = [
            (rng.normal(size=(9, 3)) * [0.16, 0.16, 0.11] + [0, 0, 0.68], rng.uniform(0.11, 0.19, 9))
            for _ in range(KINDS)
        ]
        seeds = rng.integers(0, 2**31, KINDS)
        self.leaves = {
            (state, near): [self._crown(*clumps[k], state, near, np.random.default_rng(seeds[k])) for k in range(KINDS)]
            for state, count in LEAVES.items()
            if count
            for near in (False, True)
        }

    def _wood(self, rng: np.random.Generator) -> Mesh:
        builder, bark = Builder(), self._materials["bark"]
        builder.pole(0, 0, 0, 0.55, 0.022, bark, taper=0.6)
        for _ in range(9):
            angle, foot = rng.uniform(0, 2 * np.pi), np.array([0, 0, rng.uniform(0.3, 0.52)])
            tip = foot + np.array([np.cos(angle), np.sin(angle), rng.uniform(0.6, 1.6)]) * rng.uniform(0.2, 0.32)
            self._branch(builder, foot, tip, 0.011)
            for _ in range(4):
                start = foot + (tip - foot) * rng.uniform(0.4, 1)
                turn = angle + rng.normal() * 0.8
                twig = np.array([np.cos(turn), np.sin(turn), rng.uniform(0.3, 1.5)]) * 0.13
                self._branch(builder, start, start + twig, 0.005)
        return builder.mesh()

    def _branch(self, builder: Builder, foot: np.ndarray, tip: np.ndarray, radius: float) -> None:
        """Two crossed blades that narrow towards the tip."""
        along = tip - foot
        for axis in (np.cross(along, [0, 0, 1]), np.cross(along, np.cross(along, [0, 0, 1]))):
            across = axis / (np.linalg.norm(axis) + 1e-9) * radius
            builder.quad(
                foot - across,
                foot + across,
                tip + across * 0.2,
                tip - across * 0.2,
                self._materials["bark"],
                (0, 0, 0.2, 0.5),
            )

    def _crown(self, centres: np.ndarray, radii: np.ndarray, state: str, near: bool, rng: np.random.Generator) -> Mesh:
        """Leaves on the shells of overlapping balls; their normals are the balls', which shades them softly."""
        count = int(LEAVES[state] * (1.0 if near else FAR_SHARE))
        clump = rng.integers(0, len(centres), count)
        outward = rng.normal(size=(count, 3))
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        centre = centres[clump] + outward * radii[clump, None] * rng.uniform(0.55, 1.05, (count, 1))
        e1 = np.cross(outward, rng.normal(size=(count, 3)))
        e1 /= np.linalg.norm(e1, axis=1, keepdims=True)
        e2 = np.cross(outward, e1) + outward * rng.normal(size=(count, 1)) * 0.5
        size = (0.024 if near else 0.05) * rng.uniform(0.7, 1.3, (count, 1))
        corners = np.stack([centre - e1 * size, centre - e2 * size, centre + e1 * size, centre + e2 * size], axis=1)
        points = corners[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3, 3)
        rest = np.zeros((2 * count, 6))
        rest[:, 0] = self._materials["leaf"]
        light = np.clip(0.72 + 1.4 * (centre[:, 2] - 0.68), 0.45, 1.15) * rng.uniform(0.75, 1.2, count)
        rest[:, 1:4] = np.repeat(np.array(_COLOURS[state]) * light[:, None], 2, axis=0)
        rest[:, 5] = np.repeat(clump, 2)
        mesh = attributes(points, points[..., :2] * 6 + points[..., 2:], rest)
        mesh.table[:, NORMAL] = np.repeat(outward, 2, axis=0)[: len(mesh.table)]
        return mesh


def plant(meshes: list[Mesh], trees: list[Tree]) -> Mesh:
    """The trees (x, y, z, height, kind, turn) made of the unit meshes of their kinds."""
    return joined([meshes[kind].moved(x, y, z, turn, height) for x, y, z, height, kind, turn in trees])
