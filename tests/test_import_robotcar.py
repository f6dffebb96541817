"""The RobotCar importer against the truth: a drive through the town, and one along a plain wall."""

from __future__ import annotations

import os
import pickle
import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import robotcar_layout as layout
from PIL import Image
from robotcar_layout import INTENSITY, Recording
from scipy.spatial.transform import Rotation

from butf.cli import main
from butf.dataset.areas import Areas, read_areas, write_areas
from butf.dataset.frames import Frames, PlaceRule
from butf.importers.report import ImportReport
from butf.importers.robotcar import import_robotcar
from butf.importers.robotcar_choice import Choice
from butf.importers.robotcar_drive import FrameJob, Source, make_frame
from butf.importers.robotcar_files import read_condition
from butf.town.render import Picture
from butf.town.traversal import to_lat_lon

DISTORTION = -0.05
DAY, RAIN = "2014-12-09-13-21-02", "2015-02-03-08-45-10"
SMALL = Choice(width=layout.CAMERA.width, full_scale=INTENSITY)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Recording], list[list[Picture]]]:
    """Two drives through the town in RobotCar's layout, 4 pictures each, with the truth."""
    camera, recordings, pictures = layout.town_recordings((1, 3, 5, 7))
    root = layout.write_set(tmp_path_factory.mktemp("robotcar") / "src", camera, recordings, DISTORTION)
    return root, recordings, pictures


@pytest.fixture(scope="module")
def imported(town: tuple, tmp_path_factory: pytest.TempPathFactory) -> ImportReport:
    choice = Choice(width=layout.TOWN.width, full_scale=INTENSITY)
    return import_robotcar(town[0], tmp_path_factory.mktemp("imported") / "out", choice)


@pytest.fixture(scope="module")
def plain_original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return layout.write_plain(tmp_path_factory.mktemp("plain") / "src")


@pytest.fixture
def plain(plain_original: Path, tmp_path: Path) -> Path:
    """Two drives along a wall, to be changed at will."""
    return Path(shutil.copytree(plain_original, tmp_path / "src", copy_function=os.link))


def frames_of(frames: Frames, town: tuple) -> Iterator[tuple[int, Picture, np.ndarray]]:
    """Each frame with the town's own picture and pose of it, found by its time."""
    _, recordings, pictures = town
    for i in range(len(frames)):
        names = [recording.name for recording in recordings]
        number = names.index(str(frames.traversal[i]))
        times = layout.time_at(recordings[number].along)
        which = int(np.abs(times - frames.time_s[i] * 1e6).argmin())
        assert abs(times[which] - frames.time_s[i] * 1e6) < 100
        yield i, pictures[number][which], recordings[number].poses[which]


def depth_error(frames: Frames, town: tuple) -> float:
    """The median over pixels of |depth - true depth| / true depth, to 80 m."""
    errors = []
    for i, picture, _ in frames_of(frames, town):
        found = frames.modality(i, "depth")
        known = found.valid & (picture.depth > 0) & (picture.depth < 80)
        errors.append((np.abs(found.values - picture.depth) / np.maximum(picture.depth, 1e-3))[known])
    return float(np.median(np.concatenate(errors)))


def decibels(found: np.ndarray, truth: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((found.astype(float) - truth) ** 2)))


def test_depth_and_reflectance_are_those_of_the_town(town: tuple, imported: ImportReport) -> None:
    frames = imported.frames
    assert len(frames) == 8
    assert depth_error(frames, town) < 0.025
    for i, picture, _ in frames_of(frames, town):
        depth, reflectance = frames.modality(i, "depth"), frames.modality(i, "reflectance")
        assert depth.valid.mean() > 0.7
        # Far above the roofs there is nothing to be measured.
        assert depth.valid[picture.depth > 0].mean() > 0.8
        known = reflectance.valid & (picture.reflectance > 0)
        found, truth = reflectance.values[known], picture.reflectance[known]
        assert np.median(np.abs(found - truth)) < 0.1 and np.corrcoef(found, truth)[0, 1] > 0.6


def test_a_wrong_extrinsic_spoils_the_depth(town: tuple, tmp_path: Path) -> None:
    root = Path(shutil.copytree(town[0], tmp_path / "src", copy_function=os.link))
    path = root / "extrinsics" / "lms_front.txt"
    x, y, z, *angles = map(float, path.read_text().split())
    path.unlink()
    path.write_text(f"{x} {y} {z - 1.0} {' '.join(map(str, angles))}")
    shutil.rmtree(root / RAIN)
    wrong = import_robotcar(root, tmp_path / "out", Choice(width=layout.TOWN.width))
    assert depth_error(wrong.frames, town) > 0.1


