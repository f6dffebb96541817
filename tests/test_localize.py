"""Localization end to end in a made-up place: a wall of known points, keypoints that know which they are."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import utm
from app_site import write_model
from PIL import Image
from scipy.spatial.transform import Rotation

from butf import files
from butf.cli import main
from butf.dataset.frames import Frames, write_frames
from butf.dataset.manifest import Camera
from butf.dataset.modalities import Map, write_map
from butf.errors import BadInput
from butf.keypoints import zoo as keypoint_zoo
from butf.keypoints.features import Features
from butf.networks import zoo
from butf.pose.answer import CandidateMatches, Candidates, Localization
from butf.pose.camera import query_of, query_of_frame
from butf.pose.confidence import WEIGHTS, fitted, probabilities
from butf.pose.evaluate import calibration, evaluated, summary
from butf.pose.localizer import Localizer, Settings
from butf.pose.pose import Pose
from butf.pose.refinement import project
from butf.pose.views import Views, pose_of
from butf.retrieval.explore import split_search

CAMERA = Camera("front", 128, 96, 90.0, 90.0, 64.0, 44.0)
CORNER = np.array([448_000.0, 5_405_000.0, 35.0])
WALL_M, PLACES, QUERIES, POINTS = 15.0, 7, 3, 300
NORMAL = np.array([1.0, 0.3, 0.0])

pytestmark = pytest.mark.usefixtures("one_thread")


def poses() -> list[Pose]:
    """Cameras that look east at a wall which is turned against them, 1.5 m apart, each a little turned."""
    rng = np.random.default_rng(0)
    east = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    made = []
    for place in range(PLACES + QUERIES):
        step = place if place < PLACES else 1.3 + 1.5 * (place - PLACES)
        turn = Rotation.from_rotvec(rng.normal(0, 0.04, 3)).as_matrix()
        shift = np.array([rng.uniform(-1, 1), 1.5 * step, rng.uniform(0, 0.3)])
        made.append(Pose(turn @ east, CORNER + shift))
    return made


def wall_depth(pose: Pose) -> np.ndarray:
    """(H, W) z-depth of the wall in metres."""
    v, u = np.mgrid[0 : CAMERA.height, 0 : CAMERA.width] + 0.5
    rays = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones_like(u)], axis=-1)
    return (WALL_M - (pose.centre - CORNER) @ NORMAL) / (rays @ pose.rotation.T @ NORMAL)


class Knowing:
    """Keypoints where the wall's points are; each is described by what it is. `lost` pictures are described anew."""

    digest = "knowing"

    def __init__(self, frames: Frames, lost: tuple[int, ...] = ()) -> None:
        rng = np.random.default_rng(1)
        north, up = rng.uniform([-4, -6], [16, 6], (POINTS, 2)).T
        self.points = CORNER + np.stack([WALL_M - 0.3 * north, north, up], axis=1)
        self.names = self._unit(rng.normal(size=(POINTS, 32)))
        self.known = {frames.image(i).tobytes(): (i, pose_of(frames, i)) for i in range(len(frames))}
        self.lost = lost

    def extract(self, image: Image.Image, limit: int, upright: bool = False) -> Features:
        i, pose = self.known[image.tobytes()]
        pixels, z = project(self.points, pose, CAMERA)
        inside = (z > 0) & (pixels > 1).all(axis=1) & (pixels < [CAMERA.width - 1, CAMERA.height - 1]).all(axis=1)
        rows = np.flatnonzero(inside)[:limit]
        noise = np.random.default_rng(i).normal(size=(len(rows), 32))
        names = self._unit(noise if i in self.lost else self.names[rows] + 0.02 * noise)
        ones = np.ones(len(rows), np.float32)
        return Features(pixels[rows].astype(np.float32), ones, 0 * ones, ones, names)

    def _unit(self, rows: np.ndarray) -> np.ndarray:
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def place_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of seven reference frames and three queries, with depth."""
    root = tmp_path_factory.mktemp("place") / "wall"
    rng = np.random.default_rng(2)
    made = poses()
    names = [f"{'reference' if k < PLACES else 'day'}/{k:06d}" for k in range(len(made))]
    for name, pose in zip(names, made, strict=True):
        traversal, number = name.split("/")
        path = root / traversal / "rgb" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (CAMERA.height, CAMERA.width, 3), np.uint8)).save(path)
        depth = wall_depth(pose).astype(np.float32)
        write_map(root / traversal / "depth" / f"{number}.png", Map("depth", depth, depth > 0))
    centres, turns = np.array([pose.centre for pose in made]), np.array([pose.quaternion for pose in made])
    table = {"frame": names, "split": ["test"] * len(made)}
    table |= dict(zip(("easting_m", "northing_m", "altitude_m"), centres.T, strict=True))
    table |= dict(zip(("qw", "qx", "qy", "qz"), turns.T, strict=True))
    traversals = [
        {"name": "reference", "condition": "reference", "role": "reference"},
        {"name": "day", "condition": "day", "role": "query"},
    ]
    lat, lon = utm.to_latlon(*CORNER[:2], 31, northern=True)
    about = {"name": "wall", "cameras": [vars(CAMERA)], "origin": {"lat": lat, "lon": lon, "utm_zone": "31N"}}
    write_frames(root, table, about | {"modalities": {"depth": {}}, "traversals": traversals})
    return root


@pytest.fixture
def wall(place_folder: Path, apart: Path) -> Frames:
    """The data set, with cache and runs in folders of this test alone."""
    return Frames.load(place_folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Untrained models: all candidates are asked for, so that it does not matter what retrieval makes of noise."""
    root = tmp_path_factory.mktemp("models")
    for method in ("image-only", "bu-tf"):
        write_model(root / method, method)
    return {method: root / method for method in ("image-only", "bu-tf")}


