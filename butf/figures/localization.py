"""Direct and indirect localization of one query: what each gives, how far the retrieved place is from the true one."""

from collections.abc import Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go

from butf.figures.gallery import Card, metres_text
from butf.figures.marks import Mark, plan_parts
from butf.figures.theme import RIGHT, WRONG, note, styled


def way_html(title: str, chain: Sequence[str], words: str) -> str:
    """One way to localize as a chain of what becomes of the picture, with a sentence beneath it."""
    links = '<b aria-hidden="true">→</b>'.join(f"<span>{escape(link)}</span>" for link in chain)
    return f'<section class="way"><h3>{escape(title)}</h3><p class="chain">{links}</p><p>{escape(words)}</p></section>'


def ranked_html(cards: Sequence[Card], within: int | None = None) -> str:
    """Judged candidates in their order, small, with right or wrong and metres; those beyond `within` are paled."""
    return f'<ol class="ranked">{"".join(_ranked(card, within) for card in cards)}</ol>'


def _ranked(card: Card, within: int | None) -> str:
    kind, mark = ("right", "✓") if card.correct else ("wrong", "✗")
    pale = " beyond" if within is not None and card.rank > within else ""
    alt = f"Candidate {card.rank}: {card.frame}, {kind}, {metres_text(card.metres)} away"
    return (
        f'<li class="{kind}{pale}" data-frame="{escape(card.frame)}"><img src="{escape(card.picture)}"'
        f' alt="{escape(alt)}" title="{escape(card.frame)}"><b>{card.rank}</b>'
        f"<span>{mark} {metres_text(card.metres)}</span></li>"
    )


def error_figure(
    database: np.ndarray, query: tuple[float, float], radius_m: float, marks: Sequence[Mark], height: int = 500
) -> go.Figure:
    """The plan of `plan_parts` with a line from the true place to the first candidate, its length in metres."""
    traces, layout = plan_parts(database, query, radius_m, marks)
    first = marks[0]
    colour = RIGHT if first.correct else WRONG
    error = {
        "type": "scatter", "x": [query[0], first.x], "y": [query[1], first.y], "mode": "lines", "name": "error",
        "hoverinfo": "skip", "line": {"color": colour, "width": 3, "dash": "solid" if first.correct else "dash"},
    }  # fmt: skip
    look = {"font": {"size": 18, "color": "#ffffff"}, "bgcolor": colour, "borderpad": 4, "yshift": 34}
    middle = (query[0] + first.x) / 2, (query[1] + first.y) / 2
    layout |= {"margin": {"l": 4, "r": 4, "t": 6, "b": 4}}
    layout |= {"annotations": [note(*middle, f"<b>{metres_text(first.metres)}</b>", **look)]}
    return styled([*traces, error], height, **layout)
