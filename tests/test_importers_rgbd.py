"""The RGB-D importer: a made-up room of known geometry, every bad input, and the real recording where there is one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from butf import files
from butf.dataset.frames import Frames, PlaceRule
from butf.dataset.modalities import read_map
from butf.errors import BadInput
from butf.importers.rgbd import import_rgbd

WIDTH, HEIGHT, FOCAL = 64, 48, 40.0
COUNT = 60
REAL = files.REPO.parent / "shared" / "data" / "7scenes_rgbd"


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A camera going 3 m to the right past a wall 2 m ahead; y down, millimetres, some pixels not measured."""
    folder = tmp_path / "room"
    folder.mkdir()
    np.savetxt(folder / "camera-intrinsics.txt", [[FOCAL, 0, 32], [0, FOCAL, 24], [0, 0, 1]])
    rng = np.random.default_rng(0)
    for k in range(COUNT):
        name = f"frame-{5 * k:06d}"
        Image.fromarray(rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)).save(folder / f"{name}.color.jpg")
        depth = np.full((HEIGHT, WIDTH), 2000 + k, np.uint16)
        depth[0, :3] = 0, 65535, 12345
        Image.fromarray(depth).save(folder / f"{name}.depth.png")
        np.savetxt(folder / f"{name}.pose.txt", pose(k))
    return folder


