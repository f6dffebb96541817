"""One look for every figure: the same colour, mark and dash for the same model everywhere, on light and on dark.

The colours keep a contrast of 3:1 against both backgrounds, and the talk's four methods stay apart under protanopia,
deuteranopia and tritanopia (`tests/test_figures_theme.py` measures both). Marks tell the models apart without colour.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

FONT = "IBM Plex Sans, system-ui, sans-serif"
MODEL_COLOURS = {
    "off-the-shelf": "#7d8c6c",
    "image-only": "#3a86d0",
    "hallucination": "#c98500",
    "bu-tf": "#b03a86",
    "bu-tf-adapted": "#8456e8",
    "bu-tf-reencode": "#b63424",
    "image-only-wide": "#2f9a94",
    "rgbd": "#6b7682",
}
MODEL_SYMBOLS = {
    "off-the-shelf": "x",
    "image-only": "circle",
    "hallucination": "square",
    "bu-tf": "diamond",
    "bu-tf-adapted": "star",
    "bu-tf-reencode": "hexagon",
    "image-only-wide": "cross",
    "rgbd": "triangle-down",
}
MODEL_DASHES = {"off-the-shelf": "dot", "image-only": "dash", "hallucination": "dashdot", "bu-tf": "solid"}
RUN_COLOURS = ("#8456e8", "#b63424", "#2f9a94", "#8a6d3b", "#5c6ac4")
RUN_SHADES = {
    "image-only": ("#3f6fd8", "#1f87a8", "#6480b8"),
    "hallucination": ("#c4701c", "#a8850f", "#b87f45"),
    "bu-tf": ("#a845b8", "#c4436a", "#96508a"),
}
GRID = "rgba(128, 138, 148, 0.22)"
AXIS = {"gridcolor": GRID, "zeroline": False, "automargin": True}
RIGHT, WRONG = "#1a8754", "#cc4b37"


@dataclass(frozen=True)
class Palette:
    """What a drawing that does not follow the page's theme by itself (the map, a picture) needs of it."""

    background: str
    text: str
    muted: str
    street: str
    building: str
    query: str


LIGHT = Palette("#f6f5f1", "#1d2733", "#5b6672", "#ffffff", "#dcdad2", "#1d2733")
DARK = Palette("#161c23", "#e7eaee", "#9aa6b2", "#323c47", "#222a33", "#f2f4f7")


def palette(dark: bool) -> Palette:
    return DARK if dark else LIGHT


def model_colour(name: str) -> str:
    """The colour `#rrggbb` of a model: fixed for a method; a run always gets the same one, near that of its method.

    The method of a run is read from its name; a run that names none takes one of a few other colours.
    """
    if name in MODEL_COLOURS:
        return MODEL_COLOURS[name]
    shades = RUN_SHADES.get(method_in(name) or "", RUN_COLOURS)
    return shades[zlib.crc32(name.encode()) % len(shades)]


def model_symbol(name: str) -> str:
    """The Plotly marker symbol of a model; a run has that of its method."""
    return MODEL_SYMBOLS.get(method_in(name) or "", "triangle-up")


def model_dash(name: str) -> str:
    """The Plotly line dash of a model; a run has that of its method."""
    return MODEL_DASHES.get(method_in(name) or "", "longdash")


def method_in(name: str) -> str | None:
    """The longest method name that a model's name holds: `bu-tf` for `chess-bu-tf-2`."""
    return max((method for method in MODEL_COLOURS if method in name), key=len, default=None)


def translucent(colour: str, alpha: float) -> str:
    """`#rrggbb` as the `rgba(...)` that Plotly and CSS take, with `alpha` from 0 to 1."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha:g})"


def base_layout(height: int, legend: bool = False) -> dict[str, Any]:
    """The layout that all figures begin with: see-through ground, own font, legend above.

    Text colours are left to the page, which knows whether it is light or dark.
    """
    return {
        "height": height,
        "font": {"family": FONT, "size": 13},
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "margin": {"l": 8, "r": 8, "t": 36 if legend else 28, "b": 8},
        "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        "hoverlabel": {"font": {"family": FONT, "size": 13}},
        "hovermode": "closest",
    }


def drawn(data: list[dict[str, Any]], layout: dict[str, Any]) -> go.Figure:
    """A figure from plain dictionaries that Plotly does not look through: that takes more than the drawing.

    Every click draws some anew; the tests have Plotly look through them.
    """
    return go.Figure({"data": data, "layout": layout}, _validate=False)


def styled(data: list[dict[str, Any]], height: int, with_legend: bool = False, **layout: Any) -> go.Figure:
    """`drawn` in the house's look, thin grid included; a dictionary in `layout` adds to that part of the look."""
    look = base_layout(height, with_legend) | {"xaxis": AXIS, "yaxis": AXIS}
    own = {name: look.get(name, {}) | part if isinstance(part, dict) else part for name, part in layout.items()}
    return drawn(data, look | own)


def note(x: float, y: float, text: str, **look: Any) -> dict[str, Any]:
    """Words in a plot, for the `annotations` of a layout."""
    return {"x": x, "y": y, "text": text, "showarrow": False, **look}


def upright(x: float, line: dict[str, Any]) -> dict[str, Any]:
    """A line from the lower edge of a plot to its upper one, for the `shapes` of a layout."""
    return {"type": "line", "x0": x, "x1": x, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain", "line": line}
