"""Data that many tests share: a small made-up street, written through the library's own format."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

# Before numpy and torch are imported, and for every process that a test starts: two workers share the cores already,
# and on pictures as small as ours threads mostly wait for each other (some tests took ten times as long).
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A trainer that gives way to the other worker's tests is waited for several times as long.
os.environ.setdefault("BUTF_NICENESS", "0")

import numpy as np
import pytest
import streamlit as st
import torch
import utm
from browsing import Visitor
from made_once import make_once
from PIL import Image

from benchmarks._serving import BROWSER_OPTIONS, BROWSERS, installed_browser, serving
from butf import files
from butf.dataset.areas import Areas, write_areas
from butf.dataset.frames import Frames, write_frames
from butf.dataset.modalities import Map, write_map
from butf.keypoints import zoo as keypoint_zoo
from butf.networks import zoo
from pages import waiting

# The files that take longest, begun first: whatever two workers begin last must be short, or one waits for the other.
# `test_browser` goes before the others that share its server, since it asks what a fresh one does.
LONGEST = (
    "test_browser_train", "test_browser", "test_trainer", "test_browser_data", "test_browser_explore", "test_cli",
    "test_browser_compare", "test_train_page", "test_experiment", "test_import_robotcar", "test_town_writer",
    "test_runs", "test_browser_localize", "test_browser_learn", "test_benchmarks", "test_aggregation_training",
    "test_previews", "test_keypoints_training", "test_page_explore", "test_page_samples", "test_localize",
    "test_deployed", "test_ranks",
)  # fmt: skip
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # to refuse requests one by one forbids caching
WIDTH, HEIGHT, FOCAL = 96, 64, 48.0
PLACES = 12
STEP_M = 20.0
GAP_M = 200.0
EASTING, NORTHING = 448_000.0, 5_405_000.0
CLASSES = ["sky", "ground", "wall"]
TRAVERSALS = {"reference": 1.0, "overcast": 0.8, "night": 0.3}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def unhurried_disk() -> Iterator[None]:
    """Nothing that a test writes must outlive a power cut: no test waits for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def tiny_original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set that `tiny_dataset` copies: made once, to be left as it is."""
    return write_tiny_dataset(tmp_path_factory.mktemp("original") / "tiny")


@pytest.fixture
def tiny_dataset(tmp_path: Path, tiny_original: Path) -> Path:
    """36 frames: 12 places (6 train, 2 val, 4 test, 20 m apart, splits 200 m apart) in three traversals.

    Condition = traversal: reference (the database), overcast (query), night (query, no place labels). Pictures are
    96x64; depth and semantics beside each, except that night/000011 has no depth. Cameras face east.
    """
    return Path(shutil.copytree(tiny_original, tmp_path / "tiny"))


@pytest.fixture
def tiny_frames(tiny_dataset: Path) -> Frames:
    """`tiny_dataset`, loaded."""
    return Frames.load(tiny_dataset)


def write_tiny_dataset(root: Path) -> Path:
    """Write the data set of `tiny_dataset` into `root`."""
    rows: dict[str, list] = {key: [] for key in ("frame", "traversal", "condition", "split", "time_s")}
    positions = []
    for lane, (traversal, light) in enumerate(TRAVERSALS.items()):
        for place in range(PLACES):
            frame = f"{traversal}/{place:06d}"
            split, start = ("train", 0) if place < 6 else ("val", 1) if place < 8 else ("test", 2)
            positions.append((EASTING + place * STEP_M + start * GAP_M, NORTHING - lane, 35.0))
            for key, value in zip(rows, (frame, traversal, traversal, split, 1000.0 * lane + place), strict=True):
                rows[key].append(value)
            _write_views(root, traversal, place, light)
    (root / "night" / "depth" / f"{PLACES - 1:06d}.png").unlink()
    east, north, up = np.array(positions).T
    lat, lon = utm.to_latlon(east, north, 31, northern=True)
    # Camera x looks south, y down, z east: a third of a turn about the axis (-1, 1, -1).
    quaternion = {
        key: [value] * len(east) for key, value in zip(("qw", "qx", "qy", "qz"), (0.5, -0.5, 0.5, -0.5), strict=True)
    }
    place_columns = {"lat": lat, "lon": lon, "easting_m": east, "northing_m": north, "altitude_m": up}
    write_areas(root / "areas.geojson", _areas())
    write_frames(root, rows | place_columns | quaternion, _description(float(lat[0]), float(lon[0])))
    return root


def edit_json(path: Path, **changes: object) -> None:
    """Set keys of a JSON object on disk."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _description(lat: float, lon: float) -> dict:
    camera = {
        "name": "front",
        "width": WIDTH,
        "height": HEIGHT,
        "fx": FOCAL,
        "fy": FOCAL,
        "cx": WIDTH / 2,
        "cy": HEIGHT / 2,
    }
    return {
        "name": "tiny",
        "licence": "Apache-2.0",
        "source": "made up for tests",
        "cameras": [camera],
        "origin": {"lat": lat, "lon": lon, "utm_zone": "31N"},
        "modalities": {"depth": {"near_m": 1.0, "far_m": 100.0}, "semantics": {"classes": CLASSES}},
        "traversals": [
            {"name": name, "condition": name, "role": "query" if number else "reference", "labels": name != "night"}
            for number, name in enumerate(TRAVERSALS)
        ],
        "place": {"radius_m": 25.0, "angle_deg": None},
        "noise": {"rgb": {"night": 0.02}},
    }