@pytest.fixture(scope="module")
def model(models: dict[str, Path]) -> zoo.Model:
    return zoo.load(str(models["image-only"]))


def test_finds_each_querys_pose(wall: Frames, model: zoo.Model) -> None:
    localizer = Localizer.open(wall, "test", model, Knowing(wall))
    for i in wall.queries("test")["day"]:
        answer, true = localizer.localize(query_of_frame(wall, i)), pose_of(wall, i)
        assert answer.localized and answer.reason == ""
        assert answer.pose.metres_to(true) < 0.02
        assert answer.pose.degrees_to(true) < 0.1
        lat, lon = utm.to_latlon(*answer.pose.centre[:2], 31, northern=True)
        assert answer.geographic.lat == pytest.approx(lat, abs=1e-9)
        assert answer.geographic.lon == pytest.approx(lon, abs=1e-9)
        assert answer.geographic.altitude_m == answer.pose.centre[2]
        assert 0 <= answer.confidence <= 1 and answer.inliers > 30
        assert answer.solution.position_std_m < 0.05 and answer.depth == "measured"


def test_stages_come_in_turn_and_agree(wall: Frames, model: zoo.Model) -> None:
    localizer = Localizer.open(wall, None, model, Knowing(wall), Settings(top=4, more=2))
    query = query_of_frame(wall, int(wall.queries("test")["day"][0]))
    first, *between, last = localizer.stages(query)
    assert isinstance(first, Candidates) and [c.rank for c in first.found] == [1, 2, 3, 4]
    assert all(isinstance(stage, CandidateMatches) for stage in between) and isinstance(last, Localization)
    assert [stage.candidate.rank for stage in between] == [1, 2, 3, 4, 0, 0]
    assert not any(stage.inliers.any() for stage in between)
    assert len(last.solution.inliers) == sum(map(len, last.matches))
    assert np.array_equal(np.concatenate([part.inliers for part in last.matches]), last.solution.inliers)
    for part in last.matches:
        camera = localizer.views[part.candidate.frame].camera
        seen, _ = project(part.points, part.candidate.pose, camera)
        assert np.nanmax(np.abs(seen - part.candidate_pixels)) < 0.05  # a point is where its own picture shows it


def test_a_database_frame_is_not_its_own_candidate(wall: Frames, model: zoo.Model) -> None:
    localizer = Localizer.open(wall, "test", model, Knowing(wall))
    answer = localizer.localize(query_of_frame(wall, 3))
    assert len(answer.candidates) == PLACES - 1
    assert 3 not in [part.candidate.frame for part in answer.matches]
    assert answer.pose.metres_to(pose_of(wall, 3)) < 0.02


def test_depth_of_neighbours_makes_up_for_a_decoder_that_knows_nothing(wall: Frames, models: dict) -> None:
    bu_tf = zoo.load(str(models["bu-tf"]))
    errors = {}
    for form in ("decoded", "triangulated"):
        settings = Settings(depth="reconstructed", form=form)
        localizer = Localizer.open(wall, "test", bu_tf, Knowing(wall), settings)
        answers = [localizer.localize(query_of_frame(wall, i)) for i in wall.queries("test")["day"]]
        poses = [answer.solution.pose if answer.solution else None for answer in answers]
        pairs = zip(poses, wall.queries("test")["day"], strict=True)
        errors[form] = [np.inf if pose is None else pose.metres_to(pose_of(wall, i)) for pose, i in pairs]
    assert max(errors["triangulated"]) < 0.3
    assert np.median(errors["triangulated"]) < 0.5 * np.median(errors["decoded"])