def test_poses_are_true_to_a_centimetre(town: tuple, imported: ImportReport) -> None:
    frames = imported.frames
    for i, _, pose in frames_of(frames, town):
        assert np.linalg.norm(frames.position[i] - pose[:3, 3]) < 0.01
        turned = Rotation.from_quat(frames.orientation[i], scalar_first=True)
        off = (turned.inv() * Rotation.from_matrix(pose[:3, :3])).magnitude()
        assert np.degrees(off) < 0.05
        lat, lon = to_lat_lon(pose[0, 3], pose[1, 3])
        assert (frames.lat[i], frames.lon[i]) == (
            pytest.approx(float(lat), abs=1e-6),
            pytest.approx(float(lon), abs=1e-6),
        )
    assert frames.origin["utm_zone"] == "30N"


def test_pictures_have_their_colours_and_no_distortion(town: tuple, imported: ImportReport) -> None:
    frames, camera = imported.frames, imported.frames.cameras[0]
    gained = []
    for i, picture, _ in frames_of(frames, town):
        found = np.asarray(frames.image(i))
        raw = layout.distorted(picture.rgb, camera, DISTORTION)
        # Details between the pixels of one colour are lost; what is distorted is lost more.
        assert decibels(found, picture.rgb) > 26
        gained.append(decibels(found, picture.rgb) - decibels(raw, picture.rgb))
        assert np.abs(found.mean(axis=(0, 1)) - picture.rgb.mean(axis=(0, 1))).max() < 1.5
    assert min(gained) > 0 and np.mean(gained) > 1.5


def test_the_report_and_the_manifest_say_what_came_in(town: tuple, imported: ImportReport) -> None:
    frames = imported.frames
    assert imported.taken == {("test", DAY): 4, ("test", RAIN): 4}
    assert {traversal.name: (traversal.condition, traversal.role) for traversal in frames.traversals} == {
        DAY: ("sun", "reference"),
        RAIN: ("rain", "query"),
    }
    assert frames.conditions == ["sun", "rain"] and frames.place == PlaceRule(25.0)
    assert imported.matched == {"test": (4, 4)} and not imported.left
    assert list(frames.modalities) == ["points", "returns", "depth", "reflectance"]
    assert frames.modalities["depth"] == {"near_m": 1.0, "far_m": 100.0, "filled_from": "points"}
    truth = town[1][0]
    camera = frames.cameras[0]
    assert (camera.width, camera.height) == (layout.TOWN.width, layout.TOWN.height)
    assert camera.cx == pytest.approx(layout.TOWN.width / 2) and len(truth.pictures) == 4
    assert not any("yaw" in note for note in imported.notes)
    sources = (frames.root / "sources.csv").read_text().splitlines()
    assert sources[1] == f"{DAY}/stereo/centre/{layout.time_at(truth.along)[0]}.png,{DAY}/000000,"


@pytest.mark.parametrize(
    ("tags", "condition"),
    [
        ("night,rain\n", "night-rain"),
        ("sun,clouds", "sun"),
        ("overcast,rain,roadworks", "rain"),
        ("Dusk", "dusk"),
        ("snow\nsun\n", "snow"),
        ("alternate-route,poor-gps", "unknown"),
        ("", "unknown"),
    ],
)
def test_tags_become_a_condition(tmp_path: Path, tags: str, condition: str) -> None:
    (tmp_path / DAY).mkdir()
    (tmp_path / DAY / "tags.csv").write_text(tags)
    assert read_condition(tmp_path / DAY, tmp_path) == condition
    # The SDK has them as a list in YAML, a file a traversal.
    (tmp_path / DAY / "tags.csv").unlink()
    assert read_condition(tmp_path / DAY, tmp_path) == "unknown"
    (tmp_path / "tags").mkdir()
    (tmp_path / "tags" / f"{DAY}.yaml").write_text("".join(f"- {tag}\n" for tag in tags.split(",")))
    assert read_condition(tmp_path / DAY, tmp_path) == condition


