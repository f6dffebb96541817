"""How the side part of a descriptor moves the ranking: one line a candidate, from main alone to side alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from butf.figures.plots import Scale, column_svg, corners, log_scale, plot_svg, point_svg, row_svg
from butf.figures.shapes import SHAPES
from butf.figures.theme import RIGHT, WRONG

NEUTRAL = "#808a94"
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
ASIDE, INSET = 9.0, 6.0
"""Room at the sides, and above and below, in percent."""


@dataclass(frozen=True)
class Path:
    """The ranks of one candidate under each ordering; `correct` None where the truth is not known."""

    frame: str
    ranks: Sequence[int]
    correct: bool | None
    chosen: bool = False


def ranks_svg(orderings: Sequence[str], paths: Sequence[Path], label: str) -> str:
    """Ranks, 1 on top and logarithmic; right places filled and green, wrong ones hollow, the chosen one thick."""
    last = max((max(path.ranks) for path in paths), default=1)
    down = log_scale([1, last], INSET)
    places = [ASIDE + (100 - 2 * ASIDE) * number / (len(orderings) - 1) for number in range(len(orderings))]
    grid = "".join(row_svg(down(tick), f"{tick:,}") for tick in TICKS if tick <= last)
    grid += "".join(column_svg(x, word, above=True) for x, word in zip(places, orderings, strict=True))
    ordered = sorted(paths, key=lambda path: path.chosen)
    lines = "".join(_line(path, places, down) for path in ordered)
    points = "".join(_points(path, orderings, places, down) for path in ordered)
    return plot_svg(label, grid, lines, points, '<text class="row" x="0" y="0" dx="-0.5em" dy="-0.6em">rank</text>')


def _line(path: Path, places: Sequence[float], down: Scale) -> str:
    broken = ' stroke-dasharray="2 4"' if path.correct is False else ""
    points = corners(places, [down(rank) for rank in path.ranks])
    return f'<polyline class="line {_kind(path)}" points="{points}" stroke="{_colour(path)}"{broken}/>'


def _points(path: Path, orderings: Sequence[str], places: Sequence[float], down: Scale) -> str:
    colour = _colour(path)
    inside = "var(--st-background-color)" if path.correct is False else colour
    shape = SHAPES["circle"].format(look=f'fill="{inside}" stroke="{colour}" stroke-width="4"')
    word = {True: ", right", False: ", wrong", None: ""}[path.correct]
    return "".join(
        point_svg(x, down(rank), shape, f"{path.frame}{word}: rank {rank:,} by {ordering}", f"point {_kind(path)}")
        for x, rank, ordering in zip(places, path.ranks, orderings, strict=True)
    )


def _colour(path: Path) -> str:
    return {True: RIGHT, False: WRONG, None: NEUTRAL}[path.correct]


def _kind(path: Path) -> str:
    return "chosen" if path.chosen else "other"
