"""Cameras as frustums: what they enclose is what their pictures see, on the map, in the plan and in space."""

import itertools
import json
import math
from html import unescape

import folium
import numpy as np
import plotly.graph_objects as go
import pytest
from answering import looking
from looking import looked_through

from butf.dataset.manifest import Camera
from butf.figures.cameras import (
    ABOVE_M,
    BEHIND_M,
    DRAWN_M,
    Seen,
    corners,
    draw_goal,
    draw_wedges,
    plan_traces,
    space_figure,
    wedge,
)
from butf.figures.theme import styled

CAMERA = Camera("c", 80, 60, 70.0, 74.0, 31.0, 28.0)
FOUND = Seen("found", "the camera found", looking(77, up_deg=-4), CAMERA)
TRUE = Seen("true", "the true camera", looking(70, (101.0, 201.0, 30.5)), CAMERA)
OTHER = Seen("other", "reference/000001, 3 matches agree", looking(200, (90.0, 190.0, 30.0)), CAMERA)
GOAL, PATH = np.array([110.0, 205.0]), np.array([[100.0, 200.0], [104.0, 203.0], [110.0, 205.0]])


@pytest.mark.parametrize(("heading", "up"), [(0, 0), (77, -12), (200, 30)])
def test_corners_are_seen_at_the_corners_of_the_picture(heading, up):
    pose = looking(heading, up_deg=up)
    centre, *rest = corners(Seen("found", "", pose, CAMERA), 2.5)
    assert centre == pytest.approx(pose.centre)
    seen = []
    for point in rest:
        x, y, z = (sum(pose.rotation[k, axis] * (point[k] - pose.centre[k]) for k in range(3)) for axis in range(3))
        seen += [CAMERA.fx * x / z + CAMERA.cx, CAMERA.fy * y / z + CAMERA.cy, z]
    assert seen == pytest.approx([0, 0, 2.5, 80, 0, 2.5, 80, 60, 2.5, 0, 60, 2.5])


@pytest.mark.parametrize(("heading", "up"), [(0, 0), (135, 0), (300, 25), (300, -25)])
def test_a_wedge_opens_by_the_bearings_of_the_pictures_edges(heading, up):
    pose = looking(heading, up_deg=up)
    apex, *ends = wedge(Seen("found", "", pose, CAMERA), 25.0)
    assert apex == pytest.approx(pose.centre[:2])
    for end, pixels in zip(ends, (-CAMERA.cx, CAMERA.width - CAMERA.cx), strict=True):
        # Seen from above, what the camera looks at is foreshortened and what is to its side is not.
        aside = math.atan2(pixels / CAMERA.fx, math.cos(math.radians(up)))
        bearing = math.radians(heading) + aside
        assert end - apex == pytest.approx([25 * math.sin(bearing), 25 * math.cos(bearing)])


def planned(dark: bool = False, goal: np.ndarray | None = None, path: np.ndarray | None = None) -> go.Figure:
    return looked_through(styled(plan_traces([FOUND, TRUE], 25.0, goal, path, dark), 300))


@pytest.mark.parametrize("dark", [False, True])
def test_the_plan_has_a_closed_wedge_for_each_camera_which_differ_by_colour_and_dash(dark):
    found, true = planned(dark).data
    for trace, seen in ((found, FOUND), (true, TRUE)):
        apex, left, right = wedge(seen, 25.0)
        assert np.stack([trace.x, trace.y], axis=1) == pytest.approx(np.stack([apex, left, right, apex]))
        assert (trace.mode, trace.name, trace.text, trace.hoverinfo) == ("lines", seen.words, seen.words, "text")
        assert trace.line.color == seen.colour(dark)
    assert (found.line.dash, true.line.dash) == ("solid", "dash")
    assert len({seen.colour(tone) for seen in (FOUND, TRUE) for tone in (False, True)}) == 4


def test_the_plan_has_the_goal_at_the_end_of_the_way_to_it():
    *cameras, way, goal = planned(goal=GOAL, path=PATH).data
    assert len(cameras) == 2
    assert np.stack([way.x, way.y], axis=1) == pytest.approx(PATH)
    assert (goal.x[0], goal.y[0]) == (way.x[-1], way.y[-1]) == tuple(GOAL)
    assert (goal.mode, goal.hovertext, way.line.dash) == ("markers", "the goal", "dot")


def space(seen: list[Seen]) -> tuple[np.ndarray, go.Figure]:
    points = looking(77, up_deg=-4).to_world(np.random.default_rng(0).uniform([-3, -2, 2], [3, 2, 20], (50, 3)))
    colours = np.random.default_rng(1).integers(0, 255, (50, 3), dtype=np.uint8)
    return points, looked_through(space_figure(points, colours, seen))


