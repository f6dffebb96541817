"""What each part of a descriptor does to the ranking: with the main part alone, with the side part alone, with both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.dataset.frames import PlaceRule
from butf.networks.zoo import Model
from butf.retrieval.explore import SplitSearch

BY = ("main alone", "both", "side alone")


@dataclass(frozen=True, eq=False)
class PartRanks:
    """Ranks from 1 of the whole database by main part, by the full descriptor, and by side part.

    `ranks` `(3, D)` in the order of `BY`, or `(1, D)` for a descriptor of one part; `frames` `(D,)` frame numbers;
    `correct` `(D,)`, None where the truth is not known.
    """

    frames: np.ndarray
    ranks: np.ndarray
    correct: np.ndarray | None

    @property
    def first_correct(self) -> list[int] | None:
        """By each ordering the rank of the first right place; None where none is known to be right."""
        if self.correct is None or not self.correct.any():
            return None
        ranks: list[int] = self.ranks[:, self.correct].min(axis=1).tolist()
        return ranks


def part_ranks(
    search: SplitSearch, model: Model, query: int | None, descriptor: np.ndarray | None, rule: PlaceRule
) -> PartRanks:
    """The database ranked by each part of the descriptor of a query frame, or of one's own photo's `descriptor`."""
    if query is not None:
        descriptor = search.descriptor(query)
    assert descriptor is not None
    gaps = np.square(search.table - np.reshape(descriptor, (1, -1)))
    main = model.network.main_dim
    gaps[search.database == query] = np.inf
    cuts = [slice(0, main)]
    if gaps.shape[1] > main:
        cuts += [slice(None), slice(main, None)]
    distances = np.stack([gaps[:, cut].sum(axis=1) for cut in cuts])
    ranks = distances.argsort(axis=1, kind="stable").argsort(axis=1) + 1
    correct = None
    if query is not None:
        correct = search.frames.positives(np.array([query]), search.database, rule)[0]
    return PartRanks(search.database, ranks, correct)
