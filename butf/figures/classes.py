"""Semantic maps to hover over: one colour a class, and where the reconstructed class is a wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go

from butf.dataset.colours import palette
from butf.dataset.modalities import Map
from butf.figures.depth import coarse, picture_figure

HEIGHT = 190
"""As tall as a depth map is without the bar beneath it."""
WRONG = "#b35a00"
LEGEND = 6
IDS = 256


def class_figure(side: Map, names: Sequence[str], height: int = HEIGHT) -> go.Figure:
    """Class ids `(H, W)` in the palette's colours; a cell says its class by name when hovered over."""
    cells = coarse(side.values, side.valid)
    look = {"colorscale": _steps(), "zmin": -0.5, "zmax": IDS - 0.5, "showscale": False}
    look |= {"text": _words(cells, names), "hovertemplate": "%{text}<extra></extra>"}
    return picture_figure(cells, look, height)


def wrong_figure(true: Map, predicted: Map, names: Sequence[str], height: int = HEIGHT) -> go.Figure:
    """Where the reconstructed class is not the true one; hovering says which it was taken for."""
    known = true.valid & predicted.valid
    cells = coarse((true.values != predicted.values).astype(np.float32), known)
    was, seen = (_words(coarse(side.values, known), names) for side in (true, predicted))
    words = np.where(cells == 1, np.char.add(np.char.add(was, ", taken for "), seen), was)
    look = {"colorscale": [[0, "rgba(128, 138, 148, 0.15)"], [1, WRONG]], "zmin": 0, "zmax": 1, "showscale": False}
    return picture_figure(cells, look | {"text": words, "hovertemplate": "%{text}<extra></extra>"}, height)


def legend_html(side: Map, names: Sequence[str]) -> str:
    """The largest classes of a map, each with its colour."""
    counts = np.bincount(side.values[side.valid].astype(np.int64), minlength=1)
    shown = [int(name) for name in np.argsort(-counts, kind="stable")[:LEGEND] if counts[name]]
    chips = (
        f'<span><i style="color: rgb{tuple(palette()[name].tolist())}" aria-hidden="true">■</i> '
        f"{escape(_name(name, names))}</span>"
        for name in shown
    )
    return f'<p class="scores">{"".join(chips)}</p>'


def _steps() -> list[list]:
    """A Plotly colour scale of one flat step a class id."""
    colours = [f"rgb{tuple(colour)}" for colour in palette().tolist()]
    return [[(name + end) / IDS, colours[name]] for name in range(IDS) for end in (0, 1)]


def _words(cells: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The class names of cells `(H, W)`, "unknown" where they say nothing."""
    table = np.array([_name(name, names) for name in range(IDS)] + ["unknown"])
    return table[np.where(np.isnan(cells), IDS, np.nan_to_num(cells)).astype(np.int64)]


def _name(name: int, names: Sequence[str]) -> str:
    return names[name] if name < len(names) else f"class {name}"
