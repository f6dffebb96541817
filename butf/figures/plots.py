"""Pieces of plots as SVG: light, where one click draws many anew and Plotly would take its time.

A plot is as wide as its place and of fixed height: positions are percentages of it from the upper left corner, and only
texts and marks keep their size. The looks are in `static/plot.css`; words are escaped.
"""

from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, log, log10

from butf.figures.shapes import SIDE

MARK = 10
"""How wide a mark is, in pixels."""

Scale = Callable[[float], float]


def log_scale(values: Sequence[float], inset: float) -> Scale:
    """Where a value stands: the least at `inset`, the greatest at 100 - `inset`, in between by the logarithm."""
    low, high = (log(min(values)), log(max(values))) if values else (0.0, 0.0)

    def place(value: float) -> float:
        share = (log(value) - low) / (high - low) if high > low else 0.5
        return inset + share * (100 - 2 * inset)

    return place


def linear_scale(low: float, high: float, at_low: float = 0.0, at_high: float = 100.0) -> Scale:
    """Where a value stands: `low` at `at_low`, `high` at `at_high`, the rest evenly between and beyond."""
    step = (at_high - at_low) / (high - low)
    return lambda value: at_low + step * (value - low)


def round_step(span: float, most: int) -> float:
    """The least of 1, 2, 5 times a power of ten that goes into a span no more than `most` times."""
    power = 10.0 ** floor(log10(span / most))
    return next(step * power for step in (1, 2, 5, 10) if step * power * most >= span * (1 - 1e-9))


def ticks(low: float, high: float, step: float) -> list[float]:
    """The multiples of `step` from `low` to `high`."""
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [round(number * step, 9) for number in range(first, last + 1)]


def plot_svg(label: str, grid: str, lines: str, points: str, titles: str = "", kind: str = "", look: str = "") -> str:
    """A plot of these pieces; `label` is read to the blind, `kind` is a class of its own and `look` its variables."""
    style = f' style="{look}"' if look else ""
    return (
        f'<svg class="{f"plot {kind}".strip()}" role="img" aria-label="{escape(label)}"{style}>{grid}'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none">{lines}</svg>{points}{titles}</svg>'
    )


def tick_text(tick: float) -> str:
    """A number at the edge, with the sign that is as wide as a plus."""
    return f"{tick:g}".replace("-", "−")


def room_for(words: Sequence[str]) -> str:
    """The `look` of a plot with these words to its left."""
    return f"--left: {0.8 + 0.46 * max(map(len, words)):.1f}rem"


def row_svg(y: float, word: str) -> str:
    """A level line of the grid with its word to the left."""
    return f'<line class="grid" x1="0" x2="100%" y1="{y:.2f}%" y2="{y:.2f}%"/>{beside_svg(y, word)}'


def beside_svg(y: float, word: str) -> str:
    """A word left of the plot."""
    return f'<text class="row" x="0" y="{y:.2f}%" dx="-0.5em" dy="0.35em">{escape(word)}</text>'


def column_svg(x: float, word: str, above: bool = False) -> str:
    """An upright line of the grid with its word below or above."""
    written = above_svg(x, word) if above else beneath_svg(x, word)
    return f'<line class="grid" x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="100%"/>{written}'


def beneath_svg(x: float, word: str) -> str:
    """A word below the plot."""
    return f'<text class="column" x="{x:.2f}%" y="100%" dy="1.35em">{escape(word)}</text>'


def above_svg(x: float, word: str) -> str:
    """A word above the plot."""
    return f'<text class="column" x="{x:.2f}%" y="0" dy="-0.6em">{escape(word)}</text>'


def zero_svg(x: float) -> str:
    """The upright line from which is measured."""
    return f'<line class="zero" x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="100%"/>'


def title_svg(word: str) -> str:
    """What is measured to the right, beneath all other words."""
    return f'<text class="title" x="50%" y="100%" dy="2.9em">{escape(word)}</text>'


def aside_svg(word: str) -> str:
    """What is measured upwards, written along the left edge."""
    return f'<svg y="50%"><text class="title" dy="-2.4em" transform="rotate(-90)">{escape(word)}</text></svg>'


def corners(xs: Sequence[float], ys: Sequence[float]) -> str:
    """The `points` of a line or an area."""
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in zip(xs, ys, strict=True))


def whisker_svg(x: float, low: float, high: float, colour: str) -> str:
    """An upright line between the ends of an interval."""
    return f'<line class="whisker" x1="{x:.2f}%" x2="{x:.2f}%" y1="{low:.2f}%" y2="{high:.2f}%" stroke="{colour}"/>'


def mark_svg(x: float, y: float, shape: str, wide: int = MARK) -> str:
    """A mark of `butf.figures.shapes`, so many pixels wide, that says nothing by itself."""
    return f'<svg class="mark" x="{x:.2f}%" y="{y:.2f}%">{_centred(shape, wide)}</svg>'


def point_svg(x: float, y: float, shape: str, said: str, kind: str = "point", wide: int = MARK) -> str:
    """A mark of `butf.figures.shapes` that says its numbers to who points at it or near it."""
    return (
        f'<svg class="{kind}" x="{x:.2f}%" y="{y:.2f}%"><title>{escape(said)}</title>'
        f'<circle class="reach" r="{MARK}" fill="transparent"/>{_centred(shape, wide)}</svg>'
    )


def _centred(shape: str, wide: int) -> str:
    return f'<g transform="scale({wide / SIDE:.3f}) translate({-SIDE / 2:g} {-SIDE / 2:g})">{shape}</g>'
