"""What an experiment found, as the plain values that `docs/results/*.json` hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from butf.dataset.frames import Frames
from butf.experiment.claims import claims
from butf.experiment.outcome import Queries, Result, missing
from butf.experiment.plan import Plan
from butf.retrieval.compare import seeded_gain, seeded_interval
from butf.retrieval.side import METRICS
from butf.training.config import TrainConfig
from butf.training.recipes import count_trained

ELSEWHERE = ("data", "start_from", "device", "validate_every", "final_queries", "checkpoint_every")
"""Settings that say where a run's files lie and what it reports, not what it learns."""


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
        "models": [_entry(result, queries) for result in results if not result.variant.swept],
        "sweep": sweep_points(queries, [result for result in results if result.variant.swept]),
        "claims": claims(queries, {result.variant.name: result for result in results}, plan.claims),
    }


def deviations(plan: Plan, results: list[Result]) -> list[str]:
    """In words, where a model was trained with other settings than the plan has now, of those that its method reads."""
    planned = {trial.folder: trial.config for trial in plan.trials()}
    found = []
    for result in results:
        for seed, card in zip(result.seeds, result.cards, strict=True):
            config = planned.get(f"seed-{seed}/{result.variant.name}")
            if config is None:
                continue
            wanted = config.as_dict()
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
        "descriptor_dim": card.descriptor_dim,
        "training_steps": card.training_steps,
        "images_seen": card.images_seen or 0,
        "seconds": round(float(np.mean(seconds)), 1) if seconds else None,
        "seeds": list(result.seeds),
        "conditions": [_recall(name, [name], result, queries) | {"seen": seen} for name, seen in queries.seen.items()],
        "groups": [_recall(word, names, result, queries) for word, names in queries.known.items()],
        "real": list(result.real),
    }
    if result.side is not None:
        entry["side"] = [_side(name, result.side[:, queries.rows([name])]) for name in queries.seen]
    return entry


def sweep_points(queries: Queries, results: list[Result]) -> list[dict[str, Any]]:
    """The points of the diversification sweep, each with its gain over the same weight of transfer without equation 4.

    Its `groups` are recall over the seen conditions and over the unseen ones.
    """
    points = []
    for result in results:
        config = result.cards[0].config
        without = [
            other for other in results
            if (other.cards[0].config["lambda_div"], other.cards[0].config["sigma_transfer"])
            == (None, config["sigma_transfer"])
        ]  # fmt: skip
        groups = []
        for word, names in queries.known.items():
            rows = queries.rows(names)
            group = _recall(word, names, result, queries)
            if without and without[0] is not result and without[0].seeds == result.seeds:
                found = seeded_gain(result.hits[:, rows], without[0].hits[:, rows], queries.groups[rows])
                group |= {"gain": found.gain, "p": found.p}
            groups.append(group)
        keys = ("lambda_div", "sigma_transfer", "steps")
        points.append({key: config[key] for key in keys} | {"groups": groups})
    return points


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
