"""Direct and indirect localization of one query: what each gives, how far the retrieved place is from the true one.

The looks are in `static/learn.css` and `static/plot.css`; names are escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from butf.figures.gallery import Card, metres_text
from butf.figures.marks import NEUTRAL, Mark
from butf.figures.plots import (
    column_svg,
    corners,
    plot_svg,
    point_svg,
    round_step,
    row_svg,
    tick_text,
    ticks,
    title_svg,
)
from butf.figures.shapes import model_shape
from butf.figures.theme import RIGHT, WRONG, model_colour

CANDIDATE_WIDE, QUERY_WIDE = 16, 20
QUERY = (
    f'<g fill="none" stroke="{NEUTRAL}" stroke-width="3"><circle cx="12" cy="12" r="9"/>'
    '<path d="M12 3v18M3 12h18"/></g>'
)
ROOM = 0.05
"""Room around what is drawn, as a share of its larger side."""
NARROWEST, WIDEST = 0.7, 2.0
NEAR_TOP = 16
"""So near the upper edge, in percent, words above a mark would leave the plot."""


def way_html(title: str, chain: Sequence[str], words: str) -> str:
    """One way to localize as a chain of what becomes of the picture, with a sentence beneath it."""
    links = '<b aria-hidden="true">→</b>'.join(f"<span>{escape(link)}</span>" for link in chain)
    return f'<section class="way"><h3>{escape(title)}</h3><p class="chain">{links}</p><p>{escape(words)}</p></section>'


def ranked_html(cards: Sequence[Card], within: int | None = None) -> str:
    """Judged candidates in their order, small, with right or wrong and metres; those beyond `within` are paled."""
    return f'<ol class="ranked">{"".join(_ranked(card, within) for card in cards)}</ol>'


def _ranked(card: Card, within: int | None) -> str:
    assert card.metres is not None
    kind, mark = ("right", "✓") if card.correct else ("wrong", "✗")
    pale = " beyond" if within is not None and card.rank > within else ""
    alt = f"Candidate {card.rank}: {card.frame}, {kind}, {metres_text(card.metres)} away"
    return (
        f'<li class="{kind}{pale}" data-frame="{escape(card.frame)}"><img src="{escape(card.picture)}"'
        f' alt="{escape(alt)}" title="{escape(card.frame)}"><b>{card.rank}</b>'
        f"<span>{mark} {metres_text(card.metres)}</span></li>"
    )


def error_plan(
    database: np.ndarray, query: tuple[float, float], radius_m: float, marks: Sequence[Mark], label: str
) -> str:
    """A plan in metres as SVG: the database `(D, 2)` as points, the query with its radius, and the candidates.

    A line with its length leads from the true place to the first candidate. Wrong ones are hollow; `label` is read to
    the blind.
    """
    field = Field.around(np.vstack([database, [query], [(mark.x, mark.y) for mark in marks]]), radius_m)
    dots = "".join(f"M{field.x(x):.2f},{field.y(y):.2f}h0" for x, y in database.tolist())
    lines = f'<path class="dots" d="{dots}"/>{_error_line(field, query, marks[0])}'
    points = "".join(_candidate(field, mark) for mark in reversed(marks))
    points += point_svg(field.x(query[0]), field.y(query[1]), QUERY, "the query", wide=QUERY_WIDE)
    words = f'{title_svg("easting, m")}<text class="over" x="0" y="0" dx="-2.6rem" dy="-0.7em">northing, m</text>'
    grid = field.grid() + _radius(field, query, radius_m)
    look = f"--ratio: {field.wide / field.high:.4f}"
    return plot_svg(label, grid, lines, points, words + _error_text(field, query, marks[0]), "plan", look)


@dataclass(frozen=True)
class Field:
    """The part of a plan that is drawn: its south-west corner and its size, in metres."""

    west: float
    south: float
    wide: float
    high: float

    @classmethod
    def around(cls, points: np.ndarray, least_m: float) -> Field:
        """The field of points `(P, 2)` with some room, never a mere strip nor smaller than `least_m`."""
        low, high = points.min(axis=0), points.max(axis=0)
        room = 2 * ROOM * max(float((high - low).max()), least_m)
        wide, tall = (high - low + room).tolist()
        wide, tall = max(wide, NARROWEST * tall), max(tall, wide / WIDEST)
        west, south = ((low + high - (wide, tall)) / 2).tolist()
        return cls(west, south, wide, tall)

    def x(self, easting: float) -> float:
        return 100 * (easting - self.west) / self.wide

    def y(self, northing: float) -> float:
        return 100 * (1 - (northing - self.south) / self.high)

    def grid(self) -> str:
        """Lines at round metres, as far apart across as up."""
        step = round_step(max(self.wide, self.high), 6)
        rows, columns = (
            ticks(low, low + long, step) for low, long in ((self.south, self.high), (self.west, self.wide))
        )
        drawn = "".join(row_svg(self.y(tick), tick_text(tick)) for tick in rows)
        return drawn + "".join(column_svg(self.x(tick), tick_text(tick)) for tick in columns)


def _radius(field: Field, query: tuple[float, float], radius_m: float) -> str:
    """The circle of what is right, cut where it leaves the field."""
    across, up = 100 * radius_m / field.wide, 100 * radius_m / field.high
    at = f'cx="{field.x(query[0]):.2f}%" cy="{field.y(query[1]):.2f}%"'
    return f'<svg class="inside"><ellipse class="radius" {at} rx="{across:.2f}%" ry="{up:.2f}%"/></svg>'


def _candidate(field: Field, mark: Mark) -> str:
    colour = model_colour(mark.model)
    fill = "none" if mark.correct is False else colour
    shape = model_shape(mark.model, f'fill="{fill}" stroke="{colour}" stroke-width="3"')
    return point_svg(field.x(mark.x), field.y(mark.y), shape, mark.tooltip, wide=CANDIDATE_WIDE)


def _error_line(field: Field, query: tuple[float, float], first: Mark) -> str:
    broken = "" if first.correct else ' stroke-dasharray="7 5"'
    ends = corners([field.x(query[0]), field.x(first.x)], [field.y(query[1]), field.y(first.y)])
    return f'<polyline class="line error" points="{ends}" stroke="{_judged(first)}"{broken}/>'


def _error_text(field: Field, query: tuple[float, float], first: Mark) -> str:
    """The length in metres above the middle of the line, or below it at the upper edge."""
    assert first.metres is not None
    words = metres_text(first.metres)
    x, y = field.x((query[0] + first.x) / 2), field.y((query[1] + first.y) / 2)
    down = -1.8 if y > NEAR_TOP else 1.8
    wide = 0.6 * len(words) + 0.6
    return (
        f'<svg class="badge" x="{x:.2f}%" y="{y:.2f}%"><rect x="{-wide / 2:.2f}em" y="{down - 0.8:.2f}em"'
        f' width="{wide:.2f}em" height="1.6em" rx="4" fill="{_judged(first)}"/>'
        f'<text y="{down:.2f}em" dy="0.35em">{words}</text></svg>'
    )


def _judged(mark: Mark) -> str:
    return RIGHT if mark.correct else WRONG
