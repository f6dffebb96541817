"""One query as a story in pictures: the photograph, the depth that a network sees in it, the place each model finds."""

from collections.abc import Sequence
from html import escape

from butf.figures.gallery import Card, Column, metres_text, model_html
from butf.figures.theme import model_colour


def story_html(query: str, query_words: str, side: str | None, side_words: str, answers: Sequence[Column]) -> str:
    """The steps side by side as HTML; pictures are data URIs, looks are in `static/home.css`, names are escaped."""
    steps = [_step("The photograph", query, query_words)]
    if side is not None:
        steps.append(_step("What is reconstructed", side, side_words))
    found = "".join(_answer(column) for column in answers if column.cards)
    steps.append(f'<section class="step found"><h3 class="panel">The nearest place</h3><ul>{found}</ul></section>')
    return f'<div class="story">{"".join(steps)}</div>'


def _step(title: str, picture: str, words: str) -> str:
    return (
        f'<section class="step"><h3 class="panel">{escape(title)}</h3>'
        f'<img src="{escape(picture)}" alt="{escape(title)}: {escape(words)}"><p>{escape(words)}</p></section>'
    )


def _answer(column: Column) -> str:
    card = column.cards[0]
    kind = {True: "right", False: "wrong", None: "unknown"}[card.correct]
    return (
        f'<li class="{kind}" style="--model: {model_colour(column.model)}">'
        f'<img src="{escape(card.picture)}" alt="First candidate of {escape(column.model)}: {escape(card.frame)}">'
        f"<p><b>{model_html(column.model)}</b><br>{_verdict(card)}</p></li>"
    )


def _verdict(card: Card) -> str:
    if card.correct is None or card.metres is None:
        return escape(card.frame)
    return f"{'✓ right' if card.correct else '✗ wrong'}, {metres_text(card.metres)} away"
