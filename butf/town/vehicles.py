"""Vehicles: a side profile extruded to a body, a glazed cabin, wheels and lights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from butf.town.materials import Materials
from butf.town.mesh import PAINT, Builder, Mesh

COLOURS = np.array(
    [
        [0.82, 0.82, 0.82],
        [0.05, 0.05, 0.06],
        [0.20, 0.21, 0.23],
        [0.36, 0.05, 0.05],
        [0.06, 0.10, 0.26],
        [0.48, 0.50, 0.52],
        [0.06, 0.14, 0.11],
        [0.34, 0.30, 0.23],
    ]
)
BUS_COLOURS = np.array([[0.55, 0.05, 0.05], [0.08, 0.18, 0.42], [0.10, 0.34, 0.22], [0.75, 0.72, 0.66]])

Corner = tuple[float, float]  # x, z


@dataclass(frozen=True)
class Shape:
    """Profiles are (x forward, z up) in metres round the vehicle's middle, from rear to front."""

    length: float
    width: float
    body: tuple[Corner, ...]  # upper edge of the painted body, rear to front
    cabin: tuple[Corner, Corner, Corner, Corner]  # foot and roof of the glazed cabin
    wheels: tuple[float, ...]  # x of the axles
    wheel: float = 0.32  # radius


SHAPES = {
    "car": Shape(
        4.2,
        1.76,
        ((-2.1, 0.86), (-1.6, 0.95), (0.75, 0.93), (2.0, 0.72), (2.1, 0.55)),
        ((-1.95, 0.90), (-1.35, 1.42), (0.10, 1.44), (1.00, 0.91)),
        (-1.3, 1.35),
    ),
    "saloon": Shape(
        4.6,
        1.80,
        ((-2.3, 0.84), (-1.5, 0.96), (0.80, 0.94), (2.2, 0.74), (2.3, 0.55)),
        ((-1.70, 0.93), (-0.90, 1.38), (0.15, 1.40), (1.10, 0.92)),
        (-1.4, 1.45),
    ),
    "van": Shape(
        5.2,
        1.95,
        ((-2.6, 2.05), (1.10, 2.10), (1.25, 1.15), (2.45, 0.95), (2.6, 0.6)),
        ((1.02, 1.12), (1.06, 2.05), (1.15, 2.05), (2.05, 1.00)),
        (-1.6, 1.7),
        0.36,
    ),
    "lorry": Shape(
        7.5,
        2.35,
        ((-3.75, 3.1), (1.9, 3.1), (2.0, 2.5), (3.6, 2.4), (3.75, 1.0)),
        ((2.2, 1.5), (2.2, 2.35), (3.66, 2.35), (3.78, 1.5)),
        (-2.4, 2.4),
        0.46,
    ),
    "bus": Shape(
        11.0,
        2.5,
        ((-5.5, 2.95), (-5.2, 3.05), (5.2, 3.05), (5.45, 2.6), (5.5, 0.6)),
        ((-5.3, 1.25), (-5.3, 2.45), (5.46, 2.45), (5.54, 1.25)),
        (-3.2, 3.4),
        0.48,
    ),
}


def vehicle(materials: Materials, name: str) -> Mesh:
    """The mesh of a vehicle at the origin, facing +x, standing on z = 0; its paint is still open."""
    shape, builder = SHAPES[name], Builder()
    half, floor = shape.width / 2, 0.28
    paint = materials["paint"]
    outline = [(-shape.length / 2, floor + 0.1), *shape.body, (shape.length / 2, floor + 0.1)]
    for (xa, za), (xb, zb) in pairwise(outline):
        builder.quad((xa, -half, za), (xb, -half, zb), (xb, half, zb), (xa, half, za), paint, tint=PAINT)
        for side in (-half, half):
            if xb > xa:
                builder.quad(
                    (xa, side, floor),
                    (xb, side, floor),
                    (xb, side, zb),
                    (xa, side, za),
                    paint,
                    tint=PAINT,
                    same=xa > outline[0][0],
                )
    _cabin(builder, materials, shape, name)
    for x in shape.wheels:
        for side in (-half, half):
            _wheel(builder, materials, x, side, shape.wheel)
    for side in (-half + 0.22, half - 0.22):
        for end, tint, z in ((1, (1, 1, 0.92), 0.62), (-1, (0.85, 0.08, 0.06), 0.72)):
            builder.box(
                (end * (shape.length / 2 + 0.01), side), (1, 0), 0.05, 0.34, z, 0.16, materials["car light"], tint
            )
    builder.box((-shape.length / 2 - 0.02, 0), (1, 0), 0.04, 0.5, 0.42, 0.12, materials["car light"], (0.9, 0.85, 0.4))
    return builder.mesh()


