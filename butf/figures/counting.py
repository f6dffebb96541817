"""Recall@N as a picture: one square a query, and the curve with one query and one N marked on it."""

from collections.abc import Sequence
from math import log10

import plotly.graph_objects as go

from butf.figures.recall import Curve, curves_figure
from butf.figures.theme import RIGHT


def squares_html(first: Sequence[int], n: int, chosen: int | None) -> str:
    """A square for each query, filled where its first right candidate (`first`, 0 for none) is among the first `n`.

    Best ones first; `chosen` is the number of the query that is ringed.
    """
    order = sorted(range(len(first)), key=lambda i: (first[i] == 0, first[i]))
    squares = "".join(
        f'<i class="{"hit" if 0 < first[i] <= n else "miss"}{" here" if i == chosen else ""}"></i>' for i in order
    )
    found = sum(0 < rank <= n for rank in first)
    label = f"{found} of {len(first)} queries have a right one among the first {n}"
    return f'<div class="squares" role="img" aria-label="{label}">{squares}</div>'


def marked_curve(curve: Curve, n: int, rank: int | None, height: int = 260) -> go.Figure:
    """The curve, N as an upright line with its value, and where the chosen query begins to count (`rank`, 0: never)."""
    figure = curves_figure([curve], "candidates N", height)
    at = list(curve.x).index(n)
    figure.add_vline(x=n, line={"width": 2, "color": "#808a94"})
    figure.add_annotation(
        x=log10(n), y=100 * curve.y[at], text=f"<b>{100 * curve.y[at]:.0f} %</b>", showarrow=True, ax=34, ay=30,
        font={"size": 18}, arrowcolor="#808a94",
    )  # fmt: skip
    if rank and rank <= max(curve.x):
        figure.add_vline(x=rank, line={"width": 2, "color": RIGHT, "dash": "dot"})
        figure.add_annotation(
            x=log10(rank), y=4, text=f"this query, from {rank}", showarrow=False, xanchor="left", xshift=4,
            font={"size": 13, "color": RIGHT},
        )  # fmt: skip
    ticks = [tick for tick in (1, 2, 5, 10, 20) if tick in curve.x]
    figure.update_xaxes(tickvals=ticks, ticktext=[str(tick) for tick in ticks])
    return figure
