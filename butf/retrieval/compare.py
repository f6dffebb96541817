"""Paired tests: do two models, or two methods over several training seeds, differ on the same queries?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
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
    return min(1.0, float(2 * tail / 2**trials))


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
    keys = _keys(len(a), groups)
    sums = np.bincount(keys, weights=a - b)
    sums = sums[sums != 0]  # a group without a difference is the same under either sign
    observed = abs(sums.sum())
    bar = observed - 1e-9 * max(1.0, observed)
    if 2 ** len(sums) <= draws:
        signs = np.array(list(product((-1.0, 1.0), repeat=len(sums))))
        return float((np.abs(signs @ sums) >= bar).mean())
    as_large = sum(int((np.abs(signs @ sums) >= bar).sum()) for signs in _random_signs(draws, len(sums), seed))
    return (as_large + 1) / (draws + 1)


@dataclass(frozen=True)
class SeededGain:
    """By how much one method beats another over several training seeds, on the same queries."""

    gain: float
    interval95: tuple[float, float]
    """Over seeds and groups of queries, both drawn anew (see `seeded_interval`)."""
    p: float
    by_seed: tuple[float, ...]


def seeded_gain(a: np.ndarray, b: np.ndarray, groups: np.ndarray | None = None, draws: int = 10_000) -> SeededGain:
    """Compare results `(S, Q)` of two methods: row s of both comes from the same seed, column q is the same query.

    `p` is that of `paired_permutation` on each query's mean over the seeds: what a query gave under one seed flips
    together with what it gave under the others, for it is the same picture each time. A few seeds cannot reach a small
    p by flips of their own (3 seeds: at best 0.25), so how they vary shows in `by_seed` and in the interval.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"seeded results have shapes {a.shape} and {b.shape}; expected (S, Q), the same ones")
    p = paired_permutation(a.mean(axis=0), b.mean(axis=0), groups, draws)
    by_seed = tuple((a - b).mean(axis=1).tolist())
    return SeededGain(float((a - b).mean()), seeded_interval(a - b, groups), p, by_seed)


def seeded_interval(values: np.ndarray, groups: np.ndarray | None = None, draws: int = 2000) -> tuple[float, float]:
    """95 % interval of the mean of `values (S, Q)` by a bootstrap that draws seeds and groups of queries anew.

    Draws come from a fixed generator. With one seed the interval says nothing of how seeds vary.
    """
    values = np.asarray(values, np.float64)
    keys = _keys(values.shape[1], groups)
    sizes = np.bincount(keys)
    sums = np.stack([np.bincount(keys, weights=row) for row in values])
    generator = np.random.default_rng(0)
    seeds = generator.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), draws)
    blocks = generator.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), draws)
    means = ((seeds @ sums) * blocks).sum(axis=1) / (len(sums) * (blocks @ sizes))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def area_groups(position: np.ndarray, side_m: float) -> np.ndarray:
    """Which square of `side_m` metres each position `(Q, 3)` (east, north, up) lies in, as numbers `(Q,)`."""
    cells = np.floor(np.asarray(position)[:, :2] / side_m).astype(np.int64)
    return np.unique(cells, axis=0, return_inverse=True)[1].ravel()


def _keys(count: int, groups: np.ndarray | None) -> np.ndarray:
    return np.arange(count) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1].ravel()


def _random_signs(draws: int, width: int, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    for start in range(0, draws, _DRAWS_AT_ONCE):
        yield generator.choice((-1.0, 1.0), size=(min(_DRAWS_AT_ONCE, draws - start), width))


def _paired(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"paired results have shapes {a.shape} and {b.shape}; expected (Q,) over the same queries")
    return a, b
