"""A district built: its textures, what always stands there, and what differs between traversals."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.random import Generator

from butf.town import blocks, buildings, foliage, furniture
from butf.town.blocks import Catalogue, Facade, Lot, Side
from butf.town.buildings import Frontage
from butf.town.canvas import Atlas
from butf.town.conditions import Condition
from butf.town.config import TownConfig
from butf.town.materials import ROAD_KINDS, ROAD_TILE, Materials
from butf.town.mesh import Builder, Mesh, joined
from butf.town.plan import HALF_ROAD, KERB, PAVEMENT, Node, Plan, make_plan, stream
from butf.town.vehicles import COLOURS, Fleet

BAY = 5.7  # length of a parking bay
NEAR_TREE = 26.0  # metres from the route


@dataclass(eq=False)
class Places:
    """Where changing things may stand, collected while the static town is built."""

    bays: list[tuple[float, float, float]] = field(default_factory=list)  # x, y, heading
    trees: list[foliage.Tree] = field(default_factory=list)
    ground_floors: list[tuple[Frontage, Facade, bool]] = field(default_factory=list)  # and whether it is a shop
    hoardings: list[tuple[Frontage, float]] = field(default_factory=list)  # the kerb, metres along
    lamps: list[furniture.Lamp] = field(default_factory=list)
    footprints: list[np.ndarray] = field(default_factory=list)  # (4, 2)


class District:
    """One district of the town; coordinates are metres from `origin` (east, north), so that float32 is exact enough."""

    def __init__(self, config: TownConfig, split: str):
        self.config, self.split = config, split
        self.plan: Plan = make_plan(config, split)
        self.origin = np.round(self.plan.nodes.mean((0, 1)))
        self.atlas, self.places = Atlas(), Places()
        rng = stream(config, "look", split)
        self.materials = Materials(self.atlas, rng)
        self.catalogue = Catalogue(self.atlas, rng, config.facade_pool, config.block_types)
        self.fleet = Fleet(self.materials)
        self.grove = foliage.Grove(self.materials, rng)
        self._lamp_kind = int(rng.integers(3))
        self._seen = self.plan.near_route()
        self._travelled = self.plan.route_streets()
        self.static = self._build()
        self.atlas.pack()

    # -- what always stands there

    def _build(self) -> Mesh:
        builder = Builder()
        self._ground(builder)
        n = len(self.plan.nodes)
        for i in range(n - 1):
            for j in range(n - 1):
                self._block(builder, i, j)
        self._outskirts(builder)
        self._skyline(builder)
        wood = foliage.plant(self.grove.wood, self.places.trees)
        return joined([builder.mesh(), wood])

    def _local(self, points: np.ndarray) -> np.ndarray:
        local: np.ndarray = points - self.origin
        return local

    def _corner(self, node: tuple[int, int], east: int, north: int, inset: float = HALF_ROAD) -> np.ndarray:
        """The kerb corner of the quadrant (east, north: 0 or -1) at a junction; outside the grid, its mirror image."""
        n = len(self.plan.nodes)
        i, j = node[0] + east, node[1] + north
        if 0 <= i < n - 1 and 0 <= j < n - 1:
            ring = self.plan.block_nodes(i, j).index(node)
            return self._local(self.plan.block_corners(i, j, inset)[ring])
        return self._local(self.plan.nodes[node] + inset * (2 * np.array([east, north]) + 1))

    def _ground(self, builder: Builder) -> None:
        """Streets between kerb corners, junctions between the same corners: neighbours share their vertices."""
        rng, materials = stream(self.config, "streets", self.split), self.materials
        far = 2500.0
        builder.polygon(
            [(-far, -far, -0.03), (far, -far, -0.03), (far, far, -0.03), (-far, far, -0.03)], materials["asphalt"], 8.0
        )
        for a, b in self.plan.streets():
            kind, crossing = materials.roads[rng.integers(ROAD_KINDS)], rng.random() < 0.4
            if b[0] > a[0]:
                ring = [self._corner(a, 0, -1), self._corner(b, -1, -1), self._corner(b, -1, 0), self._corner(a, 0, 0)]
            else:
                ring = [self._corner(a, 0, 0), self._corner(b, 0, -1), self._corner(b, -1, -1), self._corner(a, -1, 0)]
            start, axis = self._local(self.plan.nodes[a]), self.plan.nodes[b] - self.plan.nodes[a]
            axis = axis / np.linalg.norm(axis)
            left = np.array([-axis[1], axis[0]])
            uv = []
            for p in ring:
                uv += [(p - start) @ axis / ROAD_TILE, 0.5 + (p - start) @ left / (2 * HALF_ROAD)]
            builder.face([(*p, 0.0) for p in ring], kind, uv)
            if crossing:
                near = max((p - start) @ axis for p in (ring[0], ring[3])) + 0.5
                strip = [
                    start + axis * t + left * w
                    for t, w in ((near, -HALF_ROAD), (near + 3, -HALF_ROAD), (near + 3, HALF_ROAD), (near, HALF_ROAD))
                ]
                builder.face([(*p, 0.006) for p in strip], materials["zebra"])
        n = len(self.plan.nodes)
        for node in np.ndindex(n, n):
            ring = [
                self._corner(node, 0, 0),
                self._corner(node, -1, 0),
                self._corner(node, -1, -1),
                self._corner(node, 0, -1),
            ]
            builder.polygon([(*p, 0.0) for p in ring], materials["asphalt"], 8.0)

    def _block(self, builder: Builder, i: int, j: int) -> None:
        """A block: a template turned by quarter turns, cut to the length of its sides."""
        rng = stream(self.config, "block", self.split, i, j)
        template = self.catalogue.blocks[rng.integers(len(self.catalogue.blocks))]
        turn = int(rng.integers(4))
        ids = self.plan.block_nodes(i, j)
        kerb = self._local(self.plan.block_corners(i, j, HALF_ROAD))
        back = self._local(self.plan.block_corners(i, j, HALF_ROAD + PAVEMENT))
        builder.polygon([(*p, KERB) for p in back], self.materials["grass"], 6.0)
        for k in range(4):
            self._side(
                builder,
                rng,
                kerb[[k, (k + 1) % 4]],
                back[[k, (k + 1) % 4]],
                template[(k + turn) % 4],
                frozenset((ids[k], ids[(k + 1) % 4])),
            )
        middle = kerb.mean(0)
        for _ in range(4):
            x, y = middle + rng.uniform(-9, 9, 2)
            self._tree(rng, x, y, rng.uniform(7, 10))

    def _side(
        self, builder: Builder, rng: Generator, kerb: np.ndarray, back: np.ndarray, side: Side, street: frozenset[Node]
    ) -> None:
        """Kerb, pavement, buildings and furniture along one side; (2, 2) are the ends of the kerb and of the lots."""
        materials, seen = self.materials, street in self._seen
        length = float(np.linalg.norm(kerb[1] - kerb[0]))
        (k0, k1), (b0, b1) = kerb, back
        builder.quad((*k0, 0.0), (*k1, 0.0), (*k1, KERB), (*k0, KERB), materials["kerb"], (0, 0, length / 2, 0.1))
        builder.quad((*k0, KERB), (*k1, KERB), (*b1, KERB), (*b0, KERB), materials["paving"], (0, 0, length / 3, 1))
        along = (k1 - k0) / length
        inward = np.array([-along[1], along[0]])
        self._lots(
            builder,
            rng,
            Frontage(b0, along, inward, KERB),
            float(np.linalg.norm(b1 - b0)),
            side,
            street in self._travelled,
        )
        if not seen:
            return
        kerb_line = Frontage(k0, along, inward, KERB)
        for s in np.arange(side.lamp_phase, length - 6, 25.0):
            self.places.lamps.append(furniture.add_lamp(builder, materials, kerb_line, s, self._lamp_kind))
        for s, what in side.furniture:
            if s < length - 8:
                furniture.add_item(builder, materials, kerb_line, s, what, rng.random(3))
        for s, height in side.trees:
            if s < length - 8 and rng.random() < self.config.trees:
                x, y, _ = kerb_line(s, 0.9, 0)
                self._tree(rng, x, y, height)
        self.places.hoardings += [(kerb_line, s) for s in side.hoardings if s < length - 10]
        for s in np.arange(8.0, length - 8.0 - BAY, BAY):
            x, y, _ = kerb_line(s + BAY / 2, -1.1, 0)
            self.places.bays.append((x, y, float(np.arctan2(along[1], along[0]))))

    def _lots(
        self, builder: Builder, rng: Generator, front: Frontage, length: float, side: Side, travelled: bool
    ) -> None:
        t = 0.0
        for lot in side.lots:
            if t + lot.width > length - blocks.DEPTH - 0.5:
                rest = length - blocks.DEPTH - 0.5 - t
                if rest > 1.0:
                    self._fence(builder, front.shifted(t), Lot(rest, None))
                return
            here = front.shifted(t)
            if lot.facade is None:
                self._fence(builder, here, lot)
                x, y, _ = here(lot.width / 2, 5, 0)
                self._tree(rng, x, y, rng.uniform(6, 9))
            else:
                facade = lot.facade
                if travelled and rng.random() < self.config.landmarks:
                    facade = self.catalogue.facade(rng, facade.width, like=facade)
                if lot.setback:
                    self._fence(builder, here, lot)
                here = here.shifted((lot.width - facade.width) / 2, lot.setback)
                depth = blocks.DEPTH - lot.setback
                buildings.add_building(builder, self.materials, here, facade, depth)
                self.places.ground_floors.append((here, facade, lot.shop))
                corners = ((0, 0), (facade.width, 0), (facade.width, depth), (0, depth))
                self.places.footprints.append(np.array([here(x, y, 0)[:2] for x, y in corners]) + self.origin)
            t += lot.width

    def _fence(self, builder: Builder, here: Frontage, lot: Lot) -> None:
        here.box(builder, lot.width / 2, 0.3, 0.0, lot.width - 0.1, 0.4, lot.fence_height, self.materials[lot.fence])

    def _tree(self, rng: Generator, x: float, y: float, height: float) -> None:
        self.places.trees.append(
            (float(x), float(y), KERB, height, int(rng.integers(foliage.KINDS)), rng.uniform(0, 2 * np.pi))
        )

    def _outskirts(self, builder: Builder) -> None:
        """A row of buildings round the outer streets, so that every street ends in front of something."""
        rng, last = stream(self.config, "outskirts", self.split), len(self.plan.nodes) - 1
        rims = [
            ([(i, 0) for i in range(last, -1, -1)]),
            [(0, j) for j in range(last + 1)],
            [(i, last) for i in range(last + 1)],
            [(last, j) for j in range(last, -1, -1)],
        ]
        for rim in rims:
            for a, b in pairwise(rim):
                p, q = self._local(self.plan.nodes[a]), self._local(self.plan.nodes[b])
                along = (q - p) / np.linalg.norm(q - p)
                inward = np.array([-along[1], along[0]])
                kerb = np.array([p, q]) + inward * HALF_ROAD
                side = self.catalogue.blocks[rng.integers(len(self.catalogue.blocks))][int(rng.integers(4))]
                self._side(builder, rng, kerb, kerb + inward * PAVEMENT, side, frozenset((a, b)))

    def _skyline(self, builder: Builder) -> None:
        rng = stream(self.config, "skyline", self.split)
        reach = np.abs(self._local(self.plan.nodes.reshape(-1, 2))).max() * 1.42
        for angle in np.linspace(0, 2 * np.pi, 140, endpoint=False):
            centre = np.array([np.cos(angle), np.sin(angle)]) * (reach + rng.uniform(90, 330))
            height = rng.choice([8, 12, 18, 28], p=[0.4, 0.35, 0.2, 0.05])
            tint = np.full(3, rng.uniform(0.45, 0.8)) * rng.uniform(0.92, 1.08, 3)
            builder.box(
                centre,
                (-np.sin(angle), np.cos(angle)),
                rng.uniform(15, 40),
                15,
                0,
                height,
                self.materials["stone"],
                tint,
            )

    # -- what differs between traversals

    def dynamic(self, condition: Condition) -> Mesh:
        """Parked vehicles, leaves, shop fronts and hoardings of one traversal."""
        parts = [self._ground_floors(condition), self._parked(condition)]
        if condition.leaves != "bare":
            for near in (False, True):
                told = zip(self.places.trees, self._trees_near_route(), strict=True)
                trees = [tree for tree, close in told if close == near]
                parts.append(foliage.plant(self.grove.leaves[condition.leaves, near], trees))
        return joined(parts)

    def _trees_near_route(self) -> np.ndarray:
        """Which trees the camera passes close enough for single leaves to count."""
        route = self._local(self.plan.centre[np.searchsorted(self.plan.along, np.arange(0, self.plan.along[-1], 8.0))])
        trees = np.array(self.places.trees).reshape(-1, 6)[:, :2]
        near: np.ndarray = np.linalg.norm(trees[:, None] - route, axis=-1).min(1) < NEAR_TREE
        return near

    def _ground_floors(self, condition: Condition) -> Mesh:
        base = stream(self.config, "shops", self.split)
        change = stream(self.config, "shops", self.split, condition.name)
        fronts, posters, builder = self.catalogue.shop_fronts, self.catalogue.posters, Builder()
        share = self.config.change if condition.role == "query" else 0.0
        for front, facade, shop in self.places.ground_floors:
            texture = fronts[base.integers(len(fronts))]
            other = fronts[change.integers(len(fronts))]
            if change.random() < share:
                texture = other
            front.panel(builder, 0, facade.width, 0, facade.style.storey, 0, texture if shop else facade.ground)
        for kerb, s in self.places.hoardings:
            used, poster = base.random(), base.integers(len(posters))
            if change.random() < share:
                used, poster = change.random(), change.integers(len(posters))
            if used < self.config.hoardings:
                furniture.add_hoarding(builder, self.materials, kerb, s, posters[poster])
        return builder.mesh()

    def _parked(self, condition: Condition) -> Mesh:
        rng, parked = stream(self.config, "parked", self.split, condition.name), []
        for x, y, heading in self.places.bays:
            taken, colour = rng.random() < self.config.occupancy, int(rng.integers(len(COLOURS)))
            name = ("car", "car", "car", "saloon", "saloon", "saloon", "van")[rng.integers(7)]
            shift, turn = rng.normal(size=2) * [0.12, 0.08], rng.integers(2) * np.pi + rng.normal() * 0.02
            if taken:
                parked.append(self.fleet.place(name, colour, x + shift[0], y + shift[1], heading + turn))
        return joined(parked)
