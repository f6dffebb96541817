"""How good a depth map is: the usual three numbers, on the pixels where the truth was measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.dataset.modalities import Map


@dataclass(frozen=True)
class DepthErrors:
    """Mean errors over `pixels` pixels; not a number when there are none.

    abs_rel: mean |p - t| / t; rmse_m: sqrt(mean (p - t)^2) in metres; delta1: share with max(p / t, t / p) < 1.25
    (Eigen, Puhrsch, Fergus 2014).
    """

    abs_rel: float
    rmse_m: float
    delta1: float
    pixels: int


def depth_errors(predicted: Map | np.ndarray, truth: Map, low: float = 0.0, high: float = np.inf) -> DepthErrors:
    """Compare a depth map in metres with the truth, where the truth is valid and within `low` to `high` metres.

    A prediction of another size is resized to the truth (bilinear); where it is not valid it is left out.
    """
    values, valid = (predicted.values, predicted.valid) if isinstance(predicted, Map) else (predicted, None)
    values = np.asarray(values, np.float64)
    valid = np.ones(values.shape, bool) if valid is None else valid
    usable = valid & np.isfinite(values) & (values > 0)
    if values.shape != truth.values.shape:
        share = resized(usable.astype(np.float64), truth.values.shape)
        values = resized(np.where(usable, values, 0.0), truth.values.shape) / np.where(share > 0, share, 1)
        usable = share > 0.5
    mask = truth.valid & usable & (truth.values >= low) & (truth.values <= high)
    return _errors(values[mask], truth.values[mask].astype(np.float64))


def resized(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) array -> `shape` (H, W) by bilinear interpolation between pixel centres, edges repeated."""
    rows, columns = (_weights(old, new) for old, new in zip(values.shape, shape, strict=True))
    mixed: np.ndarray = rows @ values @ columns.T
    return mixed


def _weights(old: int, new: int) -> np.ndarray:
    """(new, old) matrix that interpolates linearly along one axis."""
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    low = np.minimum(at.astype(np.int64), max(old - 2, 0))
    weights = np.zeros((new, old))
    weights[np.arange(new), low] = 1 - (at - low)
    weights[np.arange(new), np.minimum(low + 1, old - 1)] += at - low
    return weights


def _errors(predicted: np.ndarray, truth: np.ndarray) -> DepthErrors:
    if not truth.size:
        return DepthErrors(np.nan, np.nan, np.nan, 0)
    gap = predicted - truth
    return DepthErrors(
        abs_rel=float(np.mean(np.abs(gap) / truth)),
        rmse_m=float(np.sqrt(np.mean(gap**2))),
        delta1=float(np.mean(np.maximum(predicted / truth, truth / predicted) < 1.25)),
        pixels=int(truth.size),
    )
