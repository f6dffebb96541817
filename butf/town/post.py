"""From linear light to a picture: bloom, falling snow and rain, exposure, vignette, tone curve."""

from __future__ import annotations

import numpy as np

from butf.town.conditions import Condition

_STEPS = 4096


class Develop:
    """Turns colours in linear light (H, W, 3) into 8-bit pictures for one traversal."""

    def __init__(self, condition: Condition, width: int, height: int):
        self._condition, self._shape = condition, (height, width)
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
        self._vignette = (1 - 0.22 * (x * x + y * y) / 2)[..., None]
        self._spreads = (width / 80, width / 18)
        light = np.linspace(0, 8, _STEPS, dtype=np.float32)
        curve = np.clip(light * (1 + light / 4) / (1 + light) * 1.18, 0, 1) ** (1 / 2.2)
        self._curve = np.round(curve * 255).astype(np.uint8)

    def __call__(self, light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(H, W, 3) uint8."""
        condition = self._condition
        light = light * np.float32(condition.exposure)
        if condition.glow:
            light = np.minimum(light, 5.0)
            light = light + self._bloom(light)
        if condition.snow > 0.1:
            light = self._flakes(light, rng)
        if condition.wet > 0.1:
            light = self._drops(light, rng)
        if condition.flare:
            light = light + np.float32(condition.flare * 0.1) * np.array([1, 0.7, 0.4], np.float32)
        if condition.adapt:
            middle = np.median(light[::4, ::4].mean(2))
            light = light * np.float32(np.clip(0.42 / (middle + 0.05), 0.75, 1.6))
        step = np.clip(light * self._vignette * np.float32((_STEPS - 1) / 8), 0, _STEPS - 1).astype(np.uint16)
        curved: np.ndarray = self._curve[step]
        return curved

    def _bloom(self, light: np.ndarray) -> np.ndarray:
        """Light scattered by the lens round what is over-exposed, worked out at a quarter of the size."""
        bright: np.ndarray = np.clip(light - 1, 0, 4)
        if bright.max() == 0:
            return bright
        height, width = self._shape
        small = bright.reshape(height // 4, 4, width // 4, 4, 3).mean((1, 3))
        near, far = (_blurred(_blurred(small, sigma / 4, 0), sigma / 4, 1) for sigma in self._spreads)
        return _enlarged(_enlarged(near + far, 0), 1) * np.float32(0.5)

    def _flakes(self, light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = self._shape
        count = int(height * width * 0.003 * self._condition.snow)
        y, x = rng.integers(0, height - 1, count), rng.integers(0, width - 1, count)
        share = rng.uniform(0.06, 0.42, count).astype(np.float32)[:, None]
        for dy, dx, part in ((0, 0, 1.0), (0, 1, 0.5), (1, 0, 0.5)):
            here = y + dy, x + dx
            light[here] += share * np.float32(part) * (np.float32(0.95) - light[here])
        return light

    def _drops(self, light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Streaks of rain, and drops on the lens that show the scene upside down and blurred."""
        height, width = self._shape
        count = int(height * width * 0.0012 * self._condition.wet)
        y, x = rng.integers(0, height - 8, count), rng.integers(0, width - 2, count)
        share = rng.uniform(0.02, 0.12, count).astype(np.float32)[:, None]
        bright = np.float32(light.mean() * 1.8 + 0.08)
        for k in range(7):
            here = y + k, x + k // 4
            light[here] += share * (bright - light[here])
        for _ in range(int(6 * self._condition.wet)):
            radius = rng.uniform(0.012, 0.03) * width
            self._lens_drop(light, rng.uniform(0, height), rng.uniform(0, width), radius)
        return light

    def _lens_drop(self, light: np.ndarray, y: float, x: float, radius: float) -> None:
        """A drop is out of focus: a soft disc of the mean colour behind it, with the sky at its foot."""
        top, left = int(max(y - 2 * radius, 0)), int(max(x - 2 * radius, 0))
        patch = light[top : int(y + 2 * radius) + 1, left : int(x + 2 * radius) + 1]
        rows, columns = np.mgrid[top : top + patch.shape[0], left : left + patch.shape[1]]
        inside = np.clip(1.4 - np.hypot(rows - y, columns - x) / radius, 0, 1)[..., None].astype(np.float32)
        slope = np.clip((rows - y) / (2 * radius), -0.5, 0.5)[..., None].astype(np.float32)
        patch += np.minimum(inside * 1.5, 0.8) * (patch.mean((0, 1)) * (1 + 0.7 * slope) - patch)


def _blurred(image: np.ndarray, sigma: float, axis: int) -> np.ndarray:
    """A Gaussian blur along one axis; light that leaves the picture is lost."""
    reach = int(np.ceil(2.5 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    size = image.shape[axis]
    padding = [(reach, reach) if k == axis else (0, 0) for k in range(image.ndim)]
    padded = np.moveaxis(np.pad(image, padding), axis, 0)
    return np.moveaxis(sum(weight * padded[k : k + size] for k, weight in enumerate(weights)), 0, axis)


def _enlarged(image: np.ndarray, axis: int) -> np.ndarray:
    """Four times the size along one axis, linearly interpolated."""
    image = np.moveaxis(image, axis, 0)
    at = np.clip((np.arange(len(image) * 4) - 1.5) / 4, 0, len(image) - 1)
    low = np.minimum(at.astype(int), len(image) - 2)
    share = (at - low).astype(np.float32)[:, None, None]
    return np.moveaxis(image[low] * (1 - share) + image[low + 1] * share, 0, axis)
