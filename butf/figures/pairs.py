"""Two models on the same queries: counts where only one of them is right, as bars and in words."""

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from butf.figures.gallery import heading_html
from butf.figures.recall import p_text
from butf.figures.theme import model_colour, style, translucent
from butf.retrieval.pairs import Pair

SURE = 0.05


def pair_words(pair: Pair) -> str:
    """A paired test as a sentence with its counts."""
    return (
        f"{pair.a} is right on {_queries(pair.a_only)} where {pair.b} is wrong, "
        f"and wrong on {pair.b_only:,} where it is right; p {p_text(pair.p_blocks)}"
    )


def clear(pair: Pair) -> bool:
    """Whether the difference is more than chance would often give."""
    return pair.p_blocks < SURE and pair.a_only != pair.b_only


def verdict_words(pair: Pair) -> str:
    """What follows from a paired test."""
    if not clear(pair):
        return "within the noise"
    return f"{pair.a if pair.a_only > pair.b_only else pair.b} is clearly better"


def lead_html(pair: Pair) -> str:
    """The test over all conditions, in large."""
    agreed = f"Both are right on {_queries(pair.both)} and both are wrong on {pair.neither:,}: {verdict_words(pair)}."
    return f'<p class="pair-lead">Over all conditions, {_unbroken(pair)}.<small>{escape(agreed)}</small></p>'


def pairs_html(pairs: Sequence[Pair]) -> str:
    """A sentence for each condition; those within the noise are quieter."""
    return f'<ul class="pair-words">{"".join(map(_sentence, pairs))}</ul>'


def pairs_figure(pairs: Sequence[Pair], height: int | None = None) -> go.Figure:
    """Queries that only `b` gets right to the left and those that only `a` gets right to the right, by condition."""
    first = pairs[0]
    lanes = list(range(len(pairs)))
    figure = go.Figure()
    for model, counts, sign in (
        (first.b, [pair.b_only for pair in pairs], -1),
        (first.a, [pair.a_only for pair in pairs], 1),
    ):
        colour = model_colour(model)
        figure.add_trace(go.Bar(
            x=[sign * count for count in counts], y=lanes, orientation="h", name=f"only {model} right", width=0.62,
            marker={"color": translucent(colour, 0.55), "line": {"width": 0}},
            text=[str(count) for count in counts], textposition="outside", cliponaxis=False,
            hoverinfo="text", hovertext=[f"{pair.condition}: {pair_words(pair)}" for pair in pairs],
        ))  # fmt: skip
    most = max(max(pair.a_only, pair.b_only) for pair in pairs) or 1
    style(figure, height=height or 84 + 40 * len(pairs), legend=False)
    figure.update_layout(barmode="overlay", margin={"l": 4, "r": 4, "t": 26, "b": 4})
    for text, side, anchor in ((f"only {first.b} right", -0.02, "right"), (f"only {first.a} right", 0.02, "left")):
        figure.add_annotation(
            x=side * most, y=1, yref="paper", text=text, showarrow=False, xanchor=anchor, yanchor="bottom",
            font={"size": 12}, opacity=0.75,
        )  # fmt: skip
    figure.add_vline(x=0, line={"width": 1.5, "color": "#808a94"})
    left, right = max(pair.b_only for pair in pairs), max(pair.a_only for pair in pairs)
    ends = [-max(0.45 * most, 1.2 * left), max(0.45 * most, 1.2 * right)]
    figure.update_xaxes(range=ends, showticklabels=False, showgrid=False)
    names = [pair.condition for pair in pairs]
    figure.update_yaxes(tickvals=lanes, ticktext=names, range=[len(pairs) - 0.5, -0.5], showgrid=False)
    return figure


def _sentence(pair: Pair) -> str:
    look = "" if clear(pair) else ' class="noise"'
    heading = heading_html(str(pair.condition), verdict_words(pair))
    return f"<li{look}>{heading}{_unbroken(pair)}</li>"


def _unbroken(pair: Pair) -> str:
    """The sentence as HTML, its p on one line."""
    words, _, p = pair_words(pair).rpartition("; ")
    return f'{escape(words)}; <span class="p">{escape(p)}</span>'


def _queries(count: int) -> str:
    return "1 query" if count == 1 else f"{count:,} queries"
