"""What the trained models of an experiment do on a split: results by query, seed and condition, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from butf.dataset.frames import Frames
from butf.dataset.pairs import PlacePairs
from butf.dataset.samples import Samples
from butf.experiment.plan import Plan, Trial, Variant
from butf.experiment.runner import Say, is_finished
from butf.networks import zoo
from butf.networks.card import Card
from butf.networks.zoo import Model
from butf.retrieval.compare import area_groups, seeded_gain, seeded_interval
from butf.retrieval.explore import split_search
from butf.retrieval.recall import Retrieval, ranking
from butf.retrieval.side import METRICS, side_errors
from butf.training.config import TrainConfig
from butf.training.recipes import count_trained
from butf.training.validation import describe_samples

AREA_RADII = 4
"""Side, in radii of the place rule, of the squares whose queries are taken as dependent."""

ELSEWHERE = ("data", "start_from", "device", "validate_every", "checkpoint_every")
"""Settings that say where a run's files lie and what it reports, not what it learns."""


@dataclass(frozen=True, eq=False)
class Result:
    """One variant on one split. S seeds, Q queries with a true match in the database."""

    variant: Variant
    seeds: tuple[int, ...]
    cards: tuple[Card, ...]
    hits: np.ndarray
    """(S, Q) whether the first candidate is right."""
    side: np.ndarray | None
    """(S, Q, 3) AbsRel, RMSE in metres and delta1 of the reconstructed depth; None without one."""
    real: tuple[float, ...]
    """recall@1 on the real pairs, by seed; empty without pairs."""


@dataclass(frozen=True, eq=False)
class Queries:
    """The queries that all variants are judged on."""

    condition: np.ndarray
    """(Q,) names."""
    seen: dict[str, bool]
    """By condition: whether training may use its place labels."""
    groups: np.ndarray
    """(Q,) which neighbourhood a query lies in."""

    def rows(self, conditions: list[str]) -> np.ndarray:
        """The queries of some conditions, as numbers."""
        return np.flatnonzero(np.isin(self.condition, conditions))


def judge(
    plan: Plan, folder: Path, frames: Frames, split: str, pairs: PlacePairs | None, say: Say
) -> tuple[Queries, list[Result]]:
    """Off-the-shelf and every variant of which some seed is trained, on the matched queries of a split."""
    floor = Variant("off-the-shelf", "ImageNet weights as they come", "off-the-shelf")
    chosen: list[tuple[Variant, list[tuple[int, str]]]] = [(floor, [(0, "off-the-shelf")])]
    trained = [trial for trial in plan.trials() if is_finished(trial, folder)]
    for variant in plan.variants:
        models = [(trial.seed, str(folder / trial.folder)) for trial in trained if trial.variant is variant]
        chosen += [(variant, models)] if models else []
    results = []
    for variant, models in chosen:
        say(f"judging {variant.name}")
        results.append(_result(variant, models, frames, split, pairs))
    rows = np.concatenate(list(frames.queries(split).values()))
    matched = frames.positives(rows, frames.database(split)).any(axis=1)
    rows = rows[matched]
    queries = Queries(
        frames.condition[rows],
        {name: frames.seen(name) for name in frames.queries(split)},
        area_groups(frames.position[rows], AREA_RADII * frames.place.radius_m),
    )
    return queries, results


def missing(plan: Plan, folder: Path) -> list[Trial]:
    """The trials of which there is no model yet."""
    return [trial for trial in plan.trials() if not is_finished(trial, folder)]


def _result(
    variant: Variant, models: list[tuple[int, str]], frames: Frames, split: str, pairs: PlacePairs | None
) -> Result:
    hits, sides, cards, real = [], [], [], []
    for _, name in models:
        model = zoo.load(name)
        retrieval = _retrieve(model, frames, split)
        right, matched = retrieval.judge()
        hits.append(right[matched, 0])
        errors = None if model.network.reads_side else side_errors(frames, retrieval.queries, model)
        sides += [errors[matched]] if errors is not None else []
        real += [pair_recall(model, pairs)] if pairs and not model.network.reads_side else []
        cards.append(model.card)
    side = np.stack(sides) if sides else None
    return Result(variant, tuple(seed for seed, _ in models), tuple(cards), np.stack(hits), side, tuple(real))


def _retrieve(model: Model, frames: Frames, split: str) -> Retrieval:
    if not model.network.reads_side:
        return split_search(frames, split, model, 1).retrieval
    database, queries = frames.database(split), np.concatenate(list(frames.queries(split).values()))
    size = model.size(*frames.image(int(database[0])).size)
    encoding = model.card.encoding
    asked, known = (
        describe_samples(model.network, Samples(frames, rows, size, encoding)) for rows in (queries, database)
    )
    return ranking(frames, queries, database, asked, known, 1)


