"""The street plan of a district: junctions on a jittered grid, blocks between them, and the route of the camera."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from butf.errors import BadInput
from butf.town.config import SPLITS, TownConfig

HALF_ROAD = 5.4  # two lanes of 3.2 m and two parking strips of 2.2 m
LANE = 3.2
PAVEMENT = 2.8
KERB = 0.13  # height of the pavement above the road
TURN = 10.0  # where a turn begins before the junction's middle
LEAD = 14.0  # metres of route before the first place
GAP = 260.0  # between the outer junctions of neighbouring districts

Node = tuple[int, int]


def stream(config: TownConfig, *key: int | str) -> np.random.Generator:
    """The random stream of one part of the town: it depends on the seed and the key, never on what was built before."""
    words = [config.seed]
    for part in key:
        words.extend(part.encode() if isinstance(part, str) else [int(part)])
        words.append(1_000_003)
    return np.random.default_rng(words)


@dataclass(frozen=True, eq=False)
class Plan:
    """Positions are metres, east and north of the town's origin.

    `nodes` (n, n, 2); `route_nodes` the junctions passed; `centre` (S, 2) the middle of the road along the route
    and `along` (S,) the metres travelled to each of its points.
    """

    split: str
    nodes: np.ndarray
    route_nodes: tuple[Node, ...]
    centre: np.ndarray
    along: np.ndarray

    def at(self, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, 2) in the middle of the road and headings (N,) radians from east at `s` metres along the route."""

        def point(q: np.ndarray) -> np.ndarray:
            return np.stack([np.interp(q, self.along, self.centre[:, k]) for k in (0, 1)], axis=-1)

        ahead = point(s + 1.5) - point(s - 1.5)
        return point(s), np.arctan2(ahead[:, 1], ahead[:, 0])

    def block_corners(self, i: int, j: int, inset: float) -> np.ndarray:
        """Corners (4, 2), counter-clockwise, of the block between four junctions, moved inwards by `inset`."""
        ring = np.array([self.nodes[k] for k in self.block_nodes(i, j)])
        return inset_polygon(ring, inset)

    @staticmethod
    def block_nodes(i: int, j: int) -> tuple[Node, Node, Node, Node]:
        return (i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)

    def streets(self) -> list[tuple[Node, Node]]:
        n = len(self.nodes)
        east = [((i, j), (i + 1, j)) for i in range(n - 1) for j in range(n)]
        return east + [((i, j), (i, j + 1)) for i in range(n) for j in range(n - 1)]

    def route_streets(self) -> set[frozenset[Node]]:
        return {frozenset(pair) for pair in pairwise(self.route_nodes)}

    def near_route(self) -> set[frozenset[Node]]:
        """Streets that begin or end at a junction of the route: all that are seen from close by."""
        passed = set(self.route_nodes)
        return {frozenset(street) for street in self.streets() if passed & set(street)}


def inset_polygon(ring: np.ndarray, distance: float) -> np.ndarray:
    """A convex counter-clockwise polygon with every side moved inwards."""
    out = []
    for before, here, after in zip(np.roll(ring, 1, axis=0), ring, np.roll(ring, -1, axis=0), strict=True):
        e1, e2 = _unit(here - before), _unit(after - here)
        n1, n2 = np.array([-e1[1], e1[0]]), np.array([-e2[1], e2[0]])
        out.append(here + (n1 + n2) * distance / (1 + n1 @ n2))
    return np.array(out)


def make_plan(config: TownConfig, split: str) -> Plan:
    """The plan of one district. Districts lie side by side and depend on the seed and their own size only."""
    sizes = {name: grid_size(config, name) for name in SPLITS}
    west = {"train": 0.0, "val": 0.0, "test": (sizes["val"] - 1) * config.block_m + GAP}[split]
    south = 0.0 if split == "train" else (sizes["train"] - 1) * config.block_m + GAP
    rng, n = stream(config, "plan", split), sizes[split]
    ticks = np.arange(n) * config.block_m
    nodes = np.stack(np.meshgrid(west + ticks, south + ticks, indexing="ij"), axis=-1)
    nodes = nodes + rng.uniform(-config.jitter_m, config.jitter_m, nodes.shape)
    needed = config.places(split) * config.spacing_m + 2 * LEAD
    route_nodes = _trail(rng, nodes, needed)
    centre = _rounded([nodes[node] for node in route_nodes])
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(centre, axis=0), axis=1))])
    if along[-1] < needed:
        raise BadInput(f"the {split} route is {along[-1]:.0f} m long but needs {needed:.0f} m; use fewer places")
    return Plan(split, nodes, route_nodes, centre, along)


def grid_size(config: TownConfig, split: str) -> int:
    """Junctions on a side: enough streets inside the outer ring for the route to use 60 % of them."""
    streets = (config.places(split) * config.spacing_m + 2 * LEAD) / config.block_m
    inner = 3
    while 0.60 * 2 * inner * (inner - 1) < streets + 2:
        inner += 1
    return inner + 2


def _trail(rng: np.random.Generator, nodes: np.ndarray, needed: float) -> tuple[Node, ...]:
    """A random walk over inner junctions that uses no street twice and prefers to go straight on."""
    last = len(nodes) - 2
    best: list[Node] = []
    for _ in range(4000):
        here = (int(rng.integers(1, last + 1)), int(rng.integers(1, last + 1)))
        trail, used, length, ahead = [here], set(), 0.0, (0, 0)
        while length < needed * 1.08 + 30:
            steps = [(1, 0), (-1, 0), (0, 1), (0, -1)]
            steps = [s for s in steps if 1 <= here[0] + s[0] <= last and 1 <= here[1] + s[1] <= last]
            steps = [s for s in steps if frozenset((here, (here[0] + s[0], here[1] + s[1]))) not in used]
            if not steps:
                break
            step = ahead if ahead in steps and rng.random() < 0.5 else steps[rng.integers(len(steps))]
            there = (here[0] + step[0], here[1] + step[1])
            used.add(frozenset((here, there)))
            length += float(np.linalg.norm(nodes[there] - nodes[here]))
            trail.append(there)
            here, ahead = there, step
        else:
            return tuple(trail)
        best = max(best, trail, key=len)
    return tuple(best)


def _rounded(points: list[np.ndarray]) -> np.ndarray:
    """The polyline with its corners replaced by quadratic curves."""
    out = [points[0]]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        first, last = here + _unit(before - here) * TURN, here + _unit(after - here) * TURN
        for t in np.linspace(0, 1, 12):
            out.append((1 - t) ** 2 * first + 2 * t * (1 - t) * here + t * t * last)
    return np.array([*out, points[-1]])


def _unit(v: np.ndarray) -> np.ndarray:
    unit: np.ndarray = v / np.linalg.norm(v)
    return unit