def test_the_plain_street_is_where_it_is(plain: Path, tmp_path: Path) -> None:
    report = import_robotcar(plain, tmp_path / "out", SMALL)
    frames, truth = report.frames, layout.plain_depth()
    assert len(frames) == 6
    wall = truth < np.inf
    wall[layout.CAMERA.height // 2 :] = False
    for i in range(len(frames)):
        depth, reflectance = frames.modality(i, "depth"), frames.modality(i, "reflectance")
        near = depth.valid & (truth < 40)
        assert np.median(np.abs(depth.values[near] / truth[near] - 1)) < 0.02
        assert np.median(reflectance.values[near & wall]) == pytest.approx(layout.WALL, abs=0.02)
        assert np.median(reflectance.values[-8:, layout.CAMERA.width // 2 :]) == pytest.approx(layout.GROUND, abs=0.02)
    # Of two pictures half a metre apart one is taken.
    (reason, names), *others = report.left.items()
    assert reason == "less than 5 m from the frame before" and not others
    assert names == tuple(f"{name}/stereo/centre/{layout.time_at(at)}.png" for name, at in ((DAY, 0.5), (RAIN, 1.5)))
    assert frames.conditions == ["night-rain", "overcast"]
    assert [one.role for one in frames.traversals] == ["query", "reference"]


def test_reflectance_is_scaled_by_what_was_measured_unless_said(plain: Path, tmp_path: Path) -> None:
    report = import_robotcar(plain, tmp_path / "out", Choice(width=64, reference=DAY, spacing_m=20))
    assert "reflectance is the intensity of the LMS over 120" in "\n".join(report.notes)
    found = report.frames.modality(0, "reflectance")
    assert np.median(found.values[found.valid & (layout.plain_depth() < 20)][:200]) == pytest.approx(1, abs=0.02)
    assert [one.role for one in report.frames.traversals] == ["reference", "query"]


def test_smaller_pictures_have_a_smaller_camera(plain: Path, tmp_path: Path) -> None:
    shutil.rmtree(plain / RAIN)
    frames = import_robotcar(plain, tmp_path / "out", Choice(width=32, spacing_m=20)).frames
    camera, full = frames.cameras[0], layout.CAMERA
    assert (camera.width, camera.height, camera.fx, camera.cx) == (32, 24, full.fx / 2, pytest.approx(full.cx / 2))
    assert frames.image(0).size == (32, 24) and frames.modality(0, "depth").values.shape == (24, 32)
    truth = layout.plain_depth()[::2, ::2]
    depth = frames.modality(0, "depth")
    near = depth.valid & (truth < 30)
    assert np.median(np.abs(depth.values[near] / truth[near] - 1)) < 0.06
    wide = import_robotcar(plain, tmp_path / "wide", Choice(width=1000, spacing_m=20)).frames
    assert wide.cameras[0].width == full.width and len(wide) == 2


def shifted_ins(folder: Path, metres: float) -> None:
    """Move the INS log north, metres and degrees alike."""
    way = np.arange(-9, 86, layout.SPEED / layout.INS_HZ)
    poses = layout.plain_track(way)
    poses[:, 1, 3] += metres
    (folder / "gps" / "ins.csv").unlink()
    layout.write_ins(folder / "gps" / "ins.csv", way, poses)


def test_rtk_goes_before_ins_and_odometry_goes_on_from_where_ins_began(plain: Path, tmp_path: Path) -> None:
    shutil.rmtree(plain / RAIN)
    shutil.copy(plain / DAY / "gps" / "ins.csv", plain / DAY / "rtk.csv")
    shifted_ins(plain / DAY, 3.0)
    north = {}
    for poses in ("best", "rtk", "ins", "vo"):
        choice = Choice(poses=poses, width=32, spacing_m=20)
        frames = import_robotcar(plain, tmp_path / poses, choice).frames
        assert np.allclose(np.diff(frames.position[:, 0]), 24, atol=0.01)
        north[poses] = frames.position[:, 1] - layout.ORIGIN[1]
    assert np.allclose(north["best"], 0, atol=0.01) and np.allclose(north["rtk"], 0, atol=0.01)
    assert np.allclose(north["ins"], 3, atol=0.01) and np.allclose(north["vo"], 3, atol=0.01)


def test_the_other_lidar_gives_depth_and_both_together_too(plain: Path, tmp_path: Path) -> None:
    shutil.rmtree(plain / RAIN)
    (plain / DAY / "ldmrs").mkdir()
    for path in (plain / DAY / "lms_front").iterdir():
        scan = np.fromfile(path).reshape(-1, 3)
        scan[:, 2] = 0
        scan.tofile(plain / DAY / "ldmrs" / path.name)
    truth = layout.plain_depth()
    for lidar, modalities in (
        ("ldmrs", ["points", "depth"]),
        ("both", ["points", "depth", "reflectance"]),
    ):
        choice = Choice(lidar=lidar, width=64, spacing_m=20)
        frames = import_robotcar(plain, tmp_path / lidar, choice).frames
        assert list(frames.modalities) == modalities
        for i in range(len(frames)):
            depth, points = frames.modality(i, "depth"), frames.modality(i, "points")
            near = depth.valid & (truth < 40)
            assert np.median(np.abs(depth.values[near] / truth[near] - 1)) < 0.02
            assert 0 < points.valid.sum() < depth.valid.sum()
            assert (frames.modality(i, "reflectance") is not None) == (lidar == "both")


def test_frames_are_split_by_area_and_others_left(plain: Path, tmp_path: Path) -> None:
    areas = Areas({"train": (square(-2, 8),), "test": (square(17, 30),)})
    write_areas(tmp_path / "areas.geojson", areas)
    choice = Choice(width=32, areas=tmp_path / "areas.geojson")
    report = import_robotcar(plain, tmp_path / "out", choice)
    assert report.taken == dict.fromkeys([("test", DAY), ("test", RAIN), ("train", DAY), ("train", RAIN)], 1)
    outside = report.left["outside the train, val and test areas"]
    assert outside == tuple(f"{name}/stereo/centre/{layout.time_at(at)}.png" for name, at in ((DAY, 12), (RAIN, 13)))
    assert list(read_areas(report.frames.root / "areas.geojson").areas) == ["train", "test"]


def square(first: float, last: float) -> tuple[np.ndarray]:
    """A polygon around a part of the plain street."""
    east = layout.ORIGIN[0] + np.array([first, last, last, first, first])
    north = layout.ORIGIN[1] + np.array([-9, -9, 9, 9, -9])
    lat, lon = to_lat_lon(east, north)
    return (np.stack([lon, lat], axis=1),)


def test_one_traversal_alone_is_searched_in_itself(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(plain / RAIN)
    for name in ("models", "extrinsics"):
        (plain / name).rename(plain / DAY / name)
    monkeypatch.chdir(plain / DAY)
    report = import_robotcar(".", tmp_path / "out", Choice(width=32))
    assert report.frames.traversals[0].name == DAY
    assert report.matched == {"test": (3, 3)} and "one traversal" in report.notes[-1]


def test_frames_without_pose_or_lidar_are_left_out(plain: Path, tmp_path: Path) -> None:
    shutil.rmtree(plain / RAIN)
    for path in (plain / DAY / "lms_front").iterdir():
        if int(path.stem) > layout.time_at(26.0):
            path.unlink()
    log = plain / DAY / "gps" / "ins.csv"
    header, *rows = log.read_text().splitlines()
    kept = [row for row in rows if not layout.time_at(9.0) < int(row.split(",")[0]) < layout.time_at(17.0)]
    log.unlink()
    log.write_text("\n".join([header, *kept]) + "\n")
    report = import_robotcar(plain, tmp_path / "out", Choice(width=32))
    assert report.taken == {("test", DAY): 1}
    gone = {reason: [layout_way(name) for name in names] for reason, names in report.left.items()}
    assert gone == {
        "outside of the log of poses, or in a gap of it of more than 1 s": [12],
        "less than 5 m from the frame before": [0.5],
        "the lidar did not go on for 10 m after it": [24],
    }


def layout_way(name: str) -> float:
    """Metres of way at which a picture was taken."""
    return round((int(Path(name).stem) - layout.START_US) / 1e6 * layout.SPEED, 1)


def test_a_yaw_from_another_north_is_noted(plain: Path, tmp_path: Path) -> None:
    shutil.rmtree(plain / RAIN)
    way = np.arange(-9, 86, layout.SPEED / layout.INS_HZ)
    poses = layout.plain_track(way)
    poses[:, :3, :3] = Rotation.from_euler("z", -3, degrees=True).as_matrix() @ poses[:, :3, :3]
    (plain / DAY / "gps" / "ins.csv").unlink()
    layout.write_ins(plain / DAY / "gps" / "ins.csv", way, poses)
    notes = import_robotcar(plain, tmp_path / "out", Choice(width=32, spacing_m=20)).notes
    (note,) = [note for note in notes if note.startswith(DAY)]
    # The car's own axis is 0.3 degrees off the lens.
    assert re.search(r"goes (2\.[678]|3\.[234]) degrees to the left of where its yaw points", note)


def test_poses_that_the_receiver_does_not_call_good_are_noted(plain: Path, tmp_path: Path) -> None:
    log = plain / DAY / "gps" / "ins.csv"
    lines = log.read_text().splitlines()
    log.unlink()
    poor = [line.replace("SOLUTION_GOOD", "HIGH_VARIANCE") for line in lines[1:8]]
    log.write_text("\n".join([lines[0], *poor, *lines[8:]]))
    notes = import_robotcar(plain, tmp_path / "out", Choice(width=32, spacing_m=20)).notes
    assert f"{DAY}: 7 of {len(lines) - 1} poses of ins.csv are INS_HIGH_VARIANCE" in notes


def test_it_goes_on_after_a_break(plain: Path, tmp_path: Path) -> None:
    whole = import_robotcar(plain, tmp_path / "whole", SMALL)

    def stop(what: str, done: int, total: int) -> None:
        if what.startswith("Frames") and done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_robotcar(plain, tmp_path / "out", SMALL, stop)
    assert not (tmp_path / "out").exists()
    report = import_robotcar(plain, tmp_path / "out", SMALL)
    assert "4 of 6 frames were there" in "\n".join(report.notes)
    files = [path.relative_to(whole.frames.root) for path in whole.frames.root.rglob("*.*") if path.is_file()]
    assert len(files) == 6 * 5 + 3
    for file in files:
        if file.name != "dataset.json":
            assert (tmp_path / "out" / file).read_bytes() == (whole.frames.root / file).read_bytes(), file


def test_other_areas_or_poses_begin_anew(plain: Path, tmp_path: Path) -> None:
    shutil.rmtree(plain / RAIN)
    path = tmp_path / "areas.geojson"
    write_areas(path, Areas({"test": (square(-2, 30),)}))

    def stop(what: str, done: int, total: int) -> None:
        if what.startswith("Frames") and done == 1:
            raise KeyboardInterrupt

    choice = Choice(width=32, areas=path)
    with pytest.raises(KeyboardInterrupt):
        import_robotcar(plain, tmp_path / "out", choice, stop)
    # Now the first frame is the one that was the second.
    write_areas(path, Areas({"test": (square(9, 30),)}))
    with pytest.raises(KeyboardInterrupt):
        import_robotcar(plain, tmp_path / "out", choice, stop)
    (plain / "rtk" / DAY).mkdir(parents=True)
    shutil.copy(plain / DAY / "gps" / "ins.csv", plain / "rtk" / DAY / "rtk.csv")
    report = import_robotcar(plain, tmp_path / "out", choice)
    assert len(report.frames) == 2 and not any("went on" in note for note in report.notes)
    alone = import_robotcar(plain, tmp_path / "alone", choice)
    for number in range(2):
        name = f"{DAY}/rgb/{number:06d}.jpg"
        assert (report.frames.root / name).read_bytes() == (alone.frames.root / name).read_bytes()


def test_what_makes_a_frame_can_be_sent_to_another_process(plain: Path) -> None:
    source = Source(plain, plain / "models", plain / "extrinsics")
    times = sorted(int(path.stem) for path in (plain / DAY / "stereo/centre").iterdir())
    job = FrameJob(source, SMALL, plain / DAY, times[0], f"{DAY}/000000", INTENSITY)
    make = pickle.loads(pickle.dumps(partial(make_frame, job)))
    content = make()
    assert tuple(content) == job.files and content == make_frame(job)


def test_the_command_line_imports(plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["import", "robotcar", str(plain), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main([*words, "--width", "32", "--spacing", "20", "--full-scale", "200", "--poses", "ins"]) == 0
    told = capsys.readouterr()
    assert "4 frames taken into" in told.out and "as asked for" in told.out and told.err == ""
    assert Frames.load(tmp_path / "out").cameras[0].width == 32
    with Image.open(tmp_path / "out" / DAY / "rgb" / "000000.jpg") as picture:
        assert picture.format == "JPEG" and picture.size == (32, 24)
