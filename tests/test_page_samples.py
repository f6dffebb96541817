"""How a dense map came about, on the Data page and in numbers; and KITTI's form."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from app_pages import button, html, opened, well
from conftest import edit_json
from PIL import Image
from streamlit.testing.v1 import AppTest
from test_densify_dataset import KEPT, drop, write_samples
from test_importers_kitti import odometry, picture

from butf import lidar_views
from butf.dataset.frames import Frames
from butf.dataset.modalities import Map, write_map
from butf.densify import Dense, Sparse
from butf.figures.previews import Tile
from butf.figures.samples import DIM, dot_radius, dotted, error_picture, tiles_html
from butf.importers.kitti import import_kitti

pytestmark = pytest.mark.usefixtures("one_thread")
__all__ = ["odometry"]


@pytest.fixture
def home(apart: Path, tiny_original: Path) -> Path:
    """Data sets `scan`, with points, and `town`, without; gives the data folder."""
    for name in ("scan", "town"):
        shutil.copytree(tiny_original, apart / "data" / name)
    write_samples(apart / "data" / "scan")
    return apart / "data"


def page(**query: str) -> AppTest:
    return opened("data", models=[], **query)


def captions(app: AppTest) -> str:
    return " ".join(found.value for found in app.caption)


def test_the_section_is_there_only_for_points_and_computed_only_when_asked(home: Path) -> None:
    app = well(page(data="town"))
    assert "How the dense map came about" not in [found.value for found in app.subheader]
    app = well(page(data="scan"))
    assert "How the dense map came about" in [found.value for found in app.subheader]
    assert "It is computed when you turn it on" in captions(app) and "Measured points" not in html(app)
    assert "Points" not in html(app) and "Returns" not in html(app), "they cannot be read as maps"
    app = well(app.toggle(key="origin").set_value(True).run())
    shown = html(app)
    titles = ("Measured points", "Removed as hidden", "Dense depth", "True depth", "Error", "Dense reflectance")
    places = [shown.index(f"<b>{title}</b>") for title in titles]
    assert places == sorted(places), "in this order"
    assert "within 5%" in shown and "Error: blue where the dense depth is too near" in captions(app)


def test_the_address_opens_it_and_frames_without_points_have_none(home: Path) -> None:
    app = well(page(data="scan", origin="true", frame="000010"))
    assert "Measured points" in html(app)
    app = well(button(app, "Next").click().run())
    assert "night/000011, test" in html(app) and "Measured points" not in html(app)


def test_depth_that_was_filled_is_no_truth(home: Path) -> None:
    manifest = json.loads((home / "scan" / "dataset.json").read_text())
    manifest["modalities"]["depth"]["filled_from"] = "points"
    edit_json(home / "scan" / "dataset.json", **manifest)
    shown = html(well(page(data="scan", origin="true")))
    assert "Dense depth" in shown and "True depth" not in shown and "<b>Error</b>" not in shown


def test_no_returns_no_truth(home: Path) -> None:
    drop(home / "scan", "returns", "depth")
    shown = html(well(page(data="scan", origin="true")))
    assert "Dense depth" in shown and "Dense reflectance" not in shown and "True depth" not in shown


def test_no_camera_is_told(home: Path) -> None:
    edit_json(home / "scan" / "dataset.json", cameras=[])
    app = page(data="scan", origin="true")
    assert not app.exception and "has no camera of 96x64" in app.error[0].value
    assert "night/000007" in html(app), "the rest is there"


def test_no_point_in_the_picture(home: Path) -> None:
    nothing = np.zeros((64, 96), np.float32)
    for path in (home / "scan" / "night" / "points").glob("*.png"):
        write_map(path, Map("points", nothing, nothing > 0))
    app = well(page(data="scan", origin="true"))
    assert "No point fell into night/000007." in captions(app)


def test_other_points_are_filled_anew(home: Path) -> None:
    frames = Frames.load(home / "scan")
    before = html(well(page(data="scan", origin="true")))
    side = frames.modality(0, "points")
    write_map(frames.modality_path(0, "points"), Map("points", side.values, side.valid & (np.arange(96) < 60)))
    assert html(well(page(data="scan", origin="true"))) != before


@pytest.mark.parametrize("name", ["home", "explore", "compare", "data"])
def test_frames_of_two_sizes_without_common_places_on_every_page(site: Path, odometry: Path, name: str) -> None:
    (odometry.parents[1] / "poses" / "07.txt").unlink()
    picture(odometry / "image_2" / "000003.png", 3, size=(176, 104))
    assert len(import_kitti(odometry, site / "data" / "drive").frames.cameras) == 2
    app = well(opened(name, data="drive"))
    if name == "home":
        assert "so no answer can be right" in captions(app) and "the models differ" not in captions(app)
    if name == "explore":
        assert "the database has no true match" in html(app)
        well(app.multiselect(key="models").set_value(["my-image-only"]).run())
        assert "Depth by lidar" in html(app) and "True points" not in html(app)


def test_kitti_by_its_form(home: Path, odometry: Path) -> None:
    app = well(page(data="town", view="Import your own"))
    app = app.get("button_group")[-2].set_value("To be converted").run()
    app = well(app.get("button_group")[-1].set_value("KITTI").run())
    codes = " ".join(found.value for found in app.code)
    assert "image_02/data/0000000000.png" in codes and "poses/00.txt" in codes
    field = next(found for found in app.text_input if found.label == "Full path of the folder on this machine")
    app = field.set_value(str(odometry)).run()
    app = app.number_input(key="kitti-every").set_value(2).run()
    app = well(button(app, "Check it").click().run())
    assert "Nothing is wrong" in app.success[0].value
    app = well(button(app, "Import").click().run())
    made = Frames.load(home / "07")
    assert len(made) == 2 and "points" in made.modalities and "Data: 07" in html(app)
    assert "How the dense map came about" in [found.value for found in app.subheader]


def test_kittis_form_says_what_is_wrong(home: Path, odometry: Path) -> None:
    shutil.rmtree(odometry / "velodyne")
    app = well(page(data="town", view="Import your own"))
    app = app.get("button_group")[-2].set_value("To be converted").run()
    app = well(app.get("button_group")[-1].set_value("KITTI").run())
    field = next(found for found in app.text_input if found.label == "Full path of the folder on this machine")
    app = button(field.set_value(str(odometry)).run(), "Check it").click().run()
    assert not app.exception and "has no folder velodyne/" in app.error[0].value
    assert sorted(path.name for path in home.iterdir()) == ["scan", "town"]


def test_dots_lie_in_their_pixels_and_later_ones_above() -> None:
    picture = np.full((19, 38, 3), 200, np.uint8)
    where = np.zeros((19, 38), bool)
    where[4, 10] = where[4, 11] = True
    colours = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)
    shown = dotted(picture, where, colours, radius=12)
    k = shown.shape[1] // 38
    assert k == 20 and shown.shape == (19 * k, 38 * k, 3)
    centre = np.array([4, 11]) * k + k // 2
    y, x = np.mgrid[: shown.shape[0], : shown.shape[1]]
    second = np.hypot(y - centre[0], x - centre[1]) <= 12
    first = (np.hypot(y - centre[0], x - centre[1] + k) <= 12) & ~second
    assert (shown[second] == [0, 0, 255]).all() and (shown[first] == [255, 0, 0]).all()
    assert (shown[~first & ~second] == round(DIM * 200)).all()


def test_dots_at_the_border_are_cut() -> None:
    where = np.zeros((20, 760), bool)
    where[0, 0] = where[19, 759] = True
    shown = dotted(np.zeros((20, 760, 3), np.uint8), where, np.array([250, 0, 0], np.uint8), radius=3)
    quarter = sum(y * y + x * x <= 9 for y in range(4) for x in range(4))
    assert shown.shape == (20, 760, 3) and (shown[..., 0] > 0).sum() == 2 * quarter
    assert not dotted(np.zeros((9, 760, 3), np.uint8), np.zeros((9, 760), bool), np.zeros((0, 3))).any()


def test_dots_leave_gaps_and_can_be_seen() -> None:
    for count in (300, 5000, 20_000):
        radius = dot_radius(count, 480, 640)
        assert 1 <= radius <= 4 and (radius == 1 or count * np.pi * radius**2 < 0.5 * 480 * 640)
    assert dot_radius(0, 480, 640) == 4


def test_error_colours() -> None:
    shown = error_picture(np.array([[-0.5, -0.2, 0.0, 0.2, np.nan]]), np.array([[True, True, True, True, False]]))
    near, nearer, right, far, unknown = shown[0].tolist()
    assert near == nearer == [0x1F, 0x5F, 0xA8] and right == [0xF3, 0xF2, 0xEE] and far == [0xB3, 0x5A, 0x00]
    assert unknown == [128, 128, 128]


def test_tiles_are_escaped_and_wide_ones_fewer_across() -> None:
    tile = Tile("data:x", "<b>", 'a "note"', '"><script>')
    shown = tiles_html([tile], 1.33)
    assert "<script>" not in shown and "<b>&lt;b&gt;</b>" in shown and 'class="origin"' in shown
    assert 'class="origin wide"' in tiles_html([tile], 3.3)


def test_agreement_in_numbers() -> None:
    truth = np.full((10, 10), 20.0, np.float32)
    depth = truth.copy()
    depth[:3] += 0.5
    depth[3:5] += 4.0
    known = np.ones((10, 10), bool)
    known[9] = False  # so that of 90 pixels 30 are off by 0.5 m and 20 by 4 m
    dense = Dense(depth, None, known, Sparse(depth), known)
    found = lidar_views.agreement(dense, Map("depth", truth, np.ones((10, 10), bool)))
    assert found.median_m == 0.5 and found.right == pytest.approx(70 / 90)
    assert lidar_views.agreement(dense, Map("depth", truth, np.zeros((10, 10), bool))) is None


def test_the_numbers_and_pictures_of_a_frame(home: Path) -> None:
    frames = Frames.load(home / "scan")
    made = lidar_views.origin(frames, 0)
    tiles = {tile.title: tile for tile in made.tiles}
    points = frames.modality(0, "points")
    assert tiles["Measured points"].note.startswith(f"{points.valid.sum():,} pixels, {points.valid.mean():.0%}")
    assert made.proportion == 1.5 and (made.scale.low, made.scale.high) == (1.5, 90.0)
    for title, tile in tiles.items():
        kind, _, content = tile.picture.partition(";base64,")
        width, height = Image.open(io.BytesIO(base64.b64decode(content))).size
        assert kind.startswith("data:image/") and width / height == pytest.approx(1.5), title
    assert lidar_views.has_points(frames, 0) and not lidar_views.has_points(frames, KEPT - 1)
