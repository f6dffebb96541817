"""Where the query is and where each model believes it to be, on a map (WGS84) that needs no network."""

import json
import math
from collections.abc import Sequence
from html import escape
from typing import Any, ClassVar

import folium
import numpy as np
from branca.element import Element, Figure
from jinja2 import Template

from butf.dataset.areas import Areas
from butf.figures.ground import Ground
from butf.figures.layer import Layer
from butf.figures.marks import Mark
from butf.figures.shapes import model_shape
from butf.figures.theme import FONT, Palette, model_colour, palette

EARTH_CIRCUMFERENCE_M = 40_075_016.7
TILE_PIXELS = 256
MAX_ZOOM = 20


class LocalMap(folium.Map):
    """A map whose Leaflet is served by the app itself, so that it works with no network."""

    # Folium has lists here, which nothing changes.
    default_js = (("leaflet", "/app/static/leaflet/leaflet.js"),)  # type: ignore[assignment]
    default_css = (("leaflet_css", "/app/static/leaflet/leaflet.css"),)  # type: ignore[assignment]


class Spots(Layer):
    """Marks with a picture and a tooltip each, at `at` (latitude, longitude) moved by `anchor` pixels."""

    _template = Template(
        "{% macro script(this, kwargs) %}for (const spot of {{ this.spots }}) L.marker(spot.at, {zIndexOffset: spot.z,"
        " icon: L.divIcon({html: spot.html, className: 'mark', iconSize: [spot.size, spot.size],"
        " iconAnchor: spot.anchor})"
        "}).bindTooltip(spot.text).addTo({{ this._parent.get_name() }});{% endmacro %}"
    )

    def __init__(self, spots: list[dict[str, Any]]) -> None:
        super().__init__("Spots")
        # "</" would end the script that this becomes a part of.
        self.spots = json.dumps(spots).replace("</", "<\\/")


class Tiles(Layer):
    """OpenStreetMap's pictures beneath all else but the ground, for as long as they are wanted.

    A part of what is added to the map and not of the map, which would be made anew for them; they outlive the layer
    that asks for them, so that a click does not fetch them again.
    """

    _template = Template(
        "{% macro script(this, kwargs) %}{{ this._parent.get_name() }}.on('add', event => { const map = "
        "event.target._map; map.attributionControl.setPrefix(false); {% if this.wanted %}map.tiles ??= "
        "L.tileLayer({{ this.address|tojson }}, {{ this.options|tojson }}); map.tiles.addTo(map); {% else %}"
        "map.tiles?.remove(); {% endif %} });{% endmacro %}"
    )
    address = "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
    credit = '&copy; <a href="https://www.openstreetmap.org/copyright">OpenStreetMap</a> contributors'
    options: ClassVar[dict[str, Any]] = {"maxNativeZoom": 19, "maxZoom": MAX_ZOOM, "attribution": credit}

    def __init__(self, wanted: bool) -> None:
        super().__init__("Tiles")
        self.wanted = wanted


def base_map(areas: Areas | None, centre: tuple[float, float], zoom: float, dark: bool) -> LocalMap:
    """Streets and buildings of a data set's areas.

    Build it anew for each drawing, since what is added to it stays; as long as the arguments are the same the page
    keeps the map mounted, with the user's zoom.
    """
    view = LocalMap(
        location=centre,
        zoom_start=zoom,  # type: ignore[arg-type]  # Leaflet takes fractions too
        tiles=None,
        control_scale=True,
        max_zoom=MAX_ZOOM,
        prefer_canvas=True,
        zoom_control=True,
        zoom_snap=0.25,
    )
    add_style(view, _map_css(palette(dark)))
    if areas is not None:
        view.add_child(Ground(areas, dark))
    return view


def add_style(view: folium.Map, css: str) -> None:
    """Put rules into the head of the map's page."""
    page = view.get_root()
    assert isinstance(page, Figure)
    page.header.add_child(Element(f"<style>{css}</style>"))


