"""Textures of everything that is not a facade: roads, paving, roofs, vehicles, foliage."""

from __future__ import annotations

import numpy as np

from butf.town.canvas import LAMP_GLASS, Atlas, Canvas

ROAD_TILE = 12.0  # metres of road along a street that one road texture covers
ROAD_KINDS = 4
_PAINT = ((228, 226, 216), 0.85, "marking")

_PLAIN = {  # name: colour, near infrared, class, grain, stain
    "asphalt": ((84, 84, 88), 0.16, "road", 5, 6),
    "kerb": ((150, 148, 144), 0.40, "sidewalk", 5, 7),
    "grass": ((86, 108, 56), 0.55, "terrain", 12, 14),
    "leaf": ((118, 146, 84), 0.60, "vegetation", 12, 14),
    "bark": ((84, 70, 56), 0.40, "vegetation", 12, 8),
    "metal": ((72, 76, 80), 0.30, "pole", 3, 3),
    "flat roof": ((120, 120, 124), 0.25, "roof", 5, 8),
    "paint": ((225, 225, 225), 0.55, "vehicle", 0, 1),
    "car glass": ((34, 42, 50), 0.05, "vehicle", 0, 4),
    "tyre": ((26, 26, 28), 0.06, "vehicle", 2, 2),
    "car light": ((220, 200, 190), 0.90, "vehicle", 0, 0),
    "hedge": ((58, 84, 44), 0.58, "vegetation", 20, 16),
    "red sign": ((200, 40, 40), 0.95, "sign", 0, 0),
    "blue sign": ((40, 80, 180), 0.95, "sign", 0, 0),
    "stone": ((168, 160, 146), 0.50, "building", 6, 9),
    "plastic": ((225, 225, 225), 0.5, "fence", 2, 3),
}


class Materials:
    """Texture numbers by name; `roads` is a list of `ROAD_KINDS` road textures."""

    def __init__(self, atlas: Atlas, rng: np.random.Generator):
        self._atlas, self._rng = atlas, rng
        self.ids: dict[str, int] = {}
        for name, (rgb, nir, kind, grain, stain) in _PLAIN.items():
            self._add(name, Canvas(1, 1, rgb, nir, kind), grain, stain)
        self._add("paving", self._paving(), 4, 5)
        self._add("tiles", self._tiles(), 5, 8)
        self._add("fence", self._fence(), 6, 8)
        self._add("zebra", self._zebra(), 6, 7)
        self._add("lamp glass", self._lamp_glass(), 2, 2)
        self.roads = [self._atlas.add(self._road(kind).finish(rng, 5, 6)) for kind in range(ROAD_KINDS)]

    def __getitem__(self, name: str) -> int:
        return self.ids[name]

    def _add(self, name: str, canvas: Canvas, grain: float, stain: float) -> None:
        self.ids[name] = self._atlas.add(canvas.finish(self._rng, grain, stain))

    def _paving(self) -> Canvas:
        canvas = Canvas(8, 8, (110, 108, 104), 0.25, "sidewalk")
        for x in range(8):
            for z in range(8):
                shade = self._rng.normal() * 6
                slab = np.array([148, 144, 138]) + shade
                canvas.rect(x, z, x + 0.95, z + 0.95, slab, 0.34 + shade / 300, "sidewalk")
        return canvas

    def _tiles(self) -> Canvas:
        canvas = Canvas(16, 16, (140, 140, 140), 0.4, "roof")
        for row in range(16):
            for column in range(-1, 16):
                x, shade = column + row % 2 / 2, self._rng.normal() * 14
                canvas.rect(x, row, x + 0.9, row + 0.85, np.array([200, 200, 200]) + shade, 0.45, "roof")
        return canvas

    def _fence(self) -> Canvas:
        canvas = Canvas(13, 1, (40, 32, 24), 0.3, "fence")
        for x in range(13):
            canvas.rect(x, 0, x + 0.62, 1, (136, 110, 82), 0.5, "fence")
        return canvas

    def _zebra(self) -> Canvas:
        canvas = Canvas(1, 9, (84, 84, 87), 0.15, "road")
        for z in range(9):
            canvas.rect(0, z + 0.25, 1, z + 0.75, *_PAINT)
        return canvas

    def _lamp_glass(self) -> Canvas:
        canvas = Canvas(1, 1, (230, 226, 210), 0.3, "pole")
        canvas.rect(0, 0, 1, 1, (230, 226, 210), 0.3, "pole", glow=LAMP_GLASS)
        return canvas

    def _road(self, kind: int) -> Canvas:
        """ROAD_TILE metres along the street, one unit across it; the patches avoid the tile's ends."""
        rng = self._rng
        canvas = Canvas(ROAD_TILE, 1, (82 + int(rng.integers(-5, 6)),) * 3, 0.15, "road")
        for _ in range(4):
            x, z, shade = rng.uniform(0.3, 8), rng.uniform(0.05, 0.8), rng.integers(-16, 14)
            patch = np.array([84, 84, 87]) + shade
            canvas.rect(x, z, x + rng.uniform(0.6, 3.4), z + rng.uniform(0.04, 0.18), patch, 0.15 + shade / 400, "road")
        x, z = rng.uniform(2, 10), rng.uniform(0.2, 0.8)
        canvas.rect(x, z, x + 0.6, z + 0.06, (52, 50, 50), 0.3, "road", ellipse=True)
        half = 0.007
        if kind == 0:
            canvas.rect(0, 0.5 - half, 5, 0.5 + half, *_PAINT)
            canvas.rect(6, 0.5 - half, 11, 0.5 + half, *_PAINT)
        elif kind == 1:
            for centre in (0.488, 0.512):
                canvas.rect(0, centre - half * 0.7, ROAD_TILE, centre + half * 0.7, *_PAINT)
        elif kind == 2:
            canvas.rect(0, 0.5 - half, 3, 0.5 + half, *_PAINT)
            canvas.rect(6, 0.5 - half, 9, 0.5 + half, *_PAINT)
        bays = (0.195, 0.805)  # the inner edge of the parking bays
        for across in bays:
            if kind % 2:
                canvas.rect(0, across - 0.004, ROAD_TILE, across + 0.004, *_PAINT)
            else:
                for x in (0, 6):
                    canvas.rect(x, across - 0.004, x + 2.4, across + 0.004, *_PAINT)
        return canvas
