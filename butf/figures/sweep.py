"""The diversification ablation as the talk draws it: recall over the margin of equation 4, a line for each weight.

The looks are in `static/plot.css`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from butf.figures.curves import DASHES
from butf.figures.plots import (
    Scale,
    column_svg,
    corners,
    linear_scale,
    mark_svg,
    plot_svg,
    point_svg,
    round_step,
    row_svg,
    ticks,
    whisker_svg,
)
from butf.figures.shapes import SHAPES
from butf.figures.theme import model_colour

LOOKS = (("#3a86d0", "circle", "dash"), (model_colour("bu-tf"), "diamond", "solid"), ("#c98500", "square", "dashdot"))

BETWEEN = 0.1
"""How far the lines stand beside each other, in steps of the margin."""
ROOM = 0.04
"""Room above and below, as a share of what is drawn."""
LAMBDA = 'λ<tspan class="below" dy="0.35em">div</tspan>'


@dataclass(frozen=True)
class Point:
    """Recall of bu-tf, with the ends of its 95 % interval, at one margin (None: without equation 4) and one weight."""

    lambda_div: float | None
    sigma_transfer: float
    recall: float
    low: float
    high: float
    note: str
    """What a reader who points at it is told beside the recall."""


def sweep_plot(points: Sequence[Point], label: str) -> str:
    """recall@1 in percent over lambda_div, one line a sigma_transfer; bars are the intervals.

    HTML: what the lines are, and an SVG whose `label` is read to the blind.
    """
    margins = list(dict.fromkeys(point.lambda_div for point in points))
    sigmas = list(dict.fromkeys(point.sigma_transfer for point in points))
    low, high = 100 * min(point.low for point in points), 100 * max(point.high for point in points)
    room = ROOM * (high - low) or 1.0
    across, up = linear_scale(-0.4, len(margins) - 0.6), linear_scale(low - room, high + room, 100, 0)
    rows = ticks(max(0, low - room), min(100, high + room), round_step(high - low + 2 * room, 6))
    grid = "".join(row_svg(up(tick), f"{tick:g} %") for tick in rows)
    grid += "".join(column_svg(across(place), _margin(margin)) for place, margin in enumerate(margins))
    lines, marks = "", ""
    for number, sigma in enumerate(sigmas):
        own = [point for point in points if point.sigma_transfer == sigma]
        # Lines stand a little beside each other, so that their bars can be told apart.
        shift = BETWEEN * (number - (len(sigmas) - 1) / 2)
        xs = [across(margins.index(point.lambda_div) + shift) for point in own]
        lines += _line(number, xs, [up(100 * point.recall) for point in own])
        marks += "".join(_mark(number, point, x, up) for point, x in zip(own, xs, strict=True))
    title = f'<text class="title" x="50%" y="100%" dy="2.9em">margin of the diversification loss, {LAMBDA}</text>'
    return f"{_legend(sigmas)}{plot_svg(label, grid, lines, marks, title, 'sweep')}"


def _line(number: int, xs: Sequence[float], ys: Sequence[float]) -> str:
    colour, _, dash = LOOKS[number % len(LOOKS)]
    broken = f' stroke-dasharray="{DASHES[dash]}"' if dash in DASHES else ""
    return f'<polyline class="line" points="{corners(xs, ys)}" stroke="{colour}"{broken}/>'


def _mark(number: int, point: Point, x: float, up: Scale) -> str:
    colour = LOOKS[number % len(LOOKS)][0]
    said = (
        f"λ_div {_margin(point.lambda_div)}, σ_transfer {point.sigma_transfer:g}: {100 * point.recall:.1f} % "
        f"({100 * point.low:.0f} to {100 * point.high:.0f}){point.note}"
    )
    whisker = whisker_svg(x, up(100 * point.low), up(100 * point.high), colour)
    return whisker + point_svg(x, up(100 * point.recall), _shape(number), said)


def _legend(sigmas: Sequence[float]) -> str:
    """A line with its mark and the weight that it stands for, each."""
    items = "".join(f"<li>{_key(number)}σ<sub>transfer</sub> {sigma:g}</li>" for number, sigma in enumerate(sigmas))
    return f'<ul class="legend keys" aria-label="Weights of the transfer">{items}</ul>'


def _key(number: int) -> str:
    line = f'<svg viewBox="0 0 100 100" preserveAspectRatio="none">{_line(number, (0, 100), (50, 50))}</svg>'
    return f'<svg class="plot key" aria-hidden="true">{line}{mark_svg(50, 50, _shape(number))}</svg>'


def _shape(number: int) -> str:
    colour, symbol, _ = LOOKS[number % len(LOOKS)]
    return SHAPES[symbol].format(look=f'fill="{colour}"')


def _margin(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
