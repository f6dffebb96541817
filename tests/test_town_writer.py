"""Writing the town: a valid data set, the same bytes always, resumed where it stopped."""

import errno
import hashlib
import os

import numpy as np
import pytest
from PIL import Image

from butf.cli import main
from butf.dataset.areas import read_areas
from butf.dataset.frames import Frames
from butf.dataset.modalities import read_map
from butf.errors import BadInput
from butf.town import TownConfig, write_town
from butf.town.classes import CLASS_NAMES
from butf.town.conditions import CONDITIONS
from butf.town.pictures import encoded, rounded_depth
from butf.town.render import Picture

CONFIG = TownConfig(
    seed=11, train_places=4, val_places=4, test_places=6, width=64, height=48, facade_pool=2, block_types=1, trees=0.2
)
CHOSEN = {"conditions": ("reference", "night"), "samples": 1, "progress": False}


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".png", ".csv"))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return write_town(tmp_path_factory.mktemp("town") / "town", CONFIG, workers=1, **CHOSEN)


def test_it_is_a_valid_data_set(town):
    frames = Frames.load(town)
    assert len(frames) == 2 * (4 + 4 + 6)
    assert frames.conditions == ["reference", "night"] and sorted(frames.splits) == ["test", "train", "val"]
    assert len(frames.database("test")) == 6 and len(frames.queries("test")["night"]) == 6
    assert frames.seen("reference") and not frames.seen("night")
    assert frames.modalities["semantics"]["classes"] == list(CLASS_NAMES)
    for i in (0, len(frames) - 1):
        assert frames.image(i).size == (64, 48)
        depth, reflectance, classes = (frames.modality(i, name) for name in ("depth", "reflectance", "semantics"))
        sky = classes.values == CLASS_NAMES.index("sky")
        assert np.all(~depth.valid[sky]) and np.all(~reflectance.valid[sky])
        assert depth.valid[~sky].mean() > 0.95  # the rest lies beyond 255.99 m
        assert depth.values[depth.valid].min() > 0.5


def test_noise_is_declared_not_stored(town):
    frames = Frames.load(town)
    night = int(np.flatnonzero(frames.condition == "night")[0])
    stored = np.asarray(Image.open(frames.image_path(night)), float)
    loaded = np.asarray(frames.image(night), float)
    spread = np.std((loaded - stored)[stored > 40]) / 255
    assert spread == pytest.approx(CONDITIONS["night"].noise, rel=0.2)


def test_every_frame_lies_in_the_area_of_its_split(town):
    frames, areas = Frames.load(town), read_areas(town / "areas.geojson")
    assert np.array_equal(areas.split_of(np.column_stack([frames.lon, frames.lat])), frames.split)
    assert len(areas.buildings) > 100 and len(areas.streets) == 3 * 40


def test_two_workers_and_an_interruption_give_the_same_bytes(town, tmp_path):
    other = write_town(tmp_path / "other", CONFIG, workers=2, splits=("val",), **CHOSEN)
    whole = digests(other)
    assert len(whole) == 2 * 4 * 4 + 1
    assert {name: digest for name, digest in whole.items() if name != "frames.csv"}.items() <= digests(town).items()
    lost, cut = other / "night/depth/100002.png", other / "reference/rgb/100001.jpg"
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:300])
    (other / "dataset.json").unlink()
    kept = (other / "night/rgb/100001.jpg").stat().st_mtime_ns
    write_town(other, CONFIG, workers=1, splits=("val",), **CHOSEN)
    assert digests(other) == whole
    assert (other / "night/rgb/100001.jpg").stat().st_mtime_ns == kept
    assert (other / "dataset.json").exists()
    assert not [path for path in other.rglob(".*")]


