"""Two models on the same queries: counts where only one of them is right, as bars and in words."""

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from butf.figures.gallery import heading_html
from butf.figures.recall import p_text
from butf.figures.theme import model_colour, note, styled, translucent, upright
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
    lanes, names = list(range(len(pairs))), [pair.condition for pair in pairs]
    left, right = max(pair.b_only for pair in pairs), max(pair.a_only for pair in pairs)
    most = max(left, right) or 1
    traces = [
        _bars(first.b, [pair.b_only for pair in pairs], -1, pairs),
        _bars(first.a, [pair.a_only for pair in pairs], 1, pairs),
    ]
    above = {"yref": "paper", "yanchor": "bottom", "font": {"size": 12}, "opacity": 0.75}
    return styled(
        traces,
        height or 84 + 40 * len(pairs),
        barmode="overlay",
        margin={"l": 4, "r": 4, "t": 26, "b": 4},
        xaxis={
            "range": [-max(0.45 * most, 1.2 * left), max(0.45 * most, 1.2 * right)],
            "showticklabels": False,
            "showgrid": False,
        },
        yaxis={"tickvals": lanes, "ticktext": names, "range": [len(pairs) - 0.5, -0.5], "showgrid": False},
        shapes=[upright(0, {"width": 1.5, "color": "#808a94"})],
        annotations=[
            note(-0.02 * most, 1, f"only {first.b} right", xanchor="right", **above),
            note(0.02 * most, 1, f"only {first.a} right", xanchor="left", **above),
        ],
    )


def _bars(model: str, counts: Sequence[int], sign: int, pairs: Sequence[Pair]) -> dict:
    return {
        "type": "bar", "x": [sign * count for count in counts], "y": list(range(len(pairs))), "orientation": "h",
        "name": f"only {model} right", "width": 0.62,
        "marker": {"color": translucent(model_colour(model), 0.55), "line": {"width": 0}},
        "text": [str(count) for count in counts], "textposition": "outside", "cliponaxis": False,
        "hoverinfo": "text", "hovertext": [f"{pair.condition}: {pair_words(pair)}" for pair in pairs],
    }  # fmt: skip


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
