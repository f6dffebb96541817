"""The map of a data set: train, val and test areas, its traversals as lines, the frames of one of them to click."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import folium
import numpy as np
from jinja2 import Template

from butf.dataset.areas import Areas
from butf.figures.layer import Layer
from butf.figures.map import LocalMap, Tiles, add_style, base_map
from butf.figures.theme import Palette, palette


@dataclass(frozen=True)
class SplitLook:
    """How a split is drawn: the talk's colour, and a dash that tells it apart without colour."""

    colour: str
    dash: str
    plotly_dash: str
    css: str
    word: str


SPLITS = {
    "train": SplitLook("#1a8754", "", "solid", "solid", "solid green"),
    "val": SplitLook("#2f72c4", "9 6", "dash", "dashed", "dashed blue"),
    "test": SplitLook("#cc4b37", "2 6", "dot", "dotted", "dotted red"),
}
NO_SPLIT = SplitLook("#7d8c6c", "", "solid", "solid", "grey")


@dataclass(frozen=True, eq=False)
class Track:
    """A stretch of a traversal within one split: `points` (M, 2) are longitude and latitude, or metres east, north."""

    traversal: str
    split: str
    points: np.ndarray


@dataclass(frozen=True)
class Dot:
    """A frame to click, at `x`, `y`: longitude and latitude in degrees, or metres east and north."""

    frame: str
    split: str
    x: float
    y: float


@dataclass(frozen=True)
class Here:
    """The chosen frame, and the degrees clockwise from north in which it looks (None where that is not known)."""

    x: float
    y: float
    heading: float | None


SHAPES = """{% macro script(this, kwargs) %}
{
  const map = {{ this._parent.get_name() }};
  const shapes = {{ this.shapes }};
  const label = (at, text, colour) => L.marker(at, {interactive: false, keyboard: false, icon: L.divIcon({
    className: 'split-label', html: `<b style="--split: ${colour}">${text}</b>`, iconSize: null})}).addTo(map);
  for (const area of shapes.areas) {
    L.polygon(area.rings, {...area.look, interactive: false}).addTo(map);
    label(area.corner, area.label, area.look.color);
  }
  for (const track of shapes.tracks) L.polyline(track.lines, {...track.look, interactive: false}).addTo(map);
  // The page's width, which only the browser knows, decides how close all of it can be seen.
  const margin = {paddingTopLeft: [14, 34], paddingBottomRight: [14, 14], animate: false};
  if (shapes.bounds) map.whenReady(() => map.fitBounds(shapes.bounds, margin));
}
{% endmacro %}"""

# The chosen frame is brought into view where the user has moved away from it.
DOTS = """{% macro script(this, kwargs) %}
{
  const group = {{ this._parent.get_name() }};
  const frames = {{ this.frames }};
  for (const line of frames.lines) L.polyline(line.points, {...line.look, interactive: false}).addTo(group);
  for (const [lat, lon, split, text] of frames.dots)
    L.circleMarker([lat, lon], {...frames.looks[split], radius: frames.radius}).bindTooltip(text).addTo(group);
  // The map lies in a frame of its own: without this the arrow keys would go on moving it.
  group.on('click', () => { document.activeElement?.blur(); window.parent.focus(); });
  if (frames.here)
    L.marker(frames.here.at, {interactive: false, keyboard: false, zIndexOffset: 1000, icon: L.divIcon({
      className: 'mark', html: frames.here.html, iconSize: [56, 56], iconAnchor: [28, 28]})})
      .on('add', event => { const map = event.target._map;
        if (map._loaded && !map.getBounds().contains(frames.here.at)) map.panTo(frames.here.at); })
      .addTo(group);
}
{% endmacro %}"""

LABELS = (
    ".split-label { width: auto !important; height: auto !important; pointer-events: none; }"
    ".split-label b { background: var(--split); color: #fff; font-weight: 600; font-size: 12px; padding: 2px 7px;"
    " border-radius: 4px 4px 0 0; white-space: nowrap; display: inline-block; transform: translateY(-100%); }"
)


class Shapes(Layer):
    """Areas with their labels, and all tracks as thin lines."""

    _template = Template(SHAPES)

    def __init__(self, areas: Areas | None, tracks: Sequence[Track]) -> None:
        super().__init__("Shapes")
        drawn = {} if areas is None else areas.areas
        shapes = [_area(split, polygon) for split, polygons in drawn.items() for polygon in polygons]
        outlines = [np.asarray(polygon[0], float) for polygons in drawn.values() for polygon in polygons]
        bounds = _bounds(outlines + [track.points for track in tracks])
        self.shapes = _script_json({"areas": shapes, "tracks": _thin_lines(tracks), "bounds": bounds})


