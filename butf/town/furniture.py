"""Street furniture: lamps, traffic signs, bins, bollards, bus shelters, cabinets, hoardings."""

from __future__ import annotations

import numpy as np

from butf.town.buildings import Frontage
from butf.town.classes import CLASS
from butf.town.materials import Materials
from butf.town.mesh import Builder

LAMP_HEIGHTS = (5.4, 7.2, 4.2)  # by kind: short arm, long arm, post-top lantern
LAMP_ARMS = (0.9, 1.7, 0.0)
Lamp = tuple[float, float, float, int]  # x, y, z of its light, kind


def add_lamp(builder: Builder, materials: Materials, kerb: Frontage, s: float, kind: int) -> Lamp:
    """A street lamp 0.45 m behind the kerb; returns its light (x, y, z, kind)."""
    height, arm = LAMP_HEIGHTS[kind], LAMP_ARMS[kind]
    x, y, _ = kerb(s, 0.45, 0)
    builder.pole(x, y, kerb.z, height, 0.075, materials["metal"], taper=0.6)
    if arm:
        kerb.box(builder, s, 0.45 - arm / 2, height, 0.07, arm, 0.07, materials["metal"])
        kerb.box(builder, s, 0.45 - arm, height - 0.1, 0.3, 0.6, 0.13, materials["lamp glass"])
    else:
        builder.pole(x, y, kerb.z + height, 0.5, 0.16, materials["lamp glass"], taper=1.4)
    head = kerb(s, 0.45 - arm, height - 0.15 if arm else height + 0.25)
    return (*head, kind)


def add_item(builder: Builder, materials: Materials, kerb: Frontage, s: float, what: str, tint: np.ndarray) -> None:
    """A piece of furniture `s` metres along the kerb."""
    _ITEMS[what](builder, materials, kerb, s, tint)


def _sign(builder: Builder, materials: Materials, kerb: Frontage, s: float, tint: np.ndarray) -> None:
    x, y, _ = kerb(s, 0.5, 0)
    builder.pole(x, y, kerb.z, 2.7, 0.035, materials["metal"], sides=5)
    face = materials["red sign" if tint[0] > 0.5 else "blue sign"]
    kerb.box(builder, s, 0.5, 2.1, 0.05, 0.6, 0.6, face)


def _bin(builder: Builder, materials: Materials, kerb: Frontage, s: float, tint: np.ndarray) -> None:
    x, y, _ = kerb(s, 0.6, 0)
    builder.pole(x, y, kerb.z, 1.0, 0.26, materials["plastic"], tint * 0.3 + 0.05, CLASS["fence"], taper=1.1, sides=8)


def _bollards(builder: Builder, materials: Materials, kerb: Frontage, s: float, tint: np.ndarray) -> None:
    for k in range(4):
        x, y, _ = kerb(s + 1.4 * k, 0.4, 0)
        builder.pole(x, y, kerb.z, 0.95, 0.08, materials["metal"])


def _shelter(builder: Builder, materials: Materials, kerb: Frontage, s: float, tint: np.ndarray) -> None:
    kerb.box(builder, s, 1.5, 0.0, 3.2, 0.08, 2.3, materials["car glass"], kind=CLASS["fence"])
    kerb.box(builder, s, 1.1, 2.3, 3.4, 1.3, 0.12, materials["metal"])
    for end in (-1.6, 1.6):
        x, y, _ = kerb(s + end, 0.6, 0)
        builder.pole(x, y, kerb.z, 2.3, 0.04, materials["metal"])


def _cabinet(builder: Builder, materials: Materials, kerb: Frontage, s: float, tint: np.ndarray) -> None:
    kerb.box(builder, s, 0.5, 0.0, 0.9, 0.45, 1.5, materials["plastic"], (0.12, 0.2, 0.16), CLASS["fence"])


_ITEMS = {"sign": _sign, "bin": _bin, "bollards": _bollards, "shelter": _shelter, "cabinet": _cabinet}


def add_hoarding(builder: Builder, materials: Materials, kerb: Frontage, s: float, poster: int) -> None:
    """An advertisement on two legs, square to the street so that drivers see it."""
    for y in (0.5, 2.1):
        px, py, _ = kerb(s, y, 0)
        builder.pole(px, py, kerb.z, 1.1, 0.05, materials["metal"])
    for x, ends in ((s - 0.06, (0.3, 2.3)), (s + 0.06, (2.3, 0.3))):
        a, b = ends
        builder.quad(kerb(x, a, 1.0), kerb(x, b, 1.0), kerb(x, b, 2.6), kerb(x, a, 2.6), poster, (1, 1, 0, 0))
