"""What stands along the side of a block: sequences of lots that a district repeats from a few templates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.town import facades
from butf.town.canvas import Atlas
from butf.town.facades import Style

DEPTH = 11.0  # of a building, metres
SIDE_LENGTH = 220.0  # of a template; longer than any block
ROOFS = ("gable", "gable", "flat", "front", "mansard")
ROOF_TINTS = np.array([[0.62, 0.32, 0.24], [0.45, 0.42, 0.42], [0.30, 0.32, 0.36], [0.55, 0.40, 0.30]])


@dataclass(frozen=True, eq=False)
class Facade:
    """One design: every building of it looks the same but for its shop front. Numbers of atlas textures."""

    style: Style
    width: float
    storeys: int
    upper: int
    ground: int
    side: int
    roof: str
    roof_tint: np.ndarray
    chimneys: bool
    balconies: bool
    bay_window: bool

    @property
    def height(self) -> float:
        return self.storeys * self.style.storey


@dataclass(frozen=True, eq=False)
class Lot:
    """A stretch of a block's side: a building of `facade`, or a gap when it has none."""

    width: float
    facade: Facade | None
    shop: bool = False
    setback: float = 0.0
    fence: str = "hedge"
    fence_height: float = 1.2


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a block template; distances run along the side from its first corner."""

    lots: tuple[Lot, ...]
    lamp_phase: float
    trees: tuple[tuple[float, float], ...]  # metres along, height
    furniture: tuple[tuple[float, str], ...]  # metres along, what
    hoardings: tuple[float, ...]  # metres along


class Catalogue:
    """The facades, shop fronts, posters and block templates a district draws from."""

    def __init__(self, atlas: Atlas, rng: np.random.Generator, pool: int, block_types: int):
        self._atlas, self._rng = atlas, rng
        self.styles = [facades.random_style(rng) for _ in range(max(2, pool // 2))]
        self._sides: dict[int, int] = {}
        self.facades = [self.facade(rng, rng.uniform(5.2, 12.5)) for _ in range(pool)]
        self.shop_fronts = [atlas.add(facades.shop_front(rng)) for _ in range(18)]
        self.posters = [atlas.add(facades.poster(rng)) for _ in range(14)]
        self.blocks = [[self._side() for _ in range(4)] for _ in range(block_types)]

    def facade(self, rng: np.random.Generator, width: float, like: Facade | None = None) -> Facade:
        """A new design; with `like` it takes over the ground floor and side walls of that one (a landmark)."""
        number = int(rng.integers(len(self.styles)))
        style = like.style if like else self.styles[number]
        storeys = int(rng.integers(2, 5))
        if like:
            storeys = int(np.clip(like.storeys + rng.choice([-1, 1, 2]), 2, 6))
            style = facades.random_style(rng)
        upper = self._atlas.add(facades.upper_storeys(rng, style, width, storeys - 1))
        if like:
            ground, side = like.ground, like.side
        else:
            ground = self._atlas.add(facades.house_front(rng, style, width))
            if number not in self._sides:
                self._sides[number] = self._atlas.add(facades.blank_wall(rng, style, DEPTH, 3 * style.storey))
            side = self._sides[number]
        return Facade(
            style,
            width,
            storeys,
            upper,
            ground,
            side,
            roof=ROOFS[rng.integers(len(ROOFS))],
            roof_tint=ROOF_TINTS[rng.integers(4)] * rng.uniform(0.9, 1.1),
            chimneys=rng.random() < 0.7,
            balconies=rng.random() < 0.2,
            bay_window=rng.random() < 0.2,
        )

    def _side(self) -> Side:
        rng = self._rng
        kind = ("terrace", "terrace", "mixed", "shops", "villas")[rng.integers(5)]
        lots, t = [], 0.0
        while t < SIDE_LENGTH:
            facade = self.facades[rng.integers(len(self.facades))]
            repeats = int(rng.integers(4, 9)) if kind == "terrace" else int(rng.integers(1, 3))
            for _ in range(repeats):
                lots.append(self._lot(kind, facade))
                t += lots[-1].width
            if rng.random() < (0.35 if kind != "shops" else 0.1):
                fence = ("hedge", "fence", "stone")[rng.integers(3)]
                lots.append(Lot(rng.uniform(4, 8), None, fence=fence, fence_height=rng.uniform(1.0, 1.9)))
                t += lots[-1].width
        kinds = ("sign", "bin", "bollards", "shelter", "cabinet")
        furniture = [(s, kinds[rng.integers(5)]) for s in np.cumsum(rng.uniform(12, 30, 14))]
        trees = [(s, rng.uniform(4.8, 7.0)) for s in 9 + np.cumsum(rng.uniform(9, 12, 18))]
        return Side(
            tuple(lots), rng.uniform(7, 13), tuple(trees), tuple(furniture), tuple(np.cumsum(rng.uniform(18, 45, 8)))
        )

    def _lot(self, kind: str, facade: Facade) -> Lot:
        rng = self._rng
        shop = rng.random() < {"shops": 0.9, "mixed": 0.35}.get(kind, 0.03)
        if kind != "villas":
            return Lot(facade.width, facade, shop)
        fence = ("hedge", "fence", "stone")[rng.integers(3)]
        return Lot(facade.width + 2.5, facade, False, 3.5, fence, rng.uniform(0.7, 1.3))
