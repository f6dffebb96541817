"""Semantic maps to hover over: one colour a class, and where the reconstructed class is a wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from butf.dataset.colours import palette
from butf.dataset.modalities import Map
from butf.figures.depth import HEIGHT, coarse
from butf.figures.hover_map import HoverMap

WRONG, CLEAR = (179, 90, 0, 255), (0, 0, 0, 0)
LEGEND = 6
IDS = 256


def class_figure(side: Map, names: Sequence[str], height: int = HEIGHT) -> HoverMap:
    """Class ids `(H, W)` in the palette's colours; a cell says its class by name when hovered over."""
    cells = coarse(side.values, side.valid)
    known = np.isfinite(cells)
    colours = palette()[np.where(known, cells, 0).astype(np.int64)]
    pixels = np.concatenate([colours, np.where(known, 255, 0)[..., None].astype(np.uint8)], axis=2)
    return HoverMap.of_words(_words(cells, names), pixels, height)


def wrong_figure(true: Map, predicted: Map, names: Sequence[str], height: int = HEIGHT) -> HoverMap:
    """Where the reconstructed class is not the true one; hovering says which it was taken for."""
    known = true.valid & predicted.valid
    cells = coarse((true.values != predicted.values).astype(np.float32), known)
    was, seen = (_words(coarse(side.values, known), names) for side in (true, predicted))
    words = np.where(cells == 1, np.char.add(np.char.add(was, ", taken for "), seen), was)
    pixels = np.where((cells == 1)[..., None], WRONG, CLEAR).astype(np.uint8)
    return HoverMap.of_words(words, pixels, height)


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


def _words(cells: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The class names of cells `(H, W)`, "unknown" where they say nothing."""
    table = np.array([_name(name, names) for name in range(IDS)] + ["unknown"])
    return table[np.where(np.isnan(cells), IDS, np.nan_to_num(cells)).astype(np.int64)]


def _name(name: int, names: Sequence[str]) -> str:
    return names[name] if name < len(names) else f"class {name}"
