"""Recall with 95 % intervals, and gains over image-only with whether they stand out from the noise.

The looks are in `static/plot.css`, names are escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from butf.figures.plots import (
    column_svg,
    linear_scale,
    plot_svg,
    point_svg,
    room_for,
    round_step,
    row_svg,
    tick_text,
    ticks,
    title_svg,
    zero_svg,
)
from butf.figures.shapes import model_shape
from butf.figures.theme import model_colour

FARTHEST, LANE = 0.22, 0.8
"""How far marks of one condition stand apart at most, and the share of its lane that they take, in lanes."""
ROOM = 0.06
"""Room at the ends of the axis, as a share of what is drawn."""
MARK_WIDE = 13


@dataclass(frozen=True)
class Curve:
    """Recall of one model: `x` ranks or metres, `y` fractions with the ends of their 95 % intervals."""

    model: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class Gain:
    """Recall@1 of a model minus that of another under a condition, in points of a hundred, with its p."""

    model: str
    over: str
    condition: str
    points: float
    p: float

    @property
    def clear(self) -> bool:
        """Whether the difference is more than chance would often give (p < 0.05)."""
        return self.p < 0.05

    @property
    def text(self) -> str:
        word = "" if self.clear else ", within the noise"
        return f"{points_text(self.points)} (p {p_text(self.p)}{word})"


def points_text(points: float) -> str:
    """A difference in points of a hundred, signed: `+7.0 points`."""
    return f"{points:+.1f} points".replace("-", "−")


def p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def gains_svg(gains: Sequence[Gain], conditions: Sequence[str], label: str) -> str:
    """Gain in recall@1 by condition, one mark a model: filled where it is clear, hollow where within the noise.

    `label` is read to the blind.
    """
    models = list(dict.fromkeys(gain.model for gain in gains))
    low, high = (end(0.0, *(gain.points for gain in gains)) for end in (min, max))
    room = ROOM * (high - low) or 1.0
    across = linear_scale(low - room, high + room)
    down = linear_scale(-0.5, len(conditions) - 0.5)
    between = min(FARTHEST, LANE / len(models))
    places = [
        conditions.index(gain.condition) + between * (models.index(gain.model) - (len(models) - 1) / 2)
        for gain in gains
    ]
    step = round_step(high - low + 2 * room, 7)
    grid = "".join(row_svg(down(lane), condition) for lane, condition in enumerate(conditions))
    grid += "".join(column_svg(across(tick), tick_text(tick)) for tick in ticks(low - room, high + room, step))
    grid += zero_svg(across(0))
    points = "".join(_gain(gain, across(gain.points), down(place)) for gain, place in zip(gains, places, strict=True))
    title = title_svg(f"points of recall@1 gained over {gains[0].over}")
    look = f"{room_for(conditions)}; --lanes: {len(conditions)}"
    return plot_svg(label, grid, "", points, title, "lanes", look)


def _gain(gain: Gain, x: float, y: float) -> str:
    colour = model_colour(gain.model)
    look = f'fill="{colour}"' if gain.clear else f'fill="none" stroke="{colour}" stroke-width="3"'
    shape = model_shape(gain.model, look)
    return point_svg(x, y, shape, f"{gain.model} over {gain.over}, {gain.condition}: {gain.text}", wide=MARK_WIDE)
