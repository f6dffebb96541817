"""From a lidar's points to a dense map, in pictures of one size: dots over the darkened photograph, maps, their error.

The looks of the HTML are in `static/samples.css`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from butf.figures.depth import SHORT_TO_LONG
from butf.figures.previews import Tile

WIDE = 760
DIM = 0.35
CLEAR = (64, 224, 236)  # in no colour map of ours, and seen on every darkened photograph
FULL_COLOUR = 0.2
COVER = 0.36  # radius of a dot over the usual distance between two samples
ELONGATED = 2.0


def dotted(picture: np.ndarray, where: np.ndarray, colours: np.ndarray, radius: float | None = None) -> np.ndarray:
    """The picture (H, W, 3) in grey and dark, and a dot in each pixel of the mask `where` (H, W): (k H, k W, 3) uint8.

    `colours` (N, 3) are those of the mask's pixels, row by row; where dots overlap, later ones lie above. `k` brings
    small pictures to about `WIDE` pixels; `radius` is in pixels of the result, by default what suits N samples.
    """
    k = max(1, round(WIDE / picture.shape[1]))
    grey = Image.fromarray(picture).convert("L").resize((picture.shape[1] * k, picture.shape[0] * k))
    canvas = np.repeat(np.rint(DIM * np.asarray(grey, np.float32)).astype(np.uint8)[..., None], 3, axis=2)
    rows, columns = np.nonzero(where)
    if radius is None:
        radius = dot_radius(len(rows), canvas.shape[0], canvas.shape[1])
    reach = math.ceil(radius)
    padded = np.pad(canvas, ((reach, reach), (reach, reach), (0, 0)))
    middle = np.stack([rows, columns], axis=1) * k + k // 2 + reach
    disc = [(y, x) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1) if math.hypot(y, x) <= radius]
    cells = (middle[:, None] + np.array(disc)).reshape(-1, 2)
    padded[cells[:, 0], cells[:, 1]] = np.repeat(np.broadcast_to(colours, (len(rows), 3)), len(disc), axis=0)
    return padded[reach : reach + canvas.shape[0], reach : reach + canvas.shape[1]]


def dot_radius(count: int, height: int, width: int) -> float:
    """Pixels: large enough to be seen, and so small that `count` dots, were they even, would leave gaps."""
    return float(np.clip(COVER * math.sqrt(height * width / max(count, 1)), 1.0, width / 160))


def error_picture(share: np.ndarray, valid: np.ndarray, ground: tuple[int, int, int] = (128, 128, 128)) -> np.ndarray:
    """Relative errors (H, W), 0.1 being a tenth too far, as (H, W, 3) uint8: blue too near, orange too far."""
    stops = [stop for stop, _ in SHORT_TO_LONG]
    table = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for _, colour in SHORT_TO_LONG])
    place = 0.5 + 0.5 * np.clip(np.where(valid, share, 0) / FULL_COLOUR, -1, 1)
    painted = np.stack([np.interp(place, stops, table[:, channel]) for channel in range(3)], axis=2)
    return np.where(valid[..., None], np.rint(painted), ground).astype(np.uint8)


def tiles_html(tiles: Sequence[Tile], proportion: float) -> str:
    """Pictures of one scene side by side, few across where they are wide (`proportion` is width over height); each is
    a button, and a cross marks in all of them the point that is pointed at in one."""
    wide = " wide" if proportion > ELONGATED else ""
    return f'<ol class="origin{wide}">{"".join(map(_tile, tiles))}</ol>'


def _tile(tile: Tile) -> str:
    return (
        f'<li><button type="button" aria-pressed="false"><img src="{escape(tile.picture)}" alt="{escape(tile.alt)}">'
        f'<i aria-hidden="true"></i></button><p><b>{escape(tile.title)}</b> <span>{escape(tile.note)}</span></p></li>'
    )
