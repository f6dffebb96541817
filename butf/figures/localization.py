"""Direct and indirect localization of one query: what each gives, how far the retrieved place is from the true one."""

from collections.abc import Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go

from butf.figures.gallery import Column, candidates_html, metres_text
from butf.figures.marks import Mark, plan_figure
from butf.figures.theme import RIGHT, WRONG


def way_html(title: str, chain: Sequence[str], words: str) -> str:
    """One way to localize as a chain of what becomes of the picture, with a sentence beneath it."""
    links = '<b aria-hidden="true">→</b>'.join(f"<span>{escape(link)}</span>" for link in chain)
    return f'<section class="way"><h3>{escape(title)}</h3><p class="chain">{links}</p><p>{escape(words)}</p></section>'


def ranked_html(column: Column, within: int | None = None) -> str:
    """One model's candidates in a row; those beyond the first `within` are paled."""
    count = len(column.cards) if within is None else within
    lists = [("within", column.cards[:count]), ("beyond", column.cards[count:])]
    drawn = (
        f'<div class="{kind}">{candidates_html([Column(column.model, cards, column.note)])}</div>'
        for kind, cards in lists
        if cards
    )
    return f'<div class="ranked">{"".join(drawn)}</div>'


def error_figure(
    database: np.ndarray, query: tuple[float, float], radius_m: float, marks: Sequence[Mark], height: int = 420
) -> go.Figure:
    """The plan of `plan_figure` with a line from the true place to the first candidate, its length in metres."""
    figure = plan_figure(database, query, radius_m, marks, height)
    first = marks[0]
    colour = RIGHT if first.correct else WRONG
    figure.add_trace(
        go.Scatter(
            x=[query[0], first.x], y=[query[1], first.y], mode="lines", name="error", hoverinfo="skip",
            line={"color": colour, "width": 3, "dash": "solid" if first.correct else "dash"},
        )
    )  # fmt: skip
    figure.add_annotation(
        x=(query[0] + first.x) / 2, y=(query[1] + first.y) / 2, text=f"<b>{metres_text(first.metres)}</b>",
        showarrow=False, font={"size": 18, "color": "#ffffff"}, bgcolor=colour, borderpad=4, yshift=22,
    )  # fmt: skip
    figure.update_layout(margin={"l": 4, "r": 4, "t": 6, "b": 4})
    return figure
