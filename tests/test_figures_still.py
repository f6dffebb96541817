"""Pictures of scenes: every pixel as a plain projection has it, and like what Plotly draws in a real browser."""

import io
import math
from pathlib import Path

import numpy as np
import plotly
import pytest
from answering import looking
from PIL import Image

from butf.dataset.manifest import Camera
from butf.figures.cameras import Seen, space_figure
from butf.figures.cloud import GROUND, cloud_figure
from butf.figures.still import MARKER, still, still_html

TALL = 240
GREY = tuple(int(GROUND[i : i + 2], 16) for i in (1, 3, 5))
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
DRAW = """async figure => { await Plotly.newPlot('scene', figure.data, figure.layout, {displayModeBar: false})
  await new Promise(done => setTimeout(done, 1500)) }"""


def plain(figure, point: np.ndarray) -> tuple[float, float]:
    """The pixel of a point of the scene, one coordinate at a time."""
    scene = figure.layout.scene
    ranges = [scene[f"{name}axis"].range for name in "xyz"]
    unit = math.prod(high - low for low, high in ranges) ** (1 / 3)
    eye, aim = (
        [(low + high) / 2 + unit * place[name] for (low, high), name in zip(ranges, "xyz", strict=True)]
        for place in (scene.camera.eye, scene.camera.center)
    )
    ahead = [a - b for a, b in zip(aim, eye, strict=True)]
    level = math.hypot(ahead[0], ahead[1])
    heading, pitch = math.atan2(ahead[1], ahead[0]), math.atan2(ahead[2], level)
    dx, dy, dz = (float(a) - b for a, b in zip(point, eye, strict=True))
    along = dx * math.cos(heading) + dy * math.sin(heading)
    right = dx * math.sin(heading) - dy * math.cos(heading)
    z = along * math.cos(pitch) + dz * math.sin(pitch)
    up = -along * math.sin(pitch) + dz * math.cos(pitch)
    focal = TALL / 2 / math.tan(math.radians(22.5))
    return 2.4 * TALL / 2 + focal * right / z, TALL / 2 - focal * up / z


def cloud(points: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) before a camera, and colours (N, 3)."""
    random = np.random.default_rng(3)
    return random.uniform((-4, -2, 4), (4, 2, 16), (points, 3)), random.integers(0, 120, (points, 3)).astype(np.uint8)


def test_a_point_is_where_a_plain_projection_has_it():
    points, _ = cloud(60)
    colours = np.stack([np.arange(60), np.full(60, 200), np.full(60, 7)], axis=1).astype(np.uint8)
    figure = cloud_figure(points, colours, TALL)
    pixels = np.asarray(still(figure)).astype(int)
    assert pixels.shape == (TALL, round(2.4 * TALL), 3)
    seen = 0
    for index, (x, y, z) in enumerate(np.round(points, 2)):
        column, row = plain(figure, np.array([x, z, -y]))
        mine = np.argwhere((pixels == (index, 200, 7)).all(axis=-1))
        if len(mine) == (3 * MARKER) ** 2:  # hidden by none, cut by no edge
            seen += 1
            assert mine.mean(axis=0) == pytest.approx([row, column], abs=0.51)
    assert seen > 30


def test_what_is_nearer_hides_what_is_farther_and_lines_are_among_the_points():
    camera = Camera("c", 80, 60, 70.0, 70.0, 40.0, 30.0)
    found = Seen("found", "the camera found", looking(0), camera)
    grid = np.linspace(-2, 2, 120)
    for ahead, hidden in ((-1.0, True), (10.0, False)):
        wall = np.array([[x, ahead, z] for x in grid for z in grid]) + found.pose.centre
        figure = space_figure(wall, np.full((len(wall), 3), 9, np.uint8), [found], TALL)
        orange = (np.asarray(still(figure)) == (0xD4, 0x52, 0x1A)).all(axis=-1).sum()
        assert (orange == 0) if hidden else (orange > 400)


def test_without_points_there_is_the_ground():
    nothing = np.zeros((0, 3))
    picture = np.asarray(still(cloud_figure(nothing, nothing.astype(np.uint8), TALL)))
    assert (picture == GREY).all()


def test_one_point_is_a_scene():
    """Its axes have a length all the same."""
    picture = np.asarray(still(cloud_figure(np.array([[0.0, 0.0, 5.0]]), np.zeros((1, 3), np.uint8), TALL)))
    assert picture.shape == (TALL, round(2.4 * TALL), 3)


def test_on_the_page_it_is_as_high_as_the_figure():
    html = still_html(cloud_figure(*cloud(), TALL))
    assert html.startswith('<img class="still" src="data:image/jpeg;base64,') and f"height: {TALL}px" in html


def test_it_is_what_plotly_draws(browser, tmp_path):
    figure = cloud_figure(*cloud(), TALL)
    page = browser.new_page()
    page.set_viewport_size({"width": 360, "height": TALL})
    file = tmp_path / "scene.html"
    file.write_text(f'<body style="margin: 0"><div id="scene"></div><script src="{PLOTLY.as_uri()}"></script>')
    page.goto(file.as_uri())
    page.evaluate(DRAW, figure.update_layout(width=360).to_plotly_json() | {"config": {}})
    drawn = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
    page.close()
    picture = still(figure)
    left = (picture.width - 360) // 2
    mine = np.asarray(picture.crop((left, 0, left + 360, TALL))).astype(int)
    points = (abs(drawn - GREY).max(axis=-1) > 24), (abs(mine - GREY).max(axis=-1) > 24)
    both, either = (points[0] & points[1]).sum(), (points[0] | points[1]).sum()
    assert either > 4000 and both / either > 0.8
    assert np.median(abs(drawn - mine)[points[0] & points[1]]) < 4
