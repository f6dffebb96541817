"""How well reconstructed semantic classes agree with the true ones, on the pixels whose class is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.dataset.modalities import Map


@dataclass(frozen=True)
class ClassErrors:
    """Agreement over `pixels` pixels; not a number when there are none.

    right: share of pixels of the right class; mean_iou: intersection over union, mean over the classes that the truth
    has (Everingham 2010).
    """

    right: float
    mean_iou: float
    pixels: int


def class_errors(predicted: Map, truth: Map) -> ClassErrors:
    """Compare class ids `(H, W)` with the truth of the same size, where both are valid."""
    mask = predicted.valid & truth.valid
    found, true = predicted.values[mask], truth.values[mask]
    if not true.size:
        return ClassErrors(np.nan, np.nan, 0)
    overlaps = [
        np.logical_and(found == name, true == name).sum() / np.logical_or(found == name, true == name).sum()
        for name in np.unique(true)
    ]
    return ClassErrors(float(np.mean(found == true)), float(np.mean(overlaps)), int(true.size))
