"""What the Compare page shows, read from an evaluation in the form of `python -m butf evaluate --json`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from butf import files
from butf.dataset.frames import PlaceRule
from butf.errors import BadInput
from butf.figures.bars import Bar
from butf.figures.recall import Curve, Gain, points_text
from butf.figures.size import Sized
from butf.networks.card import Card
from butf.retrieval.recall import wilson

BASELINE = "image-only"


@dataclass(frozen=True)
class Condition:
    """One condition of an evaluation: how many queries it has, and whether training used its place labels."""

    name: str
    seen: bool
    queries: int
    unmatched: int

    @property
    def text(self) -> str:
        lost = f", {self.unmatched} without a match" if self.unmatched else ""
        return f"{'seen' if self.seen else 'unseen'} in training · {self.queries} queries{lost}"


@dataclass(frozen=True)
class Row:
    """A line of the talk's table, measured. Gains are in points of recall@1, averaged over conditions."""

    model: str
    recall1: dict[str, tuple[float | None, tuple[float, float] | None]]
    gains: tuple[Gain, ...]
    parameters: int
    size_ratio: float
    training_steps: int
    images_seen: int | None
    milliseconds: float
    side: dict[str, Any] | None


def results_path(data: str, split: str) -> Path:
    """Where the shipped evaluation of a data set's split lies."""
    return files.ASSETS / "results" / f"{data}-{split}.json"


def shipped(data: str, split: str, models: Sequence[str], rule: PlaceRule) -> dict[str, Any] | None:
    """The shipped evaluation where it covers these models and this rule, only these models kept; else None."""
    path = results_path(data, split)
    if not path.exists():
        return None
    evaluation = checked(files.read_json(path), path)
    known = {entry["name"] for entry in evaluation["models"]}
    same_rule = (evaluation["radius_m"], evaluation.get("angle_deg")) == (rule.radius_m, rule.angle_deg)
    return only(evaluation, models) if same_rule and set(models) <= known else None


def checked(evaluation: Any, path: Path) -> dict[str, Any]:
    """The evaluation itself; `BadInput` when a file holds something else."""
    try:
        for entry in evaluation["models"]:
            _ = entry["name"], entry["size_ratio"], [c["recall"]["1"] for c in entry["conditions"]]
        _ = evaluation["radius_m"], [(pair["a"], pair["b"], pair["gain"], pair["p"]) for pair in evaluation["paired"]]
    except (KeyError, TypeError) as error:
        raise BadInput(f"{path} is not an evaluation of ours; write it anew with `python -m butf evaluate`") from error
    found: dict[str, Any] = evaluation
    return found


def only(evaluation: dict[str, Any], models: Sequence[str]) -> dict[str, Any]:
    """The evaluation with these models only, in this order."""
    by_name = {entry["name"]: entry for entry in evaluation["models"]}
    pairs = [pair for pair in evaluation["paired"] if pair["a"] in models and pair["b"] in models]
    return evaluation | {"models": [by_name[name] for name in models], "paired": pairs}


def conditions(evaluation: dict[str, Any]) -> list[Condition]:
    """The conditions, the seen ones first; seen means by every model that was trained here."""
    trained = [entry for entry in evaluation["models"] if entry["training_steps"]] or evaluation["models"]
    first = trained[0]["conditions"]
    found = [
        Condition(
            c["condition"], all(entry["conditions"][i]["seen"] for entry in trained), c["queries"], c["unmatched"]
        )
        for i, c in enumerate(first)
    ]
    return sorted(found, key=lambda condition: not condition.seen)


def groups(found: Sequence[Condition]) -> dict[str, list[str]]:
    """What a mean may be taken over: all conditions, and the seen and the unseen ones where there are both."""
    parts = {
        word: [condition.name for condition in found if condition.seen is seen]
        for word, seen in (("seen", True), ("unseen", False))
    }
    return {"all": [condition.name for condition in found]} | (parts if all(parts.values()) else {})


def recall_curves(evaluation: dict[str, Any], condition: str, by_distance: bool = False) -> list[Curve]:
    """recall@N, or recall@D with `by_distance`, of each model under a condition, with 95 % intervals."""
    curves = []
    for entry in evaluation["models"]:
        measured = _condition(entry, condition)
        values = measured["recall_at_distance" if by_distance else "recall"]
        counted = measured["queries"] - measured["unmatched"]
        points = [(float(x), y) for x, y in values.items() if y is not None]
        bounds = [wilson(round(y * counted), counted) for _, y in points]
        x, y = [x for x, _ in points], [y for _, y in points]
        curves.append(Curve(entry["name"], x, y, [low for low, _ in bounds], [high for _, high in bounds]))
    return curves


def bars(evaluation: dict[str, Any]) -> list[Bar]:
    """recall@1 of each model under each condition, the seen ones first, with 95 % intervals."""
    return [
        Bar(entry["name"], condition.name, condition.seen, recall, *interval, condition.queries - condition.unmatched)
        for condition in conditions(evaluation)
        for entry in evaluation["models"]
        for recall, interval in [_recall1(_condition(entry, condition.name))]
        if recall is not None and interval is not None
    ]