def pair_recall(model: Model, pairs: PlacePairs) -> float:
    """recall@1 of the queries of `pairs` that have a positive."""
    queries = model.describe(pairs.images(pairs.queries))
    references = model.describe(pairs.images(pairs.references))
    first = np.argmax(queries @ references.T, axis=1)
    matched = pairs.positives.any(axis=1)
    return float(pairs.positives[np.arange(len(first)), first][matched].mean())


def report(plan: Plan, folder: Path, frames: Frames, split: str, queries: Queries, results: list[Result]) -> Any:
    """All numbers as plain values, as `docs/results/*.json` holds them. Recalls and gains are fractions."""
    return {
        "dataset": frames.name,
        "split": split,
        "trained_on": plan.data,
        "radius_m": frames.place.radius_m,
        "seeds": list(plan.seeds),
        "queries": len(queries.condition),
        "common": plan.common,
        "missing": [trial.folder for trial in missing(plan, folder)],
        "deviations": deviations(plan, results),
        "models": [_entry(result, queries) for result in results],
        "claims": _claims(queries, {result.variant.name: result for result in results}),
    }


def deviations(plan: Plan, results: list[Result]) -> list[str]:
    """In words, where a model was trained with other settings than the plan has now, of those that its method reads."""
    planned = {trial.folder: trial.config for trial in plan.trials()}
    found = []
    for result in results:
        for seed, card in zip(result.seeds, result.cards, strict=True):
            config = planned.get(f"seed-{seed}/{result.variant.name}")
            wanted = config.as_dict() if config else {}
            for name in sorted(wanted.keys() & card.config.keys()):
                if card.config[name] != wanted[name] and config.reads(name) and name not in ELSEWHERE:
                    found.append(f"{result.variant.name}, seed {seed}: {name} {card.config[name]}, now {wanted[name]}")
    return found


def _entry(result: Result, queries: Queries) -> dict[str, Any]:
    card = result.cards[0]
    seconds = [card.seconds for card in result.cards if card.seconds is not None]
    entry: dict[str, Any] = {
        "name": result.variant.name,
        "about": result.variant.about,
        "method": result.variant.method,
        "parameters": card.parameters,
        "trained_parameters": count_trained(TrainConfig.from_dict(card.config)) if card.config else 0,
        "size_ratio": card.size_ratio,
        "training_steps": card.training_steps,
        "images_seen": card.images_seen or 0,
        "seconds": round(float(np.mean(seconds)), 1) if seconds else None,
        "seeds": list(result.seeds),
        "conditions": [_recall(name, [name], result, queries) | {"seen": seen} for name, seen in queries.seen.items()],
        "groups": [
            _recall(word, [name for name, seen in queries.seen.items() if seen is known], result, queries)
            for word, known in (("seen", True), ("unseen", False))
        ],
        "real": list(result.real),
    }
    if result.side is not None:
        entry["side"] = [_side(name, result.side[:, queries.rows([name])]) for name in queries.seen]
    return entry


def _recall(name: str, conditions: list[str], result: Result, queries: Queries) -> dict[str, Any]:
    rows = queries.rows(conditions)
    hits = result.hits[:, rows]
    return {
        "condition": name,
        "queries": len(rows),
        "recall": float(hits.mean()),
        "interval95": list(seeded_interval(hits, queries.groups[rows])),
        "by_seed": hits.mean(axis=1).tolist(),
    }


def _side(condition: str, errors: np.ndarray) -> dict[str, Any]:
    means = np.nanmean(errors, axis=(0, 1)).tolist()
    return {"condition": condition, **dict(zip(METRICS, means, strict=True))}


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
    ("bu-tf", "bu-tf-detached", "seen", 0.0),
    ("bu-tf-diversified", "bu-tf", "seen", 0.0),
)
"""Who is expected to beat whom, where, and by how much in recall@1."""


def _claims(queries: Queries, results: dict[str, Result]) -> list[dict[str, Any]]:
    return [
        _claim(queries, results[a], results[b], where, wanted)
        for a, b, where, wanted in CLAIMS
        if a in results and b in results and set(results[a].seeds) & set(results[b].seeds)
    ]


def _claim(queries: Queries, a: Result, b: Result, where: str, wanted: float) -> dict[str, Any]:
    names = [name for name, seen in queries.seen.items() if where == name or where == ("seen" if seen else "unseen")]
    rows = queries.rows(names)
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
