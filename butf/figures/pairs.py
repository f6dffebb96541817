"""Two models on the same queries: counts where only one of them is right, as bars and in words.

The looks are in `static/plot.css` and `static/compare.css`, names are escaped.
"""

from collections.abc import Sequence
from html import escape

from butf.figures.gallery import heading_html, model_html
from butf.figures.plots import Scale, beside_svg, linear_scale, plot_svg, room_for, zero_svg
from butf.figures.recall import p_text
from butf.figures.theme import model_colour
from butf.retrieval.pairs import Pair

SURE = 0.05
THICK = 0.62
"""Share of its lane that a bar takes."""
LEAST, BEYOND = 0.3, 1.2
"""How far the axis reaches at least, of the longest bar, and how far beyond the longest of its side."""


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


def pairs_plot(pairs: Sequence[Pair], label: str) -> str:
    """Queries that only `b` gets right to the left and those that only `a` gets right to the right, by condition.

    HTML with an SVG; `label` is read to the blind.
    """
    first = pairs[0]
    left, right = max(pair.b_only for pair in pairs), max(pair.a_only for pair in pairs)
    most = max(left, right) or 1
    across = linear_scale(-max(LEAST * most, BEYOND * left), max(LEAST * most, BEYOND * right))
    down = linear_scale(-0.5, len(pairs) - 0.5)
    names = [str(pair.condition) for pair in pairs]
    bars = "".join(_bars(pair, across, down, lane) for lane, pair in enumerate(pairs))
    words = "".join(beside_svg(down(lane), name) for lane, name in enumerate(names))
    look = f"{room_for(names)}; --under: 0.8rem; --lanes: {len(pairs)}"
    sides = f"<span>← only {model_html(first.b)} right</span><span>only {model_html(first.a)} right →</span>"
    return f'<p class="sides">{sides}</p>{plot_svg(label, "", "", bars + zero_svg(across(0)), words, "lanes", look)}'


def _bars(pair: Pair, across: Scale, down: Scale, lane: int) -> str:
    """A condition's two bars with their counts; it says the whole test."""
    top, high = down(lane - THICK / 2), down(THICK) - down(0)
    drawn = ""
    for model, count, sign, side in ((pair.b, pair.b_only, -1, "left"), (pair.a, pair.a_only, 1, "right")):
        x, end = across(min(0, sign * count)), across(sign * count)
        drawn += (
            f'<rect x="{x:.2f}%" y="{top:.2f}%" width="{abs(end - across(0)):.2f}%" height="{high:.2f}%"'
            f' fill="{model_colour(model)}"/>'
            f'<text class="count {side}" x="{end:.2f}%" y="{down(lane):.2f}%" dy="0.35em">{count:,}</text>'
        )
    return f'<g class="bar"><title>{escape(f"{pair.condition}: {pair_words(pair)}")}</title>{drawn}</g>'


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
