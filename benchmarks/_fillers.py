"""Simple ways to fill a sparse image, which `benchmarks densify` sets beside ours.

Each takes values (H, W) float32 and where they were measured (H, W) bool, and gives (H, W) float32.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import distance_transform_edt

Filler = Callable[[np.ndarray, np.ndarray], np.ndarray]
DIAMOND = np.array([[abs(x) + abs(y) <= 2 for x in range(-2, 3)] for y in range(-2, 3)], np.uint8)


def nearest(values: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """The nearest sample."""
    rows, columns = distance_transform_edt(~measured, return_distances=False, return_indices=True)
    return values[rows, columns]


def linear(values: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Linear in the triangles of Delaunay between samples, the nearest one outside of all triangles."""
    rows, columns = np.nonzero(measured)
    inside = LinearNDInterpolator(np.stack([columns, rows], axis=1), values[rows, columns])
    filled = inside(*np.meshgrid(np.arange(values.shape[1]), np.arange(values.shape[0])))
    return np.where(np.isnan(filled), nearest(values, measured), filled).astype(np.float32)


def telea(values: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """OpenCV's fast marching inpainting (Telea 2004)."""
    return _opencv(values, measured, cv2.INPAINT_TELEA)


def navier_stokes(values: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """OpenCV's inpainting after Bertalmio et al. (2001)."""
    return _opencv(values, measured, cv2.INPAINT_NS)


def _opencv(values: np.ndarray, measured: np.ndarray, method: int) -> np.ndarray:
    low, high = values[measured].min(), values[measured].max()
    scale = 65535 / max(high - low, 1e-6)
    stored = np.where(measured, (values - low) * scale, 0).astype(np.uint16)
    return cv2.inpaint(stored, (~measured).astype(np.uint8), 3, method).astype(np.float32) / scale + low


def morphological(values: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Dilations of inverted values, in the manner of IP-Basic (Ku, Harakeh, Waslander 2018): small values win."""
    top = float(values[measured].max()) * 1.1 + 0.1
    turned = np.where(measured, top - values, 0).astype(np.float32)
    turned = cv2.dilate(turned, DIAMOND)
    turned = cv2.morphologyEx(turned, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    for size in (7, 31, 127):
        turned = np.where(turned > 0, turned, cv2.dilate(turned, np.ones((size, size), np.uint8)))
    turned = cv2.medianBlur(turned, 5)
    return np.where(turned > 0, top - cv2.GaussianBlur(turned, (5, 5), 0), top)


FILLERS: dict[str, Filler] = {
    "nearest": nearest,
    "linear": linear,
    "OpenCV Telea": telea,
    "OpenCV NS": navier_stokes,
    "morphological": morphological,
}
