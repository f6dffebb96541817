"""Recall as curves, drawn as SVG: light enough for many small ones beside each other that one click draws anew.

A drawing is as wide as its place and of fixed height: positions are percentages of it, and only texts and marks keep
their size. The looks are in `static/compare.css`; names are escaped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import log

from butf.figures.gallery import heading_html
from butf.figures.recall import Curve
from butf.figures.shapes import SIDE, model_shape
from butf.figures.theme import model_colour, model_dash

TOP = 102.0
"""The recall, in percent, at the upper edge."""
INSET = 4.0
"""Room left and right of the first and the last point, in percent of the width."""
RECALLS = (0, 25, 50, 75, 100)
MARK = 10
"""How wide a mark is, in pixels."""
DASHES = {"dot": "2 4", "dash": "8 5", "dashdot": "8 4 2 4", "longdash": "13 5"}


@dataclass(frozen=True)
class Panel:
    """One of several drawings: the curves under a heading with a quieter note; `label` is read to the blind."""

    title: str
    note: str
    label: str
    curves: Sequence[Curve]


def curves_html(panels: Sequence[Panel], x_title: str) -> str:
    """Small drawings beside each other, as many in a row as there is room for."""
    drawn = "".join(
        f"<section>{heading_html(panel.title, panel.note)}{curves_svg(panel.curves, x_title, panel.label)}</section>"
        for panel in panels
    )
    return f'<div class="curves">{drawn}</div>'


def curves_svg(
    curves: Sequence[Curve], x_title: str, label: str, ticks: Sequence[float] | None = None, over: str = ""
) -> str:
    """Recall in percent over ranks or metres (log), one line a model before its 95 % interval as a band.

    `ticks` are written below, else every measured x; `over` is SVG to draw upon it, see `across` and `up`.
    """
    place = across(curves)
    every = sorted({x for curve in curves for x in curve.x}) if ticks is None else ticks
    rows = "".join(_row(recall) for recall in RECALLS)
    columns = "".join(_column(place(tick), f"{tick:g}") for tick in every)
    lines = "".join(_band(curve, place) for curve in curves) + "".join(_line(curve, place) for curve in curves)
    points = "".join(_points(curve, place) for curve in curves)
    return (
        f'<svg class="plot" role="img" aria-label="{escape(label)}">{rows}{columns}'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none">{lines}</svg>{points}{over}'
        f'<text class="title" x="50%" y="100%" dy="2.9em">{escape(x_title)}</text></svg>'
    )


def across(curves: Sequence[Curve]) -> Callable[[float], float]:
    """Where an x stands between the left edge (0) and the right one (100): on a scale of logarithms."""
    every = [x for curve in curves for x in curve.x]
    low, high = (log(min(every)), log(max(every))) if every else (0.0, 0.0)

    def place(x: float) -> float:
        share = (log(x) - low) / (high - low) if high > low else 0.5
        return INSET + share * (100 - 2 * INSET)

    return place


def up(recall: float) -> float:
    """Where a recall, a fraction, stands between the upper edge (0) and the lower one (100)."""
    return 100 * (1 - 100 * recall / TOP)


def _row(percent: int) -> str:
    y = up(percent / 100)
    word = "100 %" if percent == 100 else str(percent)
    return (
        f'<line class="grid" x1="0" x2="100%" y1="{y:.2f}%" y2="{y:.2f}%"/>'
        f'<text class="recall" x="0" y="{y:.2f}%" dx="-0.5em" dy="0.35em">{word}</text>'
    )


def _column(x: float, word: str) -> str:
    return (
        f'<line class="grid" x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="100%"/>'
        f'<text class="tick" x="{x:.2f}%" y="100%" dy="1.35em">{word}</text>'
    )


def _path(xs: Sequence[float], recalls: Sequence[float], place: Callable[[float], float]) -> str:
    return " ".join(f"{place(x):.2f},{up(recall):.2f}" for x, recall in zip(xs, recalls, strict=True))


def _band(curve: Curve, place: Callable[[float], float]) -> str:
    edge = _path([*curve.x, *reversed(curve.x)], [*curve.high, *reversed(curve.low)], place)
    return f'<polygon class="band" points="{edge}" fill="{model_colour(curve.model)}"/>'


def _line(curve: Curve, place: Callable[[float], float]) -> str:
    dashes = DASHES.get(model_dash(curve.model))
    broken = f' stroke-dasharray="{dashes}"' if dashes else ""
    points = _path(curve.x, curve.y, place)
    return f'<polyline class="line" points="{points}" stroke="{model_colour(curve.model)}"{broken}/>'


def _points(curve: Curve, place: Callable[[float], float]) -> str:
    """A mark at each point that says its numbers to who points at it; what can be pointed at is larger."""
    shape = model_shape(curve.model, f'fill="{model_colour(curve.model)}"')
    name, at = escape(curve.model), f"scale({MARK / SIDE:.3f}) translate({-SIDE / 2:g} {-SIDE / 2:g})"
    return "".join(
        f'<svg class="point" x="{place(x):.2f}%" y="{up(y):.2f}%"><title>{name}: {100 * y:.1f} % '
        f"({100 * low:.1f} to {100 * high:.1f}) at {x:g}</title>"
        f'<circle class="reach" r="{MARK}" fill="transparent"/><g transform="{at}">{shape}</g></svg>'
        for x, y, low, high in zip(curve.x, curve.y, curve.low, curve.high, strict=True)
    )
