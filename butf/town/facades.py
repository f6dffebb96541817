"""Facade styles and the textures drawn in them: upper storeys, ground floors, shop fronts, blank walls, posters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.town.canvas import LIT_SIGN, Canvas

_GLASS = np.array([46, 58, 70])
_WALLS = (  # colour, near infrared, what it is made of
    ((142, 84, 66), 0.48, "brick"),
    ((160, 104, 80), 0.52, "brick"),
    ((178, 156, 116), 0.58, "brick"),
    ((214, 206, 188), 0.66, "plaster"),
    ((206, 176, 146), 0.62, "plaster"),
    ((190, 196, 198), 0.60, "plaster"),
    ((158, 174, 186), 0.55, "plaster"),
    ((222, 216, 208), 0.70, "plaster"),
    ((194, 152, 136), 0.60, "plaster"),
    ((176, 184, 152), 0.50, "plaster"),
    ((150, 142, 130), 0.45, "stone"),
    ((176, 168, 152), 0.50, "stone"),
    ((130, 130, 132), 0.35, "concrete"),
    ((112, 78, 70), 0.40, "brick"),
)
_FRAMES = ((235, 235, 230), (60, 50, 44), (40, 60, 50), (200, 190, 170), (245, 245, 245))
_SHUTTERS = (None, None, None, (60, 90, 60), (110, 60, 50), (60, 80, 110))


@dataclass(frozen=True, eq=False)
class Style:
    """How a builder builds: one style gives facades of any width that look alike."""

    rgb: np.ndarray
    nir: float
    wall: str
    storey: float  # metres from floor to floor
    bay: float  # metres from window to window
    window_width: float  # share of the bay
    window_height: float  # share of the storey
    frame: tuple[int, int, int]
    mullions: int
    shutter: tuple[int, int, int] | None
    sill: bool
    cornice: bool
    courses: bool
    quoins: bool
    arched: bool
    strips: bool  # windows in bands, as in offices


def random_style(rng: np.random.Generator) -> Style:
    rgb, nir, wall = _WALLS[rng.integers(len(_WALLS))]
    return Style(
        rgb=np.array(rgb) * 0.85 + np.mean(rgb) * 0.15 + rng.integers(-8, 9, 3),
        nir=nir + rng.uniform(-0.1, 0.1),
        wall=wall,
        storey=rng.uniform(2.9, 3.5),
        bay=rng.uniform(2.0, 3.2),
        window_width=rng.uniform(0.38, 0.6),
        window_height=rng.uniform(0.44, 0.62),
        frame=_FRAMES[rng.integers(len(_FRAMES))],
        mullions=int(rng.integers(0, 4)),
        shutter=_SHUTTERS[rng.integers(len(_SHUTTERS))],
        sill=rng.random() < 0.7,
        cornice=rng.random() < 0.7,
        courses=rng.random() < 0.4,
        quoins=rng.random() < 0.2,
        arched=rng.random() < 0.2,
        strips=rng.random() < 0.1,
    )


class _Wall(Canvas):
    """A canvas that knows how to draw the windows and doors of a style."""

    def __init__(self, rng: np.random.Generator, style: Style, width: float, height: float):
        super().__init__(width, height, style.rgb, style.nir, "building")
        self.rng, self.style, self.windows = rng, style, 0
        if style.wall in ("brick", "stone"):
            course, length = (0.22, 0.55) if style.wall == "brick" else (0.5, 1.1)
            for row in range(int(height / course) + 1):
                for k in range(-1, int(width / length) + 1):
                    x, shade = k * length + row % 2 * length / 2, rng.normal() * 8
                    nir = np.clip(style.nir + shade / 300, 0.1, 0.9)
                    self.rect(x, row * course, x + length - 0.05, (row + 1) * course - 0.045, style.rgb + shade, nir)

    def window(self, x0: float, z0: float, x1: float, z1: float, large: bool = False) -> None:
        rng, style = self.rng, self.style
        self.windows = self.windows % 250 + 1
        self.rect(x0 - 0.1, z0 - 0.1, x1 + 0.1, z1 + 0.1, style.frame, 0.5)
        if style.arched and not large:
            self.rect(x0 - 0.1, z1 - 0.5, x1 + 0.1, z1 + 0.4, style.frame, 0.5, ellipse=True)
        glass = _GLASS + rng.integers(-14, 22)
        self.rect(x0, z0, x1, z1, glass, 0.06, "window", self.windows)
        self.rect(x0, z0 + (z1 - z0) * rng.uniform(0.5, 0.9), x1, z1, glass + 38, 0.08, "window", self.windows)
        if not large and rng.random() < 0.6:
            cloth = (rng.integers(150, 225) + rng.integers(-20, 20, 3)) * 0.8
            drawn = (x1 - x0) * rng.uniform(0.1, 0.4)
            self.rect(x0, z0, x0 + drawn, z1, cloth, 0.3, "window", self.windows)
            self.rect(x1 - drawn, z0, x1, z1, cloth, 0.3, "window", self.windows)
        for k in range(1, style.mullions + 1):
            x = x0 + (x1 - x0) * k / (style.mullions + 1)
            self.rect(x - 0.04, z0, x + 0.04, z1, style.frame, 0.5)
        if style.mullions > 1 and not large:
            self.rect(x0, (z0 + z1) / 2 - 0.04, x1, (z0 + z1) / 2 + 0.04, style.frame, 0.5)
        if style.sill and not large:
            self.rect(x0 - 0.18, z0 - 0.28, x1 + 0.18, z0 - 0.12, np.minimum(style.rgb * 1.2 + 18, 240), style.nir)
        if style.shutter and not large:
            for a, b in ((x0 - 0.55, x0 - 0.12), (x1 + 0.12, x1 + 0.55)):
                self.rect(a, z0, b, z1, style.shutter, 0.35)

    def door(self, centre: float) -> None:
        colour = self.rng.integers(40, 160, 3)
        self.rect(centre - 0.75, 0, centre + 0.75, 2.6, (216, 210, 200), 0.6)
        self.rect(centre - 0.5, 0, centre + 0.5, 2.15, colour, 0.35, "door")
        self.rect(centre - 0.5, 2.2, centre + 0.5, 2.5, _GLASS + 20, 0.06, "window", 250)
        self.rect(centre + 0.3, 1, centre + 0.4, 1.15, (220, 190, 90), 0.7, "door")


def upper_storeys(rng: np.random.Generator, style: Style, width: float, storeys: int) -> np.ndarray:
    """The facade above the ground floor, `storeys` x `style.storey` metres high."""
    height = storeys * style.storey
    wall = _Wall(rng, style, width, height)
    bays = max(1, int(width / style.bay))
    bay = width / bays
    if style.cornice:
        wall.rect(0, height - 0.45, width, height, np.minimum(style.rgb * 1.15 + 12, 240), style.nir)
        wall.rect(0, height - 0.6, width, height - 0.45, style.rgb * 0.6, style.nir)
    if style.quoins:
        for row in range(int(height / 0.7)):
            length = 0.6 + 0.3 * (row % 2)
            for x in (0, width - length):
                stone = np.minimum(style.rgb * 1.2 + 20, 236)
                wall.rect(x, row * 0.7, x + length, row * 0.7 + 0.6, stone, 0.6)
    for floor in range(storeys):
        z = floor * style.storey
        if style.courses:
            wall.rect(0, z, width, z + 0.2, np.minimum(style.rgb * 1.12 + 15, 240), style.nir)
        if style.strips:
            wall.window(0.3, z + 0.8, width - 0.3, z + style.storey * 0.85, large=True)
            for x in np.arange(1.5, width - 0.5, 1.5):
                wall.rect(x - 0.05, z + 0.8, x + 0.05, z + style.storey * 0.85, style.frame, 0.5)
            continue
        half = style.window_width * bay / 2
        for k in range(bays):
            centre = (k + 0.5) * bay
            wall.window(centre - half, z + 0.75, centre + half, z + 0.75 + style.window_height * style.storey)
    return wall.finish(rng)


def house_front(rng: np.random.Generator, style: Style, width: float) -> np.ndarray:
    """The ground floor of a house, `style.storey` metres high: a door and windows."""
    wall = _Wall(rng, style, width, style.storey)
    bays = max(1, int(width / style.bay))
    bay, entrance = width / bays, int(rng.integers(0, bays))
    half = style.window_width * bay / 2
    for k in range(bays):
        centre = (k + 0.5) * bay
        if k == entrance:
            wall.door(centre)
        else:
            wall.window(centre - half, 0.85, centre + half, 0.85 + style.window_height * style.storey)
    wall.rect(0, 0, width, 0.5, style.rgb * 0.65, style.nir * 0.8, None, None)
    return wall.finish(rng)


def blank_wall(rng: np.random.Generator, style: Style, width: float, height: float) -> np.ndarray:
    """A side or rear wall with few windows."""
    wall = _Wall(rng, style, width, height)
    for z in np.arange(style.storey, height - style.storey, style.storey):
        for x in np.arange(1.6, width - 1.5, 3.0):
            if rng.random() < 0.3:
                wall.window(x - 0.5, z + 0.8, x + 0.5, z + 2.0)
    return wall.finish(rng)


def shop_front(rng: np.random.Generator) -> np.ndarray:
    """A shop's ground floor: display windows, door, sign board with blocky letters. 8 x 3.2 m."""
    width, height = 8.0, 3.2
    base = _strong_colour(rng) * 0.8
    canvas = Canvas(width, height, base * 0.8, 0.4, "building")
    entrance = (0.4, width / 2 - 0.6, width - 1.6)[rng.integers(3)]
    for x0, x1 in ((0.3, width * 0.47), (width * 0.53, width - 0.3)):
        canvas.rect(x0, 0.55, x1, height * 0.68, _GLASS + rng.integers(-10, 20), 0.06, "window", 251)
        for _ in range(int(rng.integers(2, 7))):  # goods on display
            x, size = rng.uniform(x0, x1 - 0.5), rng.uniform(0.2, 0.6)
            canvas.rect(
                x, 0.6, x + size, 0.6 + size * rng.uniform(0.7, 2), rng.integers(30, 190, 3), 0.3, "window", 251
            )
    canvas.rect(entrance, 0, entrance + 1.2, height * 0.66, base * 0.45, 0.3, "door")
    canvas.rect(entrance + 0.15, 0.4, entrance + 1.05, height * 0.6, _GLASS + 15, 0.06, "window", 252)
    _lettering(canvas, rng, 0.1, height * 0.72, width - 0.1, height * 0.97, base)
    return canvas.finish(rng)