def test_a_subset_holds_the_same_frames(town, tmp_path):
    few = CONFIG.changed(train_kept=2, test_queries_kept=3)
    subset = write_town(tmp_path / "few", few, workers=1, splits=("train", "test"), **CHOSEN)
    frames, whole = digests(subset), digests(town)
    pictures = {name: digest for name, digest in frames.items() if name != "frames.csv"}
    assert len(pictures) == 4 * (2 + 2 + 6 + 3)
    assert pictures.items() <= whole.items()
    assert set((subset / "frames.csv").read_text().splitlines()) <= set((town / "frames.csv").read_text().splitlines())


def test_another_seed_is_another_town(town, tmp_path):
    other = write_town(
        tmp_path / "seed",
        CONFIG.changed(seed=12),
        workers=1,
        splits=("val",),
        conditions=("night",),
        samples=1,
        progress=False,
        stride=2,
    )
    assert digests(other)["night/depth/100000.png"] != digests(town)["night/depth/100000.png"]


def test_what_cannot_be_done_is_said(town, tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="other settings"):
        write_town(town, CONFIG.changed(season=0.5), workers=1, **CHOSEN)
    with pytest.raises(BadInput, match="unknown town split 'all'"):
        write_town(tmp_path / "x", CONFIG, splits=("all",))
    with pytest.raises(BadInput, match="unknown town condition 'fog'"):
        write_town(tmp_path / "x", CONFIG, conditions=("fog",))
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"file.* cannot be written"):
        write_town(tmp_path / "file" / "town", CONFIG, workers=1, **CHOSEN)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("butf.files.os.replace", full)
    with pytest.raises(BadInput, match="no space left"):
        write_town(tmp_path / "full", CONFIG, workers=1, splits=("val",), **CHOSEN)
    assert not [path for path in (tmp_path / "full").rglob("*") if path.suffix in (".png", ".jpg")]


def test_stored_maps_are_close_to_the_rendered_ones(tmp_path):
    rng = np.random.default_rng(0)
    depth = np.exp(rng.uniform(0, 6, (48, 64))).astype(np.float32)
    depth[:8] = 0
    reflectance = np.where(depth > 0, rng.uniform(0.004, 1, depth.shape), 0).astype(np.float32)
    picture = Picture(rng.integers(0, 255, (48, 64, 3), np.uint8), depth, reflectance, np.full((48, 64), 3, np.uint8))
    for name, data in encoded(picture, CONFIG).items():
        (tmp_path / name).write_bytes(data)
    stored = read_map(tmp_path / "depth", "depth")
    near = (depth > 0) & (depth < 255)
    assert np.array_equal(stored.valid & near, near) and not stored.valid[depth > 256.5].any()
    assert np.abs(stored.values[near] / depth[near] - 1).max() < 0.0022
    back = read_map(tmp_path / "reflectance", "reflectance")
    assert np.array_equal(back.valid, reflectance > 0)
    assert np.abs(back.values - reflectance).max() < 0.5 * CONFIG.reflectance_step / 255 + 0.002
    assert (read_map(tmp_path / "semantics", "semantics").values == 3).all()
    np.testing.assert_allclose(rounded_depth(depth[near], 16), np.rint(depth[near] * 256) / 256)


def test_command_line(tmp_path, capsys):
    command = ["town", "--out", str(tmp_path / "town"), "--splits", "val", "--conditions", "dusk", "--samples", "1"]
    same = ("train_places", "val_places", "test_places", "width", "height", "facade_pool", "block_types", "trees")
    knobs = [word for name in same for word in ("--set", f"{name}={getattr(CONFIG, name)}")]
    assert main([*command, "--seed", str(CONFIG.seed), "--workers", "1", *knobs]) == 0
    assert "4 of 4 frames" in capsys.readouterr().err
    frames = Frames.load(tmp_path / "town")
    assert len(frames) == 4 and frames.condition.tolist() == ["dusk"] * 4 and frames.image(0).size == (64, 48)
    assert main([*command, "--set", "season=9"]) == 2
    assert "season is 9" in capsys.readouterr().err