def test_says_that_a_photo_of_elsewhere_is_not_localized(wall: Frames, model: zoo.Model) -> None:
    i = int(wall.queries("test")["day"][1])
    answer = Localizer.open(wall, "test", model, Knowing(wall, lost=(i,))).localize(query_of_frame(wall, i))
    assert answer.pose is None and answer.geographic is None and not answer.localized
    assert answer.reason.endswith(".") and answer.confidence < 0.5
    assert answer.place is answer.candidates[0] and answer.likeliest is answer.place.pose
    nowhere = replace(answer, candidates=())
    assert nowhere.place is None and nowhere.likeliest is None


def test_keypoints_of_the_database_are_found_once(wall: Frames, model: zoo.Model) -> None:
    first = Views(wall, Knowing(wall), 100, True)[2]

    class Never(Knowing):
        def extract(self, image: Image.Image, limit: int, upright: bool = False) -> Features:
            raise AssertionError("asked again")

    again = Views(wall, Never(wall), 100, True)[2]
    assert np.array_equal(first.features.points, again.features.points)
    assert np.allclose(first.features.descriptors, again.features.descriptors, atol=1e-3)
    with pytest.raises(AssertionError, match="asked again"):
        Views(wall, Never(wall), 99, True)[2]


def test_the_database_is_prepared_while_nobody_waits(wall: Frames, model: zoo.Model) -> None:
    asked: list[tuple[int, int]] = []

    class Counting(Knowing):
        def extract(self, image: Image.Image, limit: int, upright: bool = False) -> Features:
            asked.append(image.size)
            if len(asked) == 2:
                raise BadInput("this one cannot be read")
            return super().extract(image, limit, upright)

    query = query_of_frame(wall, int(wall.queries("test")["day"][0]))
    unprepared = Localizer.open(wall, "test", model, Knowing(wall)).localize(query)
    localizer = Localizer.open(wall, "test", model, Counting(wall))
    files.cache_dir().joinpath("localization").rename(files.cache_dir() / "elsewhere")
    localizer.prepare().join()
    assert len(asked) == len(wall.database("test"))
    answer = localizer.localize(query)
    assert len(asked) == len(wall.database("test")) + 2, "the query's alone are sought, and what could not be read"
    assert answer.pose is not None and unprepared.pose is not None
    np.testing.assert_allclose(answer.pose.centre, unprepared.pose.centre, atol=1e-2)


def test_evaluation_goes_on_where_it_stopped(wall: Frames, model: zoo.Model, tmp_path: Path) -> None:
    search, queries = split_search(wall, "test", model), wall.queries("test")["day"]
    localizer = Localizer.open(wall, "test", model, Knowing(wall))
    path = tmp_path / "rows.jsonl"
    rows = evaluated(localizer, search, queries[:2], path)
    path.write_text(path.read_text()[:-20])  # the second one was being written
    whole = evaluated(localizer, search, queries, path)
    assert whole[0] == rows[0] and [row["frame"] for row in whole] == wall.frame[queries].tolist()
    (entry,) = summary(wall, whole, "pnp")
    assert entry["queries"] == 3 and entry["within"]["0.25 m, 2 deg"] == 1.0 and entry["localized"] == 1.0
    answers = [localizer.localize(query_of_frame(wall, int(i)), search.descriptor(int(i))) for i in queries]
    assert [row["confidence"] for row in whole] == pytest.approx([answer.confidence for answer in answers])
    for method, pose in (("pnp", lambda answer: answer.pose), ("likeliest", lambda answer: answer.likeliest)):
        off = [pose(answer).metres_to(pose_of(wall, int(i))) for answer, i in zip(answers, queries, strict=True)]
        assert [row[method][0] for row in whole] == pytest.approx(off, abs=1e-3)
    (plain,) = summary(wall, whole, "nearest")
    expected = [pose_of(wall, int(search.result(int(i), 1).candidates[0].frame)) for i in queries]
    metres = [pose.metres_to(pose_of(wall, int(i))) for pose, i in zip(expected, queries, strict=True)]
    assert plain["median_m"] == pytest.approx(np.median(metres))


def test_what_cannot_be_localized_in_is_said(wall: Frames, model: zoo.Model) -> None:
    def refused(frames: Frames, words: str, settings: Settings | None = None, split: str = "test") -> None:
        with pytest.raises(BadInput, match=words):
            Localizer.open(frames, split, model, Knowing(wall), settings)

    refused(replace(wall, orientation=None), "no orientations; add qw, qx, qy, qz")
    refused(replace(wall, modalities={}), "no depth; ask for reconstructed depth of a bu-tf model")
    refused(replace(wall, cameras=()), "no cameras; add width, height, fx")
    refused(wall, r"reconstructs no depth; choose a bu-tf model", Settings(depth="reconstructed"))
    refused(wall, "no reference frames in val", split="val")


