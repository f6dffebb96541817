"""Localization on many queries of known pose, resumable at each of them, and what comes of it by condition."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from butf import files
from butf.dataset.frames import Frames
from butf.errors import BadInput
from butf.pose.answer import Localization
from butf.pose.baselines import average, nearest
from butf.pose.camera import query_of_frame
from butf.pose.confidence import (
    FEWEST_INLIERS,
    LEAST_CONFIDENCE,
    WEIGHTS,
    evidence,
    fitted,
    probabilities,
)
from butf.pose.localizer import Localizer
from butf.pose.pose import Pose
from butf.pose.regression import RegressionConfig, train_regressor
from butf.pose.scores import pose_errors, scores, within
from butf.pose.views import pose_of
from butf.retrieval.bank import Progress, bank
from butf.retrieval.explore import SplitSearch

AVERAGED = 5
"""How many candidates the average is of."""
RIGHT = (0.5, 5.0)
"""What the confidence speaks of: metres and degrees."""
BINS = (0.0, 0.1, 0.3, 0.6, 0.9, 1.01)
METHODS = {
    "nearest": "nearest place", "average": f"average of {AVERAGED}", "pnp": "PnP", "likeliest": "PnP, else place",
}  # fmt: skip
SOLVED = ("pnp", "likeliest")
"""Those that geometry has a part in."""


def evaluated(
    localizer: Localizer, search: SplitSearch, queries: np.ndarray, path: Path, progress: Progress | None = None
) -> list[dict[str, Any]]:
    """One row a query frame, from the JSON lines in `path` where it has them, else localized and appended there.

    A row has `frame`, `condition`, errors `[metres, degrees]` of `nearest`, `average` and `solution` (the best pose,
    even where the answer is "not localized"), null without a pose; `inliers`, `evidence`, `depth` and `seconds`; and,
    by the present `WEIGHTS`, `confidence` and the errors of `pnp` (the pose answered) and `likeliest`. Candidates of
    the baselines are `search`'s.
    """
    known = {row["frame"]: row for row in _read(path)}
    rows = []
    for number, i in enumerate(queries, 1):
        frame = str(localizer.frames.frame[i])
        if frame not in known:
            known[frame] = _row(localizer, search, int(i))
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(known[frame]) + "\n")
        rows.append(known[frame] | judged(known[frame]))
        if progress is not None:
            progress(number, len(queries))
    return rows


def judged(row: dict[str, Any]) -> dict[str, Any]:
    """What is answered of a row: `confidence`, and the errors of `pnp` and `likeliest`, as `Localization` has them."""
    sure, pose = 0.0, None
    if row["evidence"]:
        sure = float(probabilities(np.array([row["evidence"]]), WEIGHTS[row["depth"]])[0])
    if row["inliers"] >= FEWEST_INLIERS and sure >= LEAST_CONFIDENCE:
        pose = row["solution"]
    return {"confidence": sure, "pnp": pose, "likeliest": pose or row["nearest"]}


def summary(frames: Frames, rows: Sequence[dict[str, Any]], method: str) -> list[dict[str, Any]]:
    """`scores` of one of `METHODS` by condition; for those of `SOLVED` with `seconds` a query, the share `localized`,
    and of those the share `right` within 0.5 m and 5 degrees."""
    found = []
    for condition in [name for name in frames.conditions if any(row["condition"] == name for row in rows)]:
        own = [row for row in rows if row["condition"] == condition]
        entry: dict[str, Any] = {"condition": condition, **scores(errors_of(own, method))}
        if method in SOLVED:
            errors = errors_of(own, method)
            answered = np.isfinite(errors[:, 0])
            right = within(errors, *RIGHT)
            entry["localized"] = float(answered.mean())
            entry["right"] = float(right[answered].mean()) if answered.any() else None
            entry["seconds"] = float(np.mean([row["seconds"] for row in own]))
        found.append(entry)
    return found


def calibration(rows: Sequence[dict[str, Any]], depth: str) -> dict[str, Any]:
    """How often the best poses are right, by how sure of them we are, over the `bins` of probability.

    `fit` has the weights that these rows would give (None where all or none are right): for val alone.
    """
    solved = [row for row in rows if row["evidence"]]
    if not solved:
        return {"poses": 0, "fit": None, "bins": []}
    found, right = np.array([row["evidence"] for row in solved]), within(errors_of(solved, "solution"), *RIGHT)
    sure, bins = probabilities(found, WEIGHTS[depth]), []
    for low, high in itertools.pairwise(BINS):
        inside = (sure >= low) & (sure < high)
        share = float(right[inside].mean()) if inside.any() else None
        bins.append({"from": low, "below": min(high, 1.0), "poses": int(inside.sum()), "right": share})
    mixed = 0 < right.sum() < len(right)
    return {"poses": len(solved), "fit": fitted(found, right) if mixed else None, "bins": bins}


def regression_summary(
    frames: Frames, split: str, model: Any, learnt: Sequence[str], config: RegressionConfig | None = None
) -> list[dict[str, Any]]:
    """`scores` by condition of a pose head trained on the split's frames of the conditions `learnt`; `trained` says
    which those were."""
    indices = frames.where(split=split)
    descriptors = dict(zip(indices.tolist(), bank(frames, indices, model), strict=True))
    taught = [i for name in learnt for i in frames.where(split=split, condition=name).tolist()]
    clock = time.perf_counter()
    head = train_regressor(np.array([descriptors[i] for i in taught]), [pose_of(frames, i) for i in taught], config)
    took = time.perf_counter() - clock
    found = []
    for condition, queries in frames.queries(split).items():
        poses = head.poses(np.array([descriptors[i] for i in queries.tolist()]))
        errors = pose_errors(poses, [pose_of(frames, int(i)) for i in queries])
        entry = {"condition": condition, "trained": condition in learnt, "training_s": took}
        found.append(entry | scores(errors))
    return found


def errors_of(rows: Sequence[dict[str, Any]], key: str) -> np.ndarray:
    """(N, 2) metres and degrees of a key of rows, infinite where there is no pose."""
    return np.array([row[key] or (math.inf, math.inf) for row in rows], float).reshape(-1, 2)


def _row(localizer: Localizer, search: SplitSearch, i: int) -> dict[str, Any]:
    frames = localizer.frames
    clock = time.perf_counter()
    answer = localizer.localize(query_of_frame(frames, i), search.descriptor(i))
    took, true = time.perf_counter() - clock, pose_of(frames, i)
    candidates = [pose_of(frames, entry.frame) for entry in search.result(i, AVERAGED).candidates]
    best = answer.solution
    return {
        "frame": str(frames.frame[i]),
        "condition": str(frames.condition[i]),
        "nearest": _errors(nearest(candidates), true),
        "average": _errors(average(candidates), true),
        "solution": _errors(None if best is None else best.pose, true),
        "inliers": answer.inliers,
        "depth": answer.depth,
        "evidence": _evidence(answer),
        "seconds": took,
    }


def _evidence(answer: Localization) -> list[float] | None:
    return None if answer.solution is None else evidence(answer.solution, answer.matches).tolist()


def _errors(pose: Pose | None, true: Pose) -> list[float] | None:
    return None if pose is None else [pose.metres_to(true), pose.degrees_to(true)]


def _read(path: Path) -> list[dict[str, Any]]:
    """The rows of a file; a last one that was cut off in writing does not count."""
    lines = files.read_text(path).splitlines() if path.is_file() else []
    rows = []
    for line in lines:
        try:
            rows.append(files.parse_json(line, path))
        except BadInput:
            continue
    return rows
