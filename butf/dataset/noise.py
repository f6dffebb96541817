"""Sensor noise of rendered data: stored pictures are clean so that they compress, noise is added on loading."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np


def level(noise: dict[str, Any], modality: str, condition: str) -> float:
    """Standard deviation declared in dataset.json (1 = full scale): one number, or one a condition; 0 when not said."""
    declared = noise.get(modality, 0.0)
    return float(declared.get(condition, 0.0) if isinstance(declared, dict) else declared)


def add_noise(values: np.ndarray, std: float, key: str) -> np.ndarray:
    """Add Gaussian noise of `std` (1 = full scale, 255) to uint8 `values`; the same `key` gives the same noise."""
    if std <= 0:
        return values
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    # In place: with an array for each step it takes half as long again.
    noisy = np.random.default_rng(seed).standard_normal(values.shape, dtype=np.float32)
    noisy *= np.float32(255 * std)
    noisy += values
    np.rint(noisy, out=noisy)
    np.clip(noisy, 0, 255, out=noisy)
    return noisy.astype(np.uint8)
