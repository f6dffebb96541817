"""The sky: a gradient, clouds and the sun's glow."""

from __future__ import annotations

import numpy as np

from butf.town.canvas import fractal_noise
from butf.town.conditions import Condition


class Sky:
    """Radiance of the sky in linear light."""

    def __init__(self, condition: Condition, rng: np.random.Generator):
        self._condition = condition
        self._clouds = fractal_noise(rng, 256, 512, beta=1.5)
        self.zenith, self.horizon = (np.array(colour, np.float32) for colour in (condition.zenith, condition.horizon))
        self.sunlight = np.array(condition.sunlight, np.float32)
        self.sun: np.ndarray | None = None
        if condition.sun:
            azimuth, elevation = np.radians(condition.sun)
            self.sun = np.array(
                [[np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]],
                np.float32,
            )

    def __call__(self, directions: np.ndarray) -> np.ndarray:
        """Colours (N, 3) float32 seen along unit directions (N, 3)."""
        up = np.clip(directions[:, 2], 0, 1)
        high = np.sqrt(up)[:, None]
        colour = (1 - high) * self.horizon + high * self.zenith
        column = (np.arctan2(directions[:, 1], directions[:, 0]) * np.float32(512 / (2 * np.pi))).astype(np.int32) & 511
        row = np.clip((1 - up**0.6) * 255, 0, 255).astype(np.int32)
        noise = self._clouds[row, column]
        cover = np.clip(noise * 0.6 + self._condition.clouds * 2.2 - 1.2, 0, 1) * np.minimum(1, up * 6)
        grey = (self.horizon.mean() * 0.55 + self.horizon * 0.45)[None]
        if self.sun is not None:
            near = np.clip(along(directions, self.sun[0]), 0, 1)
            colour += self.sunlight * (0.25 * near**24 + 3 * near**900)[:, None]
            grey = grey + 0.15 * near[:, None] ** 4
        shade = 0.86 + 0.10 * self._clouds[(row * 2) & 255, column]
        light: np.ndarray = (colour + cover[:, None] * (grey * shade[:, None] - colour)).astype(np.float32)
        return light


def along(vectors: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """(N,) dot products of (N, 3) with one vector, without BLAS: its threads would fight with the other workers."""
    products: np.ndarray = np.einsum("ij,j->i", vectors, axis)
    return products
