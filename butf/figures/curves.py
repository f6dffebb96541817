"""Recall as curves, in small plots beside each other; the looks are in `static/plot.css`, names are escaped."""

from collections.abc import Sequence
from dataclasses import dataclass

from butf.figures.gallery import heading_html
from butf.figures.plots import Scale, column_svg, corners, log_scale, plot_svg, point_svg, row_svg, title_svg
from butf.figures.recall import Curve
from butf.figures.shapes import model_shape
from butf.figures.theme import model_colour, model_dash

TOP = 102.0
"""The recall, in percent, at the upper edge."""
INSET = 4.0
RECALLS = (0, 25, 50, 75, 100)
DASHES = {"dot": "2 4", "dash": "8 5", "dashdot": "8 4 2 4", "longdash": "13 5"}


@dataclass(frozen=True)
class Panel:
    """One of several plots: the curves under a heading with a quieter note; `label` is read to the blind."""

    title: str
    note: str
    label: str
    curves: Sequence[Curve]


def curves_html(panels: Sequence[Panel], x_title: str) -> str:
    """Plots beside each other, as many in a row as there is room for."""
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
    grid = recall_rows() + "".join(column_svg(place(tick), f"{tick:g}") for tick in every)
    lines = "".join(_band(curve, place) for curve in curves) + "".join(_line(curve, place) for curve in curves)
    points = "".join(_points(curve, place) for curve in curves)
    return plot_svg(label, grid, lines, points, over + title_svg(x_title))


def recall_rows() -> str:
    """The level lines of recall in percent."""
    return "".join(row_svg(up(recall / 100), "100 %" if recall == 100 else str(recall)) for recall in RECALLS)


def across(curves: Sequence[Curve]) -> Scale:
    """Where an x stands between the left edge (0) and the right one (100)."""
    return log_scale([x for curve in curves for x in curve.x], INSET)


def up(recall: float) -> float:
    """Where a recall, a fraction, stands between the upper edge (0) and the lower one (100)."""
    return 100 * (1 - 100 * recall / TOP)


def _band(curve: Curve, place: Scale) -> str:
    xs = [place(x) for x in curve.x]
    edge = corners([*xs, *reversed(xs)], [up(recall) for recall in (*curve.high, *reversed(curve.low))])
    return f'<polygon class="band" points="{edge}" fill="{model_colour(curve.model)}"/>'


def _line(curve: Curve, place: Scale) -> str:
    dashes = DASHES.get(model_dash(curve.model))
    broken = f' stroke-dasharray="{dashes}"' if dashes else ""
    points = corners([place(x) for x in curve.x], [up(recall) for recall in curve.y])
    return f'<polyline class="line" points="{points}" stroke="{model_colour(curve.model)}"{broken}/>'


def _points(curve: Curve, place: Scale) -> str:
    shape = model_shape(curve.model, f'fill="{model_colour(curve.model)}"')
    return "".join(
        point_svg(
            place(x), up(y), shape, f"{curve.model}: {100 * y:.1f} % ({100 * low:.1f} to {100 * high:.1f}) at {x:g}"
        )
        for x, y, low, high in zip(curve.x, curve.y, curve.low, curve.high, strict=True)
    )
