"""The ground of the map: the streets and buildings of a data set, packed small: they are sent with every answer."""

import dataclasses
import json
from functools import lru_cache

import numpy as np
from jinja2 import Template

from butf.dataset.areas import Areas
from butf.figures.layer import Layer
from butf.figures.theme import palette

STEP_DEG = 1e-6  # 0.11 m of latitude, finer than a pixel at the closest zoom
METRES_A_DEGREE = 111_320.0

SCRIPT = """{% macro script(this, kwargs) %}
{
  const ground = {{ this.packed }};
  const unpack = steps => {
    let [x, y] = [0, 0];
    const line = [];
    for (let i = 0; i < steps.length; i += 2) {
      x += steps[i];
      y += steps[i + 1];
      line.push([ground.lat + y * ground.step, ground.lon + x * ground.step]);
    }
    return line;
  };
  const map = {{ this._parent.get_name() }};
  // Beneath the tiles, which hide it where they are wanted and can be had.
  map.createPane('ground').style.zIndex = 150;
  const look = {interactive: false, pane: 'ground', renderer: L.canvas({pane: 'ground'})};
  L.polyline(ground.streets.map(unpack), {...ground.street, ...look}).addTo(map);
  L.polygon(ground.buildings.map(rings => rings.map(unpack)), {...ground.building, ...look}).addTo(map);
}
{% endmacro %}"""


class Ground(Layer):
    """Streets and buildings as two shapes; a Folium element for each of thousands would take seconds to make."""

    _template = Template(SCRIPT)

    def __init__(self, areas: Areas, dark: bool) -> None:
        super().__init__("Ground")
        self.packed = packed(areas, dark)


@lru_cache(maxsize=16)
def packed(areas: Areas, dark: bool) -> str:
    """Streets, buildings and their looks as JSON; a line is its points' differences in steps of `STEP_DEG`."""
    lines = [*areas.streets, *(ring for polygon in areas.buildings for ring in polygon)]
    lon, lat = np.round(np.concatenate(lines).min(axis=0), 6).tolist() if lines else (0.0, 0.0)
    colours = palette(dark)

    def steps(line: np.ndarray) -> list[int]:
        grid = np.rint((np.asarray(line) - (lon, lat)) / STEP_DEG).astype(np.int64)
        moved: list[int] = np.diff(grid, axis=0, prepend=0).ravel().tolist()
        return moved

    ground = {
        "lat": lat,
        "lon": lon,
        "step": STEP_DEG,
        "streets": [steps(line) for line in areas.streets],
        "buildings": [[steps(ring[:-1]) for ring in polygon] for polygon in areas.buildings],
        "street": {"color": colours.street, "weight": 7},
        "building": {"color": colours.building, "weight": 1, "fillColor": colours.building, "fillOpacity": 1},
    }
    return json.dumps(ground, separators=(",", ":"))


def around(areas: Areas, points: np.ndarray, margin_m: float = 250.0) -> Areas:
    """The streets and buildings that reach into the box of points `(N, 2)` longitude, latitude, with a margin."""
    margin = margin_m / METRES_A_DEGREE / np.array([np.cos(np.radians(points[:, 1].mean())), 1.0])
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin

    def reaches_in(line: np.ndarray) -> bool:
        return bool((line.min(axis=0) <= high).all() and (line.max(axis=0) >= low).all())

    return dataclasses.replace(
        areas,
        streets=tuple(line for line in areas.streets if reaches_in(line)),
        buildings=tuple(polygon for polygon in areas.buildings if reaches_in(polygon[0])),
    )
