"""The map and the plan: where things stand, what they say, and that nothing is fetched from elsewhere."""

import json
import math
import re
from html import unescape

import numpy as np
import pytest
from looking import looked_through
from streamlit_folium import generate_js_hash, generate_leaflet_string

from butf.dataset.areas import read_areas
from butf.figures.ground import around, packed
from butf.figures.map import answer_layer, base_map, fit
from butf.figures.marks import Mark, marked, plan_figure

HERE = (48.80, 2.30)
MARKS = [
    Mark("image-only", "reference/000001", 2.301, 48.801, 1, 12.0, True),
    Mark("bu-tf", "reference/000002", 2.302, 48.802, 1, 130.0, False),
    Mark("bu-tf", "<b>odd</b>", 2.303, 48.803, 2, None, None),
]


def html(view) -> str:
    return view.get_root().render()


def layer_spots(layer) -> list[dict]:
    return json.loads(next(child for child in layer._children.values() if child._name == "Spots").spots)


@pytest.fixture
def areas(tiny_dataset):
    return read_areas(tiny_dataset / "areas.geojson")


def test_without_tiles_every_address_is_our_own(areas):
    view = base_map(areas, HERE, 15, dark=False)
    view.add_child(answer_layer(HERE, 25, MARKS, dark=False))
    addresses = re.findall(r'(?:src|href)="([^"]+)"', html(view))
    assert addresses
    assert all(address.startswith("/app/static/leaflet/") for address in addresses)
    assert "https://" not in re.sub(r"<!--.*?-->", "", html(view))


def test_clicks_go_through_the_radius_to_the_map(areas):
    view = base_map(areas, HERE, 15, dark=False)
    view.add_child(answer_layer(HERE, 25, [], dark=False))
    (circle,) = re.findall(r"L\.circle\(.*?\)\.addTo", html(view), re.DOTALL)
    assert '"interactive": false' in circle


def test_tiles_are_asked_for_only_when_wanted(areas):
    for wanted in (True, False):
        view = base_map(areas, HERE, 15, dark=False)
        view.add_child(answer_layer(HERE, 25, MARKS, dark=False, tiles=wanted))
        assert ("tile.openstreetmap.org" in html(view)) is wanted


def unpacked(steps: list[int], ground: dict) -> np.ndarray:
    """Longitude and latitude of a packed line, point by point as the browser does it."""
    points, x, y = [], 0, 0
    for dx, dy in zip(steps[::2], steps[1::2], strict=True):
        x, y = x + dx, y + dy
        points.append((ground["lon"] + x * ground["step"], ground["lat"] + y * ground["step"]))
    return np.array(points)


def test_streets_and_buildings_are_drawn_where_the_areas_say(areas):
    ground = json.loads(packed(areas, dark=False))
    np.testing.assert_allclose(unpacked(ground["streets"][0], ground), areas.streets[0], atol=1e-6)
    np.testing.assert_allclose(unpacked(ground["buildings"][0][0], ground), areas.buildings[0][0][:-1], atol=1e-6)
    assert '"streets"' in html(base_map(areas, HERE, 15, dark=False))


def test_only_the_ground_around_the_points_is_kept(areas):
    building = areas.buildings[0][0]
    assert around(areas, building).buildings
    assert not around(areas, np.add(building, (0.1, 0))).buildings
    assert around(areas, np.add(building, (0.001, 0)), margin_m=200).buildings  # 73 m at this latitude
    assert around(areas, np.add(building, (0.1, 0))).areas == areas.areas


def test_a_map_without_areas_is_empty_but_works():
    assert "L.map(" in html(base_map(None, HERE, 15, dark=True))


@pytest.mark.parametrize("same", [True, False])
def test_the_base_map_stays_the_same_while_its_arguments_do(areas, same):
    first, second = (base_map(areas, HERE, zoom, dark=False) for zoom in ((15, 15) if same else (15, 14)))
    for view in (first, second):
        view.render()
    hashes = [generate_js_hash(generate_leaflet_string(view), "map") for view in (first, second)]
    assert (hashes[0] == hashes[1]) is same


def test_each_candidate_stands_at_its_place_and_says_what_it_is():
    spots = layer_spots(answer_layer(HERE, 25, MARKS, dark=False))
    assert [spot["at"] for spot in spots[:3]] == [[48.801, 2.301], [48.802, 2.302], [48.803, 2.303]]
    assert spots[0]["text"] == "image-only: candidate 1, 12 m away, right (reference/000001)"
    assert spots[1]["text"].startswith("bu-tf: candidate 1, 130 m away, wrong")
    assert spots[3]["text"] == "the query"
    assert spots[3]["at"] == list(HERE)


def test_names_cannot_break_out_of_the_map():
    mark = Mark("bu-tf", "</script><img src=x onerror=alert(1)>", 2.3, 48.8, 1)
    view = base_map(None, HERE, 15, dark=False)
    view.add_child(answer_layer(None, 25, [mark], dark=False))
    assert "<img" not in html(view)
    assert "&lt;img src=x" in html(view)


