"""The lecture's losses for keypoints: squared hinges with max (TILDE) and softmax (LIFT), pairs of descriptors.

Descriptors are `(N, 128)` of unit length; every loss is a scalar tensor.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from butf.keypoints.soft_argmax import BETA


def max_score(windows: Tensor) -> Tensor:
    """TILDE: the highest score of each window, `(N, h, w)` -> `(N,)` (Verdie et al., CVPR 2015, equation 3)."""
    return windows.flatten(1).amax(dim=1)


def softmax_score(windows: Tensor, beta: float = BETA) -> Tensor:
    """LIFT: the softened maximum `log(mean(exp(beta S))) / beta`, `(N, h, w)` -> `(N,)` (Yi et al., ECCV 2016, 4.3)."""
    flat = beta * windows.flatten(1)
    return (flat.logsumexp(dim=1) - math.log(flat.shape[1])) / beta


def classification_loss(scores: Tensor, signs: Tensor) -> Tensor:
    """The squared hinge `max(0, 1 - y s)^2` of scores `(N,)` with `signs` y = +1 (keypoints) or -1 (others), `(N,)`.

    The lecture's slides "TILDE" and "LIFT: Cost Function (1)". The two kinds weigh the same, however many there are of
    each; a kind that is missing counts 0.
    """
    hinges = F.relu(1 - signs * scores).square()
    kinds = [hinges[signs > 0], hinges[signs < 0]]
    return sum((kind.mean() for kind in kinds if len(kind)), start=scores.sum() * 0.0)


def positive_loss(first: Tensor, second: Tensor) -> Tensor:
    """The lecture's `||D1 - D2||^2` of matching descriptors, `(N, 128)` both, mean over the pairs."""
    return (first - second).square().sum(dim=1).mean()


def negative_loss(first: Tensor, third: Tensor, margin: float = 1.0) -> Tensor:
    """The lecture's `max(0, margin - ||D1 - D3||^2)` of descriptors of different things, `(N, 128)` both, mean."""
    return F.relu(margin - (first - third).square().sum(dim=1)).mean()


def hardest(first: Tensor, second: Tensor, distinct: Tensor) -> Tensor:
    """Rows `(N,)` of `second` `(N, 128)`: for each of `first` the nearest that `distinct` `(N, N)` bool allows.

    Hard mining: the negative that is most easily taken for the match. Rows that allow none get an arbitrary one.
    """
    with torch.no_grad():
        return (first @ second.T).masked_fill(~distinct, -math.inf).argmax(dim=1)


def pairs_loss(first: Tensor, second: Tensor, distinct: Tensor) -> Tensor:
    """The lecture's cost of descriptors: matching pairs near, the hardest others of the batch apart.

    Row i of `first` and of `second` `(N, 128)` match; `distinct` `(N, N)` bool says which rows of `second` show
    something else than a row of `first`.
    """
    usable = distinct.any(dim=1)
    positive = positive_loss(first, second)
    if not usable.any():
        return positive
    negatives = second[hardest(first, second, distinct)][usable]
    return positive + negative_loss(first[usable], negatives)


def contrast_loss(first: Tensor, second: Tensor, distinct: Tensor, temperature: float = 0.1) -> Tensor:
    """The hinge softened over all negatives of the batch, `-log(exp(D1 D2 / T) / sum_k exp(D1 Dk / T))`, both ways.

    InfoNCE (van den Oord et al., 2018): not on the slides, the modern choice beside `pairs_loss`, whose arguments it
    has. Unlike a hinge on the hardest negative it does not hold descriptors together while they are all alike.
    """
    products = first @ second.T / temperature
    own = torch.eye(len(first), dtype=torch.bool, device=first.device)
    products = products.masked_fill(~(distinct | own), -math.inf)
    rows = torch.arange(len(first), device=first.device)
    return (F.cross_entropy(products, rows) + F.cross_entropy(products.T, rows)) / 2


def place_loss(first: Tensor, second: Tensor, most: float = 3.0) -> Tensor:
    """How far, in squared pixels, points `(N, 2)` lie from where the other picture's go, mean over those nearer than
    `most` pixels: the others found different things. Zero when none is left.
    """
    squares = (first - second).square().sum(dim=1)
    near = squares.detach() < most**2
    return squares[near].mean() if near.any() else squares.sum() * 0.0


DESCRIPTOR_LOSSES = {"contrast": contrast_loss, "pairs": pairs_loss}
DETECTOR_SCORES = {"softmax": softmax_score, "max": max_score}
