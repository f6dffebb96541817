"""A scene of Plotly's as a picture: seen at once, while a browser without a graphics card takes seconds to draw it.

Only what our figures have is drawn: points of one size and lines, on a ground, with the ranges of the axes given.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageColor

from butf.figures.cloud import measure
from butf.figures.gallery import data_uri, thumbnail

OPENING_DEG = 45.0
"""Of Plotly's camera, from the upper edge of the view to the lower."""
NEAREST = 0.01
WIDEST = 2.4
"""Width over height of the picture; a narrower view shows its middle."""
MARKER, LINE = 2, 0.5
"""Pixels that a square or a line of Plotly's is wide, for each that it is said to be."""
DASH_PX = 12


@dataclass(frozen=True, eq=False)
class Eye:
    """Plotly's camera of a scene: where it is and what it looks at (3,), in the scene's own coordinates."""

    place: np.ndarray
    aim: np.ndarray

    @classmethod
    def of(cls, scene: dict[str, Any]) -> Eye:
        """That of a figure's scene."""
        (middle, unit), camera = measure(scene), scene["camera"]
        place, aim = (np.array([camera[kind][name] for name in "xyz"]) for kind in ("eye", "center"))
        return cls(middle + unit * place, middle + unit * aim)

    def seen(self, points: np.ndarray, wide: int, tall: int) -> np.ndarray:
        """(N, 3): the pixel from the left and from above where points (N, 3) are seen, and how far ahead they are."""
        ahead = (self.aim - self.place) / np.linalg.norm(self.aim - self.place)
        right = np.cross(ahead, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        away = np.asarray(points, float) - self.place
        x, y, z = away @ right, away @ np.cross(right, ahead), away @ ahead
        focal = tall / 2 / math.tan(math.radians(OPENING_DEG) / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.stack([wide / 2 + focal * x / z, tall / 2 - focal * y / z, z], axis=1)


@dataclass(frozen=True, eq=False)
class Dots:
    """Squares `size` pixels wide at points (N, 3) in colours (N, 3) uint8."""

    points: np.ndarray
    colours: np.ndarray
    size: int


def still(figure: go.Figure) -> Image.Image:
    """What Plotly will draw of a figure with one scene, as high as the figure and `WIDEST` times as wide."""
    scene, tall = figure.layout.scene.to_plotly_json(), int(figure.layout.height)
    wide = round(WIDEST * tall)
    canvas = np.full((tall, wide, 3), ImageColor.getrgb(scene["bgcolor"]), np.uint8)
    if "range" in scene["xaxis"]:
        eye = Eye.of(scene)
        dots = [dots for trace in figure.data for dots in _dots(trace.to_plotly_json(), eye, wide, tall)]
        _draw(canvas, dots, eye)
    return Image.fromarray(canvas)


def still_html(figure: go.Figure) -> str:
    """The picture for the page, which lays it beneath the figure (`static/app.css`)."""
    picture = still(figure)
    source = data_uri(thumbnail(picture, picture.width))
    return f'<img class="still" src="{source}" style="height: {picture.height}px" alt="" aria-hidden="true">'


def _dots(trace: dict[str, Any], eye: Eye, wide: int, tall: int) -> Iterable[Dots]:
    """What a trace consists of; lines become rows of dots, so that what is nearer hides what is farther."""
    points = np.array([trace[name] for name in "xyz"], float).T
    if trace["mode"] == "markers":
        colours = [word[4:-1].split(",") for word in trace["marker"]["color"]]
        yield Dots(points, np.array(colours, np.uint8).reshape(-1, 3), MARKER * int(trace["marker"]["size"]))
        return
    look = trace["line"]
    size, colour = max(1, round(LINE * look["width"])), ImageColor.getrgb(look["color"])
    for start, end in pairwise(points):
        if np.isfinite([start, end]).all():
            row = _row(start, end, eye, wide, tall, "dash" in look)
            yield Dots(row, np.full(row.shape, colour, np.uint8), size)


def _row(start: np.ndarray, end: np.ndarray, eye: Eye, wide: int, tall: int, broken: bool) -> np.ndarray:
    """Points (N, 3) from `start` to `end`, one a pixel; every other `DASH_PX` of them where the line is broken."""
    ends = eye.seen(np.stack([start, end]), wide, tall)
    long = np.hypot(*(ends[1] - ends[0])[:2]) if (ends[:, 2] > NEAREST).all() else wide
    count = 1 + int(min(long, 4 * wide))
    row = start + np.linspace(0, 1, count)[:, None] * (end - start)
    kept: np.ndarray = row[np.arange(count) // DASH_PX % 2 == 0] if broken else row
    return kept


def _draw(canvas: np.ndarray, every: list[Dots], eye: Eye) -> None:
    """Squares into the canvas (H, W, 3), the farthest first."""
    tall, wide = canvas.shape[:2]
    rows, columns, depths, colours = [], [], [], []
    for dots in every:
        x, y, z = eye.seen(dots.points, wide, tall).T
        there = (z > NEAREST) & (abs(x) < 2 * wide) & (abs(y) < 2 * tall)
        offsets = np.arange(dots.size) - (dots.size - 1) / 2
        down, across = (part.ravel() for part in np.meshgrid(offsets, offsets, indexing="ij"))
        rows.append(np.rint(y[there, None] + down).astype(int).ravel())
        columns.append(np.rint(x[there, None] + across).astype(int).ravel())
        depths.append(np.repeat(z[there], len(down)))
        colours.append(np.repeat(dots.colours[there], len(down), axis=0))
    if not rows:
        return
    row, column, depth, colour = map(np.concatenate, (rows, columns, depths, colours))
    inside = (row >= 0) & (row < tall) & (column >= 0) & (column < wide)
    order = np.flatnonzero(inside)[np.argsort(-depth[inside], kind="stable")]
    canvas[row[order], column[order]] = colour[order]  # of those on one pixel the last, which is the nearest, stays
