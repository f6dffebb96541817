"""What `static/descriptor_map.js` draws: descriptors of one or two models in the plane, one dot a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from butf.dataset.frames import Frames
from butf.figures.sprite import Sprite
from butf.figures.theme import model_colour
from butf.figures.training import CONDITION_COLOURS
from butf.projection import Projection, metres_between, place_colours

DATABASE_COLOUR = "#808a94"
SYMBOLS = ("square", "diamond", "triangle", "cross", "x", "down", "star", "ring")
UNITS = 1000
"""Coordinates are sent as whole numbers from 0 to this along the longer side."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """One model's projection of the frames shown."""

    model: str
    projection: Projection

    @property
    def note(self) -> str:
        kept = f"{self.projection.neighbours_kept:.0%} of neighbours kept"
        explained = self.projection.explained
        return kept if explained is None else f"{explained:.0%} of the variance, {kept}"


def map_data(
    frames: Frames, rows: np.ndarray, queries: np.ndarray, drawn: Sequence[Drawn], sprite: Sprite, explore: str
) -> dict[str, Any]:
    """All that the component needs, as JSON: frames `rows (N,)`; those that are no `queries (Q,)` are the database's.

    `explore` is the address of Explore to which condition and query are added.
    """
    in_database = ~np.isin(rows, queries)
    groups = _groups(frames, rows, in_database)
    number = {group["name"]: k for k, group in enumerate(groups)}
    names = frames.frame[rows].tolist()
    return {
        "names": names,
        "group": [
            number["database" if own else condition]
            for own, condition in zip(in_database.tolist(), frames.condition[rows].tolist(), strict=True)
        ],
        "condition": frames.condition[rows].tolist(),
        "place": ["#{:02x}{:02x}{:02x}".format(*colour) for colour in place_colours(frames.position[rows]).tolist()],
        "plan": _whole(frames.position[rows][:, :2]),
        "groups": groups,
        "panels": [_panel(frames, rows, entry) for entry in drawn],
        "sprite": asdict(sprite),
        "explore": explore,
    }


def _groups(frames: Frames, rows: np.ndarray, in_database: np.ndarray) -> list[dict[str, Any]]:
    """The database and each condition of the queries, with colour, symbol and how many of them are drawn."""
    found = dict.fromkeys(frames.condition[rows[~in_database]].tolist())
    groups = [{"name": "database", "colour": DATABASE_COLOUR, "symbol": "dot", "count": int(in_database.sum())}]
    for k, condition in enumerate(found):
        count = int((frames.condition[rows[~in_database]] == condition).sum())
        look = {"colour": CONDITION_COLOURS[k % len(CONDITION_COLOURS)], "symbol": SYMBOLS[k % len(SYMBOLS)]}
        groups.append({"name": condition, **look, "count": count})
    return groups if in_database.any() else groups[1:]


def _panel(frames: Frames, rows: np.ndarray, entry: Drawn) -> dict[str, Any]:
    points = entry.projection.points
    near = entry.projection.nearest
    return {
        "model": entry.model,
        "colour": model_colour(entry.model),
        "note": entry.note,
        "points": _whole(points),
        "near": near.tolist(),
        "metres": np.round(metres_between(frames, rows, rows[near]), 2).tolist(),
    }


def _whole(points: np.ndarray) -> list[list[int]]:
    """Points `(N, 2)` moved into a square of `UNITS`, both axes on one scale, the shorter one in the middle."""
    points = np.asarray(points, np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = UNITS / max(float((high - low).max()), 1e-12)
    whole: list[list[int]] = np.rint((points - (low + high) / 2) * scale + UNITS / 2).astype(int).tolist()
    return whole