def _write_views(root: Path, traversal: str, place: int, light: float) -> None:
    """A wall whose distance, width and coloured stripes belong to the place, above flat ground 1.5 m below."""
    rng = np.random.default_rng(place)
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    wall_m, left, right = rng.uniform(5, 40), *np.sort(rng.uniform(0, WIDTH, 2))
    ground_m = np.where(v > HEIGHT / 2, 1.5 * FOCAL / np.maximum(v - HEIGHT / 2, 1e-6), np.inf)
    wall = (u >= left) & (u <= right) & (ground_m > wall_m) & (v > HEIGHT / 8)
    depth = np.where(wall, wall_m, ground_m)
    label = np.where(wall, 2, np.where(np.isfinite(depth), 1, 0))
    stripes = rng.uniform(0, 255, (8, 3))[(u // rng.uniform(4, 12)).astype(int) % 8]
    flat = np.array([[150, 180, 230], [110, 105, 100]])
    picture = light * np.where(wall[..., None], stripes, flat[np.minimum(label, 1)])
    path = root / traversal / "rgb" / f"{place:06d}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.astype(np.uint8)).save(path, quality=92)
    for name, values, valid in (("depth", depth, depth < 100), ("semantics", label, label >= 0)):
        write_map(
            root / traversal / name / f"{place:06d}.png",
            Map(name, np.where(valid, values, 0).astype(np.float32), valid),
        )


def _areas() -> Areas:
    spans = {"train": (0, 5, 0), "val": (6, 7, 1), "test": (8, 11, 2)}
    boxes = {
        split: (_box(first * STEP_M + gaps * GAP_M - 9, last * STEP_M + gaps * GAP_M + 9, -40, 40),)
        for split, (first, last, gaps) in spans.items()
    }
    street = _degrees([[-20, 0], [PLACES * STEP_M + 2 * GAP_M, 0]])
    return Areas(boxes, (street,), (_box(10, 30, 8, 20),))


def _box(west: float, east: float, south: float, north: float) -> tuple[np.ndarray]:
    return (_degrees([[west, south], [east, south], [east, north], [west, north], [west, south]]),)


def _degrees(metres: list) -> np.ndarray:
    east, north = np.array(metres, float).T
    lat, lon = utm.to_latlon(EASTING + east, NORTHING + north, 31, northern=True)
    return np.stack([lon, lat], axis=1)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Many threads on few cores wait for each other; small pictures need one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def original_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from app_site import make_site  # which needs what is written here

    root = tmp_path_factory.mktemp("site")
    make_site(root)
    return root


@pytest.fixture
def site(original_site: Path, one_thread: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the site that a test may break; nothing that is shipped is seen."""
    root = tmp_path / "site"
    shutil.copytree(original_site, root)
    for variable, folder in (("BUTF_DATA", "data"), ("BUTF_RUNS", "runs"), ("BUTF_CACHE", "cache")):
        monkeypatch.setenv(variable, str(root / folder))
    monkeypatch.setattr(files, "ASSETS", tmp_path / "no-assets")
    monkeypatch.setattr(zoo, "MODELS", tmp_path / "no-assets" / "models")
    monkeypatch.setattr(keypoint_zoo, "SHIPPED", tmp_path / "no-assets" / "keypoints")
    monkeypatch.setattr(waiting, "PAINT_S", 0.0)  # no browser waits to paint
    monkeypatch.setattr(waiting, "PICTURE_S", 0.0)
    make_once(monkeypatch)
    st.cache_data.clear()
    st.cache_resource.clear()
    return root


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app on a free port over a small site; yields its address."""
    from app_site import make_site  # which needs what is written here

    if installed_browser() is None:
        pytest.skip(f"there is no browser at {', '.join(BROWSERS)}")
    with serving(make_site(tmp_path_factory.mktemp("site"))) as address:
        yield address


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the browser keeps what it has loaded and compiled: half of the seconds of a first visit."""
    return tmp_path_factory.mktemp("profile")


@pytest.fixture(scope="module")
def browser(profile: Path) -> Iterator:
    """A Chromium for journeys through the app, which finds no other machine."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if installed_browser() is None:
        pytest.skip(f"there is no browser at {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch_persistent_context(
            profile, executable_path=installed_browser(), args=[*BROWSER_OPTIONS, OFFLINE]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def visitor(browser, server: str) -> Iterator[Visitor]:
    """A tab on `server`; the test fails if anything went wrong in it."""
    with Visitor(browser, server) as tab:
        yield tab


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The app finds data, runs, cache and what is shipped in folders of this test alone; gives where these lie."""
    for variable, folder in (("BUTF_DATA", "data"), ("BUTF_RUNS", "runs"), ("BUTF_CACHE", "cache")):
        monkeypatch.setenv(variable, str(tmp_path / folder))
    monkeypatch.delenv("BUTF_NO_TRAINING", raising=False)
    monkeypatch.setattr(files, "ASSETS", tmp_path / "assets")
    monkeypatch.setattr(zoo, "MODELS", tmp_path / "assets" / "models")
    make_once(monkeypatch)
    st.cache_data.clear()
    st.cache_resource.clear()
    return tmp_path
