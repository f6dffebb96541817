"""One query on a plan in metres: where it was taken, and where the candidates that were retrieved for it were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.dataset.frames import Frames
from butf.figures.marks import Mark
from butf.retrieval.explore import QueryResult


@dataclass(frozen=True, eq=False)
class Plan:
    """Positions in metres east and north of the database's south-west corner.

    `database` `(D, 2)`; `query` the true place; `marks` the candidates, the first one's position being the answer.
    """

    database: np.ndarray
    query: tuple[float, float]
    marks: list[Mark]

    @property
    def error_m(self) -> float:
        """How far the answer is from the true place."""
        return self._metres()[0]

    @property
    def best_m(self) -> float:
        """How far the best of the candidates is: what a perfect refinement could start from."""
        return min(self._metres())

    def _metres(self) -> list[float]:
        return [mark.metres for mark in self.marks if mark.metres is not None]


def plan(frames: Frames, split: str, result: QueryResult) -> Plan:
    """The plan of a query of the data set; `result` has at least one candidate."""
    database = frames.position[frames.database(split), :2]
    at = frames.position[:, :2] - database.min(axis=0)
    marks = [
        Mark(
            result.model,
            str(frames.frame[c.frame]),
            float(at[c.frame, 0]),
            float(at[c.frame, 1]),
            c.rank,
            c.metres,
            c.correct,
        )
        for c in result.candidates
    ]
    return Plan(database - database.min(axis=0), tuple(at[result.query].tolist()), marks)
