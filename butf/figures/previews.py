"""Reconstructions growing sharper: the picture, its true side map, and what the decoder made of it step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from butf.dataset.modalities import Map, colour
from butf.figures.depth import Scale
from butf.figures.gallery import png_uri


@dataclass(frozen=True)
class Tile:
    """One picture of a strip: a data URI, what stands under it, and what a screen reader says."""

    picture: str
    title: str
    note: str
    alt: str


@dataclass(frozen=True)
class Strip:
    """One val picture over the training steps."""

    heading: str
    tiles: Sequence[Tile]


def strips_html(strips: Sequence[Strip], modality: str, scale: Scale | None = None) -> str:
    """Strips one below the other as HTML, with the scale that all their maps share; looks are in `static/train.css`."""
    legend = legend_html(modality, scale) if scale else ""
    return f'<div class="previews">{"".join(map(_strip, strips))}{legend}</div>'


def map_uri(side: Map, scale: Scale | None) -> str:
    """A side map `(h, w)` in the house's colours as a PNG in a data URI, one pixel a cell."""
    low, high = (scale.low, scale.high) if scale else (None, None)
    return png_uri(colour(side, low=low, high=high))


def _strip(strip: Strip) -> str:
    tiles = "".join(
        f'<li><img src="{escape(tile.picture)}" alt="{escape(tile.alt)}">'
        f"<p><b>{escape(tile.title)}</b> <span>{escape(tile.note)}</span></p></li>"
        for tile in strip.tiles
    )
    return f'<h3 class="panel">{escape(strip.heading)}</h3><ol class="strip">{tiles}</ol>'


def legend_html(modality: str, scale: Scale) -> str:
    """The colours from the scale's low to its high end, with the values at the ends and in the middle."""
    values = (np.geomspace if scale.log else np.linspace)(scale.low, scale.high, 17)
    colours = colour(values[None], name=modality, low=scale.low, high=scale.high)[0].tolist()
    stops = ", ".join(f"rgb({r}, {g}, {b})" for r, g, b in colours)
    unit = f" {scale.unit}" if scale.unit else ""
    ticks = "".join(f"<span>{tick:.3g}{unit}</span>" for tick in values[[0, 8, 16]])
    return f'<div class="scale"><i style="background: linear-gradient(90deg, {stops})"></i><p>{ticks}</p></div>'
