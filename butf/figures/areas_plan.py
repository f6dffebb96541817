"""The plan of a data set that has metres only: its traversals as lines, the frames of one of them to click."""

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from butf.figures.areas_map import Dot, Here, Track, split_look
from butf.figures.theme import style

HERE = "#808a94"
LOOK_PIXELS = 26
SYMBOLS = {"train": "circle", "val": "square", "test": "diamond"}


def areas_plan(
    tracks: Sequence[Track], own: Sequence[Track], dots: Sequence[Dot], here: Here | None, height: int = 440
) -> go.Figure:
    """All tracks as thin lines, those of the chosen traversal (`own`) as thick ones, its frames as points whose
    `customdata` is the frame's name, and the chosen frame with the way it looks. Metres east and north."""
    figure = go.Figure([_line(track, 1) for track in tracks] + [_line(track, 3) for track in own])
    for split in dict.fromkeys(dot.split for dot in dots):
        figure.add_trace(_dots(split, [dot for dot in dots if dot.split == split]))
    if here is not None:
        ring = {"size": 20, "symbol": "circle-open", "color": HERE, "line": {"width": 3}}
        figure.add_trace(go.Scatter(x=[here.x], y=[here.y], mode="markers", marker=ring, hoverinfo="skip", name="here"))
        if here.heading is not None:
            figure.add_annotation(**_arrow(here))
    style(figure, height=height, legend=False)
    figure.update_layout(dragmode="pan", margin={"t": 8})
    figure.update_xaxes(title="metres east", constrain="domain")
    figure.update_yaxes(title="metres north", scaleanchor="x")
    return figure


def _line(track: Track, width: int) -> go.Scatter:
    look = split_look(track.split)
    line = {"color": look.colour, "width": width, "dash": look.plotly_dash}
    x, y = track.points.T.tolist()
    return go.Scatter(
        x=x, y=y, mode="lines", line=line, opacity=0.5 if width == 1 else 0.9, hoverinfo="skip", name=track.traversal
    )


def _dots(split: str, dots: Sequence[Dot]) -> go.Scatter:
    marker = {"size": 8, "color": split_look(split).colour, "symbol": SYMBOLS.get(split, "circle")}
    same = {"marker": {"opacity": 1}}
    return go.Scatter(
        x=[dot.x for dot in dots],
        y=[dot.y for dot in dots],
        mode="markers",
        name=split,
        marker=marker,
        selected=same,
        unselected=same,
        customdata=[[dot.frame] for dot in dots],
        hovertext=[f"{dot.frame} ({split})" for dot in dots],
        hoverinfo="text",
    )


def _arrow(here: Here) -> dict:
    """An arrow of fixed length on the screen: Plotly draws it from the tail, given in pixels, to the head."""
    angle = math.radians(here.heading)
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
