"""Everything that can be wrong with a data set: one sentence naming file, row, column, value and fix."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import edit_json
from PIL import Image
from test_dataset_frames import rewrite

from butf.dataset.frames import Frames
from butf.errors import BadInput


def fault(root: Path, *words: str) -> str:
    """Loading must fail with one line that holds all of these words."""
    with pytest.raises(BadInput) as error:
        Frames.load(root)
    text = str(error.value)
    assert "\n" not in text and not [word for word in words if word not in text], text
    return text


def set_cell(root: Path, row: int, column: str, value: str) -> None:
    """Change one cell; rows as a spreadsheet counts them, the header being row 1."""
    lines = (root / "frames.csv").read_text().splitlines()
    cells = lines[row - 1].split(",")
    cells[lines[0].split(",").index(column)] = value
    lines[row - 1] = ",".join(cells)
    (root / "frames.csv").write_text("\n".join(lines) + "\n")


def test_missing_folder_and_empty_folder(tmp_path: Path) -> None:
    assert fault(tmp_path / "none", str(tmp_path / "none"), "no dataset.json", "give a folder")
    assert fault(tmp_path, str(tmp_path), "no dataset.json")


def test_missing_table(tiny_dataset: Path) -> None:
    (tiny_dataset / "frames.csv").unlink()
    assert fault(tiny_dataset, "frames.csv does not exist")


@pytest.mark.parametrize("column", ["frame", "split"])
def test_missing_column(tiny_dataset: Path, column: str) -> None:
    rewrite(tiny_dataset, **{column: None})
    assert fault(tiny_dataset, "frames.csv", f"column {column} is missing", "found", "easting_m")


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (["easting_m", "lat", "lon"], ["column easting_m is missing", "northing_m"]),
        (["lon", "easting_m", "northing_m"], ["column lon is missing", "lat"]),
        (["lat", "lon", "easting_m", "northing_m"], ["no position", "lat and lon, or easting_m and northing_m"]),
        (["qy"], ["column qy is missing", "qw, qx, qy, qz"]),
    ],
)
def test_missing_half_of_what_belongs_together(tiny_dataset: Path, gone: list[str], words: list[str]) -> None:
    rewrite(tiny_dataset, **dict.fromkeys(gone))
    assert fault(tiny_dataset, "frames.csv", *words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["is empty"]),
        ("frame,split,lat,lon\n", ["no frames"]),
        ("frame,split,lat,lat\na/0,test,1,2\n", ["column lat is there twice"]),
        ("frame,split,lat,lon\na/0,test,1\n", ["row 2 has 3 cells", "expected 4"]),
        ("frame;split;lat;lon\na/0;test;1;2\n", ["column frame is missing", "frame;split;lat;lon"]),
        ('frame,split,lat,lon\n"a/0"x,test,1,2\n', ["not a comma-separated table"]),
        ("frame,split,lat,lon\na/0,test,1,2\n\na/1,test,1,2\n", ["row 3 has 0 cells"]),
        ("frame,split,lat,lon\n,test,1,2\n", ["the column frame is empty"]),
    ],
)
def test_broken_table(tiny_dataset: Path, content: str, words: list[str]) -> None:
    (tiny_dataset / "frames.csv").write_text(content)
    assert fault(tiny_dataset, "frames.csv", *words)


def test_table_that_is_no_text(tiny_dataset: Path) -> None:
    (tiny_dataset / "frames.csv").write_bytes(b"frame,split\n\xff\xfe\n")
    assert fault(tiny_dataset, "frames.csv is not UTF-8 text")


@pytest.mark.parametrize(
    ("column", "value", "fix"),
    [
        ("easting_m", "nan", "give metres"),
        ("northing_m", "", "give metres"),
        ("altitude_m", "inf", "give metres"),
        ("lat", "north", "give degrees"),
        ("lat", "91.0", "-80 to 84 degrees"),
        ("lon", "-181.0", "-180 to 180 degrees"),
        ("time_s", "noon", "give seconds"),
        ("qx", "nan", "unit quaternion"),
        ("split", "training", "train, val, test"),
        ("split", "", "train, val, test"),
        ("traversal", "overcast", "make them agree"),
        ("condition", "night", "make them agree"),
        ("condition", "", "is empty"),
    ],
)
def test_bad_cell(tiny_dataset: Path, column: str, value: str, fix: str) -> None:
    set_cell(tiny_dataset, 5, column, value)
    assert fault(tiny_dataset, "frames.csv", f"row 5, column {column}: {value!r}", fix)


def test_decimal_comma(tiny_dataset: Path) -> None:
    set_cell(tiny_dataset, 5, "altitude_m", "12,5")
    assert fault(tiny_dataset, "frames.csv: row 5 has 15 cells; expected 14")


@pytest.mark.parametrize(
    "name",
    [
        "../secret/000001",
        "reference/../000001",
        "reference/..",
        "/etc/passwd",
        "C:/pictures",
        "reference",
        "reference/a/b",
        "reference\\000001",
        "reference/",
        "reference/.hidden",
        "reference/a\tb",
    ],
)
def test_frame_name_that_is_none_or_leaves_the_folder(tiny_dataset: Path, name: str) -> None:
    set_cell(tiny_dataset, 3, "frame", name)
    assert fault(tiny_dataset, "frames.csv", f"row 3, column frame: {name!r}", "is not <traversal>/<name>")


def test_frame_named_twice(tiny_dataset: Path) -> None:
    set_cell(tiny_dataset, 4, "frame", "reference/000000")
    assert "row 2" not in fault(tiny_dataset, "row 4, column frame: 'reference/000000' is there twice")


def test_frame_of_unlisted_traversal(tiny_dataset: Path) -> None:
    set_cell(tiny_dataset, 4, "frame", "fog/000000")
    set_cell(tiny_dataset, 4, "traversal", "fog")
    assert fault(tiny_dataset, "row 4, column frame: 'fog/000000'", "expected reference, overcast, night")


def test_quaternion_that_is_not_unit(tiny_dataset: Path) -> None:
    set_cell(tiny_dataset, 7, "qw", "0.6")
    assert fault(tiny_dataset, "row 7, column qw..qz", "norm 1.054", "scale it to norm 1")
    rewrite(tiny_dataset, qw=[0] * 36, qx=[0] * 36, qy=[0] * 36, qz=[0] * 36)
    assert fault(tiny_dataset, "row 2, column qw..qz", "norm 0", "and 33 more")


def test_latitude_that_disagrees_with_easting(tiny_dataset: Path) -> None:
    lat = Frames.load(tiny_dataset).lat[0]
    set_cell(tiny_dataset, 2, "lat", str(lat + 0.001))
    assert fault(tiny_dataset, "row 2, column lat, lon: '111.2' m away from easting_m, northing_m in UTM zone 31")
    edit_json(tiny_dataset / "dataset.json", origin=None)
    assert len(Frames.load(tiny_dataset)) == 36


def test_local_metres_where_utm_is_declared(tiny_dataset: Path) -> None:
    rewrite(tiny_dataset, lat=None, lon=None, easting_m=range(36))
    assert fault(tiny_dataset, "row 2, column easting_m: '0.0' is no UTM easting")


def test_frames_far_outside_the_zone(tiny_dataset: Path) -> None:
    rewrite(tiny_dataset, easting_m=None, northing_m=None, lon=[-100] * 36)
    assert fault(tiny_dataset, "column lon: '-100.0' is far outside UTM zone 31")


def test_first_faults_are_shown_in_order_and_the_rest_counted(tiny_dataset: Path) -> None:
    rewrite(tiny_dataset, split=["train"] * 4 + ["x"] * 32)
    set_cell(tiny_dataset, 3, "time_s", "late")
    set_cell(tiny_dataset, 2, "lat", "south")
    text = fault(tiny_dataset, "row 2, column lat: 'south'", "and 31 more")
    assert text.count("; row ") == 2


def test_missing_picture(tiny_dataset: Path) -> None:
    (tiny_dataset / "night" / "rgb" / "000002.jpg").unlink()
    assert fault(tiny_dataset, "row 28, column frame: 'night/000002' has no picture", "rgb/")


def test_all_pictures_missing(tiny_dataset: Path) -> None:
    (tiny_dataset / "night" / "rgb").rename(tiny_dataset / "night" / "images")
    assert fault(tiny_dataset, "row 26", "has no picture", "and 9 more")


def test_picture_gone_after_loading(tiny_frames: Frames) -> None:
    tiny_frames.image_path(0).unlink()
    with pytest.raises(BadInput, match="reference/000000 has no picture"):
        tiny_frames.image(0)


def test_picture_of_another_size_than_the_camera(tiny_frames: Frames) -> None:
    Image.new("RGB", (64, 96)).save(tiny_frames.image_path(0))
    for least in (None, 8):
        with pytest.raises(BadInput, match=r"000000\.jpg is 64x96; expected 96x64 as the camera"):
            tiny_frames.image(0, least=least)


def test_picture_that_would_have_the_cameras_size_only_when_decoded_smaller(tiny_frames: Frames) -> None:
    Image.new("RGB", (8 * 96, 8 * 64)).save(tiny_frames.image_path(0))
    with pytest.raises(BadInput, match=r"000000\.jpg is 768x512; expected 96x64 as the camera"):
        tiny_frames.image(0, least=20)


def test_truncated_picture(tiny_frames: Frames) -> None:
    path = tiny_frames.image_path(0)
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(BadInput, match=r"000000\.jpg is truncated or damaged"):
        tiny_frames.image(0)


def test_eight_bit_depth(tiny_frames: Frames) -> None:
    path = tiny_frames.modality_path(0, "depth")
    Image.new("L", (96, 64), 9).save(path)
    with pytest.raises(BadInput) as error:
        tiny_frames.modality(0, "depth")
    assert str(error.value) == f"{path} is 8-bit; expected 16-bit PNG, metres x 256"


def test_depth_of_colour_and_truncated_depth(tiny_frames: Frames) -> None:
    path = tiny_frames.modality_path(0, "depth")
    whole = path.read_bytes()
    Image.new("RGB", (96, 64)).save(path)
    with pytest.raises(BadInput, match="a colour picture; expected 16-bit PNG"):
        tiny_frames.modality(0, "depth")
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="truncated or damaged"):
        tiny_frames.modality(0, "depth")


def test_class_that_dataset_json_does_not_name(tiny_frames: Frames) -> None:
    path = tiny_frames.modality_path(0, "semantics")
    Image.fromarray(np.array([[0, 2, 255, 7]], np.uint8)).save(path)
    with pytest.raises(BadInput, match="has class 7; expected 0 to 2"):
        tiny_frames.modality(0, "semantics")


def test_broken_dataset_json(tiny_dataset: Path) -> None:
    (tiny_dataset / "dataset.json").write_text('{"name": "x",')
    assert fault(tiny_dataset, "dataset.json is not valid JSON at line 1")
    (tiny_dataset / "dataset.json").write_text("[]")
    assert fault(tiny_dataset, "dataset.json", "is not an object")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cameras": {}}, ["cameras is not a list"]),
        ({"cameras": ["front"]}, ["cameras holds 'front'"]),
        ({"cameras": [{"name": "c", "width": 4, "height": 4, "fx": 1, "fy": 1, "cx": 2}]}, ["cameras has no 'cy'"]),
        (
            {"cameras": [{"name": "c", "width": "4", "height": 4, "fx": 1, "fy": 1, "cx": 2, "cy": 2}]},
            ["numbers of pixels", "'4'"],
        ),
        (
            {"cameras": [{"name": "c", "width": 4, "height": 4, "fx": 0, "fy": 1, "cx": 2, "cy": 2}]},
            ["fx and fy must be above 0"],
        ),
        ({"place": {"radius_m": -1}}, ["place: radius_m must be", "-1"]),
        ({"place": {"radius_m": True}}, ["place: radius_m must be"]),
        ({"place": {"radius_m": 1, "angle_deg": 270}}, ["angle_deg must be null or within 0 to 180"]),
        ({"place": 25}, ["place holds 25"]),
        (
            {"traversals": [{"name": "reference", "condition": "x", "role": "db"}]},
            ["role must be one of reference, query"],
        ),
        ({"traversals": [{"name": "reference", "role": "query"}]}, ["no 'condition'"]),
        ({"traversals": [{"name": "a", "condition": "x", "role": "query"}] * 2}, ["'a' is listed twice"]),
        (
            {"traversals": [{"name": "a", "condition": "x", "role": "query", "labels": "no"}]},
            ["labels must be true or false"],
        ),
        ({"modalities": ["depth"]}, ["modalities is not an object"]),
        ({"modalities": {"thermal": {}}}, ["'thermal' is unknown", "or lidar or points or returns or semantics"]),
        ({"modalities": {"depth": {"near_m": 5, "far_m": 2}}}, ["near_m 5 and far_m 2", "0 < near_m < far_m"]),
        ({"modalities": {"semantics": {"classes": "road"}}}, ["classes 'road'"]),
        ({"origin": {"utm_zone": "61N"}}, ["utm_zone '61N'"]),
        ({"origin": {"utm_zone": 31}}, ["utm_zone 31"]),
        ({"origin": {"lat": "48"}}, ["origin is", "'48'"]),
        ({"origin": "Paris"}, ["origin is 'Paris'"]),
        ({"noise": {"depth": 0.1}}, ["noise is given for 'depth'"]),
        ({"noise": {"rgb": {"night": 3}}}, ["noise of rgb", "within 0 to 1"]),
        ({"noise": 0.1}, ["noise is not an object"]),
    ],
)
def test_wrong_value_in_dataset_json(tiny_dataset: Path, changes: dict, words: list[str]) -> None:
    edit_json(tiny_dataset / "dataset.json", **changes)
    assert fault(tiny_dataset, "dataset.json", *words)


def test_nan_in_dataset_json_is_no_number(tiny_dataset: Path) -> None:
    value = json.loads((tiny_dataset / "dataset.json").read_text())
    value["place"]["radius_m"] = float("nan")
    (tiny_dataset / "dataset.json").write_text(json.dumps(value))
    assert fault(tiny_dataset, "radius_m must be a number")


def test_place_angle_without_orientations(tiny_dataset: Path) -> None:
    edit_json(tiny_dataset / "dataset.json", place={"radius_m": 1, "angle_deg": 20})
    rewrite(tiny_dataset, qw=None, qx=None, qy=None, qz=None)
    assert fault(tiny_dataset, "dataset.json", "angle_deg", "qw, qx, qy, qz")