def sizes(evaluation: dict[str, Any], names: Sequence[str]) -> list[Sized]:
    """Each model's size and its recall@1 averaged over the conditions `names`, with the 95 % interval of the mean.

    The interval puts the conditions' Wilson intervals together as independent ones (the method of variance estimates
    recovery: Zou and Donner, Statistics in Medicine 2008).
    """
    found = []
    for entry in evaluation["models"]:
        measured = [_recall1(_condition(entry, name)) for name in names]
        known = [(recall, *interval) for recall, interval in measured if recall is not None and interval is not None]
        if known:
            mean = sum(recall for recall, _, _ in known) / len(known)
            below = math.hypot(*(recall - low for recall, low, _ in known)) / len(known)
            above = math.hypot(*(high - recall for recall, _, high in known)) / len(known)
            found.append(
                Sized(entry["name"], entry["parameters"], entry["size_ratio"], mean, mean - below, mean + above)
            )
    return found


def trained_elsewhere(cards: Sequence[Card], data: str) -> str | None:
    """A sentence that names the models trained on another data set than `data`; None when there are none."""
    others = [f"{card.name} on {card.data}" for card in cards if card.data not in (None, data)]
    if not others:
        return None
    return (
        f"Trained on another data set than {data}: {', '.join(others)}. Their conditions count as seen where the "
        f"names agree; to compare on equal terms, train on {data}."
    )


def baseline(evaluation: dict[str, Any]) -> str | None:
    """The model that the others are measured against: the first image-only one."""
    named = (entry["name"] for entry in evaluation["models"] if entry.get("method", entry["name"]) == BASELINE)
    return next(named, None)


def gains(evaluation: dict[str, Any], over: str | None) -> list[Gain]:
    """What each model gains over another one, by condition.

    The p is that of the test which takes neighbouring queries as dependent, where the evaluation holds one.
    """
    return [
        Gain(pair["a"], pair["b"], pair["condition"], 100 * pair["gain"], pair.get("p_blocks", pair["p"]))
        for pair in evaluation["paired"]
        if pair["b"] == over and pair["gain"] is not None
    ]


def rows(evaluation: dict[str, Any]) -> list[Row]:
    """The talk's table."""
    found = gains(evaluation, baseline(evaluation))
    return [
        Row(
            model=entry["name"],
            recall1={c["condition"]: _recall1(c) for c in entry["conditions"]},
            gains=tuple(gain for gain in found if gain.model == entry["name"]),
            parameters=entry["parameters"],
            size_ratio=entry["size_ratio"],
            training_steps=entry["training_steps"],
            images_seen=entry.get("images_seen"),
            milliseconds=entry["milliseconds_per_image"],
            side=entry.get("side"),
        )
        for entry in evaluation["models"]
    ]


def improvement(row: Row, names: Sequence[str]) -> tuple[str, str] | None:
    """A model's gain averaged over some conditions, and in how many of them it is clear; None where there is none."""
    own = [gain for gain in row.gains if gain.condition in names]
    if not own:
        return None
    mean = math.fsum(gain.points for gain in own) / len(own)
    counts = {
        "better": sum(gain.clear and gain.points > 0 for gain in own),
        "worse": sum(gain.clear and gain.points < 0 for gain in own),
    }
    clear = [f"clearly {word} in {count} of {len(own)}" for word, count in counts.items() if count]
    return points_text(mean), ", ".join(clear) or "within the noise"


def differences(evaluation: dict[str, Any], names: Sequence[str]) -> dict[str, list[Gain]]:
    """Paired differences over the conditions `names`, by pair: "bu-tf against image-only" -> gains."""
    pairs = list(dict.fromkeys((pair["a"], pair["b"]) for pair in evaluation["paired"]))
    method = {entry["name"]: entry.get("method", entry["name"]) for entry in evaluation["models"]}
    pairs.sort(key=lambda pair: (method[pair[0]] != "bu-tf", method[pair[1]] != BASELINE))
    found = {f"{a} against {b}": [gain for gain in gains(evaluation, b) if gain.model == a] for a, b in pairs}
    return {pair: sorted(own, key=lambda gain: names.index(gain.condition)) for pair, own in found.items()}


def caption(evaluation: dict[str, Any]) -> str:
    """What was measured on what, for the foot of the table."""
    database = evaluation["database"]
    angle = f" and {evaluation['angle_deg']:g}°" if evaluation.get("angle_deg") else ""
    return (
        f"Gains are differences in recall@1 to {baseline(evaluation) or BASELINE}, within {evaluation['radius_m']:g} m"
        f"{angle}, averaged over conditions. Size is the ratio of parameters to image-only on the same trunk. Measured "
        f"on the {evaluation['split']} split of {evaluation['dataset']}, whose database holds {database['frames']} "
        f"pictures ({database['condition']})."
    )


def _condition(entry: dict[str, Any], condition: str) -> dict[str, Any]:
    return next(c for c in entry["conditions"] if c["condition"] == condition)


def _recall1(condition: dict[str, Any]) -> tuple[float | None, tuple[float, float] | None]:
    interval = condition["interval95"].get("1")
    return condition["recall"]["1"], None if interval is None or None in interval else tuple(interval)
