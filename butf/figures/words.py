"""Visual words drawn: which part of a picture is assigned to which word and how surely, and the matrix of residuals."""

import colorsys

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageColor

from butf.figures.depth import SHORT_TO_LONG
from butf.figures.gallery import data_uri, thumbnail
from butf.figures.theme import AXIS, styled

MOST_OPAQUE = 0.82
HIDDEN = {"visible": False, "zeroline": False, "showgrid": False}


def word_colour(word: int) -> str:
    """A colour `#rrggbb` for each word: hues by the golden angle, light and dark in turn."""
    red, green, blue = colorsys.hls_to_rgb(0.58 + 0.381966 * word % 1.0, (0.45, 0.58)[word % 2], 0.75)
    return "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))


def assignment_figure(
    picture: Image.Image, shares: np.ndarray, word: int | None = None, height: int = 400
) -> go.Figure:
    """A picture beneath its assignment `(h, w, K)`: each cell in its likeliest word's colour, the surer the denser.

    With `word` only that word's share is drawn.
    """
    rows, columns, count = shares.shape
    shown = shares.argmax(axis=2) if word is None else np.full((rows, columns), word)
    share = np.take_along_axis(shares, shown[..., None], axis=2)
    palette = np.array([ImageColor.getrgb(word_colour(k)) for k in range(count)])
    # One picture of all cells: a browser draws a heatmap for each word much more slowly.
    cells = np.concatenate([palette[shown], np.rint(255 * MOST_OPAQUE * share)], axis=2).astype(np.uint8)
    assigned = {
        "type": "image", "z": cells, "colormodel": "rgba256",
        "customdata": np.concatenate([shown[..., None] + 1, share], axis=2),
        "hovertemplate": "word %{customdata[0]:d}: %{customdata[1]:.2f}<extra></extra>",
    }  # fmt: skip
    beneath = {
        "source": data_uri(thumbnail(picture, 640)), "xref": "x", "yref": "y", "x": -0.5, "y": -0.5,
        "sizex": columns, "sizey": rows, "sizing": "stretch", "layer": "below",
    }  # fmt: skip
    ratio = picture.height * columns / picture.width / rows
    return styled(
        [assigned],
        height,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        xaxis=HIDDEN | {"range": [-0.5, columns - 0.5], "constrain": "domain"},
        yaxis=HIDDEN | {"range": [rows - 0.5, -0.5], "scaleanchor": "x", "scaleratio": ratio},
        images=[beneath],
    )


def matrix_figure(matrix: np.ndarray, word: int | None = None, height: int = 400) -> go.Figure:
    """The matrix V `(K, D)`, a row a word, and beside it the L2 norm of each row; `word` is set apart."""
    count = len(matrix)
    names = [f"{k + 1}" for k in range(count)]
    limit = float(np.abs(matrix).max()) or 1.0
    norms = np.linalg.norm(matrix, axis=1)
    entries = {
        "type": "heatmap", "z": matrix, "y": names, "zmin": -limit, "zmax": limit, "colorscale": SHORT_TO_LONG,
        "showscale": False, "ygap": 2, "hovertemplate": "word %{y}, dimension %{x}: %{z:.2f}<extra></extra>",
        "xaxis": "x", "yaxis": "y",
    }  # fmt: skip
    bars = {
        "type": "bar", "x": norms, "y": names, "orientation": "h",
        "text": [f"{norm:.1f}" for norm in norms], "textposition": "auto",
        "marker": {
            "color": [word_colour(k) for k in range(count)],
            "opacity": [1.0 if word is None or k == word else 0.35 for k in range(count)],
        },
        "hovertemplate": "word %{y}: ‖V(k)‖ = %{x:.2f}<extra></extra>", "xaxis": "x2", "yaxis": "y2",
    }  # fmt: skip
    across, up = AXIS | {"showgrid": False}, AXIS | {"showgrid": False, "type": "category", "autorange": "reversed"}
    return styled(
        [entries, bars],
        height,
        margin={"l": 8, "r": 8, "t": 4, "b": 8},
        bargap=0.12,
        xaxis=across | {"title": {"text": "dimension j"}, "domain": [0, 0.7448], "anchor": "y"},
        yaxis=up | {"title": {"text": "word k"}, "domain": [0, 1], "anchor": "x"},
        xaxis2=across | {"title": {"text": "L2 norm"}, "domain": [0.7648, 1], "anchor": "y2", "showticklabels": False},
        yaxis2=up | {"domain": [0, 1], "anchor": "x2", "matches": "y", "showticklabels": False},
    )
