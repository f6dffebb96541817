"""Guesses of the places that unlabelled pictures show: the labelled frame that a describer finds most like each."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from butf.dataset.samples import Samples

BATCH = 64
UNKNOWN = -1

Guide = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Unit descriptors `(B, D)` of pictures `(B, 3, H, W)` in 0..1 with side maps and masks `(B, 1, h, w)`."""


def guess_places(
    asked: np.ndarray, known: np.ndarray, far: np.ndarray, conditions: np.ndarray, share: float
) -> np.ndarray:
    """For each of E pictures the most similar of K labelled ones, or UNKNOWN: `(E,)`.

    `asked` `(E, D)` and `known` `(K, D)` are unit descriptors, `far` `(K, K)` says which labelled pictures certainly
    show different places. A guess is the surer the farther the best answer is ahead of the best answer elsewhere; of
    each condition of `conditions` `(E,)` the surest `share` is kept.
    """
    likeness = asked @ known.T
    best = likeness.argmax(axis=1)
    elsewhere = np.where(far[best], likeness, -np.inf).max(axis=1)
    lead = likeness[np.arange(len(best)), best] - elsewhere
    guessed = np.full(len(best), UNKNOWN)
    for condition in np.unique(conditions):
        own = np.flatnonzero(conditions == condition)
        surest = own[np.argsort(-lead[own], kind="stable")[: round(share * len(own))]]
        guessed[surest] = best[surest]
    return guessed


@torch.inference_mode()
def describe_by(guide: Guide, samples: Samples, rows: np.ndarray, device: torch.device) -> np.ndarray:
    """The guide's descriptors `(N, D)` float32 of some samples."""
    parts = [
        guide(*stack([samples[int(row)] for row in rows[start : start + BATCH]], device)).float().cpu().numpy()
        for start in range(0, len(rows), BATCH)
    ]
    return np.concatenate(parts)


def stack(samples: list[dict[str, Tensor]], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures `(B, 3, H, W)` in 0..1, side maps and their masks `(B, 1, h, w)` of some samples, on the device."""
    images, side, valid = (
        torch.stack([sample[key] for sample in samples]).to(device) for key in ("image", "side", "valid")
    )
    return images.float() / 255, side, valid
