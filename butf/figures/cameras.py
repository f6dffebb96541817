"""Cameras as frustums: on the map, in the plan of a room's own metres, and in space with what they see."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import folium
import numpy as np
import plotly.graph_objects as go
from jinja2 import Template

from butf.dataset.manifest import Camera
from butf.figures.cloud import GROUND, hidden_axes, marker, measure
from butf.figures.layer import Layer
from butf.figures.theme import base_layout, drawn, palette
from butf.pose.pose import Pose

FOUND, TRUE, OTHER = "#d4521a", "#12806a", "#7a8591"
FOUND_DARK, TRUE_DARK = "#ff8a50", "#4fd1b0"
GOAL, WAY = "#ce3a2c", "#c98500"
DRAWN_M = 1.6
"""How far the frustums in space reach."""
BEHIND_M, ABOVE_M = 7.0, 3.0
"""From where they are looked at."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A camera to draw: `kind` is "found", "true" or "other" (a candidate), `words` say which it is."""

    kind: str
    words: str
    pose: Pose
    camera: Camera

    def colour(self, dark: bool) -> str:
        """Its colour; the kinds differ by their lines too."""
        bright = {"found": FOUND_DARK, "true": TRUE_DARK}
        return (bright if dark else {"found": FOUND, "true": TRUE}).get(self.kind, OTHER)


def corners(seen: Seen, reach_m: float) -> np.ndarray:
    """World points (5, 3): the camera's centre, and the picture's corners (top left, then clockwise) at z = reach."""
    camera = seen.camera
    u, v = np.array([0.0, camera.width, camera.width, 0.0]), np.array([0.0, 0.0, camera.height, camera.height])
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(4)], axis=1)
    return np.concatenate([seen.pose.centre[None], seen.pose.to_world(reach_m * rays)])


def wedge(seen: Seen, reach_m: float) -> np.ndarray:
    """What a camera sees from above, (3, 2) metres east and north: its centre, far left and far right.

    The two are `reach_m` away along the level directions of the picture's left and right edge.
    """
    camera, rotation = seen.camera, seen.pose.rotation
    ends = []
    for u in (0.0, float(camera.width)):
        ray = (rotation @ np.array([(u - camera.cx) / camera.fx, 0.0, 1.0]))[:2]
        ends.append(seen.pose.centre[:2] + reach_m * ray / max(float(np.linalg.norm(ray)), 1e-9))
    return np.stack([seen.pose.centre[:2], *ends])


class Spotted(Layer):
    """A mark for the goal, whose SVG does not stand in the way of clicks."""

    _template = Template(
        "{% macro script(this, kwargs) %}L.marker({{ this.at }}, {interactive: false, zIndexOffset: 20000, icon: "
        "L.divIcon({html: {{ this.html }}, className: 'mark', iconSize: [24, 32], iconAnchor: [12, 31]})})"
        ".addTo({{ this._parent.get_name() }});{% endmacro %}"
    )

    def __init__(self, at: tuple[float, float], html: str) -> None:
        super().__init__("Spotted")
        self.at, self.html = json.dumps(at), json.dumps(html).replace("</", "<\\/")


def draw_wedges(layer: folium.FeatureGroup, wedges: Sequence[tuple[Seen, np.ndarray]], dark: bool) -> None:
    """Add cameras to a layer of the map; each with its wedge (3, 2) in latitude and longitude."""
    for seen, places in wedges:
        look: dict[str, Any] = {
            "color": seen.colour(dark),
            "weight": 2.5,
            "fill": seen.kind == "found",
            "fill_opacity": 0.25,
        }
        if seen.kind == "true":
            look |= {"dash_array": "7 5"}
        folium.Polygon(places.tolist(), tooltip=escape(seen.words), **look).add_to(layer)


def draw_goal(layer: folium.FeatureGroup, goal: tuple[float, float], path: np.ndarray, dark: bool) -> None:
    """Add the goal and the way (N, 2) to it, latitude and longitude, to a layer of the map."""
    way = folium.PolyLine(path.tolist(), color=WAY, weight=3, dash_array="2 7")
    way.options["interactive"] = False  # folium drops it among the keywords
    way.add_to(layer)
    rim = palette(dark).background
    html = (
        '<svg width="24" height="32" viewBox="0 0 24 32" role="img" aria-label="the goal"><path d="M12 31C5 20 2 16 2 '
        f'11a10 10 0 0 1 20 0c0 5-3 9-10 20z" fill="{GOAL}" stroke="{rim}" stroke-width="1.5"/>'
        f'<circle cx="12" cy="11" r="4" fill="{rim}"/></svg>'
    )
    layer.add_child(Spotted(goal, html))


