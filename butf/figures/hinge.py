"""The hinge of the diversification loss (slide equation 4) over the full descriptor's triplet loss.

The looks are in `static/plot.css`.
"""

import torch

from butf.figures.plots import (
    aside_svg,
    column_svg,
    corners,
    linear_scale,
    plot_svg,
    point_svg,
    row_svg,
    ticks,
    title_svg,
)
from butf.figures.shapes import SHAPES
from butf.figures.theme import RIGHT, WRONG, model_colour
from butf.losses import diversification_loss

MOST = 1.0
TOP = 1.55
STEP = 0.2
ARROW = 0.5
"""The loss at which the margin is drawn."""
NOW_WIDE = 22
EXACT = 1e-6
"""Sums of hundredths miss zero by less."""
across, up = linear_scale(0, MOST), linear_scale(0, TOP, 100, 0)


def hinge_svg(full: float, main: float, margin: float, label: str) -> str:
    """Equation 4 as a curve, the demand as a green span, the main loss and the margin marked, and the present point.

    `label` is read to the blind.
    """
    bends = torch.tensor(sorted({0.0, MOST, min(max(main - margin, 0.0), MOST)}))  # the curve is straight in between
    values = diversification_loss(bends, torch.tensor(main), margin).tolist()
    curve = corners([across(x) for x in bends.tolist()], [up(y) for y in values])
    line = f'<polyline class="line hinged" points="{curve}" stroke="{model_colour("bu-tf")}"/>'
    grid = "".join(row_svg(up(tick), f"{tick:g}") for tick in ticks(0, TOP, STEP))
    grid += "".join(column_svg(across(tick), f"{tick:g}") for tick in ticks(0, MOST, STEP))
    titles = (
        f"{title_svg('triplet loss of the full descriptor')}{aside_svg('diversification loss')}"
        f"{_span_words(main, margin)}"
    )
    now = diversification_loss(torch.tensor(full), torch.tensor(main), margin)
    points = _margin(main, margin) + _now(full, float(now))
    return plot_svg(label, _spans(main, margin) + grid, line, points, titles, "hinge")


def _spans(main: float, margin: float) -> str:
    """Where the demand is met, and the main descriptor's loss."""
    met = f'<rect class="met" x="0" y="0" width="{max(0.0, across(main - margin)):.2f}%" height="100%"/>'
    at = f"{across(main):.2f}%"
    return f'{met}<line class="main" x1="{at}" x2="{at}" y1="0" y2="100%"/>'


def _span_words(main: float, margin: float) -> str:
    """What `_spans` shows in words."""
    met = '<text class="told" x="0" y="0" dx="0.5em" dy="1.3em">demand met</text>' if main > margin else ""
    return f'{met}<text class="{_side(main)}" x="{across(main):.2f}%" y="0" dy="-0.5em">main {main:.2f}</text>'


def _margin(main: float, margin: float) -> str:
    """The margin below the main loss as an arrow with two ends."""
    if min(main, margin) <= 0:
        return ""
    low, high, y = across(max(0.0, main - margin)), across(main), up(ARROW)
    heads = "".join(
        f'<svg x="{x:.2f}%" y="{y:.2f}%"><path d="M{back} -5L0 0L{back} 5"/></svg>'
        for x, back in ((low, 8), (high, -8))
    )
    return (
        f'<g class="margin"><line x1="{low:.2f}%" x2="{high:.2f}%" y1="{y:.2f}%" y2="{y:.2f}%"/>{heads}</g>'
        f'<text class="told mid" x="{(low + high) / 2:.2f}%" y="{y:.2f}%" dy="-0.8em">λ'
        '<tspan class="below" dy="0.35em">div</tspan></text>'
    )


def _now(full: float, value: float) -> str:
    """The present point above its foot, with its value in words."""
    colour = RIGHT if value < EXACT else WRONG
    x, y = across(full), up(value)
    shape = SHAPES["circle"].format(look=f'fill="{colour}"')
    stem = f'<line class="stem" x1="{x:.2f}%" x2="{x:.2f}%" y1="100%" y2="{y:.2f}%" stroke="{colour}"/>'
    look = f'class="told now {_side(full)}" style="fill: {colour}"'
    words = f'<text {look} x="{x:.2f}%" y="{y:.2f}%" dy="-0.75em">{value:.2f}</text>'
    return stem + point_svg(x, y, shape, f"full {full:.2f}: hinge {value:.2f}", wide=NOW_WIDE) + words


def _side(x: float) -> str:
    """How words stand to their place: those near an edge begin or end there."""
    return "last" if x > 0.92 * MOST else "first" if x < 0.08 * MOST else "mid"
