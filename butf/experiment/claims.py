"""Who is expected to beat whom in the experiment, and whether it did."""

from __future__ import annotations

from typing import Any

from butf.experiment.outcome import Queries, Result
from butf.retrieval.compare import seeded_gain

CLAIMS = (
    ("bu-tf", "image-only", "seen", 0.03),
    ("bu-tf", "image-only", "unseen", 0.0),
    ("bu-tf", "image-only-wide", "seen", 0.0),
    ("bu-tf", "image-only-wide", "unseen", 0.0),
    ("bu-tf", "hallucination", "seen", 0.0),
    ("bu-tf", "hallucination", "unseen", 0.0),
    ("bu-tf-adapted", "image-only", "night", 0.15),
    ("bu-tf-adapted", "image-only-wide", "night", 0.05),
    ("bu-tf-adapted", "image-only-wide-guesses", "night", 0.05),
    ("bu-tf-adapted", "image-only-wide-guesses", "unseen", 0.0),
    ("bu-tf-adapted", "image-only-wide-guesses", "seen", 0.0),
    ("bu-tf-adapted", "hallucination", "unseen", 0.0),
    ("bu-tf-adapted", "hallucination", "seen", 0.0),
    ("bu-tf-adapted", "image-only-statistics", "night", 0.05),
    ("bu-tf-adapted", "image-only-wide-statistics", "night", 0.05),
    ("bu-tf-adapted", "image-only-wide-consistency", "night", 0.05),
    ("bu-tf-adapted", "bu-tf", "night", 0.0),
    ("bu-tf-adapted", "bu-tf", "unseen", 0.0),
    ("bu-tf-adapted", "bu-tf", "seen", -0.01),
    ("bu-tf-adapted", "bu-tf-adapted-depth", "unseen", 0.0),
    ("bu-tf-adapted-depth", "bu-tf-adapted-decoder", "unseen", 0.0),
    ("bu-tf-adapted-depth", "bu-tf-adapted-decoder", "night", 0.0),
    ("bu-tf", "bu-tf-detached", "seen", 0.0),
    ("bu-tf-diversified", "bu-tf", "seen", 0.0),
    ("bu-tf", "bu-tf-reencode", "seen", 0.0),
    ("image-only", "image-only-tuples", "seen", 0.0),
    ("bu-tf-alexnet", "image-only-alexnet", "seen", 0.03),
    ("bu-tf-alexnet", "hallucination-alexnet", "seen", 0.0),
)
"""Who is expected to beat whom, where, and by how much in recall@1."""


def claims(queries: Queries, results: dict[str, Result]) -> list[dict[str, Any]]:
    """Each of CLAIMS whose two variants share a training seed: the gain, paired by query, its interval and p."""
    return [
        _claim(queries, results[a], results[b], where, wanted)
        for a, b, where, wanted in CLAIMS
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
