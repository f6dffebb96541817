"""Paired tests: do two models differ on the same queries?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np

_DRAWS_AT_ONCE = 500


def gain(a: np.ndarray, b: np.ndarray) -> float:
    """How much larger the mean of `a (Q,)` is than that of `b (Q,)`; not a number without queries."""
    a, b = _paired(a, b)
    return float(a.mean() - b.mean()) if len(a) else math.nan


def mcnemar_exact(a: np.ndarray, b: np.ndarray) -> float:
    """Two-sided p of McNemar's test on hits `(Q,)` of two models, from the binomial distribution itself.

    Only queries on which the models disagree count: under the null hypothesis each is a fair coin
    (McNemar, Psychometrika 1947). 1 where they never disagree.
    """
    a, b = _paired(a, b)
    won, lost = int((a > b).sum()), int((a < b).sum())
    trials = won + lost
    tail = sum(math.comb(trials, wins) for wins in range(min(won, lost) + 1))
    return min(1.0, 2 * tail / 2**trials)


def paired_permutation(
    a: np.ndarray, b: np.ndarray, groups: np.ndarray | None = None, draws: int = 10_000, seed: int = 0
) -> float:
    """Two-sided p of the sign-flip permutation test on the mean of `a - b`, both `(Q,)`.

    `groups (Q,)` names queries that flip together: neighbours along a street see the same facades, so their
    results are not independent and a test that flips each alone claims too much. All sign patterns are tried
    where there are at most `draws` of them; else that many are drawn, and the observed one counts as one of them
    (Phipson and Smyth, 2010), so p is never 0.
    """
    a, b = _paired(a, b)
    if not len(a):
        return 1.0
    keys = np.arange(len(a)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    sums = np.bincount(keys, weights=a - b)
    sums = sums[sums != 0]  # a group without a difference is the same under either sign
    observed = abs(sums.sum())
    bar = observed - 1e-9 * max(1.0, observed)
    if 2 ** len(sums) <= draws:
        signs = np.array(list(product((-1.0, 1.0), repeat=len(sums))))
        return float((np.abs(signs @ sums) >= bar).mean())
    as_large = sum(int((np.abs(signs @ sums) >= bar).sum()) for signs in _random_signs(draws, len(sums), seed))
    return (as_large + 1) / (draws + 1)


def area_groups(position: np.ndarray, side_m: float) -> np.ndarray:
    """Which square of `side_m` metres each position `(Q, 3)` (east, north, up) lies in, as numbers `(Q,)`."""
    cells = np.floor(np.asarray(position)[:, :2] / side_m).astype(np.int64)
    return np.unique(cells, axis=0, return_inverse=True)[1].ravel()


def _random_signs(draws: int, width: int, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    for start in range(0, draws, _DRAWS_AT_ONCE):
        yield generator.choice((-1.0, 1.0), size=(min(_DRAWS_AT_ONCE, draws - start), width))


def _paired(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"paired results have shapes {a.shape} and {b.shape}; expected (Q,) over the same queries")
    return a, b
