"""Made-up descriptors that are spread and clustered as the real ones of the shipped town, in any number.

Real descriptors along a street change little by little: their squared distance rises with the metres between them
from a nugget to a sill, d2(h) = nugget + (sill - nugget) (1 - exp(-h / length)), which is fitted to the reference
pictures of the town. Made-up streets are first-order Gaussian processes of that law with the real mean and
covariance, each part brought to unit length; a query is a database picture plus a difference drawn from the second
moments of what real queries, in all conditions, differ from the nearest reference picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit

from butf.dataset.frames import Frames
from butf.networks.zoo import Model
from butf.retrieval.bank import bank

STREET = 250
"""Pictures of a street; streets are independent of each other."""
SPACING_M = 5.0
SHARD = 250_000


@dataclass(frozen=True, eq=False)
class Real:
    """Descriptors of the shipped town's test district: the reference `(D, C)`, and the queries `(Q, C)`."""

    reference: np.ndarray
    reference_m: np.ndarray
    queries: np.ndarray
    queries_m: np.ndarray
    main: int

    @classmethod
    def of(cls, frames: Frames, model: Model, split: str = "test") -> Real:
        rows = frames.where(split=split)
        described, database = bank(frames, rows, model), np.isin(rows, frames.database(split))
        metres = frames.position[rows][:, :2]
        return cls(
            described[database], metres[database], described[~database], metres[~database], model.network.main_dim
        )


@dataclass(frozen=True, eq=False)
class Law:
    """What is made up follows this: moments `(C,)` and `(C, C)` of descriptors and of a query's differences."""

    mean: np.ndarray
    spread: np.ndarray
    """A root of the covariance, as is `change`."""
    change: np.ndarray
    kept: float
    """How much of a street's process is left after one picture."""
    nugget: float
    """The share of the variance that two pictures of one spot do not have in common."""
    length_m: float
    main: int

    @classmethod
    def of(cls, real: Real) -> Law:
        nugget, sill, length = _variogram(real.reference, real.reference_m)
        away = np.linalg.norm(real.queries_m[:, None] - real.reference_m[None], axis=-1)
        differences = (real.queries - real.reference[away.argmin(axis=1)])[away.min(axis=1) < SPACING_M]
        change = differences.T @ differences / len(differences)
        spread = np.cov(real.reference.T)
        spread *= sill / 2 / np.trace(spread)  # two independent pictures are a sill apart
        return cls(
            real.reference.mean(axis=0).astype(np.float32), _root(spread), _root(change),
            float(np.exp(-SPACING_M / length)), nugget / sill, length, real.main,
        )  # fmt: skip

    def shards(self, rows: int, seed: int) -> Iterator[np.ndarray]:
        """Database descriptors `(N, C)` float32 in shards of whole streets; the same ones for a seed, each time."""
        for number, start in enumerate(range(0, rows, SHARD)):
            rng = np.random.default_rng((seed, number))
            count = min(SHARD, rows - start)
            yield self._streets(-(-count // STREET), rng)[:count]

    def asked(self, shard: np.ndarray, count: int, seed: int) -> np.ndarray:
        """Queries `(count, C)` of places in a shard."""
        rng = np.random.default_rng((seed, 1 << 20))
        places = shard[rng.choice(len(shard), count, replace=False)]
        return self._unit(places + self._normal(rng, count) @ self.change)

    def _streets(self, streets: int, rng: np.random.Generator) -> np.ndarray:
        fresh = np.float32(np.sqrt(1 - self.kept**2))
        along = np.empty((streets, STREET, len(self.mean)), np.float32)
        state = self._normal(rng, streets)
        for step in range(STREET):
            along[:, step] = state
            state = np.float32(self.kept) * state + fresh * self._normal(rng, streets)
        flat = along.reshape(-1, len(self.mean))
        flat *= np.float32(np.sqrt(1 - self.nugget))
        flat += np.float32(np.sqrt(self.nugget)) * self._normal(rng, len(flat))
        return self._unit(flat @ self.spread + self.mean)

    def _normal(self, rng: np.random.Generator, rows: int) -> np.ndarray:
        return rng.standard_normal((rows, len(self.mean)), np.float32)

    def _unit(self, table: np.ndarray) -> np.ndarray:
        for part in (table[:, : self.main], table[:, self.main :]):
            if part.shape[1]:
                part /= np.linalg.norm(part, axis=1, keepdims=True)
        return table


def _variogram(table: np.ndarray, metres: np.ndarray) -> tuple[float, float, float]:
    """Nugget, sill and length in metres of the law of squared distances, fitted in bins of distance."""
    one, other = np.triu_indices(len(table), 1)
    away = np.linalg.norm(metres[one] - metres[other], axis=1)
    apart = np.square(table[one] - table[other]).sum(axis=1)
    edges = np.array([2, 5, 8, 12, 18, 25, 35, 50, 70, 100, 1e9])
    chosen = [(away >= low) & (away < high) for low, high in itertools.pairwise(edges)]
    middle = np.array([np.median(away[rows]) for rows in chosen])
    seen = np.array([apart[rows].mean() for rows in chosen])

    def law(h: np.ndarray, nugget: float, sill: float, length: float) -> np.ndarray:
        return nugget + (sill - nugget) * (1 - np.exp(-h / length))

    start = (seen[0] / 2, seen[-1], 20.0)
    (nugget, sill, length), _ = curve_fit(
        law, middle, seen, start, sigma=seen, bounds=(0, [seen[-1], 2 * seen[-1], 1000])
    )
    return float(nugget), float(sill), float(length)


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    root: np.ndarray = ((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T).astype(np.float32)
    return root