def test_points_and_cameras_share_a_frame_that_begins_at_the_first_camera():
    points, figure = space([FOUND, TRUE, OTHER])
    cloud, *frustums = figure.data
    assert np.stack([cloud.x, cloud.y, cloud.z], axis=1) == pytest.approx(points - FOUND.pose.centre, abs=0.0051)
    first = np.random.default_rng(1).integers(0, 255, (50, 3), dtype=np.uint8)[0]
    assert cloud.marker.color[0] == "rgb({},{},{})".format(*first)
    for frustum, seen in zip(frustums, (FOUND, TRUE, OTHER), strict=True):
        apex = np.array([frustum.x[0], frustum.y[0], frustum.z[0]], float)
        assert apex == pytest.approx(seen.pose.centre - FOUND.pose.centre, abs=1e-3)
        assert (frustum.name, frustum.hoverinfo) == (seen.words, "text")
    assert [frustum.line.dash for frustum in frustums] == [None, "dash", None]
    assert frustums[0].line.width > frustums[1].line.width > frustums[2].line.width


def test_a_frustum_has_the_eight_edges_of_a_pyramid_each_once():
    _, figure = space([FOUND, OTHER])
    for frustum, seen, reach in ((figure.data[1], FOUND, DRAWN_M), (figure.data[2], OTHER, 0.6 * DRAWN_M)):
        at = np.round(corners(seen, reach) - FOUND.pose.centre, 3)
        line = list(zip(frustum.x, frustum.y, frustum.z, strict=True))
        which = [None if x is None else int(np.abs(at - (x, y, z)).sum(axis=1).argmin()) for x, y, z in line]
        edges = [frozenset(pair) for pair in itertools.pairwise(which) if None not in pair]
        sides, base = [{0, k} for k in range(1, 5)], [{1, 2}, {2, 3}, {3, 4}, {4, 1}]
        assert len(edges) == 8 and all(edge in edges for edge in sides + base)


def test_all_is_within_the_axes_and_looked_at_from_behind_and_above_the_first_camera():
    points, figure = space([FOUND, TRUE])
    scene = figure.layout.scene
    low, high = np.array([axis.range for axis in (scene.xaxis, scene.yaxis, scene.zaxis)]).T
    every = np.concatenate([points, corners(FOUND, DRAWN_M), corners(TRUE, DRAWN_M)]) - FOUND.pose.centre
    assert every.min(axis=0) == pytest.approx(low) and every.max(axis=0) == pytest.approx(high)
    assert scene.aspectmode == "data"
    # One unit of Plotly's camera is the geometric mean of the axes' lengths, counted from their middle.
    unit = math.prod(high - low) ** (1 / 3)
    eye, centre = (
        unit * np.array([at.x, at.y, at.z]) + (low + high) / 2 for at in (scene.camera.eye, scene.camera.center)
    )
    heading, down = math.radians(77), math.radians(4)
    ahead = np.array([math.sin(heading) * math.cos(down), math.cos(heading) * math.cos(down), -math.sin(down)])
    assert eye == pytest.approx(-BEHIND_M * ahead + [0, 0, ABOVE_M])
    assert np.cross(centre, ahead) == pytest.approx(np.zeros(3), abs=1e-9) and centre @ ahead > 0


def test_cameras_without_any_points_are_drawn_too():
    figure = looked_through(space_figure(np.zeros((0, 3)), np.zeros((0, 3), np.uint8), [OTHER]))
    assert [len(trace.x) for trace in figure.data] == [0, 13]


def drawn_on_map(*parts) -> str:
    """What the page is given for a layer."""
    view = folium.Map()
    for part in parts:
        part.add_to(view)
    return view.get_root().render()


def test_on_the_map_the_found_camera_is_filled_and_the_true_one_dashed():
    layer, places = folium.FeatureGroup(), np.array([[48.8, 2.3], [48.81, 2.3], [48.81, 2.31]])
    odd = Seen("true", "<b>odd</b>", TRUE.pose, CAMERA)
    draw_wedges(layer, [(FOUND, places), (odd, places + 1)], dark=False)
    one, other = layer._children.values()
    assert one.locations == places.tolist() and other.locations == (places + 1).tolist()
    assert one.options["fill"] and one.options["color"] == FOUND.colour(False) and not one.options["dashArray"]
    assert not other.options["fill"] and other.options["dashArray"] and other.options["color"] == TRUE.colour(False)
    page = drawn_on_map(layer)
    assert "the camera found" in page and "&lt;b&gt;odd&lt;/b&gt;" in page and "<b>odd" not in page


@pytest.mark.parametrize("dark", [False, True])
def test_the_goal_on_the_map_stands_at_the_end_of_its_way_and_lets_clicks_through(dark):
    layer, path = folium.FeatureGroup(), np.array([[48.8, 2.3], [48.81, 2.31]])
    draw_goal(layer, (48.81, 2.31), path, dark)
    way, mark = layer._children.values()
    assert way.locations == path.tolist()
    assert json.loads(mark.at) == way.locations[-1]
    assert 'aria-label="the goal"' in unescape(json.loads(mark.html))
    page = drawn_on_map(layer)
    assert '"interactive": false' in page, "the way"
    assert f"L.marker({mark.at}, {{interactive: false" in page
    assert "</svg>" not in mark.html, "it would be read as HTML within the script"