class FrameDots(Layer):
    """The frames of one traversal as dots with their names as tooltips, and the chosen one."""

    _template = Template(DOTS)

    def __init__(self, tracks: Sequence[Track], dots: Sequence[Dot], here: Here | None, colours: Palette) -> None:
        super().__init__("FrameDots")
        lines = [
            {"points": _lat_lon(track.points), "look": {"color": split_look(track.split).colour, "weight": 1.5}}
            for track in tracks
        ]
        looks = {split: _dot_look(split) for split in dict.fromkeys(dot.split for dot in dots)}
        spots = [[round(dot.y, 6), round(dot.x, 6), dot.split, escape(dot.frame)] for dot in dots]
        mark = None if here is None else {"at": [here.y, here.x], "html": here_svg(here.heading, colours)}
        radius = 3.5 if len(dots) < 200 else 2.5
        self.frames = _script_json({"lines": lines, "looks": looks, "dots": spots, "here": mark, "radius": radius})


def areas_map(
    areas: Areas | None,
    tracks: Sequence[Track],
    centre: tuple[float, float],
    zoom: float,
    dark: bool,
) -> LocalMap:
    """Streets and buildings beneath the areas of the splits and all traversals.

    Build it anew for each drawing; while the arguments are the same the page keeps the map and the user's zoom.
    """
    view = base_map(areas, centre, zoom, dark)
    add_style(view, LABELS)
    view.add_child(Shapes(areas, tracks))
    return view


def frames_layer(
    tracks: Sequence[Track], dots: Sequence[Dot], here: Here | None, dark: bool, tiles: bool = False
) -> folium.FeatureGroup:
    """The chosen traversal with its frames to click (the tooltip is the frame's name) and the chosen frame; `tiles`
    asks for OpenStreetMap's pictures beneath."""
    layer = folium.FeatureGroup(name="frames")
    layer.add_child(Tiles(tiles))
    layer.add_child(FrameDots(tracks, dots, here, palette(dark)))
    return layer


def split_look(split: str) -> SplitLook:
    return SPLITS.get(split, NO_SPLIT)


def splits_html(splits: Sequence[str]) -> str:
    """What the colours and dashes mean, in one line."""
    items = "".join(
        f'<li><i class="line {split_look(split).css}" style="border-color: {split_look(split).colour}"'
        f' aria-hidden="true"></i> {escape(split)} <small>{split_look(split).word}</small></li>'
        for split in splits
    )
    return f'<ul class="legend" aria-label="Splits">{items}</ul>'


def here_svg(heading: float | None, colours: Palette) -> str:
    """A ring around the chosen frame, with the way it looks as a wedge."""
    wedge = ""
    if heading is not None:
        left, right = (_on_ring(heading + turn, 27) for turn in (-28, 28))
        wedge = (
            f'<path d="M28 28L{left[0]:.1f} {left[1]:.1f}A27 27 0 0 1 {right[0]:.1f} {right[1]:.1f}Z"'
            f' fill="{colours.query}" fill-opacity="0.28"/>'
        )
    return (
        '<svg class="mark-svg here" width="56" height="56" viewBox="0 0 56 56" role="img"'
        f' aria-label="the chosen frame">'
        f'{wedge}<circle cx="28" cy="28" r="9" fill="none" stroke="{colours.query}" stroke-width="3"/></svg>'
    )


def _on_ring(degrees: float, radius: float) -> tuple[float, float]:
    return 28 + radius * math.sin(math.radians(degrees)), 28 - radius * math.cos(math.radians(degrees))


def _area(split: str, polygon: Sequence[np.ndarray]) -> dict[str, Any]:
    look = split_look(split)
    border = np.asarray(polygon[0], float)
    shape = {"color": look.colour, "weight": 2.5, "dashArray": look.dash, "fillColor": look.colour, "fillOpacity": 0.16}
    corner = [float(border[:, 1].max()), float(border[:, 0].min())]
    return {"rings": [_lat_lon(ring) for ring in polygon], "look": shape, "label": escape(split), "corner": corner}


def _thin_lines(tracks: Sequence[Track]) -> list[dict[str, Any]]:
    """One shape a split, however many tracks there are."""
    return [
        {
            "lines": [_lat_lon(track.points) for track in tracks if track.split == split],
            "look": {"color": split_look(split).colour, "weight": 1.5, "opacity": 0.45},
        }
        for split in dict.fromkeys(track.split for track in tracks)
    ]


def _bounds(lines: Sequence[np.ndarray]) -> list[Any] | None:
    """South-west and north-east corner of lines (M, 2), None where there are none."""
    if not lines:
        return None
    every = np.concatenate(lines)
    return _lat_lon(np.stack([every.min(axis=0), every.max(axis=0)]))


def _dot_look(split: str) -> dict[str, Any]:
    return {"stroke": False, "fillColor": split_look(split).colour, "fillOpacity": 1}


def _lat_lon(points: np.ndarray) -> list[Any]:
    lat_lon: list[Any] = np.round(np.asarray(points, float)[:, ::-1], 6).tolist()
    return lat_lon


def _script_json(value: dict[str, Any]) -> str:
    """JSON within a script, which "</" would end."""
    return json.dumps(value, separators=(",", ":")).replace("</", "<\\/")
