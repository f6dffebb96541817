"""The importer of the benchmarks' folders: positions from names against hand-known points, and every bad name."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import utm
from PIL import Image
from scipy.spatial.transform import Rotation

from butf.dataset.frames import Frames, PlaceRule
from butf.dataset.inspection import inspect
from butf.errors import BadInput
from butf.files import REPO
from butf.importers.folder import import_folder
from butf.importers.geography import facing, parse_zone, to_metres

EAST, NORTH = 500_000.0, 5_400_000.0  # on the central meridian of zone 31, 3 degrees east
SUBURB = "@0505000.12@06955000.50@56@J@-027.5@0153.05@st_lucia@@@@@@20080812_084500@@.jpg"


def picture(path: Path, shade: int, size: tuple[int, int] = (32, 24)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(shade).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, quality=90)


def name(east: float, north: float, zone: str = "31@U", lat: object = "", lon: object = "", rest: str = "") -> str:
    return f"@{east:.2f}@{north:.2f}@{zone}@{lat}@{lon}@{rest}@.jpg"


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    """Five places 50 m apart on a street to the north; queries 10 m beside the first three."""
    for i in range(5):
        picture(tmp_path / "walk" / "database" / name(EAST, NORTH + 50 * i), i)
    for i in range(3):
        picture(tmp_path / "walk" / "queries" / name(EAST + 10, NORTH + 50 * i), 10 + i)
    return tmp_path / "walk"


def fault(src: Path, *words: str, **options: object) -> bool:
    """Importing fails with one line that holds all of these words, and leaves nothing behind."""
    before = sorted(src.parent.rglob("*"))
    with pytest.raises(BadInput) as error:
        import_folder(src, src.parent / "out", **options)
    text = str(error.value)
    assert "\n" not in text and not [word for word in words if word not in text], text
    return sorted(src.parent.rglob("*")) == before


def test_database_and_queries(walk: Path, tmp_path: Path) -> None:
    report = import_folder(walk, tmp_path / "out")
    frames = Frames.load(tmp_path / "out")
    assert report.taken == {("test", "database"): 5, ("test", "queries"): 3}
    assert report.matched == {"test": (3, 3)} and report.left == {} and report.notes == ()
    assert frames.frame.tolist()[:2] == ["database/000000", "database/000001"] and frames.place.radius_m == 25
    np.testing.assert_allclose(frames.position[5], (EAST + 10, NORTH, 0))
    # On a central meridian the longitude is known; the scale there is 0.9996 (Snyder, "Map Projections", 1987).
    assert frames.lon[0] == pytest.approx(3, abs=1e-9)
    metres_a_degree = (to_metres(np.array([49.0]), np.array([3.0]), (31, True))[1] - NORTH) / (49 - frames.lat[0])
    assert metres_a_degree / 0.9996 == pytest.approx(111_200, abs=30), "a degree of latitude at 48.9 degrees north"
    assert (frames.image_path(7)).read_bytes() == sorted((walk / "queries").iterdir())[2].read_bytes()
    assert inspect(tmp_path / "out").fine and sorted(os.listdir(tmp_path)) == ["out", "walk"]
    with (tmp_path / "out" / "sources.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert rows[5] == {"file": f"queries/{name(EAST + 10, NORTH)}", "frame": "queries/000000", "left_out": ""}


@pytest.mark.parametrize("inside", ["", "images"])
def test_splits_and_conditions(tmp_path: Path, inside: str) -> None:
    root = tmp_path / "set" / inside
    for number, split in enumerate(("train", "val", "test")):
        for i in range(2):
            picture(root / split / "database" / "area" / name(EAST, NORTH + 1000 * number + i), 10 * number + i)
            picture(root / split / "queries" / name(EAST, NORTH + 1000 * number + 5 + i), 100 + 10 * number + i)
    picture(root / "test" / "queries_night" / name(EAST, NORTH + 2000), 999)
    frames = import_folder(tmp_path / "set", tmp_path / "out").frames
    assert frames.splits == ["train", "val", "test"] and frames.conditions == ["database", "queries", "night"]
    assert {key: len(rows) for key, rows in frames.queries("test").items()} == {"queries": 2, "night": 1}
    assert [len(frames.database(split)) for split in frames.splits] == [2, 2, 2]
    train = frames.where(split="train", traversal="queries")
    np.testing.assert_allclose(frames.position[train, 1], [NORTH + 5, NORTH + 6])


def test_a_split_without_a_database_is_told(walk: Path, tmp_path: Path) -> None:
    (walk / "test").mkdir()
    for part in ("database", "queries"):
        (walk / part).rename(walk / "test" / part)
    (walk / "train").mkdir()
    assert import_folder(walk, tmp_path / "out").notes == ("train/ was left out: there is no database/ in it",)


def test_what_the_real_sets_write(tmp_path: Path) -> None:
    """A name in the form of St Lucia: south of the equator, latitude and longitude with leading zeros, a time."""
    lat, lon = utm.to_latlon(505000.12, 6955000.50, 56, "J")
    text = SUBURB.replace("-027.5", f"{lat:.5f}").replace("0153.05", f"{lon:.5f}")
    picture(tmp_path / "s" / "database" / text, 1)
    picture(tmp_path / "s" / "queries" / text.replace("084500", "084501"), 2)
    frames = import_folder(tmp_path / "s", tmp_path / "out").frames
    assert frames.origin["utm_zone"] == "56S" and frames.lat[0] == pytest.approx(lat, abs=1e-7)
    assert datetime.fromtimestamp(frames.time_s[1], UTC) == datetime(2008, 8, 12, 8, 45, 1, tzinfo=UTC)


def test_latitude_band_s_is_north(tmp_path: Path) -> None:
    """34 degrees north is band S: a letter of a name is a band, never "south"."""
    east, north, number, letter = utm.from_latlon(34.05, -118.25)
    assert letter == "S"
    for part, shade in (("database", 1), ("queries", 2)):
        picture(tmp_path / "s" / part / name(east, north, f"{number}@S", 34.05, -118.25), shade)
    frames = import_folder(tmp_path / "s", tmp_path / "out").frames
    assert frames.origin["utm_zone"] == "11N" and frames.lat[0] == pytest.approx(34.05, abs=1e-6)


def test_headings_become_orientations_if_all_have_one(walk: Path, tmp_path: Path) -> None:
    for k, path in enumerate(sorted(walk.rglob("*.jpg"))):
        path.rename(path.with_name(path.name.replace("@.jpg", f"id@@{45 * k}@@@@@@.jpg")))
    frames = import_folder(walk, tmp_path / "out").frames
    ahead = Rotation.from_quat(np.roll(frames.orientation, -1, axis=1)).as_matrix()[:, :, 2]
    assert ahead[0] == pytest.approx((0, 1, 0), abs=1e-6), "north"
    assert ahead[2] == pytest.approx((1, 0, 0), abs=1e-6), "east"
    (path,) = walk.rglob("*@225@*")
    path.rename(path.with_name(path.name.replace("@225@", "@@")))
    report = import_folder(walk, tmp_path / "out2")
    assert report.frames.orientation is None
    assert "headings were left out: 7 of 8 names have one and a zone" in report.notes


@pytest.mark.parametrize(("lat", "lon"), [(48.0, 5.5), (-33.0, 151.0), (59.0, 4.0)])
def test_true_north_is_not_grid_north(lat: float, lon: float) -> None:
    """Against a step of 100 m on the ellipsoid along the meridian, as `utm` projects it."""
    zone = (utm.latlon_to_zone_number(lat, lon), lat >= 0)
    east, north = to_metres(np.array([lat, lat + 0.001]), np.array([lon, lon]), zone)
    step = np.array([east[1] - east[0], north[1] - north[0]]) / np.hypot(east[1] - east[0], north[1] - north[0])
    (orientation,) = facing(np.array([0.0]), np.array([lat]), np.array([lon]), zone)
    ahead = Rotation.from_quat(np.roll(orientation, -1)).as_matrix()[:, 2]
    assert ahead[:2] == pytest.approx(step, abs=2e-4) and ahead[2] == pytest.approx(0, abs=1e-9)


def test_zone_given_for_names_without_one(walk: Path, tmp_path: Path) -> None:
    for path in sorted(walk.rglob("*.jpg")):
        path.rename(path.with_name(path.name.replace("@31@U", "@@")))
    assert fault(walk, "@500000.00@5400000.00@", "names no UTM zone; give one, e.g. --zone 33N")
    assert import_folder(walk, tmp_path / "n", zone="31N").frames.lat[0] == pytest.approx(48.7533, abs=0.01)
    assert import_folder(walk, tmp_path / "s", zone="31S").frames.lat[0] < 0
    assert fault(walk, "'99X' is no UTM zone", zone="99X")


def test_metres_of_no_zone(tmp_path: Path) -> None:
    for i in range(3):
        picture(tmp_path / "rail" / "database" / f"@0.0@{10 * i}.0@.jpg", i)
        picture(tmp_path / "rail" / "queries" / f"@3.0@{10 * i}.0@.jpg", 10 + i)
    assert fault(tmp_path / "rail", "easting 0", "expected an easting of 100,000 to 900,000 m", zone="33N")
    frames = import_folder(tmp_path / "rail", tmp_path / "out", zone="local").frames
    assert frames.origin is None and frames.lat is None and frames.position[4].tolist() == [3, 10, 0]


def test_two_zones_become_the_commoner_one(tmp_path: Path) -> None:
    """A street along the border of zones 31 and 32, six degrees east; one picture is named in the other zone."""
    lat, lon = np.array([48.0, 48.001, 48.002]), np.full(3, 5.999)
    for i, (east, north) in enumerate(zip(*to_metres(lat, lon, (31, True)), strict=True)):
        picture(tmp_path / "border" / "database" / name(east, north), i)
    east, north = to_metres(lat[1:2], lon[1:2], (32, True))
    picture(tmp_path / "border" / "queries" / name(east[0], north[0], "32@U"), 77)
    report = import_folder(tmp_path / "border", tmp_path / "out", place=PlaceRule(1.0))
    assert report.notes == ("1 names in zone 32N were brought into zone 31N",)
    assert report.matched["test"] == (1, 1), "it stands where the second of the database stands"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (name(NORTH, EAST), ("easting 5400000 and northing 500000", "look swapped: easting comes first")),
        (name(99_999, NORTH), ("easting 99999", "expected an easting of 100,000 to 900,000 m")),
        (name(900_001, NORTH), ("easting 900001", "--zone local")),
        (name(EAST, -5), ("northing -5", "expected a northing of 0 to 10,000,000 m")),
        (name(EAST, NORTH, "61@U"), ("UTM zone '61' 'U'; expected 1 to 60",)),
        (name(EAST, NORTH, "31@O"), ("UTM zone '31' 'O'",)),
        (name(EAST, NORTH, "31@U", 95.0, 3.0), ("latitude 95 and longitude 3", "look swapped")),
        (name(EAST, NORTH, "31@U", 48.0, 500.0), ("longitude 500; expected -90 to 90 and -180 to 180",)),
        (
            name(EAST, NORTH, "31@U", 48.0, 3.0),
            ("in UTM zone 31N (as in 1 of 1 names); correct the one that is wrong",),
        ),
    ],
)
def test_a_position_that_cannot_be(walk: Path, text: str, words: tuple[str, ...]) -> None:
    picture(walk / "queries" / text, 500)
    assert fault(walk, text, *words)


def test_degrees_and_metres_of_different_zones(walk: Path) -> None:
    east, north, *_ = utm.from_latlon(48.8, 2.35)  # Paris, zone 31
    for part, shade in (("database", 501), ("queries", 502)):
        picture(walk / part / name(east, north, "32@U", 48.8, 2.35), shade)
    assert fault(walk, "lies 441 km from", "(as in 2 of 2 names)", "they agree in zone 31N: correct the zone")


def test_degrees_that_are_swapped(walk: Path) -> None:
    east, north, *_ = utm.from_latlon(48.8, 2.35)
    picture(walk / "queries" / name(east, north, "31@U", 2.35, 48.8), 501)
    assert fault(walk, "latitude 2.35, longitude 48.8 lies", "latitude and longitude are swapped")


def test_a_zone_that_disagrees_with_the_names(walk: Path) -> None:
    assert fault(walk, "is in UTM zone 31N by its name, not 33N; give the right zone or none", zone="33N")
    assert parse_zone("31n") == (31, True)


def test_left_out_are_names_without_a_position_and_files_that_are_there_twice(walk: Path, tmp_path: Path) -> None:
    picture(walk / "database" / "IMG_0001.jpg", 300)
    picture(walk / "database" / "@north@east@.jpg", 301)
    twin = walk / "queries" / name(EAST + 11, NORTH)
    twin.write_bytes((walk / "database" / name(EAST, NORTH)).read_bytes())
    (walk / "database" / "._@1@2@.jpg").write_bytes(b"of macOS")
    report = import_folder(walk, tmp_path / "out")
    assert report.left == {
        "no easting and northing in the name": ("database/@north@east@.jpg", "database/IMG_0001.jpg"),
        "the same bytes as another picture": (f"queries/{twin.name}",),
    }
    assert "2 frames left out: no easting and northing in the name (database/@north@east@.jpg, " in str(report)
    assert len(report.frames) == 8


def test_sizes_may_differ_and_are_told(walk: Path, tmp_path: Path) -> None:
    picture(walk / "queries" / name(EAST + 12, NORTH), 70, (48, 20))
    report = import_folder(walk, tmp_path / "out")
    assert report.notes == ("the pictures have 2 sizes, most often 32x24 (8), 48x20 (1); they are kept as they are",)
    assert report.frames.image(8).size == (48, 20) and inspect(tmp_path / "out").fine


def test_folders_that_are_none(walk: Path, tmp_path: Path) -> None:
    assert fault(tmp_path / "nowhere", "is not a folder; expected database/ and queries/")
    (tmp_path / "empty").mkdir()
    assert fault(tmp_path / "empty", "has no folder database/; expected")
    for path in (walk / "queries").iterdir():
        path.unlink()
    assert fault(walk, "queries has no picture with a position in its name", "or remove the folder")
    (walk / "queries").rmdir()
    assert fault(walk, "walk has no folder queries/; expected")


def test_no_name_has_a_position(tmp_path: Path) -> None:
    for part, shade in (("database", 1), ("queries", 2)):
        picture(tmp_path / "s" / part / "a.jpg", shade)
    assert fault(tmp_path / "s", "none of 2 pictures has a position in its name; expected @easting@northing")


def test_a_picture_that_is_cut_off(walk: Path) -> None:
    path = sorted((walk / "queries").iterdir())[-1]
    path.write_bytes(path.read_bytes()[:300])
    assert fault(walk, path.name, "truncated or damaged")


def test_killed_and_run_again_it_is_the_same(walk: Path, tmp_path: Path) -> None:
    import_folder(walk, tmp_path / "whole")
    # The fifth picture lies on a device that never answers.
    code = """
import os, sys
from butf.importers import folder, pictures
read = pictures.read_bytes
count = iter(range(100))
def slow(path):
    if next(count) == 5:
        print("waiting", flush=True)
        sys.stdin.read()
    return read(path)
pictures.read_bytes = slow
folder.import_folder(sys.argv[1], sys.argv[2])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(walk), str(tmp_path / "cut")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPO,
    )  # fmt: skip
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "cut").exists() and (tmp_path / ".cut.importing").is_dir()
    report = import_folder(walk, tmp_path / "cut")
    assert report.notes == ("went on with an import that was broken off: 5 of 8 frames were there",)
    assert not (tmp_path / ".cut.importing").exists()
    (tmp_path / "again").mkdir()

    def content(root: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(root)): path.read_bytes().replace(f'"{root.name}"'.encode(), b'"NAME"')
            for path in root.rglob("*")
            if path.is_file()
        }

    assert content(tmp_path / "cut") == content(tmp_path / "whole")
