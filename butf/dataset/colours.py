"""Colours for side maps, without a plotting library."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

INVALID = (128, 128, 128)

# Oklab (lightness, green-red, blue-yellow) from near to far: pale yellow, orange, red-violet, violet, night blue.
# Lightness falls all the way, so the order can be read without seeing hue.
_RAMP = np.array(
    [
        [0.96, -0.03, 0.12],
        [0.84, 0.03, 0.14],
        [0.71, 0.125, 0.10],
        [0.585, 0.17, 0.025],
        [0.45, 0.13, -0.085],
        [0.31, 0.05, -0.125],
        [0.18, 0.005, -0.06],
    ]
)


@lru_cache(maxsize=1)
def ramp() -> np.ndarray:
    """(256, 3) uint8 from near to far, in steps of equal perceived difference (Oklab, Ottosson 2020)."""
    fine = np.linspace(0, len(_RAMP) - 1, 4096)
    path = np.stack([np.interp(fine, np.arange(len(_RAMP)), _RAMP[:, axis]) for axis in range(3)], axis=1)
    walked = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    even = np.linspace(0, walked[-1], 256)
    return srgb(np.stack([np.interp(even, walked, path[:, axis]) for axis in range(3)], axis=1))


@lru_cache(maxsize=1)
def palette() -> np.ndarray:
    """(256, 3) uint8, one colour a class id: hues a golden angle apart at alternating lightness; 255 is `INVALID`.

    The lightness shifts after every eighth id, whose hue would be nearly the first one's again.
    """
    ids = np.arange(256)
    hue = ids * np.pi * (3 - np.sqrt(5))
    lightness = np.array([0.45, 0.72, 0.58, 0.85])[(ids + ids // 8) % 4]
    colours = srgb(np.stack([lightness, 0.1 * np.cos(hue), 0.1 * np.sin(hue)], axis=1))
    colours[255] = INVALID
    return colours


def painted(values: np.ndarray, scheme: str, low: float | None, high: float | None) -> np.ndarray:
    """(H, W) finite values -> (H, W, 3) uint8 by "ramp" (log scale), "grey" (linear scale) or "palette" (ids)."""
    if scheme == "palette":
        colours: np.ndarray = palette()[np.clip(np.rint(values), 0, 255).astype(np.int64)]
        return colours
    if scheme == "grey":
        low, high = 0.0 if low is None else low, 1.0 if high is None else high
        return np.repeat(np.rint(255 * np.clip((values - low) / (high - low), 0, 1)).astype(np.uint8)[..., None], 3, -1)
    low, high = 1.0 if low is None else low, 100.0 if high is None else high
    share = np.log(np.clip(values, low, high) / low) / np.log(high / low)
    shaded: np.ndarray = ramp()[np.rint(255 * share).astype(np.int64)]
    return shaded


def srgb(oklab: np.ndarray) -> np.ndarray:
    """Oklab (..., 3) -> sRGB (..., 3) uint8; colours outside the gamut are clipped."""
    cone = oklab @ np.array(
        [[1, 1, 1], [0.3963377774, -0.1055613458, -0.0894841775], [0.2158037573, -0.0638541728, -1.2914855480]]
    )
    linear = cone**3 @ np.array(
        [
            [4.0767416621, -1.2684380046, -0.0041960863],
            [-3.3077115913, 2.6097574011, -0.7034186147],
            [0.2309699292, -0.3413193965, 1.7076147010],
        ]
    )
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    pixels: np.ndarray = np.rint(255 * encoded).astype(np.uint8)
    return pixels
