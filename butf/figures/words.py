"""Visual words drawn: which part of a picture is assigned to which word and how surely, and the matrix of residuals."""

import colorsys

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageColor
from plotly.subplots import make_subplots

from butf.figures.depth import SHORT_TO_LONG
from butf.figures.gallery import data_uri, thumbnail
from butf.figures.theme import style

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
    figure = go.Figure(go.Image(
        z=cells, colormodel="rgba256", customdata=np.concatenate([shown[..., None] + 1, share], axis=2),
        hovertemplate="word %{customdata[0]:d}: %{customdata[1]:.2f}<extra></extra>",
    ))  # fmt: skip
    figure.add_layout_image(
        source=data_uri(thumbnail(picture, 640)), xref="x", yref="y", x=-0.5, y=-0.5, sizex=columns, sizey=rows,
        sizing="stretch", layer="below",
    )  # fmt: skip
    style(figure, height=height, legend=False)
    figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0})
    figure.update_xaxes(range=[-0.5, columns - 0.5], constrain="domain", **HIDDEN)
    figure.update_yaxes(
        range=[rows - 0.5, -0.5], scaleanchor="x", scaleratio=picture.height * columns / picture.width / rows, **HIDDEN
    )
    return figure


def matrix_figure(matrix: np.ndarray, word: int | None = None, height: int = 400) -> go.Figure:
    """The matrix V `(K, D)`, a row a word, and beside it the L2 norm of each row; `word` is set apart."""
    count = len(matrix)
    names = [f"{k + 1}" for k in range(count)]
    limit = float(np.abs(matrix).max()) or 1.0
    norms = np.linalg.norm(matrix, axis=1)
    figure = make_subplots(1, 2, shared_yaxes=True, column_widths=[0.76, 0.24], horizontal_spacing=0.02)
    figure.add_trace(go.Heatmap(
        z=matrix, y=names, zmin=-limit, zmax=limit, colorscale=SHORT_TO_LONG, showscale=False, ygap=2,
        hovertemplate="word %{y}, dimension %{x}: %{z:.2f}<extra></extra>",
    ), 1, 1)  # fmt: skip
    figure.add_trace(go.Bar(
        x=norms, y=names, orientation="h", text=[f"{norm:.1f}" for norm in norms], textposition="auto",
        marker={"color": [word_colour(k) for k in range(count)], "opacity": [
            1.0 if word is None or k == word else 0.35 for k in range(count)
        ]},
        hovertemplate="word %{y}: ‖V(k)‖ = %{x:.2f}<extra></extra>",
    ), 1, 2)  # fmt: skip
    style(figure, height=height, legend=False)
    figure.update_layout(margin={"l": 8, "r": 8, "t": 4, "b": 8}, bargap=0.12)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    figure.update_yaxes(title="word k", col=1)
    figure.update_xaxes(title="dimension j", showgrid=False, col=1)
    figure.update_xaxes(title="L2 norm", showgrid=False, showticklabels=False, col=2)
    return figure
