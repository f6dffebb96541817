"""Textures: aligned layers of colour, near infrared, class and glow, and the mip-mapped atlas that holds them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from butf.town.classes import CLASS

SIZE = 256  # texels on each side of a texture
LEVELS = 8  # mip levels, 256 down to 2 texels
LIT_SIGN = 255  # glow values: 0 none, 1..250 the number of a window, then
LAMP_GLASS = 253
Numbers = Sequence[float] | np.ndarray  # a colour, a point, texture coordinates


def fractal_noise(rng: np.random.Generator, height: int, width: int | None = None, beta: float = 1.6) -> np.ndarray:
    """Noise of shape (height, width) that tiles, with zero mean, unit deviation and a power spectrum f^-2beta."""
    width = width or height
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None] * width)
    frequency[0, 0] = 1
    spectrum = (rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)) * frequency**-beta
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, s=(height, width))
    unit: np.ndarray = (noise / noise.std()).astype(np.float32)
    return unit


class Canvas:
    """A texture being painted: every shape is drawn on all layers at once, so that they cannot misalign.

    Coordinates are metres from the lower left corner of a surface `width` x `height` metres large.
    """

    def __init__(self, width: float, height: float, rgb: Numbers, nir: float, kind: str):
        self.scale = SIZE / width, SIZE / height
        self.width, self.height = width, height
        self.layers = [
            Image.new("RGB", (SIZE, SIZE), _bytes(rgb)),
            Image.new("L", (SIZE, SIZE), int(nir * 255)),
            Image.new("L", (SIZE, SIZE), CLASS[kind]),
            Image.new("L", (SIZE, SIZE), 0),
        ]
        self.pens = [ImageDraw.Draw(layer) for layer in self.layers]

    def rect(
        self,
        x0: float,
        z0: float,
        x1: float,
        z1: float,
        rgb: Numbers,
        nir: float,
        kind: str | None = None,
        glow: int | None = 0,
        ellipse: bool = False,
    ) -> None:
        """A rectangle (or the ellipse in it); `kind` None leaves the class as it is."""
        sx, sz = self.scale
        box = [round(x0 * sx), round(SIZE - z1 * sz), round(x1 * sx) - 1, round(SIZE - z0 * sz) - 1]
        if box[2] < box[0] or box[3] < box[1]:
            return
        values = (_bytes(rgb), int(np.clip(nir, 0, 1) * 255), None if kind is None else CLASS[kind], glow)
        for pen, value in zip(self.pens, values, strict=True):
            if value is not None:
                (pen.ellipse if ellipse else pen.rectangle)(box, fill=value)

    def finish(self, rng: np.random.Generator, grain: float = 5, stain: float = 7) -> np.ndarray:
        """The texture, (SIZE, SIZE, 8) uint8: red, green, blue, near infrared, class, glow, 0, 0."""
        colour, nir, kind, glow = (np.asarray(layer) for layer in self.layers)
        stains = fractal_noise(rng, SIZE, beta=1.5) * stain + rng.normal(size=(SIZE, SIZE)) * grain
        texture = np.zeros((SIZE, SIZE, 8), np.uint8)
        texture[..., :3] = np.clip(colour + stains[..., None], 2, 253)
        texture[..., 3] = np.clip(nir + stains * 0.6, 2, 253)
        texture[..., 4], texture[..., 5] = kind, glow
        return texture


class Atlas:
    """All textures and their mip levels in one flat array of 8-byte texels, so that a lookup is one gather."""

    def __init__(self) -> None:
        self._textures: list[np.ndarray] = []

    def add(self, texture: np.ndarray) -> int:
        self._textures.append(texture)
        return len(self._textures) - 1

    def pack(self) -> None:
        level = np.stack(self._textures)
        flat, starts, start = [], [], 0
        for _ in range(LEVELS):
            flat.append(np.ascontiguousarray(level).view(np.uint64).ravel())
            starts.append(start)
            start += len(flat[-1])
            level = _halved(level)
        self.texels = np.concatenate(flat)
        self.starts = np.array(starts)
        self._textures = []

    def lookup(
        self, texture: np.ndarray, u: np.ndarray, v: np.ndarray, texels_per_pixel: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bilinear colour + near infrared (N, 4) float32 0..1, and class (N,) and glow (N,) of the nearest texel."""
        level = np.clip(np.log2(np.maximum(texels_per_pixel, 1e-6)) + 0.3, 0, LEVELS - 1).astype(np.int32)
        size = SIZE >> level
        x, y = u * size - 0.5, v * size - 0.5
        x0, y0 = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
        fx, fy = (x - x0).astype(np.float32)[:, None], (y - y0).astype(np.float32)[:, None]
        start = self.starts[level] + texture.astype(np.int64) * size * size
        mask = size - 1
        columns = x0 & mask, (x0 + 1) & mask
        rows = start + (y0 & mask) * size, start + ((y0 + 1) & mask) * size
        colour = np.zeros((len(u), 4), np.float32)
        for row, wy in zip(rows, (1 - fy, fy), strict=True):
            for column, wx in zip(columns, (1 - fx, fx), strict=True):
                colour += self.texels[row + column].view(np.uint8).reshape(-1, 8)[:, :4] * (wx * wy)
        right, low = fx[:, 0] > 0.5, fy[:, 0] > 0.5
        nearest = np.where(low, rows[1], rows[0]) + np.where(right, columns[1], columns[0])
        ids = self.texels[nearest].view(np.uint8).reshape(-1, 8)
        return colour / np.float32(255), ids[:, 4], ids[:, 5]


def _halved(level: np.ndarray) -> np.ndarray:
    """Half the size: colours averaged, class and glow taken from one of the four texels."""
    half = level[:, ::2, ::2].copy()
    # Channel by channel and in whole numbers: numpy's mean over two axes takes five times as long.
    for channel in range(4):
        fine = level[..., channel].astype(np.uint16)
        rows = fine[:, ::2] + fine[:, 1::2]
        four = rows[:, :, ::2] + rows[:, :, 1::2]
        half[..., channel] = (four + 1 + (four >> 2 & 1)) >> 2  # a half goes to the even neighbour
    return half


def _bytes(rgb: Numbers) -> tuple[int, int, int]:
    red, green, blue = (int(np.clip(channel, 0, 255)) for channel in rgb)
    return red, green, blue
