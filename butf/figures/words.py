"""Visual words drawn: which part of a picture is assigned to which word and how surely, and the matrix of residuals.

The looks are in `static/hover_map.css`.
"""

import colorsys
from dataclasses import replace

import numpy as np
from PIL import Image, ImageColor

from butf.figures.depth import signed_colours
from butf.figures.gallery import data_uri, thumbnail
from butf.figures.hover_map import HoverMap

MOST_OPAQUE = 0.82
HEIGHT, MATRIX_HEIGHT = 400, 350


def word_colour(word: int) -> str:
    """A colour `#rrggbb` for each word: hues by the golden angle, light and dark in turn."""
    red, green, blue = colorsys.hls_to_rgb(0.58 + 0.381966 * word % 1.0, (0.45, 0.58)[word % 2], 0.75)
    return "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))


def assignment_map(picture: Image.Image, shares: np.ndarray, word: int | None = None) -> HoverMap:
    """A picture beneath its assignment `(h, w, K)`: each cell in its likeliest word's colour, the surer the denser.

    With `word` only that word's share is drawn.
    """
    rows, columns, count = shares.shape
    shown = shares.argmax(axis=2) if word is None else np.full((rows, columns), word)
    share = np.take_along_axis(shares, shown[..., None], axis=2)
    palette = np.array([ImageColor.getrgb(word_colour(k)) for k in range(count)])
    cells = np.concatenate([palette[shown], np.rint(255 * MOST_OPAQUE * share)], axis=2).astype(np.uint8)
    said = [f"word {k + 1}: {part:.2f}" for k, part in zip(shown.flat, share.flat, strict=True)]
    # The picture is not blended with the cells: a file of both would have to be as fine as the picture.
    told = HoverMap.of_words(np.array(said).reshape(rows, columns), cells, HEIGHT)
    # The photograph is not blended with the cells: that would take a file as fine as it is.
    return replace(told, beneath=data_uri(thumbnail(picture, 640)), ratio=picture.width / picture.height)


def matrix_map(matrix: np.ndarray, word: int | None = None) -> HoverMap:
    """The matrix V `(K, D)`, a row a word, and beside it the L2 norm of each row; `word` is set apart.

    Entries are blue below 0 and orange above, in full colour at the largest of all.
    """
    limit = float(np.abs(matrix).max()) or 1.0
    told = HoverMap.of_numbers(matrix, signed_colours((matrix / limit + 1) / 2), "", None, MATRIX_HEIGHT, signed=True)
    names = "".join(f"<li>{k + 1}</li>" for k in range(len(matrix)))
    heads = f"<p>word k</p><p>dimension j, 1 to {matrix.shape[1]}</p><p>L2 norm</p>"
    left = f'{heads}<ol class="rows">{names}</ol>'
    return replace(told, named=("word", "dimension"), sides=(left, _norms_html(matrix, word)))


def _norms_html(matrix: np.ndarray, word: int | None) -> str:
    """A bar for each row, as long as its norm is against the largest one."""
    norms = np.linalg.norm(matrix, axis=1)
    most = float(norms.max()) or 1.0
    bars = "".join(
        f'<li class="{"bright" if word in (None, k) else "pale"}" title="word {k + 1}: ‖V(k)‖ = {norm:.2f}"'
        f' style="--share: {norm / most:.4f}; --colour: {word_colour(k)}"><i></i><span>{norm:.1f}</span></li>'
        for k, norm in enumerate(norms.tolist())
    )
    return f'<ol class="bars">{bars}</ol>'