def plan_traces(
    seen: Sequence[Seen], reach_m: float, goal: np.ndarray | None, path: np.ndarray | None, dark: bool
) -> list[dict[str, Any]]:
    """The same for a plan of metres, of data sets without places on the globe: traces to draw upon `plan_parts`.

    `goal` (2,) and the way (N, 2) to it are in metres east and north.
    """
    traces = [_plan_wedge(entry, reach_m, dark) for entry in seen]
    if goal is not None and path is not None:
        way = {"color": WAY, "dash": "dot", "width": 3}
        traces.append(_scatter(path[:, 0], path[:, 1], "lines") | {"hoverinfo": "skip", "line": way})
        mark = {"size": 13, "color": GOAL, "symbol": "triangle-down"}
        words = {"hovertext": "the goal", "hoverinfo": "text"}
        traces.append(_scatter(goal[:1], goal[1:], "markers") | words | {"marker": mark})
    return traces


def _plan_wedge(entry: Seen, reach_m: float, dark: bool) -> dict[str, Any]:
    x, y = wedge(entry, reach_m)[[0, 1, 2, 0]].T
    line = {"color": entry.colour(dark), "width": 2.5, "dash": "dash" if entry.kind == "true" else "solid"}
    words = {"name": entry.words, "text": entry.words, "hoverinfo": "text"}
    return _scatter(x, y, "lines") | words | {"line": line}


def _scatter(x: np.ndarray, y: np.ndarray, mode: str) -> dict[str, Any]:
    return {"type": "scatter", "x": x.tolist(), "y": y.tolist(), "mode": mode}


def space_figure(points: np.ndarray, colours: np.ndarray, seen: Sequence[Seen], height: int = 520) -> go.Figure:
    """World points (N, 3) in their colours (N, 3) and cameras among them, in metres from the first camera's centre.

    The view begins a little behind and above that camera and looks as it does.
    """
    origin = seen[0].pose.centre
    x, y, z = np.round(points - origin, 2).T
    look = marker(colours)
    data = [{"type": "scatter3d", "mode": "markers", "marker": look, "x": x, "y": y, "z": z, "hoverinfo": "skip"}]
    data += [_frustum(entry, origin) for entry in seen]
    around = np.concatenate([points - origin, *(corners(entry, DRAWN_M) - origin for entry in seen)])
    axes = hidden_axes(around)
    middle, unit = measure(axes)
    ahead, up = seen[0].pose.rotation[:, 2], np.array([0.0, 0.0, 1.0])
    places = {"eye": -BEHIND_M * ahead + ABOVE_M * up, "center": 2 * BEHIND_M * ahead}
    camera = {name: _vector((place - middle) / unit) for name, place in places.items()}
    scene = axes | {"aspectmode": "data", "bgcolor": GROUND, "camera": camera}
    layout = base_layout(height) | {"scene": scene, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}}
    return drawn(data, layout)


def _frustum(entry: Seen, origin: np.ndarray) -> dict[str, Any]:
    """The edges of a frustum as one broken line."""
    reach = DRAWN_M if entry.kind != "other" else 0.6 * DRAWN_M
    at = corners(entry, reach) - origin
    order = [0, 1, 2, 0, 3, 4, 0, None, 1, 4, None, 2, 3]
    x, y, z = zip(*((None, None, None) if i is None else np.round(at[i], 3).tolist() for i in order), strict=True)
    width = {"found": 7, "true": 5, "other": 2}[entry.kind]
    line = {"color": {"found": FOUND, "true": "#0a4f41", "other": "#3d4650"}[entry.kind], "width": width}
    if entry.kind == "true":
        line["dash"] = "dash"
    return {
        "type": "scatter3d", "mode": "lines", "line": line, "x": x, "y": y, "z": z, "name": entry.words,
        "text": entry.words, "hoverinfo": "text",
    }  # fmt: skip


def _vector(value: np.ndarray) -> dict[str, float]:
    return {name: float(part) for name, part in zip("xyz", value, strict=True)}
