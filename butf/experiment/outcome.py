"""What the trained models of an experiment do on a split: results by query, seed and condition, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from butf.dataset.frames import Frames
from butf.dataset.pairs import PlacePairs
from butf.experiment.plan import Plan, Trial, Variant
from butf.experiment.runner import Say, is_finished
from butf.keypoints.zoo import load_keypoints
from butf.networks import zoo
from butf.networks.card import Card
from butf.networks.zoo import Model
from butf.retrieval import keypoint_vlad
from butf.retrieval.compare import area_groups
from butf.retrieval.explore import split_search
from butf.retrieval.keypoint_vlad import KeypointVLAD
from butf.retrieval.side import side_errors

AREA_RADII = 4
"""Side, in radii of the place rule, of the squares whose queries are taken as dependent."""


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

    @property
    def known(self) -> dict[str, list[str]]:
        """The conditions that are `seen` and those that are `unseen`."""
        return {
            word: [name for name, seen in self.seen.items() if seen is known]
            for word, known in (("seen", True), ("unseen", False))
        }

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
        model = _model(variant, name)
        places_alone = variant.swept or model.reads_side
        retrieval = split_search(frames, split, model, 1).retrieval
        right, matched = retrieval.judge()
        hits.append(right[matched, 0])
        errors = None if places_alone or not isinstance(model, Model) else side_errors(frames, retrieval.queries, model)
        sides += [errors[matched]] if errors is not None else []
        real += [pair_recall(model, pairs)] if pairs and not places_alone else []
        cards.append(model.card)
    side = np.stack(sides) if sides else None
    return Result(variant, tuple(seed for seed, _ in models), tuple(cards), np.stack(hits), side, tuple(real))


def _model(variant: Variant, name: str) -> Model | KeypointVLAD:
    if variant.made == "keypoints":
        return keypoint_vlad.load(Path(name) / "model.safetensors", load_keypoints())
    return zoo.load(name)


def pair_recall(model: Model | KeypointVLAD, pairs: PlacePairs) -> float:
    """recall@1 of the queries of `pairs` that have a positive."""
    queries = model.describe(pairs.images(pairs.queries))
    references = model.describe(pairs.images(pairs.references))
    first = np.argmax(queries @ references.T, axis=1)
    matched = pairs.positives.any(axis=1)
    return float(pairs.positives[np.arange(len(first)), first][matched].mean())
