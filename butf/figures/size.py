"""Size against recall: what a model's parameters buy, one mark a model.

The looks are in `static/plot.css`, names are escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from butf.figures.plots import (
    Scale,
    column_svg,
    corners,
    linear_scale,
    plot_svg,
    point_svg,
    round_step,
    row_svg,
    ticks,
    title_svg,
    whisker_svg,
)
from butf.figures.shapes import model_shape
from butf.figures.theme import model_colour

BESIDE = 0.03
"""How far marks of equal size stand apart, in shares of the axis."""
ROOM = 0.07
"""Room at the ends of an axis, as a share of what is drawn."""
MARK_WIDE = 13


@dataclass(frozen=True)
class Sized:
    """A model's size and its mean recall@1, a fraction, with the ends of the mean's 95 % interval."""

    model: str
    parameters: int
    size_ratio: float
    recall: float
    low: float
    high: float

    @property
    def text(self) -> str:
        return (
            f"{self.model}: {100 * self.recall:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f}), "
            f"{self.parameters:,} parameters, {self.size_ratio:.2f}x"
        )


def frontier(models: Sequence[Sized]) -> list[Sized]:
    """The models that none other beats: no other is as small and better, or as good and smaller; smallest first."""
    kept: list[Sized] = []
    for entry in sorted(models, key=lambda entry: (entry.parameters, -entry.recall)):
        if not kept or entry.recall > kept[-1].recall:
            kept.append(entry)
    return kept


def size_svg(models: Sequence[Sized], label: str) -> str:
    """Mean recall@1 in percent over millions of parameters; the line is the best recall that a size reaches."""
    places = _places(models)
    left, right = _widened(min(places.values()), max(places.values()))
    low, high = _widened(min(100 * entry.low for entry in models), max(100 * entry.high for entry in models))
    across, up = linear_scale(left, right), linear_scale(low, high, 100, 0)
    rows = ticks(max(0, low), min(100, high), round_step(high - low, 6))
    columns = ticks(left, right, round_step(right - left, 6))
    grid = "".join(row_svg(up(tick), f"{tick:g} %") for tick in rows)
    grid += "".join(column_svg(across(tick), f"{tick:g}") for tick in columns)
    steps = _steps(frontier(models), across, up, max(places.values()))
    points = "".join(_mark(entry, across(places[entry.model]), up) for entry in models)
    return plot_svg(label, grid, steps, points, title_svg("million parameters"), "sizes")


def _widened(low: float, high: float) -> tuple[float, float]:
    """The ends of an axis: some room around what is drawn, even where it is one number."""
    room = ROOM * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room


def _mark(entry: Sized, x: float, up: Scale) -> str:
    colour = model_colour(entry.model)
    whisker = whisker_svg(x, up(100 * entry.low), up(100 * entry.high), colour)
    shape = model_shape(entry.model, f'fill="{colour}"')
    return whisker + point_svg(x, up(100 * entry.recall), shape, entry.text, wide=MARK_WIDE)


def _steps(best: Sequence[Sized], across: Scale, up: Scale, end: float) -> str:
    """A stair through the best: level up to the next size, then upright."""
    sizes = [across(entry.parameters / 1e6) for entry in best]
    heights = [up(100 * entry.recall) for entry in best]
    xs = [x for pair in zip(sizes, [*sizes[1:], across(end)], strict=True) for x in pair]
    stair = corners(xs, [y for y in heights for _ in range(2)])
    return f'<polyline class="line stair" points="{stair}"/>'


def _places(models: Sequence[Sized]) -> dict[str, float]:
    """Where each model stands on the x axis: models of nearly equal size beside each other, none behind another."""
    millions = [entry.parameters / 1e6 for entry in models]
    step = BESIDE * (max(millions) - min(millions) or millions[0])
    places: dict[str, float] = {}
    for at, entry in sorted(zip(millions, models, strict=True), key=lambda pair: pair[0]):
        free = max(places.values(), default=-1.0) + step
        places[entry.model] = max(at, free)
    return places
