"""Pictures for the page: small JPEGs, and each model's candidates with rank, distances and right or wrong in words."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

from butf.dataset.class_metrics import ClassErrors
from butf.dataset.depth_metrics import DepthErrors
from butf.figures.theme import model_colour, model_symbol

MARKS = {
    "x": "✖",
    "circle": "●",
    "square": "■",
    "diamond": "◆",
    "star": "★",
    "hexagon": "⬢",
    "cross": "✚",
    "triangle-down": "▼",
    "triangle-up": "▲",
}


@dataclass(frozen=True)
class Card:
    """One candidate: its picture as a JPEG's data URI, rank from 1, metres to the query, L2 descriptor distance.

    `correct` and `metres` are None where the truth is not known (one's own photograph).
    """

    frame: str
    picture: str
    rank: int
    distance: float
    metres: float | None = None
    correct: bool | None = None


@dataclass(frozen=True)
class Column:
    """One model's answer."""

    model: str
    cards: Sequence[Card]
    note: str = ""


def thumbnail(image: Image.Image, width: int = 240, quality: int = 82) -> bytes:
    """A JPEG of the picture, at most `width` pixels wide, its sides in proportion."""
    small = image.convert("RGB")
    if small.width > width:
        small = small.resize((width, max(1, round(small.height * width / small.width))), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def png_uri(pixels: np.ndarray) -> str:
    """Pixels `(H, W, 3)`, or with opacity `(H, W, 4)`, uint8 as a PNG in a data URI."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def metres_text(metres: float) -> str:
    """A distance for people: `0.18 m`, `4.2 m`, `137 m`."""
    if metres < 1:
        return f"{metres:.2f} m"
    return f"{metres:.1f} m" if metres < 10 else f"{metres:.0f} m"


def candidates_html(columns: Sequence[Column], chosen: tuple[str, int] | None = None) -> str:
    """The answers of several models side by side as HTML; the looks are in `static/app.css`, names are escaped.

    Each picture is a button whose `data-pick` is "rank model"; the `chosen` one, (model, rank), is marked.
    """
    return f'<div class="answers">{"".join(_column(column, chosen) for column in columns)}</div>'


def picked(pick: str) -> tuple[str, int]:
    """What a `data-pick` says: the model's name and the rank."""
    rank, _, model = pick.partition(" ")
    return model, int(rank)


def heading_html(title: str, note: str = "") -> str:
    """A small heading over a picture or figure, with a quieter note beside it."""
    return f'<h3 class="panel">{escape(title)} <small>{escape(note)}</small></h3>'


def scores_html(errors: DepthErrors | ClassErrors) -> str:
    """The usual numbers of a reconstructed map, each with what it means on hover."""
    items = _depth_items(errors) if isinstance(errors, DepthErrors) else _class_items(errors)
    words = (f'<span title="{escape(why)}">{escape(name)} <b>{value}</b></span>' for name, value, why in items)
    return f'<p class="scores">{"".join(words)}</p>'


def _depth_items(errors: DepthErrors) -> tuple[tuple[str, str, str], ...]:
    return (
        ("AbsRel", f"{errors.abs_rel:.2f}", "mean of |reconstructed - true| / true"),
        ("RMSE", f"{errors.rmse_m:.1f} m", "root of the mean squared error"),
        ("δ < 1.25", f"{errors.delta1:.0%}", "share of pixels that are off by less than a factor of 1.25"),
    )


def _class_items(errors: ClassErrors) -> tuple[tuple[str, str, str], ...]:
    return (
        ("right", f"{errors.right:.0%}", "share of pixels whose class is the true one"),
        ("mean IoU", f"{errors.mean_iou:.0%}", "intersection over union, mean over the classes in the true map"),
    )


def model_html(name: str) -> str:
    """A model's name after its mark in its colour."""
    mark = MARKS[model_symbol(name)]
    return f'<i style="color: {model_colour(name)}" aria-hidden="true">{mark}</i> {escape(name)}'


def _column(column: Column, chosen: tuple[str, int] | None) -> str:
    name = escape(column.model)
    cards = "".join(_card(card, column.model, chosen == (column.model, card.rank)) for card in column.cards)
    return (
        f'<section class="answer" style="--model: {model_colour(column.model)}" aria-label="Candidates of {name}">'
        f'<h3>{model_html(column.model)}</h3><p class="note">{escape(column.note)}</p>'
        f'<ol class="cards">{cards}</ol></section>'
    )


def _card(card: Card, model: str, chosen: bool) -> str:
    kind, mark, word = _verdict(card.correct)
    where = "" if card.metres is None else f"<b>{metres_text(card.metres)}</b>"
    alt = f"Candidate {card.rank} of {model}: {card.frame}" + (f", {word}" if word else "")
    badge = f'<span class="badge">{mark} {word}</span>' if word else ""
    return (
        f'<li class="card {kind}{" chosen" if chosen else ""}" data-frame="{escape(card.frame)}">'
        f'<button type="button" data-pick="{card.rank} {escape(model)}" aria-pressed="{str(chosen).lower()}">'
        f'<img src="{escape(card.picture)}" alt="{escape(alt)}" title="{escape(card.frame)}">'
        f'<span class="rank">{card.rank}</span>{badge}</button>'
        f'<p>{where}<span title="L2 distance between descriptors">d&nbsp;{card.distance:.3f}</span></p></li>'
    )


def _verdict(correct: bool | None) -> tuple[str, str, str]:
    if correct is None:
        return "unknown", "", ""
    return ("right", "✓", "right") if correct else ("wrong", "✗", "wrong")
