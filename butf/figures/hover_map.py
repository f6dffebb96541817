"""Cells as a picture, one pixel a cell, that tells the value of the one under the pointer: side maps, visual words.

Plotly's heatmaps, which stood here before, took a browser ten times as long to draw. The looks are in
`static/hover_map.css`, the telling in `static/hover_map.js`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from butf.figures.gallery import png_uri

NOTHING = 65535
"""The code of a cell that says nothing."""
FINEST = NOTHING - 1


@dataclass(frozen=True)
class Bar:
    """A thin strip of colours `(N, 3)` uint8 from low to high, with labels at shares 0..1 of its length."""

    colours: np.ndarray
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True, eq=False)
class HoverMap:
    """What is drawn, `pixels` (H, W, 3 or 4) uint8, and what is said, `codes` (H, W) uint16.

    A code means one of the `words`, or where there are none the number `low + step * code` in `unit`.
    """

    pixels: np.ndarray
    codes: np.ndarray
    words: tuple[str, ...] = ()
    low: float = 0.0
    step: float = 1.0
    unit: str = ""
    signed: bool = False
    bar: Bar | None = None
    height: int = 206
    """Pixels of the screen that the picture takes where there is room."""
    beneath: str = ""
    """Data URI of a photograph to see through the cells."""
    ratio: float | None = None
    """Width over height, where cells are not square."""
    named: tuple[str, str] | None = None
    """What a row and a column are called, where a cell is to be told by them; both are counted from 1."""
    sides: tuple[str, str] | None = None
    """HTML for the left and the right of the cells, as high as they are; they then take all the width between."""

    @classmethod
    def of_numbers(
        cls, values: np.ndarray, pixels: np.ndarray, unit: str, bar: Bar | None, height: int, signed: bool = False
    ) -> HoverMap:
        """Cells `(H, W)` that say a number each; NaN says nothing. Numbers are kept to a 65,000th of their range."""
        known = values[np.isfinite(values)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        step = (high - low) / FINEST or 1.0
        codes = np.where(np.isfinite(values), np.rint((np.nan_to_num(values) - low) / step), NOTHING)
        return cls(pixels, codes.astype(np.uint16), (), low, step, unit, signed, bar, height)

    @classmethod
    def of_words(cls, words: np.ndarray, pixels: np.ndarray, height: int) -> HoverMap:
        """Cells `(H, W)` that say a word each."""
        table, codes = np.unique(words, return_inverse=True)
        return cls(pixels, codes.reshape(words.shape).astype(np.uint16), tuple(table.tolist()), height=height)

    @property
    def values(self) -> np.ndarray:
        """(H, W) float64: the numbers that are said, NaN where nothing is."""
        return np.where(self.codes == NOTHING, np.nan, self.low + self.step * self.codes.astype(np.float64))

    @property
    def said(self) -> np.ndarray:
        """(H, W) the words that are said."""
        words: np.ndarray = np.array(self.words)[self.codes]
        return words

    def payload(self, alt: str) -> dict[str, Any]:
        """What the page's component takes: the drawing, with `alt` for a screen reader, and how to read the codes."""
        return {
            "html": self._html(alt),
            "columns": self.codes.shape[1],
            "codes": base64.b64encode(self.codes.astype("<u2").tobytes()).decode("ascii"),
            "nothing": NOTHING,
            "words": list(self.words),
            "low": self.low,
            "step": self.step,
            "unit": self.unit,
            "signed": self.signed,
            "named": self.named and list(self.named),
        }

    def _html(self, alt: str) -> str:
        rows, columns = self.codes.shape
        look = f"--ratio: {self.ratio or columns / rows:.4f}; --tall: {self.height}px; --rows: {rows}"
        left, right = self.sides or ("", "")
        photograph = f' style="background-image: url({self.beneath})"' if self.beneath else ""
        return (
            f'<figure class="hover-map{" flanked" if self.sides else ""}" style="{look}">{left}'
            f'<div class="cells"{photograph}><img src="{png_uri(self.pixels)}" alt="{escape(alt)}" draggable="false">'
            '<output></output><button type="button" title="Show it large" aria-label="Show it large">⤢</button></div>'
            f"{right}{_bar_html(self.bar) if self.bar else ''}</figure>"
        )


def _bar_html(bar: Bar) -> str:
    stops = ", ".join(f"rgb({r}, {g}, {b})" for r, g, b in bar.colours.tolist())
    labels = "".join(f'<span style="--at: {share:.4f}">{escape(text)}</span>' for share, text in bar.ticks)
    return f'<div class="bar"><i style="background: linear-gradient(90deg, {stops})"></i><p>{labels}</p></div>'