def test_camera_of_a_photo(wall: Frames) -> None:
    photo = Image.new("RGB", (400, 300))
    assumed = query_of(wall, photo)
    assert assumed.camera.fx == pytest.approx(200 / np.tan(np.radians(30))) and "assumed" in assumed.camera_source
    given = query_of(wall, photo, view_deg=90)
    assert given.camera.fx == pytest.approx(200) and given.camera_source.startswith("90 degrees")
    with pytest.raises(BadInput, match="field of view is 200 degrees"):
        query_of(wall, photo, view_deg=200)
    file = io.BytesIO()
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    photo.save(file, "JPEG", exif=exif)
    file.seek(5)
    known = query_of(wall, photo, file)
    assert file.tell() == 5 and "26 mm" in known.camera_source
    assert known.camera.fx == pytest.approx(26 * 500 / np.hypot(36, 24))
    same = query_of(wall, Image.new("RGB", (CAMERA.width, CAMERA.height)))
    assert same.camera == CAMERA and "data set wall" in same.camera_source


def test_command_writes_the_json_of_the_contract(
    wall: Frames, models: dict, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(keypoint_zoo, "load_keypoints", lambda name, device: Knowing(wall))
    i = int(wall.queries("test")["day"][0])
    asked = ["localize", "--data", str(wall.root), "--model", str(models["image-only"]), str(wall.image_path(i))]
    assert main([*asked, "--json", str(tmp_path / "pose.json")]) == 0
    shown, value = capsys.readouterr().out, json.loads((tmp_path / "pose.json").read_text())
    assert "WGS84" in shown and "confidence" in shown
    true = pose_of(wall, i)
    pose = value["pose"]
    assert np.linalg.norm([pose["easting_m"], pose["northing_m"], pose["altitude_m"]] - true.centre) < 0.02
    assert abs(np.dot([pose[key] for key in ("qw", "qx", "qy", "qz")], true.quaternion)) > 1 - 1e-5
    assert value["localized"] is True and value["dataset"] == "wall" and value["depth"] == "measured"
    assert np.array(value["covariance"]).shape == (6, 6)
    assert set(value["geographic"]) == {"lat", "lon", "altitude_m"}
    assert value["camera"]["fx"] == CAMERA.fx and "data set wall" in value["camera"]["source"]
    assert sum(part["inliers"] for part in value["candidates"]) >= value["inliers"] > 30
    assert main([*asked, "--top", "2", "--json", "-"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [c["rank"] for c in printed["candidates"] if c["rank"]] == [1, 2]


def test_command_complains_in_one_sentence(
    wall: Frames, models: dict, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    photo = wall.image_path(0)
    usual = ["localize", "--data", str(wall.root), "--model", str(models["image-only"])]
    for asked, words in (
        ([*usual, str(tmp_path / "none.jpg")], "does not exist"),
        ([*usual, str(photo), "--keypoints", "nobody"], "there are no keypoints 'nobody'"),
        ([*usual, str(photo), "--keypoints", "untrained", "--depth", "reconstructed"], "reconstructs no depth"),
        ([*usual, str(photo), "--keypoints", "untrained", "--split", "val"], "no reference frames in val"),
        ([*usual, str(photo), "--view", "200"], "field of view is 200 degrees"),
        ([*usual, str(photo), "--top", "0"], "not a whole number from 1"),
    ):
        assert main(asked) == 2
        said = capsys.readouterr().err
        assert words in said and said.count("\n") == 1


def test_the_fit_of_the_confidence_finds_the_weights_that_made_the_answers():
    rng = np.random.default_rng(0)
    found, weights = rng.normal(size=(4000, 4)), (-0.5, 1.0, -2.0, 0.5, 0.0)
    sums = [weights[0] + sum(weights[1 + k] * row[k] for k in range(4)) for row in found]
    plain = np.array([1 / (1 + math.exp(-total)) for total in sums])
    np.testing.assert_allclose(probabilities(found, weights), plain)
    np.testing.assert_allclose(fitted(found, rng.random(4000) < plain), weights, atol=0.2)


def test_calibration_counts_the_right_ones_of_each_bin():
    sure = {"evidence": [math.log(300), 0.9, math.log(0.01), 20.0], "solution": [0.1, 1.0]}
    rows = [sure, sure, sure | {"solution": [9.0, 1.0]}, {"evidence": None, "solution": None}]
    found = calibration(rows, "measured")
    assert found["poses"] == 3 and found["fit"] is not None
    (told,) = [part for part in found["bins"] if part["poses"]]
    probability = confidence_of(sure["evidence"])
    assert told["from"] <= probability < told["below"] + 0.01 and told["right"] == pytest.approx(2 / 3)
    assert calibration(rows[-1:], "measured") == {"poses": 0, "fit": None, "bins": []}


def confidence_of(found: list[float]) -> float:
    return float(probabilities(np.array([found]), WEIGHTS["measured"])[0])
