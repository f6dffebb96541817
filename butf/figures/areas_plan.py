"""The plan of a data set that has metres only: its traversals as lines, the frames of one of them to click."""

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from butf.figures.areas_map import Dot, Here, Track, split_look
from butf.figures.theme import styled

HERE = "#808a94"
LOOK_PIXELS = 26
SYMBOLS = {"train": "circle", "val": "square", "test": "diamond"}


def areas_plan(
    tracks: Sequence[Track], own: Sequence[Track], dots: Sequence[Dot], here: Here | None, height: int = 440
) -> go.Figure:
    """All tracks as thin lines, those of the chosen traversal (`own`) as thick ones, its frames as points whose
    `customdata` is the frame's name, and the chosen frame with the way it looks. Metres east and north."""
    traces = [_line(track, 1) for track in tracks] + [_line(track, 3) for track in own]
    traces += [_dots(split, [dot for dot in dots if dot.split == split]) for split in {dot.split: None for dot in dots}]
    looking: dict[str, Any] = {}
    if here is not None and here.heading is not None:
        looking = {"annotations": [_arrow(here, here.heading)]}
    return styled(
        traces if here is None else [*traces, _ring(here)],
        height,
        dragmode="pan",
        margin={"t": 8},
        xaxis={"title": {"text": "metres east"}, "constrain": "domain"},
        yaxis={"title": {"text": "metres north"}, "scaleanchor": "x"},
        **looking,
    )


def _line(track: Track, width: int) -> dict[str, Any]:
    split = split_look(track.split)
    line = {"color": split.colour, "width": width, "dash": split.plotly_dash}
    x, y = track.points.T.tolist()
    look = {"mode": "lines", "line": line, "opacity": 0.5 if width == 1 else 0.9, "hoverinfo": "skip"}
    return {"type": "scatter", "x": x, "y": y, "name": track.traversal} | look


def _dots(split: str, dots: Sequence[Dot]) -> dict[str, Any]:
    marker = {"size": 8, "color": split_look(split).colour, "symbol": SYMBOLS.get(split, "circle")}
    same = {"marker": {"opacity": 1}}
    return {
        "type": "scatter",
        "x": [dot.x for dot in dots],
        "y": [dot.y for dot in dots],
        "mode": "markers",
        "name": split,
        "marker": marker,
        "selected": same,
        "unselected": same,
        "customdata": [[dot.frame] for dot in dots],
        "hovertext": [f"{dot.frame} ({split})" for dot in dots],
        "hoverinfo": "text",
    }


def _ring(here: Here) -> dict[str, Any]:
    marker = {"size": 20, "symbol": "circle-open", "color": HERE, "line": {"width": 3}}
    look = {"mode": "markers", "marker": marker, "hoverinfo": "skip", "name": "here"}
    return {"type": "scatter", "x": [here.x], "y": [here.y]} | look


def _arrow(here: Here, heading: float) -> dict[str, Any]:
    """An arrow of fixed length on the screen: Plotly draws it from the tail, given in pixels, to the head."""
    angle = math.radians(heading)
    return {
        "x": here.x,
        "y": here.y,
        "ax": -LOOK_PIXELS * math.sin(angle),
        "ay": LOOK_PIXELS * math.cos(angle),
        "xshift": LOOK_PIXELS * math.sin(angle),
        "yshift": LOOK_PIXELS * math.cos(angle),
        "showarrow": True,
        "arrowhead": 2,
        "arrowwidth": 2,
        "arrowcolor": HERE,
        "text": "",
    }