def pose(k: int) -> np.ndarray:
    """Camera to world (y down) of frame k."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("yxz", [k / 3, 10, 5], degrees=True).as_matrix()
    matrix[:3, 3] = 3 * k / COUNT, 0.2, 0.01 * k
    return matrix


def import_fault(room: Path, *words: str, **options: object) -> bool:
    """Importing fails with one line that holds all of these words, and leaves nothing behind."""
    out = room.parent / "out"
    before = sorted(room.parent.rglob("*"))
    with pytest.raises(BadInput) as error:
        import_rgbd(room, out, **options)
    text = str(error.value)
    assert "\n" not in text and not [word for word in words if word not in text], text
    return sorted(room.parent.rglob("*")) == before


def test_import_is_a_valid_data_set(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = import_rgbd(room, tmp_path / "out")
    frames = Frames.load(tmp_path / "out")
    assert frames.splits == ["train", "val", "test"] and frames.conditions == ["database", "queries"]
    assert frames.place == PlaceRule(0.25, 20.0) and frames.origin is None
    assert frames.modalities == {"depth": {"near_m": 0.3, "far_m": 10.0}}
    assert (frames.cameras[0].width, frames.cameras[0].fx, frames.cameras[0].cy) == (WIDTH, FOCAL, 24)
    assert len(frames) + sum(map(len, report.left.values())) == COUNT
    assert report.taken == {
        (split, role): len(frames.where(split=split, traversal=role))
        for split in ("test", "train", "val")
        for role in ("database", "queries")
    }
    for split, (matched, asked) in report.matched.items():
        queries = frames.queries(split)["queries"]
        assert asked == len(queries)
        assert matched == sum(frames.positives([q], frames.database(split)).any() for q in queries)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "room"]
    # No bar where the error stream is no terminal.
    assert capsys.readouterr().err == ""


def test_poses_see_the_same_points(room: Path, tmp_path: Path) -> None:
    import_rgbd(room, tmp_path / "out")
    frames = Frames.load(tmp_path / "out")
    point = np.array([1.2, -0.3, 4.0])  # in the room: right, down, ahead
    east_north_up = np.array([1.2, 4.0, 0.3])
    for i, name in enumerate(frames.frame):
        world_to_camera = np.linalg.inv(pose(int(name.split("/")[1]) // 5))
        wanted = world_to_camera[:3, :3] @ point + world_to_camera[:3, 3]
        rotation = Rotation.from_quat(np.roll(frames.orientation[i], -1)).as_matrix()
        np.testing.assert_allclose(rotation.T @ (east_north_up - frames.position[i]), wanted, atol=2e-4)


def test_pictures_are_copied_and_depth_becomes_metres(room: Path, tmp_path: Path) -> None:
    import_rgbd(room, tmp_path / "out")
    frames = Frames.load(tmp_path / "out")
    for i in (0, len(frames) - 1):
        name = frames.frame[i].split("/")[1]
        assert frames.image_path(i).read_bytes() == (room / f"frame-{name}.color.jpg").read_bytes()
        side = frames.modality(i, "depth")
        assert side.valid[0, :4].tolist() == [False, False, True, True]
        assert side.values[0, 2] == pytest.approx(12.345, abs=0.5 / 256)
        assert side.values[1:] == pytest.approx(2 + int(name) / 5000, abs=0.5 / 256)


def test_png_pictures_are_taken(room: Path, tmp_path: Path) -> None:
    for path in room.glob("*.color.jpg"):
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
    frames = import_rgbd(room, tmp_path / "out").frames
    assert frames.image_path(0).suffix == ".png" and frames.image(0).size == (WIDTH, HEIGHT)


def test_frames_without_depth_or_pose_are_left_out_and_reported(room: Path, tmp_path: Path) -> None:
    (room / "frame-000010.depth.png").unlink()
    (room / "frame-000020.pose.txt").unlink()
    report = import_rgbd(room, tmp_path / "out")
    assert report.left["no depth"] == ("000010",) and report.left["no pose"] == ("000020",)
    assert "1 frame left out: no pose (000020)" in str(report)
    assert not [name for name in report.frames.frame if name.endswith(("000010", "000020"))]


def test_all_frames_without_pose(room: Path) -> None:
    for path in room.glob("*.pose.txt"):
        path.unlink()
    assert import_fault(room, "none of 60 frames has both depth and pose", "frame-000000.pose.txt")


def test_folder_without_frames(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert import_fault(tmp_path / "empty", "empty has no frames", "expected frame-000000.color.jpg (or .png)")
    assert import_fault(tmp_path / "none", "is not a folder", "frame-000000.color.jpg")


def test_folder_above_the_frames_is_told_where_they_are(room: Path, tmp_path: Path) -> None:
    room.rename(tmp_path / "seq-01")
    (tmp_path / "scene").mkdir()
    (tmp_path / "seq-01").rename(tmp_path / "scene" / "seq-01")
    assert import_fault(tmp_path / "scene", "seq-01 has some: give that folder")


def test_existing_output_is_never_overwritten(room: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    assert import_fault(room, "out already exists")
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: np.where(np.eye(4) > 0, np.nan, m), ["not finite (nan)"]),
        (lambda m: m - np.inf, ["not finite (-inf)"]),
        (lambda m: m * 2, ["no rigid pose"]),
        (lambda m: m @ np.diag([1, 1, -1, 1]), ["no rigid pose"]),
        (lambda m: m.T, ["no rigid pose", "0 0 0 1"]),
        (lambda m: m[:3], ["has 12 numbers; expected 4 x 4"]),
    ],
)
def test_broken_pose(room: Path, change: object, words: list[str]) -> None:
    np.savetxt(room / "frame-000050.pose.txt", change(pose(10)))
    assert import_fault(room, "frame-000050.pose.txt", *words, "delete it to leave the frame out")


def test_pose_that_is_text(room: Path) -> None:
    (room / "frame-000050.pose.txt").write_text("lost")
    assert import_fault(room, "frame-000050.pose.txt", "not a number", "'lost'")


def test_pose_rounded_to_four_digits_is_fine(room: Path, tmp_path: Path) -> None:
    np.savetxt(room / "frame-000050.pose.txt", pose(10), fmt="%.4f")
    assert len(import_rgbd(room, tmp_path / "out").frames) > 0


@pytest.mark.parametrize(("content", "words"), [("1 2 3", "3 numbers"), ("0 0 1 0 0 1 0 0 1", "focal lengths 0.0")])
def test_broken_intrinsics(room: Path, content: str, words: str) -> None:
    (room / "camera-intrinsics.txt").write_text(content)
    assert import_fault(room, "camera-intrinsics.txt", words)


def test_missing_intrinsics(room: Path) -> None:
    (room / "camera-intrinsics.txt").unlink()
    assert import_fault(room, "camera-intrinsics.txt does not exist")


def taken_frame(room: Path) -> str:
    """The last frame that an import takes."""
    out = room.parent / "trial"
    name = sorted(frame.split("/")[1] for frame in import_rgbd(room, out).frames.frame)[-1]
    for path in sorted(out.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    out.rmdir()
    return f"frame-{name}"


@pytest.mark.parametrize("kind", ["color.jpg", "depth.png"])
def test_truncated_image_late_in_the_import_and_once_more(room: Path, tmp_path: Path, kind: str) -> None:
    path = room / f"{taken_frame(room)}.{kind}"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert import_fault(room, path.name, "truncated or damaged")
    path.write_bytes(whole)
    assert len(import_rgbd(room, tmp_path / "out").frames) > 0


def test_eight_bit_depth(room: Path) -> None:
    path = room / f"{taken_frame(room)}.depth.png"
    Image.new("L", (WIDTH, HEIGHT), 100).save(path)
    assert import_fault(room, path.name, "is 8-bit; expected 16-bit PNG, millimetres")


def test_picture_of_another_size(room: Path) -> None:
    path = room / f"{taken_frame(room)}.color.jpg"
    Image.new("RGB", (32, 24)).save(path)
    assert import_fault(room, path.name, "is 32x24; expected 64x48")


def test_radius_too_large_for_the_room(room: Path) -> None:
    assert import_fault(room, "moves too little", "smaller place radius", place=PlaceRule(10.0))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    if not REAL.is_dir():
        pytest.skip("the 7-Scenes sample is not beside the repository")
    return import_rgbd(REAL, tmp_path_factory.mktemp("real") / "office").frames


def test_real_recording_is_split_without_shared_places(real: Frames) -> None:
    train, val, test = (real.where(split=split) for split in ("train", "val", "test"))
    assert min(len(train), len(val), len(test)) >= 20
    for a, b in ((train, test), (train, val), (val, test)):
        assert not real.positives(a, b).any()
    for split in ("val", "test"):
        assert real.positives(real.queries(split)["queries"], real.database(split)).any(axis=1).mean() > 0.9


def test_real_cameras_stand_upright(real: Frames) -> None:
    down = Rotation.from_quat(np.roll(real.orientation, -1, axis=1)).as_matrix()[:, :, 1]
    assert (down[:, 2] < -0.5).all()


def test_real_depth_agrees_between_views(real: Frames) -> None:
    """Points measured in one frame, carried by both poses into another, lie at the depth measured there."""
    camera = real.cameras[0]
    rotation = Rotation.from_quat(np.roll(real.orientation, -1, axis=1)).as_matrix()
    train = real.where(split="train")
    gaps = []
    for i, j in zip(train[::8], train[4::8], strict=False):
        a, b = read_map(real.modality_path(i, "depth"), "depth"), read_map(real.modality_path(j, "depth"), "depth")
        v, u = np.nonzero(a.valid)
        v, u = v[::50], u[::50]
        rays = np.stack([(u + 0.5 - camera.cx) / camera.fx, (v + 0.5 - camera.cy) / camera.fy, np.ones(len(u))], axis=1)
        world = (a.values[v, u, None] * rays) @ rotation[i].T + real.position[i]
        seen = (world - real.position[j]) @ rotation[j]
        x = np.floor(camera.fx * seen[:, 0] / seen[:, 2] + camera.cx).astype(int)
        y = np.floor(camera.fy * seen[:, 1] / seen[:, 2] + camera.cy).astype(int)
        inside = (seen[:, 2] > 0) & (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
        x, y, z = x[inside], y[inside], seen[inside, 2]
        gaps.append(np.abs(b.values[y, x] - z)[b.valid[y, x]])
    # A wrong sign or axis puts them tens of centimetres apart; the sensor is good to a few.
    assert len(gaps) >= 5 and np.median(np.concatenate(gaps)) < 0.04


def test_report_names_no_folder_outside_the_data_set(real: Frames) -> None:
    text = (real.root / "dataset.json").read_text()
    assert re.search(r'"source": "RGB-D folder 7scenes_rgbd"', text) and str(REAL) not in text
