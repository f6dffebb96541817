"""Who is expected to beat whom in the experiment, and whether it did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from butf.experiment.outcome import Queries, Result
from butf.experiment.plan import Claim
from butf.retrieval.compare import seeded_gain


def claims(queries: Queries, results: dict[str, Result], expected: Sequence[Claim]) -> list[dict[str, Any]]:
    """Each claim whose two variants share a training seed: the gain, paired by query, its interval and p."""
    return [
        _claim(queries, results[a], results[b], where, wanted)
        for a, b, where, wanted in expected
        if a in results and b in results and set(results[a].seeds) & set(results[b].seeds)
    ]


def _claim(queries: Queries, a: Result, b: Result, where: str, wanted: float) -> dict[str, Any]:
    rows = queries.rows(queries.known.get(where, [where]))
    both = sorted(set(a.seeds) & set(b.seeds))
    left, right = (result.hits[[result.seeds.index(seed) for seed in both]][:, rows] for result in (a, b))
    found = seeded_gain(left, right, queries.groups[rows])
    return {
        "a": a.variant.name,
        "b": b.variant.name,
        "where": where,
        "seeds": both,
        "queries": len(rows),
        "gain": found.gain,
        "interval95": list(found.interval95),
        "p": found.p,
        "by_seed": list(found.by_seed),
        "wanted": wanted,
        "holds": bool(found.gain >= wanted and (found.p < 0.01 or wanted < 0)),
    }
