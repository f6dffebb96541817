"""How well a model reconstructs its side modality on the frames that have the true one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from butf.dataset.depth_metrics import depth_errors
from butf.dataset.frames import Frames
from butf.retrieval.bank import Progress, table

if TYPE_CHECKING:
    from butf.networks.zoo import Model

MODALITY = "depth"
METRICS = ("abs_rel", "rmse_m", "delta1")


def side_errors(
    frames: Frames, indices: np.ndarray, model: Model, progress: Progress | None = None, keep: Path | None = None
) -> np.ndarray | None:
    """AbsRel, RMSE in metres and delta1 of each frame, `(N, 3)`; not a number where there is no true depth.

    None for a model that reconstructs no depth. Kept like descriptors are.
    """
    if not model.reconstructs or model.encoding.modality != MODALITY:
        return None

    def compute(rows: np.ndarray, done: int) -> np.ndarray:
        errors = np.full((len(rows), len(METRICS)), np.nan, np.float32)
        for row, i in enumerate(rows):
            truth = frames.modality(i, MODALITY)
            predicted = None if truth is None or not truth.valid.any() else model.reconstruct(frames.image(i))
            if truth is not None and predicted is not None:
                error = depth_errors(predicted, truth)
                errors[row] = [getattr(error, name) for name in METRICS]
            if progress is not None:
                progress(done + row + 1, len(indices))
        return errors

    return table(frames, indices, model, "depth-errors", (MODALITY,), compute, keep)


def summary(errors: np.ndarray) -> dict[str, object] | None:
    """Means over the frames with a true depth of `errors (N, 3)`, named as in `evaluate --json`; None without any."""
    known = errors[~np.isnan(errors).any(axis=1)]
    if not len(known):
        return None
    means = zip(METRICS, known.mean(axis=0).tolist(), strict=True)
    return {"modality": MODALITY, **dict(means)}
