"""Filling the samples of a whole data set: what is made and what stays, going on, and every bad input."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import edit_json
from PIL import Image

from butf.cli import main
from butf.dataset.frames import Frames
from butf.dataset.inspection import inspect
from butf.dataset.modalities import Map, read_map, write_map
from butf.densify import dataset as densifying
from butf.densify.dataset import Filling, densify_dataset
from butf.errors import BadInput

pytestmark = pytest.mark.usefixtures("one_thread")
KEPT = 5  # frames of the small data set


@pytest.fixture(scope="module")
def scanned_original(tiny_original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scanned") / "tiny"
    shutil.copytree(tiny_original, root)
    return write_samples(root)


def write_samples(root: Path) -> Path:
    """Leave of the tiny data set five frames at night, the last without depth; `points` in every fourth pixel of the
    true depth, and `returns` there."""
    lines = (root / "frames.csv").read_text().splitlines()
    (root / "frames.csv").write_text("\n".join([lines[0], *lines[-KEPT:]]) + "\n")
    for path in sorted(root.glob("night/depth/*.png"))[-KEPT + 1 :]:
        true = read_map(path, "depth")
        sampled = np.zeros(true.valid.shape, bool)
        sampled[::2, ::2] = True
        sampled &= true.valid
        write_map(root / "night" / "points" / path.name, Map("points", true.values, sampled))
        bright = np.broadcast_to(np.linspace(0.1, 0.9, 96, dtype=np.float32), sampled.shape)
        write_map(root / "night" / "returns" / path.name, Map("returns", bright, sampled))
    manifest = json.loads((root / "dataset.json").read_text())
    span = {"near_m": 1.5, "far_m": 90.0}
    edit_json(root / "dataset.json", modalities=manifest["modalities"] | {"points": span, "returns": {}}, extra=7)
    return root


@pytest.fixture
def scanned(scanned_original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scanned_original, tmp_path / "scanned"))


def drop(root: Path, *modalities: str) -> None:
    """Take modalities out of a data set, their files too."""
    manifest = json.loads((root / "dataset.json").read_text())
    kept = {name: entry for name, entry in manifest["modalities"].items() if name not in modalities}
    edit_json(root / "dataset.json", modalities=kept)
    for name in modalities:
        shutil.rmtree(root / "night" / name)


def state(root: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in root.rglob("*") if path.is_file()}


def fault(root: Path, *words: str, **options: object) -> None:
    """Filling fails with one sentence that holds all of these words; nothing is left behind, nothing touched."""
    before = state(root.parent)
    with pytest.raises(BadInput) as error:
        densify_dataset(Frames.load(root), root.parent / "out", **options)
    text = str(error.value)
    assert "\n" not in text and not [word for word in words if word not in text], text
    assert state(root.parent) == before and not list(root.parent.glob(".out*"))


def test_beside_a_true_depth_it_becomes_lidar(scanned: Path, tmp_path: Path) -> None:
    before = state(scanned)
    done = densify_dataset(Frames.load(scanned), tmp_path / "out")
    made = Frames.load(tmp_path / "out")
    assert state(scanned) == before, "the source stays as it is"
    assert made.frame.tolist() == Frames.load(scanned).frame.tolist() and done.filled == KEPT - 1
    assert list(made.modalities) == ["depth", "semantics", "points", "returns", "lidar"]
    assert made.modalities["lidar"] == {"near_m": 1.5, "far_m": 90.0, "filled_from": "points"}
    assert json.loads((made.root / "dataset.json").read_text())["extra"] == 7, "what is not known stays"
    assert made.name == "out" and inspect(made.root).fine
    for i in range(KEPT - 1):
        filled, true = made.modality(i, "lidar"), made.modality(i, "depth")
        both = filled.valid & true.valid
        off = np.abs(filled.values - true.values)[both] / true.values[both]
        assert both.mean() > 0.5 and np.median(off) < 0.02
        for name in ("depth", "points", "returns", "semantics"):
            ours, theirs = (root / "night" / name / made.modality_path(i, name).name for root in (made.root, scanned))
            assert ours.read_bytes() == theirs.read_bytes()
        assert os.path.samefile(made.image_path(i), Frames.load(scanned).image_path(i)), "a second name of one file"


def test_frames_without_samples_are_kept_and_told(scanned: Path, tmp_path: Path) -> None:
    empty = scanned / "night" / "points" / "000008.png"
    write_map(empty, Map("points", np.zeros((64, 96), np.float32), np.zeros((64, 96), bool)))
    done = densify_dataset(Frames.load(scanned), tmp_path / "out")
    assert done.bare == ("night/000008", "night/000011") and done.filled == KEPT - 2 and len(done.frames) == KEPT
    assert done.frames.modality(1, "lidar") is None and done.frames.image(1).size == (96, 64)
    assert "2 without samples, kept as they are: night/000008, night/000011" in str(done)


def test_without_a_true_depth_it_becomes_depth_and_reflectance(scanned: Path, tmp_path: Path) -> None:
    drop(scanned, "depth")
    done = densify_dataset(Frames.load(scanned), tmp_path / "out")
    assert done.frames.modalities["depth"]["filled_from"] == "points"
    filled = done.frames.modality(0, "reflectance")
    columns = np.broadcast_to(np.linspace(0.1, 0.9, 96), filled.valid.shape)
    assert np.abs(filled.values - columns)[filled.valid].mean() < 0.05
    again = densify_dataset(done.frames, tmp_path / "again")
    assert again.filling == done.filling, "what was filled is no truth: it is filled anew"


def test_its_own_depth_is_filled_and_what_was_measured_stays(scanned: Path, tmp_path: Path) -> None:
    true = {path.name: read_map(path, "depth") for path in (scanned / "night" / "depth").glob("*.png")}
    drop(scanned, "points", "returns")
    for name, side in true.items():
        thinned = np.zeros(side.valid.shape, bool)
        thinned[::2, ::2] = True
        write_map(scanned / "night" / "depth" / name, Map("depth", side.values, thinned & side.valid))
    done = densify_dataset(Frames.load(scanned), tmp_path / "out")
    assert done.filling == Filling("depth", None, "depth", None)
    assert done.frames.modalities["points"] == {"near_m": 1.0, "far_m": 100.0}
    for i in range(KEPT - 1):
        name = done.frames.modality_path(i, "depth").name
        points, filled = done.frames.modality(i, "points"), done.frames.modality(i, "depth")
        np.testing.assert_array_equal(points.values, read_map(scanned / "night" / "depth" / name, "depth").values)
        both = filled.valid & true[name].valid
        assert both.sum() > 2 * points.valid.sum()
        assert np.median(np.abs(filled.values - true[name].values)[both] / true[name].values[both]) < 0.02


def test_reflectance_that_lacks_some_samples(scanned: Path) -> None:
    points, returns = (scanned / "night" / name / "000008.png" for name in ("points", "returns"))
    side = read_map(returns, "returns")
    half = side.valid & (np.arange(96) < 48)
    write_map(returns, Map("returns", side.values, half))
    sparse = densifying.samples(points, returns, Filling("points", "returns", "lidar", None))
    assert (sparse.reflectance[sparse.measured] > 0).all(), "none is taken for black"
    right = sparse.reflectance[:, 50:][sparse.measured[:, 50:]]
    assert right.max() <= side.values[half].max() + 1e-6
    write_map(returns, Map("returns", side.values, np.zeros_like(half)))
    assert densifying.samples(points, returns, Filling("points", "returns", "lidar", None)).reflectance is None


def test_broken_off_it_goes_on(scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, real = [], densifying._make
    monkeypatch.setattr(densifying, "_make", lambda job: made.append(job.depth.name) or real(job))
    frames = Frames.load(scanned)

    def stop(what: str, done: int, total: int) -> None:
        if (what, done) == ("Frames", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        densify_dataset(frames, tmp_path / "out", progress=stop)
    assert not (tmp_path / "out").exists() and len(made) == 2

    def stop_late(what: str, done: int, total: int) -> None:
        if (what, done) == ("Pictures and tables", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        densify_dataset(frames, tmp_path / "out", progress=stop_late)
    done = densify_dataset(frames, tmp_path / "out")
    assert sorted(made) == [f"{number:06d}.png" for number in (7, 8, 9, 10)], "each once"
    assert done.went_on and inspect(done.frames.root).fine
    straight = densify_dataset(frames, tmp_path / "straight")
    for i in range(KEPT - 1):
        files = [entry.modality_path(i, "lidar") for entry in (done.frames, straight.frames)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_two_processes_make_the_same(scanned: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        densify_dataset(Frames.load(scanned), tmp_path / f"by-{workers}", workers=workers)
    one, two = (sorted((tmp_path / f"by-{workers}").rglob("lidar/*.png")) for workers in (1, 2))
    assert len(one) == KEPT - 1 and [a.read_bytes() for a in one] == [b.read_bytes() for b in two]


def test_where_links_cannot_be_made_there_are_copies(
    scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: object, **options: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    done = densify_dataset(Frames.load(scanned), tmp_path / "out")
    ours, theirs = done.frames.image_path(0), Frames.load(scanned).image_path(0)
    assert not os.path.samefile(ours, theirs) and ours.read_bytes() == theirs.read_bytes()
    assert not [path for path in done.frames.root.rglob(".*")]


def test_no_samples(scanned: Path) -> None:
    drop(scanned, "points", "returns", "depth")
    fault(scanned, "has no depth to fill (it has semantics)", "give a data set with lidar points")
    fault(scanned, "has no points to fill", modality="points")


def test_samples_that_are_all_empty(scanned: Path) -> None:
    for path in (scanned / "night" / "points").glob("*.png"):
        write_map(path, Map("points", np.zeros((64, 96), np.float32), np.zeros((64, 96), bool)))
    fault(scanned, "no frame of", "has samples in points")


def test_no_camera_of_the_pictures_size(scanned: Path) -> None:
    edit_json(scanned / "dataset.json", cameras=[])
    words = "has no camera of 96x64, the size of", "add its width, height, fx, fy, cx and cy"
    fault(scanned, "dataset.json", *words)
    other = {"name": "other", "width": 48, "height": 32, "fx": 24, "fy": 24, "cx": 24, "cy": 16}
    edit_json(scanned / "dataset.json", cameras=[other])
    fault(scanned, *words)


def test_points_of_another_size_than_their_picture(scanned: Path) -> None:
    path = scanned / "night" / "points" / "000009.png"
    write_map(path, Map("points", np.ones((32, 48), np.float32), np.ones((32, 48), bool)))
    fault(scanned, str(path), "is 48x32 and its picture 96x64")


def test_returns_of_another_size(scanned: Path) -> None:
    path = scanned / "night" / "returns" / "000009.png"
    write_map(path, Map("returns", np.ones((32, 48), np.float32), np.ones((32, 48), bool)))
    fault(scanned, str(path), "is not of the size of")


def test_damaged_files(scanned: Path) -> None:
    path = scanned / "night" / "points" / "000009.png"
    path.write_bytes(path.read_bytes()[:100])
    fault(scanned, str(path))
    Image.new("L", (96, 64)).save(path)
    fault(scanned, str(path), "16-bit PNG")


def test_where_it_must_not_or_cannot_write(scanned: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(BadInput, match="there already exists; give a folder that does not"):
        densify_dataset(Frames.load(scanned), tmp_path / "there")
    with pytest.raises(BadInput, match="cannot be written"):
        densify_dataset(Frames.load(scanned), "/proc/nowhere/out")
    assert os.listdir(tmp_path / "there") == []


def test_command(scanned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["densify", str(scanned), "--out", str(tmp_path / "out"), "--workers", "1"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "" and captured.out.splitlines() == [
        f"4 of 5 frames filled into {tmp_path / 'out'}: lidar from points",
        "1 without samples, kept as they are: night/000011",
    ]
    for words, argv in {
        "out already exists": [str(scanned), "--out", str(tmp_path / "out")],
        "there is no data set 'nowhere'": ["nowhere", "--out", str(tmp_path / "new")],
        "invalid choice: 'lidar'": [str(scanned), "--out", str(tmp_path / "new"), "--modality", "lidar"],
        "'0' is not a whole number from 1": [str(scanned), "--out", str(tmp_path / "new"), "--workers", "0"],
    }.items():
        assert main(["densify", *argv]) == 2
        captured = capsys.readouterr()
        assert captured.out == "" and words in captured.err and captured.err.count("\n") == 1
    assert not (tmp_path / "new").exists()
