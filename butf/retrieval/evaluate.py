"""Models on one split of a data set, in the form that `python -m butf evaluate --json` writes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from butf.dataset.frames import Frames, PlaceRule
from butf.dataset.samples import SIDE_STRIDE
from butf.errors import BadInput
from butf.retrieval.bank import Progress
from butf.retrieval.explore import SplitSearch, split_search
from butf.retrieval.pairs import by_condition, condition_rows
from butf.retrieval.recall import RANKS, distance_limits, recall_at, recall_at_distance, wilson
from butf.retrieval.side import side_errors, summary

if TYPE_CHECKING:
    from butf.networks.zoo import Model

_WARM_UP, _TIMED = 3, 15


def evaluate(
    frames: Frames,
    split: str,
    models: Sequence[Model],
    progress: Progress | None = None,
    rule: PlaceRule | None = None,
    side: bool = True,
    keep: Path | None = None,
) -> dict[str, Any]:
    """Recall by condition, reconstruction errors, speed and paired tests of some models on one split.

    Recall is a fraction of the queries that have a true match in the database under `rule` (the data set's own):
    `queries` counts all, `unmatched` those without. What no query can tell is None. `side` also reconstructs the
    side modality of the queries that have a true one; `keep` is a folder to write descriptors to, for shipping.

    `paired` holds bu-tf against every other model and every model against image-only (where neither is there: each
    against the first): `gain` in recall@1, `p` of McNemar's exact test over queries, `p_blocks` of a permutation
    test that flips neighbouring queries together, which are no independent witnesses, and `a_only` and `b_only`, how
    many queries only one of the two gets right at rank 1.

    Raises `BadInput` when the split has no queries, or when two models have one name.
    """
    rule = rule or frames.place
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise BadInput(f"two of the models {', '.join(names)} have one name; give each model once, under its own name")
    searches = [split_search(frames, split, model, max(RANKS), progress, keep) for model in models]
    errors = [
        side_errors(frames, search.queries, model, progress, keep) if side else None
        for model, search in zip(models, searches, strict=True)
    ]
    database = frames.database(split)
    return {
        "dataset": frames.name,
        "split": split,
        "radius_m": rule.radius_m,
        "angle_deg": rule.angle_deg,
        "database": {
            "condition": ", ".join(sorted(set(frames.condition[database].tolist()))),
            "frames": len(database),
        },
        "models": [
            _model_entry(model, search, rule, errors_of)
            for model, search, errors_of in zip(models, searches, errors, strict=True)
        ],
        "paired": [
            pair.entry()
            for a, b in compared_pairs([model.card.method for model in models])
            for pair in by_condition(searches[a], searches[b], rule)
        ],
    }


def milliseconds_per_image(model: Model, frames: Frames, query: int) -> float:
    """Milliseconds to describe one prepared picture, batch 1: the median of some after a warm-up."""
    device = next(model.network.parameters()).device
    asked = [model.prepare(frames.image(query))[None].to(device)]
    if model.reads_side:
        height, width = (side // SIDE_STRIDE for side in asked[0].shape[-2:])
        asked += [torch.zeros(1, 1, height, width, device=device), torch.ones(1, 1, height, width, device=device) > 0]
    describe = model.deployed.describe_measured if model.reads_side else model.deployed.describe
    times = []
    with torch.inference_mode():
        for _ in range(_WARM_UP + _TIMED):
            start = time.perf_counter()
            describe(*asked)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times.append(time.perf_counter() - start)
    return float(1000 * np.median(times[_WARM_UP:]))


def _model_entry(model: Model, search: SplitSearch, rule: PlaceRule, errors: np.ndarray | None) -> dict[str, Any]:
    card = model.card
    entry: dict[str, Any] = {
        "name": model.name,
        "method": card.method,
        "parameters": card.parameters,
        "size_ratio": card.size_ratio,
        "training_steps": card.training_steps,
        "images_seen": card.images_seen or 0,
        "descriptor_dim": card.descriptor_dim,
        "milliseconds_per_image": milliseconds_per_image(model, search.frames, search.queries[0]),
        "conditions": [
            _condition_entry(search, rule, rows, condition, condition in card.seen, errors)
            for condition, rows in condition_rows(search)
        ],
    }
    return entry | _side(errors)


def _condition_entry(
    search: SplitSearch, rule: PlaceRule, rows: np.ndarray, condition: str, seen: bool, errors: np.ndarray | None
) -> dict[str, Any]:
    hits, matched = (values[rows] for values in search.judge(rule))
    metres = search.retrieval.metres[rows]
    count = int(matched.sum())
    recall = {n: recall_at(hits, matched, n) for n in RANKS}
    entry: dict[str, Any] = {
        "condition": condition,
        "seen": seen,
        "queries": len(rows),
        "unmatched": len(rows) - count,
        "recall": {str(n): _known(value) for n, value in recall.items()},
        "interval95": {
            str(n): [_known(bound) for bound in wilson(round(value * count) if count else 0, count)]
            for n, value in recall.items()
        },
        "recall_at_distance": {
            f"{limit:g}": _known(recall_at_distance(metres, matched, limit)) for limit in distance_limits(rule.radius_m)
        },
    }
    return entry | _side(None if errors is None else errors[rows])


def _side(errors: np.ndarray | None) -> dict[str, Any]:
    found = None if errors is None else summary(errors)
    return {} if found is None else {"side": found}


def compared_pairs(methods: Sequence[str]) -> list[tuple[int, int]]:
    """Which models are compared, as numbers (a, b): see `evaluate`."""
    everyone = range(len(methods))
    pairs = [(a, b) for a in everyone for b in everyone if a != b and methods[a] == "bu-tf" and methods[b] != "bu-tf"]
    pairs += [(a, b) for a in everyone for b in everyone if methods[b] == "image-only" and methods[a] != "image-only"]
    return list(dict.fromkeys(pairs)) or [(a, 0) for a in everyone[1:]]


def _known(value: float) -> float | None:
    """None in place of not-a-number, which JSON has no word for."""
    return None if math.isnan(value) else value