def _cabin(builder: Builder, materials: Materials, shape: Shape, name: str) -> None:
    """Glass all round, narrowing upwards, with a painted roof; a bus and a lorry have upright glass."""
    glass, upright = materials["car glass"], name in ("bus", "lorry", "van")
    foot = shape.width / 2 + (0.012 if upright else -0.06)
    head = shape.width / 2 + (0.012 if upright else -0.22)
    (xa, za), (xb, zb), (xc, zc), (xd, zd) = shape.cabin
    builder.quad((xd, -foot, zd), (xd, foot, zd), (xc, head, zc), (xc, -head, zc), glass)
    builder.quad((xa, -foot, za), (xa, foot, za), (xb, head, zb), (xb, -head, zb), glass)
    for sign in (-1, 1):
        builder.quad((xa, sign * foot, za), (xd, sign * foot, zd), (xc, sign * head, zc), (xb, sign * head, zb), glass)
    if not upright:
        builder.quad((xb, -head, zb), (xc, -head, zc), (xc, head, zc), (xb, head, zb), materials["paint"], tint=PAINT)
        for x_foot, x_head in ((xa, xb), (xd, xc), ((xa + xd) / 2, (xb + xc) / 2)):  # pillars
            for sign in (-1, 1):
                low, top = sign * (foot + 0.01), sign * (head + 0.01)
                builder.quad(
                    (x_foot - 0.05, low, za),
                    (x_foot + 0.05, low, za),
                    (x_head + 0.05, top, zb),
                    (x_head - 0.05, top, zb),
                    materials["paint"],
                    tint=PAINT,
                )


def _wheel(builder: Builder, materials: Materials, x: float, y: float, radius: float) -> None:
    angles = np.arange(8) * np.pi / 4 + np.pi / 8
    out = np.sign(y) * 0.02
    ring = [(x + radius * np.cos(a), radius + radius * np.sin(a)) for a in angles]
    for k in (0, 2, 4):
        corners = [ring[0], ring[k + 1], ring[k + 2], ring[(k + 3) % 8]]
        builder.face([(px, y + out, pz) for px, pz in corners], materials["tyre"], same=k > 0)
    hub = [(x + radius * 0.5 * np.cos(a), radius + radius * 0.5 * np.sin(a)) for a in angles[::2]]
    builder.face([(px, y + out * 1.6, pz) for px, pz in hub], materials["metal"], tint=(1.8, 1.8, 1.8), kind=12)


class Fleet:
    """Vehicles ready to be placed: one mesh a shape, painted on demand."""

    def __init__(self, materials: Materials):
        self._shapes = {name: vehicle(materials, name) for name in SHAPES}
        self._painted: dict[tuple[str, int], Mesh] = {}

    def place(self, name: str, colour: int, x: float, y: float, yaw: float) -> Mesh:
        """A painted vehicle with its middle at (x, y), facing `yaw` radians from east, counter-clockwise."""
        key = name, colour
        if key not in self._painted:
            table = BUS_COLOURS if name == "bus" else COLOURS
            self._painted[key] = self._shapes[name].tinted(table[colour % len(table)])
        return self._painted[key].moved(x, y, 0.0, yaw)
