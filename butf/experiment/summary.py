"""The results of the experiment, as the Compare page shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from butf.errors import BadInput
from butf.figures.gallery import model_html
from butf.figures.recall import p_text, points_text
from butf.figures.sweep import Point
from butf.figures.tables import percent_html, stacked_html
from butf.files import REPO, read_json

HEAD = ("Model", "Training seeds", "Size", "Pictures in training", "Seen conditions, %", "Unseen conditions, %")
VERDICTS = ("Comparison", "Seen conditions", "Unseen conditions", "Night alone")
SURE = 0.01


def load(data: str, split: str, path: Path = REPO / "docs" / "results" / "paper.json") -> dict[str, Any] | None:
    """The results, where there are some for this split; BadInput when the file holds something else."""
    if not path.is_file():
        return None
    results = read_json(path)
    try:
        for model in results["models"]:
            _ = model["name"], model["seeds"], [entry["recall"] for entry in model["groups"] + model["conditions"]]
        _ = [(claim["a"], claim["b"], claim["gain"], claim["p"], claim["by_seed"]) for claim in results["claims"]]
        return results if (results["dataset"], results["split"]) == (data, split) else None
    except (KeyError, TypeError) as error:
        raise BadInput(f"{path} holds no results of ours; write it with `python -m butf experiment paper`") from error


def head(results: dict[str, Any]) -> tuple[str, ...]:
    """The columns of `body`: those of every experiment, then each unseen condition."""
    return (*HEAD, *(f"{entry['condition']}, %" for entry in _unseen(results["models"][0])))


def body(results: dict[str, Any]) -> list[list[str]]:
    """Cells of HTML, a row a model: mean recall@1 over seeds with its 95 % interval."""
    return [
        [
            model_html(model["name"]),
            str(len(model["seeds"])) if model["training_steps"] else "–",
            f"{model['size_ratio']:.2f}x",
            f"{model['images_seen']:,}",
            *(percent_html(entry["recall"], tuple(entry["interval95"])) for entry in model["groups"]),
            *(percent_html(entry["recall"], tuple(entry["interval95"])) for entry in _unseen(model)),
        ]
        for model in results["models"]
    ]


def caption(results: dict[str, Any]) -> str:
    """What the table holds, and what it lacks."""
    text = (
        f"recall@1 on {results['queries']} queries, trained anew with each seed; 95 % intervals over seeds and squares "
        "of the map. Made by python -m butf experiment paper; more in docs/results.md."
    )
    lacking = len(results["missing"])
    return f"{text} {lacking} of its trainings have not been run yet." if lacking else text


def verdicts(results: dict[str, Any]) -> list[list[str]]:
    """Cells of HTML, under VERDICTS: each pair that was to be compared, and who is better where."""
    places = ("seen", "unseen", "night")
    pairs = dict.fromkeys((claim["a"], claim["b"]) for claim in results["claims"])
    found = {(claim["a"], claim["b"], claim["where"]): claim for claim in results["claims"]}
    return [
        [
            f"{model_html(a)}<br><small>over</small> {model_html(b)}",
            *(_verdict(found[a, b, where]) if (a, b, where) in found else "\N{EN DASH}" for where in places),
        ]
        for a, b in pairs
    ]


def sweep(results: dict[str, Any], group: str) -> list[Point]:
    """Points of the diversification sweep, over the `seen` or the `unseen` conditions; none where it was not run."""
    points = []
    for entry in results.get("sweep", []):
        found = next(part for part in entry["groups"] if part["condition"] == group)
        note = f", {points_text(100 * found['gain'])} (p {p_text(found['p'])})" if "gain" in found else ""
        low, high = found["interval95"]
        points.append(Point(entry["lambda_div"], entry["sigma_transfer"], found["recall"], low, high, note))
    return points


def _verdict(claim: dict[str, Any]) -> str:
    word = "no clear difference" if claim["p"] >= SURE else "clearly better" if claim["gain"] > 0 else "clearly worse"
    by_seed = ", ".join(f"{100 * gain:+.1f}".replace("-", "\N{MINUS SIGN}") for gain in claim["by_seed"])
    seeds = f"by seed {by_seed}" if len(claim["by_seed"]) > 1 else "one seed"
    return stacked_html(f"{points_text(100 * claim['gain'])}, {word}", f"p {p_text(claim['p'])}; {seeds}")


def _unseen(model: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in model["conditions"] if not entry["seen"]]
