"""Everything that can be wrong in a RobotCar folder: one sentence each, and nothing half-written."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import robotcar_layout as layout
from PIL import Image

from butf.cli import main
from butf.dataset.areas import Areas, write_areas
from butf.errors import BadInput
from butf.importers.robotcar import import_robotcar
from butf.importers.robotcar_choice import Choice

DAY, LATER = "2014-12-09-13-21-02", "2015-02-03-08-45-10"
FIRST = layout.time_at(0.0)
SMALL = Choice(width=32)
Row = dict[str, str]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return layout.write_plain(tmp_path_factory.mktemp("plain") / "src")


@pytest.fixture
def src(original: Path, tmp_path: Path) -> Path:
    """Two drives along a wall, to be spoilt; files must be removed before they are written anew."""
    return Path(shutil.copytree(original, tmp_path / "src", copy_function=os.link))


def fault(src: Path, *words: str, choice: Choice = SMALL) -> None:
    """Importing fails with one line that holds all of these words, and leaves nothing behind."""
    out = src.parent / "out"
    before = sorted(src.parent.rglob("*"))
    with pytest.raises(BadInput) as error:
        import_robotcar(src, out, choice)
    text = str(error.value)
    assert "\n" not in text and not [word for word in words if word not in text], text
    assert sorted(src.parent.rglob("*")) == before


def rewrite(path: Path, content: bytes | str) -> None:
    path.unlink()
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def change_log(path: Path, change: Callable[[list[Row]], list[Row] | None]) -> None:
    """Write a log anew with its rows changed."""
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows = change(rows) or rows
    path.unlink()
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("folder", ["stereo/centre", "lms_front"])
def test_a_sensor_without_its_folder(src: Path, folder: str) -> None:
    shutil.rmtree(src / DAY / folder)
    fault(src, str(src / DAY), f"has no folder {folder}", "beside models/ and extrinsics/")


@pytest.mark.parametrize("folder", ["models", "extrinsics"])
def test_no_calibration(src: Path, folder: str) -> None:
    shutil.rmtree(src / folder)
    fault(src, f"has no folder {folder}/", "SDK")


def test_a_traversal_that_no_frame_can_be_named_by(src: Path) -> None:
    (src / DAY).rename(src / "drive (1)")
    fault(src, str(src / "drive (1)"), "rename it")


def test_no_traversal_at_all(src: Path) -> None:
    fault(src / "models", "has no traversal", "2014-12-09-13-21-02/")
    fault(src / "nowhere", "is not a folder")


@pytest.mark.parametrize(
    "file", ["models/stereo_narrow_left.txt", "models/stereo_narrow_left_distortion_lut.bin", "extrinsics/stereo.txt",
             "extrinsics/ins.txt", "extrinsics/lms_front.txt", f"{DAY}/gps/ins.csv"],
)  # fmt: skip
def test_a_file_that_is_missing(src: Path, file: str) -> None:
    (src / file).unlink()
    fault(src, str(src / file), "does not exist")


def test_sensors_without_measurements(src: Path) -> None:
    for path in (src / DAY / "lms_front").iterdir():
        path.unlink()
    fault(src, f"{DAY}/lms_front", "has no scan")
    for path in (src / DAY / "stereo/centre").iterdir():
        path.unlink()
    fault(src, f"{DAY}/stereo/centre", "has no picture")


def test_pictures_of_another_time_than_the_poses(src: Path) -> None:
    hour = 3_600_000_000
    (src / DAY / "stereo.timestamps").unlink()
    for path in (src / DAY / "stereo/centre").iterdir():
        path.rename(path.with_name(f"{int(path.stem) + hour}.png"))
    fault(src, f"{DAY}: no picture ({FIRST + hour} to", "within the log of poses", "microseconds")


def test_scans_of_another_time_than_the_poses(src: Path) -> None:
    hour = 3_600_000_000
    for path in (src / DAY / "lms_front").iterdir():
        path.rename(path.with_name(f"{int(path.stem) - hour}.bin"))
    fault(src, f"{DAY}/lms_front: no scan (", "within the log of poses")


def test_scans_that_end_before_the_pictures_begin(src: Path) -> None:
    for path in (src / DAY / "lms_front").iterdir():
        if int(path.stem) > FIRST:
            path.unlink()
    fault(src, str(src / DAY), "lms_front did not scan the 10 m of way after any picture")


def test_a_truncated_scan(src: Path) -> None:
    path = sorted((src / DAY / "lms_front").iterdir())[40]
    rewrite(path, path.read_bytes()[:-5])
    fault(src, str(path), "no multiple of 24", "truncated")


def test_a_table_of_another_size(src: Path) -> None:
    path = src / "models" / "stereo_narrow_left_distortion_lut.bin"
    rewrite(path, path.read_bytes()[:-16])
    fault(src, str(path), f"has {16 * 64 * 48 - 16} bytes; expected {16 * 64 * 48} for pictures of 64x48")
    rewrite(path, np.full(2 * 64 * 48, np.nan).tobytes())
    fault(src, str(path), "holds nan")


def test_pictures_that_are_not_as_the_others(src: Path) -> None:
    path = src / LATER / "stereo/centre" / f"{layout.time_at(13.0)}.png"
    whole = path.read_bytes()
    path.unlink()
    Image.new("L", (64, 50)).save(path)
    fault(src, str(path), "is 64x50; expected 64x48")
    Image.new("RGB", (64, 48)).save(path)
    fault(src, str(path), "pixels of kind RGB", "Bayer GBRG")
    path.write_bytes(whole[:-8])
    fault(src, str(path), "is truncated")
    path.write_bytes(b"no picture at all")
    fault(src, str(path), "is no PNG")


def test_a_log_without_a_column(src: Path) -> None:
    log = src / DAY / "gps" / "ins.csv"
    change_log(log, lambda rows: [{key: row[key] for key in row if key not in ("yaw", "down")} for row in rows])
    fault(src, str(log), "has no column down, yaw; found timestamp, ins_status")
    rewrite(log, "")
    fault(src, str(log), "has no column timestamp", "found nothing")


@pytest.mark.parametrize(("column", "value"), [("northing", "nan"), ("yaw", ""), ("latitude", "x"), ("down", "inf")])
def test_a_log_with_what_is_no_number(src: Path, column: str, value: str) -> None:
    log = src / DAY / "gps" / "ins.csv"
    change_log(log, lambda rows: rows[7].update({column: value}))
    fault(src, str(log), f"row 9, column {column}: {value!r} is not a finite number")


def test_times_that_repeat_or_go_back(src: Path) -> None:
    log = src / DAY / "gps" / "ins.csv"
    change_log(log, lambda rows: rows[8].update(timestamp=rows[7]["timestamp"]))
    fault(src, str(log), "row 10, column timestamp", "repeats the time of the row before")
    change_log(log, lambda rows: rows[8].update(timestamp=rows[3]["timestamp"]))
    fault(src, str(log), "row 10, column timestamp", "goes back")
    change_log(log, lambda rows: rows[8].update(timestamp="1.4e15"))
    fault(src, str(log), "row 10, column timestamp: '1.4e15' is no time")


def test_times_that_are_listed_twice(src: Path) -> None:
    for name in ("stereo", "lms_front"):
        path = src / DAY / f"{name}.timestamps"
        lines = path.read_text().splitlines()
        rewrite(path, "\n".join([*lines[:2], lines[1], *lines[2:]]))
        fault(src, str(path), f"line 3, {lines[1].split()[0]}, repeats the time before it")
        rewrite(path, "\n".join(lines))


def test_pictures_that_no_list_knows(src: Path) -> None:
    path = src / DAY / "stereo.timestamps"
    rewrite(path, f"{FIRST + 1} 1\n")
    fault(src, str(path), "lists none of the 4 pictures", f"{FIRST}.png")


def exchanged(first: str, second: str) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        for row in rows:
            row[first], row[second] = row[second], row[first]

    return change


def test_positions_that_are_swapped_or_in_another_zone(src: Path, original: Path) -> None:
    log, whole = src / DAY / "gps" / "ins.csv", (original / DAY / "gps" / "ins.csv").read_bytes()
    for change, words in (
        (exchanged("latitude", "longitude"), ["latitude and longitude are swapped"]),
        (exchanged("northing", "easting"), ["northing and easting are swapped"]),
        (lambda rows: [row | {"utm_zone": "31T"} for row in rows], ["utm_zone says 31N", "lie in 30N"]),
        (lambda rows: [row | {"utm_zone": "99Q"} for row in rows], ["utm_zone", "'99Q' is no UTM zone"]),
        (
            lambda rows: [row | {"latitude": "12.5"} for row in rows],
            ["away from latitude and longitude in UTM zone 30N"],
        ),
        (lambda rows: [row | {"latitude": "-500"} for row in rows], ["far away from latitude and longitude"]),
        (lambda rows: rows[5].update(utm_zone="31T"), ["rows in the UTM zones 30T, 31T"]),
    ):
        change_log(log, change)
        fault(src, str(log), *words)
        rewrite(log, whole)


def test_odometry_that_is_torn_or_turned(src: Path) -> None:
    log, choice = src / DAY / "vo" / "vo.csv", Choice(poses="vo", width=32)
    whole = log.read_bytes()
    change_log(log, lambda rows: rows[:5] + rows[6:])
    fault(src, str(log), "row 7 begins at", "the steps must follow each other", choice=choice)
    rewrite(log, whole)
    change_log(log, exchanged("source_timestamp", "destination_timestamp"))
    fault(src, str(log), "row 2 leads from", choice=choice)
    log.unlink()
    fault(src, str(log), "does not exist", choice=choice)
    fault(src, str(src / DAY), "has no rtk.csv", choice=Choice(poses="rtk", width=32))


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("extrinsics/ins.txt", "1 2 3 4 5", ["has 5 numbers", "x y z roll pitch yaw"]),
        ("extrinsics/ins.txt", "1 2 3 0 0 ninety", ["not a number", "ninety"]),
        ("extrinsics/lms_front.txt", "1 2 3 0 0 90", ["an angle of 90", "radians"]),
        ("extrinsics/stereo.txt", "1 2 3 0 0 nan", ["holds nan"]),
        ("models/stereo_narrow_left.txt", "40 40 32 24", ["has 4 numbers", "fx fy cx cy"]),
        ("models/stereo_narrow_left.txt", "40 40 32 24 " + "1 " * 16, ["no rigid motion"]),
    ],
)
def test_calibration_that_is_none(src: Path, file: str, text: str, words: list[str]) -> None:
    rewrite(src / file, text)
    fault(src, str(src / file), *words)


def test_a_lidar_that_looks_away(src: Path) -> None:
    path = src / "extrinsics" / "lms_front.txt"
    values = path.read_text().split()
    rewrite(path, " ".join(["-900", *values[1:]]))
    fault(src, "lidar points around", "falls into the picture", str(src / "extrinsics"))


def test_choices_that_cannot_be(src: Path, tmp_path: Path) -> None:
    fault(src, "there is no traversal 'night' to be the reference", DAY, choice=Choice(width=32, reference="night"))
    nowhere = (np.array([[0.0, 0.0], [1, 0], [1, 1], [0, 0]]),)
    write_areas(tmp_path / "areas.geojson", Areas({"train": (nowhere,)}))
    choice = Choice(width=32, areas=tmp_path / "areas.geojson")
    fault(src, "no frame lies in the train, val and test areas of", "areas.geojson", choice=choice)
    for wrong in ({"poses": "gps"}, {"lidar": "velodyne"}, {"spacing_m": 0.0}, {"width": 3}):
        with pytest.raises(BadInput):
            Choice(**wrong)


def test_a_target_that_is_there_or_cannot_be_written(
    src: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    fault(src, "out already exists")
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    # No folder can be made in a file, whoever asks; a read-only folder would not stop root.
    target = tmp_path / "out" / "mine.txt" / "set"
    assert main(["import", "robotcar", str(src), "--out", str(target), "--width", "32"]) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1 and "cannot be written" in told.err and "Traceback" not in told.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_target(src: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(BadInput, match="cannot be written"):
        import_robotcar(src, tmp_path / "locked" / "out", SMALL)