def answer_layer(
    query: tuple[float, float] | None,
    radius_m: float,
    marks: Sequence[Mark],
    dark: bool,
    chosen: tuple[str, int] | None = None,
    tiles: bool = False,
) -> folium.FeatureGroup:
    """The query (latitude, longitude) with its radius, and each model's candidates in its colour and shape.

    A right candidate is filled, a wrong one hollow; every mark says in words what it is. The `chosen` one, (model,
    rank), stands before the others with a ring around it. `tiles` asks for OpenStreetMap's pictures beneath.
    """
    colours = palette(dark)
    layer = folium.FeatureGroup(name="answer")
    layer.add_child(Tiles(tiles))
    models = list(dict.fromkeys(mark.model for mark in marks))
    spots = [
        _spot(mark, _shift(models.index(mark.model), len(models)), colours, chosen == (mark.model, mark.rank))
        for mark in marks
    ]
    if query is not None:
        look: dict[str, Any] = {
            "color": colours.query,
            "weight": 1.5,
            "dash_array": "5 5",
            "fill": True,
            "fill_opacity": 0.06,
        }
        circle = folium.Circle(query, radius=radius_m, **look)
        circle.options["interactive"] = False  # folium drops it among the keywords
        circle.add_to(layer)
        ring = {"at": query, "anchor": [22, 22], "size": 44, "z": -10_000, "text": "the query"}
        spots.append(ring | {"html": _query_svg(colours)})
    layer.add_child(Spots(spots))
    return layer


def fit(points: np.ndarray, width: int, height: int, radius_m: float = 0.0) -> tuple[tuple[float, float], float]:
    """Centre (latitude, longitude) and zoom, in quarters, at which points fill a map of `width` x `height` pixels.

    Points `(N, 2)` are latitude and longitude; `radius_m` metres around them stay in view too.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    centre = (low + high) / 2
    metre = 360 / EARTH_CIRCUMFERENCE_M
    shrink = math.cos(math.radians(centre[0]))
    tall = max(high[0] - low[0] + 2 * radius_m * metre, 1e-5) / shrink
    wide = max(high[1] - low[1] + 2 * radius_m * metre / shrink, 1e-5)
    zooms = [math.log2(360 * pixels * 0.86 / (TILE_PIXELS * span)) for pixels, span in ((width, wide), (height, tall))]
    return (float(centre[0]), float(centre[1])), max(1.0, min(float(MAX_ZOOM), math.floor(4 * min(zooms)) / 4))


def _map_css(colours: Palette) -> str:
    ground = f"background: {colours.background}; color: {colours.text};"
    return (
        f".leaflet-container {{ background: {colours.background}; font-family: {FONT}; }}"
        ".leaflet-control-attribution:empty { display: none; }"
        ".leaflet-tooltip { font-size: 13px; } .mark { background: none; border: none; }"
        f".leaflet-control-scale-line {{ {ground} border-color: {colours.muted}; text-shadow: none; font-size: 11px; }}"
        ".leaflet-control-scale-line:not(:first-child) { display: none; }"
        f".leaflet-bar a, .leaflet-bar a:hover {{ {ground} border-color: {colours.building}; }}"
        f"svg.mark-svg text {{ font: 600 10px {FONT}; }}"
    )


def _shift(index: int, count: int) -> tuple[float, float]:
    """Pixels that set the marks of several models on one place apart around it."""
    if count < 2:
        return 0.0, 0.0
    angle = 2 * math.pi * index / count - math.pi / 2
    return 10 * math.cos(angle), 10 * math.sin(angle)


def _spot(mark: Mark, shift: tuple[float, float], colours: Palette, chosen: bool) -> dict[str, Any]:
    colour, wrong = model_colour(mark.model), mark.correct is False
    fill, line, ink = (colours.background, colour, colour) if wrong else (colour, colours.background, "#ffffff")
    look = f'fill="{fill}" stroke="{line}" stroke-width="2"'
    shape = model_shape(mark.model, look)
    ring = f'<circle cx="12" cy="12" r="15" fill="none" stroke="{colour}" stroke-width="3"/>' if chosen else ""
    svg = (
        '<svg class="mark-svg" width="24" height="24" viewBox="0 0 24 24" role="img" overflow="visible"'
        f' aria-label="{escape(mark.text)}{", chosen" if chosen else ""}">{ring}{shape}'
        f'<text x="12" y="15.6" text-anchor="middle" fill="{ink}">{mark.rank}</text></svg>'
    )
    anchor = [round(12 - shift[0]), round(12 - shift[1])]
    z = 10_000 if chosen else -100 * mark.rank
    return {"at": [mark.y, mark.x], "anchor": anchor, "size": 24, "z": z, "html": svg, "text": escape(mark.tooltip)}


def _query_svg(colours: Palette) -> str:
    """A ring with four ticks, wide enough for the marks of candidates at the same place to stand inside it."""
    pen = f'stroke="{colours.query}" stroke-width="2.5"'
    return (
        '<svg width="44" height="44" viewBox="0 0 44 44" role="img" aria-label="the query">'
        f'<circle cx="22" cy="22" r="17" fill="none" {pen}/><path d="M22 1v8 M22 35v8 M1 22h8 M35 22h8" {pen}/>'
        f'<circle cx="22" cy="22" r="2.5" fill="{colours.query}"/></svg>'
    )
