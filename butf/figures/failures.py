"""The failure gallery: each query beside the wrong place that a model took it for; names are escaped."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from butf.figures.gallery import metres_text


@dataclass(frozen=True)
class FailureCard:
    """One failure: names and pictures (data URIs) of query and candidate, and where a click on it leads."""

    query: str
    candidate: str
    query_picture: str
    candidate_picture: str
    metres: float
    first_correct: int | None
    link: str


def failures_html(cards: Sequence[FailureCard], model: str) -> str:
    """The cards as a list."""
    return f'<ul class="failures">{"".join(_card(card, model) for card in cards)}</ul>'


def _card(card: FailureCard, model: str) -> str:
    rank = f"first right one at rank {card.first_correct}" if card.first_correct else "no right one found"
    query, candidate = escape(card.query), escape(card.candidate)
    return (
        '<li class="failure"><div class="two">'
        f'<figure><img src="{escape(card.query_picture)}" alt="Query {query}"><figcaption>query</figcaption></figure>'
        f'<figure class="wrong"><img src="{escape(card.candidate_picture)}" '
        f'alt="First candidate of {escape(model)}: {candidate}, wrong"><figcaption>✗ first candidate</figcaption>'
        "</figure></div>"
        f"<p><b>{metres_text(card.metres)} off</b> <span>{rank}</span></p>"
        f'<p><a href="{escape(card.link)}" aria-label="Open {query} on Explore">{query}</a> '
        f'<span title="the wrong candidate">{candidate}</span></p></li>'
    )