def test_names_are_not_read_as_templates():
    """Folium makes each script that an element renders into a template, and runs what is between braces."""
    view = base_map(None, HERE, 15, dark=False)
    view.add_child(answer_layer(None, 25, [Mark("bu-tf", "{{ 7 * 7 }}{% raw %}", 2.3, 48.8, 1)], dark=False))
    assert "{{ 7 * 7 }}{% raw %}" in html(view)


def test_right_is_filled_and_wrong_is_hollow():
    right, wrong = (spot["html"] for spot in layer_spots(answer_layer(None, 25, MARKS[:2], dark=False)))
    assert 'fill="#3a86d0"' in right  # the colour of image-only
    assert 'stroke="#b03a86"' in wrong  # the colour of bu-tf
    assert "<path" in wrong
    assert 'fill="#b03a86" stroke' not in wrong


def test_models_at_one_place_are_set_apart():
    here = [Mark(model, "a/1", 2.3, 48.8, 1) for model in ("image-only", "hallucination", "bu-tf")]
    anchors = {tuple(spot["anchor"]) for spot in layer_spots(answer_layer(None, 25, here, dark=False))}
    assert len(anchors) == 3


def test_the_circle_has_the_radius_in_metres():
    view = base_map(None, HERE, 15, dark=False)
    view.add_child(answer_layer(HERE, 37.5, [], dark=False))
    assert re.search(r"L\.circle\(\s*\[48\.8, 2\.3\]", html(view))
    assert '"radius": 37.5' in html(view)
    assert "L.circle(" not in html(answer_map_without_query())


def answer_map_without_query():
    view = base_map(None, HERE, 15, dark=False)
    view.add_child(answer_layer(None, 25, [], dark=False))
    return view


@pytest.mark.parametrize("span_m", [20, 300, 4000])
def test_fit_shows_all_points_and_wastes_little(span_m):
    """Checked against the web-mercator projection written out plainly."""
    metre = 1 / 111_319.49
    points = np.array([HERE, (HERE[0] + span_m * metre, HERE[1] + span_m * metre)])
    (lat, lon), zoom = fit(points, 300, 400)

    def pixel(latitude, longitude):
        scale = 256 * 2**zoom
        y = math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2))
        return scale * longitude / 360, -scale * y / (2 * math.pi)

    offsets = np.abs(np.subtract([pixel(*point) for point in points], pixel(lat, lon)))
    assert (offsets <= (150, 200)).all()
    assert (offsets / (150, 200)).max() > 0.5 or zoom == 20


def test_the_plan_is_true_to_scale_and_holds_all_marks():
    figure = looked_through(plan_figure(np.zeros((5, 3)), (0.0, 0.0), 0.25, MARKS))
    named = {trace.name: trace for trace in figure.data}
    assert set(named) == {"database", "image-only", "bu-tf", "query"}
    assert list(named["bu-tf"].marker.symbol) == ["diamond-open", "diamond"]
    assert figure.layout.yaxis.scaleanchor == "x"
    circle = figure.layout.shapes[0]
    assert (circle.x1 - circle.x0) / 2 == 0.25
    assert list(named["image-only"].customdata) == ["image-only: candidate 1, 12 m away, right (reference/000001)"]


def test_a_plan_of_ones_own_photo_has_no_circle():
    assert not looked_through(plan_figure(np.zeros((5, 2)), None, 25, MARKS)).layout.shapes


def test_the_chosen_mark_stands_before_the_others_and_a_click_tells_which_it_was():
    spots = layer_spots(answer_layer(HERE, 25, MARKS, dark=False, chosen=(MARKS[1].model, MARKS[1].rank)))
    front = max(spots, key=lambda spot: spot["z"])
    assert "chosen" in front["html"] and unescape(front["text"]) == MARKS[1].tooltip
    assert sum("chosen" in spot["html"] for spot in spots) == 1
    assert [marked(MARKS, mark.tooltip) for mark in MARKS] == MARKS
    assert marked(MARKS, "the query") is None and marked(MARKS, None) is None


def test_a_plan_of_many_points_draws_no_more_than_can_be_seen() -> None:
    along = np.linspace(0, 3000, 20_000)
    database = np.stack([along, np.where(along < 1500, 0.0, along - 1500)], axis=1)
    drawn = next(trace for trace in plan_figure(database, None, 25.0, []).data if trace.name == "database")
    corners = np.stack([drawn.x, drawn.y], axis=1).reshape(-1, 6, 2)[:, :4]
    middles, side = corners.mean(axis=1), np.ptp(corners[0, :, 0])
    assert len(middles) < 600
    gaps = np.abs(database[:, None] - middles[None]).max(axis=2).min(axis=1)
    assert gaps.max() <= side / 2 + 1e-6  # every point lies in a square that is drawn