def poster(rng: np.random.Generator) -> np.ndarray:
    """A hoarding's face: large blocks of colour and lettering. 4 x 3 m."""
    ground = _strong_colour(rng)
    canvas = Canvas(4, 3, (60, 60, 62), 0.3, "sign")
    canvas.rect(0.1, 0.1, 3.9, 2.9, ground, 0.6, "sign", LIT_SIGN)
    for _ in range(int(rng.integers(2, 5))):
        x, z, size = rng.uniform(0.2, 3), rng.uniform(0.6, 2), rng.uniform(0.4, 1.6)
        canvas.rect(
            x,
            z,
            min(x + size, 3.8),
            min(z + size * rng.uniform(0.4, 1), 2.8),
            _strong_colour(rng),
            rng.uniform(0.2, 0.8),
            "sign",
            LIT_SIGN,
            ellipse=rng.random() < 0.5,
        )
    _lettering(canvas, rng, 0.2, 0.2, 3.8, 0.75, ground * 0.5)
    return canvas.finish(rng, 2, 3)


def _strong_colour(rng: np.random.Generator) -> np.ndarray:
    colour = rng.integers(30, 215, 3).astype(float)
    colour[rng.integers(3)] = rng.integers(15, 70)
    muted: np.ndarray = colour * 0.8 + colour.mean() * 0.2
    return muted


def _lettering(
    canvas: Canvas, rng: np.random.Generator, x0: float, z0: float, x1: float, z1: float, ground: np.ndarray
) -> None:
    canvas.rect(x0, z0, x1, z1, ground, 0.55, "sign", LIT_SIGN)
    ink = (248, 243, 230) if ground.sum() < 380 else (30, 25, 35)
    height, x = z1 - z0, x0 + (x1 - x0) * rng.uniform(0.06, 0.3)
    while x < x1 - 0.5:
        width = height * rng.uniform(0.3, 0.55)
        if rng.random() < 0.85:
            canvas.rect(x, z0 + height * 0.2, x + width, z0 + height * 0.8, ink, 0.8, "sign", LIT_SIGN)
            notch = z0 + height * (0.2 if rng.random() < 0.5 else 0.5)
            canvas.rect(x + width * 0.3, notch, x + width * 0.7, notch + height * 0.3, ground, 0.55, "sign", LIT_SIGN)
        x += width + height * 0.15
