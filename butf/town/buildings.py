"""The geometry of buildings: walls, roofs, chimneys, balconies, bay windows."""

from __future__ import annotations

import numpy as np

from butf.town.blocks import DEPTH, Facade
from butf.town.canvas import Numbers
from butf.town.classes import CLASS
from butf.town.materials import Materials
from butf.town.mesh import WHITE, Builder

EAVES = 0.35


class Frontage:
    """Local coordinates of a stretch of frontage: x along it, y into the block, z up from the pavement."""

    def __init__(self, origin: np.ndarray, along: np.ndarray, inward: np.ndarray, z: float):
        self.origin, self.along, self.inward, self.z = origin, along, inward, z

    def __call__(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        ground = self.origin + self.along * x + self.inward * y
        return float(ground[0]), float(ground[1]), self.z + z

    def shifted(self, x: float, y: float = 0.0) -> Frontage:
        return Frontage(self.origin + self.along * x + self.inward * y, self.along, self.inward, self.z)

    def box(
        self,
        builder: Builder,
        x: float,
        y: float,
        z: float,
        length: float,
        width: float,
        height: float,
        texture: int,
        tint: Numbers = WHITE,
        kind: int = 0,
    ) -> None:
        """A box with its middle at (x, y) and its foot at z."""
        builder.box(self(x, y, 0)[:2], self.along, length, width, self.z + z, height, texture, tint, kind)

    def panel(
        self,
        builder: Builder,
        x0: float,
        x1: float,
        z0: float,
        z1: float,
        y: float,
        texture: int,
        kind: int = 0,
        tint: Numbers = WHITE,
    ) -> None:
        """An upright rectangle facing the street with the whole texture on it."""
        builder.quad(
            self(x0, y, z0), self(x1, y, z0), self(x1, y, z1), self(x0, y, z1), texture, (0, 1, 1, 0), tint, kind
        )


def add_building(builder: Builder, materials: Materials, front: Frontage, facade: Facade, depth: float = DEPTH) -> None:
    """Everything of a building but its ground floor front, which may differ between traversals."""
    width, height, ground = facade.width, facade.height, facade.style.storey
    front.panel(builder, 0, width, ground, height, 0, facade.upper)
    wall = (0, 1, 1, 0)
    side_height = height / (3 * facade.style.storey)
    side_wall = (0, side_height, 1, 0)
    builder.quad(
        front(0, depth, 0), front(0, 0, 0), front(0, 0, height), front(0, depth, height), facade.side, side_wall
    )
    builder.quad(
        front(width, 0, 0),
        front(width, depth, 0),
        front(width, depth, height),
        front(width, 0, height),
        facade.side,
        side_wall,
    )
    builder.quad(
        front(width, depth, 0),
        front(0, depth, 0),
        front(0, depth, height),
        front(width, depth, height),
        facade.side,
        wall,
    )
    _ROOFS[facade.roof](builder, materials, front, facade, depth)
    if facade.chimneys and facade.roof != "flat":
        front.box(builder, width * 0.12, depth / 2, height, 0.9, 0.7, 3.6, materials["stone"], (0.75, 0.5, 0.4))
    if facade.balconies:
        _balconies(builder, materials, front, facade)
    elif facade.bay_window and width > 6:
        front.box(builder, width * 0.3, -0.45, 0.0, 2.4, 0.9, height * 0.7, facade.side)


def _gable(
    builder: Builder, materials: Materials, front: Frontage, facade: Facade, depth: float, ridge: float | None = None
) -> None:
    """A ridge along the street; a mansard has a flat top from 2.2 m behind the eaves."""
    width, height, rise, tiles = facade.width, facade.height, 3.0, materials["tiles"]
    y1 = ridge or depth / 2
    y2 = depth - y1
    tile = (0, 0, width / 2.5, 2.2)
    builder.quad(
        front(-0.1, -EAVES, height - 0.2),
        front(width + 0.1, -EAVES, height - 0.2),
        front(width + 0.1, y1, height + rise),
        front(-0.1, y1, height + rise),
        tiles,
        tile,
        facade.roof_tint,
    )
    builder.quad(
        front(-0.1, depth + EAVES, height - 0.2),
        front(width + 0.1, depth + EAVES, height - 0.2),
        front(width + 0.1, y2, height + rise),
        front(-0.1, y2, height + rise),
        tiles,
        tile,
        facade.roof_tint,
    )
    if y2 > y1 + 0.1:
        builder.quad(
            front(0, y1, height + rise),
            front(width, y1, height + rise),
            front(width, y2, height + rise),
            front(0, y2, height + rise),
            materials["flat roof"],
            (0, 0, 3, 3),
        )
    for x in (0, width):
        builder.quad(
            front(x, 0, height),
            front(x, depth, height),
            front(x, y2, height + rise),
            front(x, y1, height + rise),
            materials["stone"],
            (0, 0, 3, 1),
            _wall_tint(facade),
        )


def _mansard(builder: Builder, materials: Materials, front: Frontage, facade: Facade, depth: float) -> None:
    _gable(builder, materials, front, facade, depth, ridge=2.2)
    width, height, tint = facade.width, facade.height, _wall_tint(facade)
    for x in np.arange(width * 0.25, width - 0.8, 3.2):  # dormers
        front.box(builder, x, 1.1, height + 0.5, 1.3, 1.8, 1.7, materials["stone"], tint)
        front.panel(
            builder, x - 0.45, x + 0.45, height + 0.9, height + 1.9, 0.18, materials["car glass"], CLASS["window"]
        )


def _front_gable(builder: Builder, materials: Materials, front: Frontage, facade: Facade, depth: float) -> None:
    width, height, rise, tiles = facade.width, facade.height, facade.width * 0.32, materials["tiles"]
    middle, tile = width / 2, (0, 0, depth / 2.5, width / 5)
    for edge in (-EAVES, width + EAVES):
        builder.quad(
            front(edge, -EAVES, height - 0.2),
            front(edge, depth, height - 0.2),
            front(middle, depth, height + rise),
            front(middle, -EAVES, height + rise),
            tiles,
            tile,
            facade.roof_tint,
        )
    for y in (0, depth):
        top = front(middle, y, height + rise)
        builder.quad(
            front(0, y, height), front(width, y, height), top, top, materials["stone"], (0, 0, 2, 1), _wall_tint(facade)
        )


def _flat(builder: Builder, materials: Materials, front: Frontage, facade: Facade, depth: float) -> None:
    width, height, tint = facade.width, facade.height, _wall_tint(facade)
    builder.quad(
        front(0, 0, height),
        front(width, 0, height),
        front(width, depth, height),
        front(0, depth, height),
        materials["flat roof"],
        (0, 0, 4, 4),
    )
    for y in (0.1, depth - 0.1):
        front.box(builder, width / 2, y, height, width, 0.25, 0.6, materials["stone"], tint)
    if facade.chimneys:
        front.box(builder, width / 2, 5, height, 3, 3, 2.2, materials["stone"], tint)


_ROOFS = {"gable": _gable, "mansard": _mansard, "front": _front_gable, "flat": _flat}


def _balconies(builder: Builder, materials: Materials, front: Frontage, facade: Facade) -> None:
    style = facade.style
    bays = max(1, int(facade.width / style.bay))
    bay = facade.width / bays
    for floor in range(1, facade.storeys):
        for k in range(bays):
            x, z = (k + 0.5) * bay, floor * style.storey
            front.box(builder, x, -0.45, z + 0.3, bay * 0.8, 0.9, 0.14, materials["stone"])
            front.box(
                builder,
                x,
                -0.88,
                z + 0.42,
                bay * 0.8,
                0.05,
                0.9,
                materials["metal"],
                (0.8, 0.8, 0.8),
                CLASS["building"],
            )


def _wall_tint(facade: Facade) -> tuple[float, ...]:
    return tuple(np.clip(facade.style.rgb / 168.0, 0.2, 1.4) ** 2)
