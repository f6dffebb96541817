"""Photographs: what their EXIF and tables say, written here and read by another way, and all that can be wrong."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from scipy.spatial.transform import Rotation

from butf import files
from butf.dataset.areas import Areas, write_areas
from butf.dataset.frames import Frames, PlaceRule
from butf.dataset.inspection import inspect
from butf.errors import BadInput
from butf.importers.exif import read_exif
from butf.importers.photo_roles import Choice, spread
from butf.importers.photo_table import degrees, seconds
from butf.importers.photos import import_photos

REAL = files.REPO.parent / "shared" / "data"
LAT, LON = 48.0, 3.0  # three degrees east is the middle of zone 31
METRE = 1 / 111_200  # degrees of latitude


def photo(path: Path, shade: int, gps: dict[int, object] | None = None, **more: object) -> Path:
    """A photograph of its own shade with the GPS tags given; `orientation`, `taken`, `offset` and `size` besides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = more.get("size", (40, 30))
    pixels = np.random.default_rng(shade).integers(0, 255, (height, width, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[Base.Make] = "none"  # Pillow writes no EXIF into a PNG that has GPS alone
    if "orientation" in more:
        exif[Base.Orientation] = more["orientation"]
    for key, tag in (("taken", Base.DateTimeOriginal), ("offset", Base.OffsetTimeOriginal)):
        if key in more:
            exif.get_ifd(IFD.Exif)[tag] = more[key]
    if gps is not None:
        exif.get_ifd(IFD.GPSInfo).update(gps)
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def at(lat: float = LAT, lon: float = LON, **more: object) -> dict[int, object]:
    """GPS tags of a point; further ones by their names."""
    tags: dict[int, object] = {
        GPS.GPSLatitudeRef: "N" if lat >= 0 else "S",
        GPS.GPSLatitude: parts(lat),
        GPS.GPSLongitudeRef: "E" if lon >= 0 else "W",
        GPS.GPSLongitude: parts(lon),
    }
    return tags | {GPS[name]: value for name, value in more.items()}


def parts(value: float) -> tuple[float, float, float]:
    """Degrees, minutes, seconds."""
    minutes, second = divmod(round(abs(value) * 3600, 6), 60)
    degree, minute = divmod(minutes, 60)
    return degree, minute, second


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    """Ten photographs 20 m apart on a street to the north."""
    for i in range(10):
        photo(tmp_path / "walk" / f"IMG_{i:04d}.jpg", i, at(LAT + 20 * i * METRE))
    return tmp_path / "walk"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The same street without EXIF, beside a CSV."""
    for i in range(10):
        photo(tmp_path / "bare" / "images" / f"{i}.jpg", i)
    table(tmp_path / "bare", ["file", "Latitude", "Longitude"], rows())
    return tmp_path / "bare"


def rows() -> list[list[object]]:
    return [[f"images/{i}.jpg", LAT + 20 * i * METRE, LON] for i in range(10)]


def table(folder: Path, header: list[str], body: list[list[object]], name: str = "t.csv", delimiter: str = ",") -> None:
    with (folder / name).open("w", newline="") as stream:
        csv.writer(stream, delimiter=delimiter).writerows([header, *body])


def fault(src: Path, *words: str, **options: object) -> bool:
    """Importing fails with one line that holds all of these words, and leaves nothing behind."""
    before = sorted(src.parent.rglob("*"))
    with pytest.raises(BadInput) as error:
        import_photos(src, src.parent / "bad", Choice(**options))
    text = str(error.value)
    assert "\n" not in text and not [word for word in words if word not in text], text
    return sorted(src.parent.rglob("*")) == before


def test_photographs_become_a_data_set(walk: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    report = import_photos(walk, tmp_path / "out", progress=lambda *step: steps.append(step))
    frames = Frames.load(tmp_path / "out")
    assert report.taken == {("test", "database"): 8, ("test", "queries"): 2} and report.matched == {"test": (2, 2)}
    assert report.left == {} and report.notes == ()
    assert frames.origin["utm_zone"] == "31N" and frames.modalities == {} and frames.orientation is None
    assert frames.licence == "as the source" and "positions from EXIF" in frames.source
    order = frames.lat.argsort()
    # On the central meridian: easting 500 km, and steps of 20 m scaled by 0.9996.
    np.testing.assert_allclose(frames.position[:, 0], 500_000, atol=0.01)
    np.testing.assert_allclose(np.diff(frames.position[order, 1]), 20 * 0.9996, atol=0.02)
    named = {row["frame"]: row["file"] for row in csv.DictReader((tmp_path / "out" / "sources.csv").open())}
    for i, frame in enumerate(frames.frame.tolist()):
        assert frames.image_path(i).read_bytes() == (walk / named[frame]).read_bytes()
    assert steps[9] == ("Looking at the photographs", 10, 10) and steps[-1] == ("Frames", 10, 10)
    assert inspect(tmp_path / "out").fine and sorted(os.listdir(tmp_path)) == ["out", "walk"]


@pytest.mark.parametrize(("lat", "lon"), [(-33.8568, 151.2153), (40.6892, -74.0445), (-54.8019, -68.303)])
def test_hemispheres(tmp_path: Path, lat: float, lon: float) -> None:
    for i in range(2):
        photo(tmp_path / "s" / f"{i}.jpg", i, at(lat, lon))
    frames = import_photos(tmp_path / "s", tmp_path / "out").frames
    assert frames.lat[0] == pytest.approx(lat, abs=1e-8) and frames.lon[0] == pytest.approx(lon, abs=1e-8)
    assert frames.origin["utm_zone"].endswith("N" if lat > 0 else "S")


def test_altitude_time_and_heading(tmp_path: Path) -> None:
    for i in range(3):
        clock = dict(GPSDateStamp="2024:06:01", GPSTimeStamp=(10.0, 30.0, 5.0 + i))
        tags = at(GPSAltitude=12.5, GPSAltitudeRef=b"\x01", GPSImgDirection=90.0 * i, GPSImgDirectionRef="M", **clock)
        photo(tmp_path / "s" / f"{i}.jpg", i, tags, taken="2024:06:01 12:00:00")
    report = import_photos(tmp_path / "s", tmp_path / "out")
    frames = report.frames
    order = frames.time_s.argsort()
    assert datetime.fromtimestamp(frames.time_s[order[0]], UTC) == datetime(2024, 6, 1, 10, 30, 5, tzinfo=UTC)
    assert (frames.position[:, 2] == -12.5).all(), "below sea level"
    ahead = Rotation.from_quat(np.roll(frames.orientation[order], -1, axis=1)).as_matrix()[:, :, 2]
    np.testing.assert_allclose(ahead, [[0, 1, 0], [1, 0, 0], [0, -1, 0]], atol=1e-8)
    assert "3 headings count from magnetic north and were taken as they are" in report.notes
    assert import_photos(tmp_path / "s", tmp_path / "flat", Choice(flat=True)).frames.position[0, 2] == 0


def test_what_only_some_have_is_left_out_and_told(walk: Path, tmp_path: Path) -> None:
    photo(walk / "IMG_0003.jpg", 3, at(GPSAltitude=5.0, GPSImgDirection=7.0), taken="2024:06:01 12:00:00")
    report = import_photos(walk, tmp_path / "out")
    assert report.frames.time_s is None and report.frames.orientation is None and report.frames.position[0, 2] == 0
    assert [re.sub(r"s were left out: 1 of 10 photographs have one", "", note) for note in report.notes] == [
        "altitude", "time", "heading",
    ]  # fmt: skip


def test_the_camera_s_clock_where_there_is_no_other(tmp_path: Path) -> None:
    photo(tmp_path / "s" / "a.jpg", 1, at(), taken="2024:06:01 12:00:00")
    photo(tmp_path / "s" / "b.jpg", 2, at(), taken="2024:06:01 12:00:00", offset="+02:00")
    assert read_exif(tmp_path / "s" / "a.jpg").taken - read_exif(tmp_path / "s" / "b.jpg").taken == 7200
    assert import_photos(tmp_path / "s", tmp_path / "out").frames.time_s is not None


def test_pairs_that_only_altitude_parts_are_told(walk: Path, tmp_path: Path) -> None:
    for i in range(10):
        photo(walk / f"IMG_{i:04d}.jpg", i, at(LAT + 20 * i * METRE, GPSAltitude=40.0 * (i % 2)))
    report = import_photos(walk, tmp_path / "out")
    told = " ".join(report.notes)
    assert "pairs within 25 m on the map are further apart by their altitudes; --flat" in told
    assert report.matched["test"][0] == 0
    flat = import_photos(walk, tmp_path / "flat", Choice(flat=True))
    assert flat.matched["test"] == (2, 2) and flat.notes == ()


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_photographs_on_their_side_are_turned_and_no_others_touched(walk: Path, tmp_path: Path, suffix: str) -> None:
    """Orientation 6: the first row of the file is the right side of the scene."""
    path = photo(walk / f"a{suffix}", 77, at(), orientation=6, size=(32, 64))
    half = Image.new("RGB", (32, 64), (250, 0, 0))
    half.paste((0, 0, 250), (0, 32, 32, 64))
    half.save(path, exif=Image.open(path).getexif(), **({"quality": 95} if suffix == ".jpg" else {}))
    photo(walk / "b.jpg", 78, at(), orientation=1)
    frames = import_photos(walk, tmp_path / "out").frames
    named = {row["file"]: row["frame"] for row in csv.DictReader((tmp_path / "out" / "sources.csv").open())}
    turned = frames.image_path(frames.frame.tolist().index(named[path.name]))
    with Image.open(turned) as picture:
        assert picture.size == (64, 32) and picture.getexif().get(Base.Orientation, 1) == 1
        assert picture.convert("RGB").getpixel((60, 16))[0] > 200 and picture.convert("RGB").getpixel((4, 16))[2] > 200
    kept = frames.image_path(frames.frame.tolist().index(named["b.jpg"]))
    assert kept.read_bytes() == (walk / "b.jpg").read_bytes()


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        (None, "no GPS in its EXIF"),
        ({GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (48.0, 0.0, 0.0)}, "no GPS in its EXIF"),
        (at(91.0), "latitude outside -90 to 90 or longitude outside -180 to 180"),
        (at(lon=181.0), "latitude outside -90 to 90 or longitude outside -180 to 180"),
        (at(0.0, 0.0), "position 0, 0, which a camera writes without a fix"),
        (at() | {GPS.GPSLatitudeRef: "E", GPS.GPSLongitudeRef: "N"}, "GPS in its EXIF is swapped: the latitude is"),
        ({key: value for key, value in at().items() if key != GPS.GPSLongitudeRef}, "lacks N or S, E or W"),
        (at(85.0), "beyond 80 degrees south or 84 north"),
        (at(lon=40.0), "more than 9 degrees of longitude from the others"),
    ],
)
def test_left_out_for_its_position(walk: Path, tmp_path: Path, tags: dict | None, reason: str) -> None:
    photo(walk / "odd.jpg", 50, tags)
    report = import_photos(walk, tmp_path / "out")
    ((found, names),) = report.left.items()
    assert reason in found and names == ("odd.jpg",) and len(report.frames) == 10
    assert f"1 frame left out: {found} (odd.jpg)" in str(report)
    last = list(csv.DictReader((tmp_path / "out" / "sources.csv").open()))[-1]
    assert last == {"file": "odd.jpg", "frame": "", "left_out": found}


def test_left_out_for_what_it_is(walk: Path, tmp_path: Path) -> None:
    (walk / "copy.jpg").write_bytes((walk / "IMG_0000.jpg").read_bytes())
    whole = photo(walk / "cut.jpg", 60, at(), size=(400, 300)).read_bytes()
    (walk / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (walk / "text.png").write_text("no picture")
    (walk / "IMG_9999.HEIC").write_bytes(b"heic")
    (walk / "notes.txt").write_text("left alone")
    report = import_photos(walk, tmp_path / "out")
    assert report.left == {
        "neither JPEG nor PNG; export as one of them": ("IMG_9999.HEIC",),
        "the same bytes as another picture": ("copy.jpg",),
        "cannot be opened": ("cut.jpg", "text.png"),
    }


def test_no_photograph_can_be_placed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert fault(tmp_path / "none", "none is not a folder; give one with photographs")
    assert fault(tmp_path / "empty", "has no photograph (.jpg, .jpeg or .png)")
    (tmp_path / "empty" / "a.heic").write_bytes(b"x")
    assert fault(tmp_path / "empty", "its pictures, such as a.heic, are neither JPEG nor PNG; export")
    for i in range(3):
        photo(tmp_path / "plain" / f"{i}.jpg", i)
    assert fault(tmp_path / "plain", "none of 3 photographs has a position", "3: no GPS in its EXIF (0.jpg)")
    photo(tmp_path / "plain" / "9.jpg", 9, at())
    assert fault(tmp_path / "plain", "one photograph has a position, expected two or more")


def test_two_zones_become_that_of_the_middle(tmp_path: Path) -> None:
    for i in range(6):
        photo(tmp_path / "s" / f"{i}.jpg", i, at(48.0, 5.9996 + i * 1e-4))
    report = import_photos(tmp_path / "s", tmp_path / "out", Choice(place=PlaceRule(100)))
    assert report.notes == ("2 photographs lie in another UTM zone; all are in 31N, that of the middle",)
    steps = np.diff(np.sort(report.frames.position[:, 0]))  # without a gap at the border
    np.testing.assert_allclose(steps, 1e-4 * 111_320 * np.cos(np.radians(48)), rtol=5e-3)


def test_across_the_date_line(tmp_path: Path) -> None:
    for i, lon in enumerate((179.9995, 179.9999, -179.9999, -179.9995)):
        photo(tmp_path / "fiji" / f"{i}.jpg", i, at(-16.8, lon))
    frames = import_photos(tmp_path / "fiji", tmp_path / "out").frames
    assert len(frames) == 4 and np.ptp(frames.position[:, 0]) < 120


def test_queries_are_spread_evenly(tmp_path: Path) -> None:
    points = np.stack([np.arange(20.0), np.zeros(20)], axis=1)[np.random.default_rng(0).permutation(20)]
    chosen = spread(0.25, [None] * 20, points)
    assert sorted(points[chosen, 0].tolist()) == [2, 6, 10, 14, 18]
    assert (spread(0.25, [None] * 20, points) == chosen).all()
    times = list(np.arange(20.0)[::-1])
    assert np.flatnonzero(spread(0.25, times, points)).tolist() == [1, 5, 9, 13, 17]
    assert spread(0.01, [None] * 3, points[:3]).sum() == 1 and spread(0.99, [None] * 3, points[:3]).sum() == 2


def test_queries_in_a_folder(walk: Path, tmp_path: Path) -> None:
    photo(walk / "night" / "q.jpg", 90, at())
    frames = import_photos(walk, tmp_path / "out", Choice(query_folder="night")).frames
    assert [len(rows) for rows in frames.queries("test").values()] == [1] and len(frames.database("test")) == 10
    assert fault(walk, "has no photographs with a position in the folder 'day'", query_folder="day")
    assert fault(walk, "every photograph is a query, none is a database", query_folder=".")


def test_areas_give_the_splits(walk: Path, tmp_path: Path) -> None:
    def band(first: float, last: float) -> tuple[np.ndarray]:
        south, north = (LAT + 20 * METRE * edge for edge in (first, last))
        return (np.array([[2.9, south], [3.1, south], [3.1, north], [2.9, north], [2.9, south]]),)

    areas = Areas({"train": (band(-0.5, 3.5),), "test": (band(5.5, 9.5),)})
    write_areas(tmp_path / "areas.geojson", areas)
    report = import_photos(walk, tmp_path / "out", Choice(areas=tmp_path / "areas.geojson"))
    frames = report.frames
    assert frames.splits == ["train", "test"] and len(frames.where(split="train")) == 4
    assert frames.lat[frames.where(split="train")].max() < frames.lat[frames.where(split="test")].min()
    assert report.left == {"outside the train, val and test areas": ("IMG_0004.jpg", "IMG_0005.jpg")}
    assert all(len(rows["queries"]) == 1 for rows in map(frames.queries, frames.splits))
    assert (tmp_path / "out" / "areas.geojson").is_file()
    write_areas(tmp_path / "far.geojson", Areas({"test": (band(500, 600),)}))
    assert fault(walk, "all 10 photographs lie outside the train", areas=tmp_path / "far.geojson")
    write_areas(tmp_path / "none.geojson", Areas())
    assert fault(walk, "none.geojson has no area; expected polygons", areas=tmp_path / "none.geojson")


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        (["file", "Latitude", "Longitude"], ","),
        (["image_path", "lat", "lng"], ";"),
        (["SourceFile", "GPSLatitude", "GPSLongitude"], ","),
        (["File Name", "LAT", "Lon"], "\t"),
    ],
)
def test_a_table_in_its_usual_spellings(bare: Path, tmp_path: Path, header: list[str], delimiter: str) -> None:
    table(bare, header, rows(), delimiter=delimiter)
    report = import_photos(bare, tmp_path / "out")
    assert len(report.frames) == 10 and report.left == {} and "positions from t.csv" in report.frames.source
    np.testing.assert_allclose(np.sort(report.frames.lat), [row[1] for row in rows()], atol=1e-8)


@pytest.mark.parametrize("form", ["{i}.jpg", "./images/{i}.jpg", "images\\{i}.jpg"])
def test_files_are_found_by_name_or_path(bare: Path, tmp_path: Path, form: str) -> None:
    table(bare, ["file", "lat", "lon"], [[form.format(i=i), *row[1:]] for i, row in enumerate(rows())])
    assert len(import_photos(bare, tmp_path / "out").frames) == 10


def test_roles_splits_and_more_columns(bare: Path, tmp_path: Path) -> None:
    header = ["file", "lat", "lon", "role", "split", "altitude", "time", "heading"]
    body = [
        [*row, "query" if i % 5 == 0 else "database", "train" if i < 5 else "validation", 10 + i, 1.7e12 + i, 0]
        for i, row in enumerate(rows())
    ]
    table(bare, header, body)
    frames = import_photos(bare, tmp_path / "out").frames
    assert frames.splits == ["train", "val"] and all(len(frames.queries(s)["queries"]) == 1 for s in frames.splits)
    assert sorted(frames.position[:, 2].tolist()) == list(range(10, 20)) and frames.orientation is not None
    assert frames.time_s.min() == 1.7e9, "milliseconds, as Mapillary gives them"
    (tmp_path / "a.geojson").write_text('{"features": []}')
    write_areas(tmp_path / "a.geojson", Areas({"test": ((np.array([[0, 0], [9, 0], [9, 60], [0, 60], [0, 0]]),),)}))
    assert fault(bare, "both give splits", areas=tmp_path / "a.geojson")


def test_left_out_by_the_table(bare: Path, tmp_path: Path) -> None:
    body = rows()
    body[0][1], body[1][1], body[2][1:] = "", 95.5, [0, 0]
    body[3][0] = "images/other.jpg"
    body.append(["../../../../etc/passwd.jpg", LAT, LON])
    table(bare, ["file", "lat", "lon"], body)
    report = import_photos(bare, tmp_path / "out")
    assert report.left == {
        "named in t.csv but not there": ("images/other.jpg", "../../../../etc/passwd.jpg"),
        "no position in t.csv": ("images/0.jpg",),
        "latitude outside -90 to 90 or longitude outside -180 to 180": ("images/1.jpg",),
        "position 0, 0, which a camera writes without a fix": ("images/2.jpg",),
        "not in t.csv": ("images/3.jpg",),
    }


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (["file", "Latitude"], "t.csv has no column for longitude; found file, Latitude: expected columns such as"),
        (["what", "lat", "lon"], "t.csv has no column for the file's name; found what, lat, lon"),
    ],
)
def test_a_column_that_is_missing(bare: Path, header: list[str], words: str) -> None:
    table(bare, header, [row[: len(header)] for row in rows()])
    assert fault(bare, words)


def test_a_table_of_something_else_is_not_used(walk: Path, tmp_path: Path) -> None:
    table(walk, ["name", "colour"], [["a", "red"]], "colours.csv")
    report = import_photos(walk, tmp_path / "out")
    assert report.notes == ("colours.csv was not used: expected columns such as filename, latitude, longitude",)
    assert fault(walk, "colours.csv has no column for latitude", table=walk / "colours.csv")


def test_two_tables_need_a_choice(bare: Path, tmp_path: Path) -> None:
    table(bare, ["file", "lat", "lon"], rows(), "u.csv")
    assert fault(bare, "has 2 tables of photographs (t.csv, u.csv); say which by --csv")
    assert len(import_photos(bare, tmp_path / "out", Choice(table=bare / "u.csv")).frames) == 10


def test_columns_that_are_swapped(bare: Path, walk: Path) -> None:
    table(bare, ["file", "lat", "lon"], [[row[0], 120.5, 24.1] for row in rows()])
    assert fault(bare, "row 2 has latitude 120.5, beyond 90 degrees", "the columns lat and lon are swapped")
    table(walk, ["file", "lat", "lon"], [[f"IMG_{i:04d}.jpg", row[2], row[1]] for i, row in enumerate(rows())])
    assert fault(walk, "are swapped, by the EXIF of 10 of 10 photographs; exchange the names")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({4: ["images/0.jpg", LAT, LON]}, "row 6 names 'images/0.jpg' again (as row 2); keep one"),
        ({i: [f"x{i}.jpg", LAT, LON] for i in range(10)}, "names none of the 10 photographs"),
    ],
)
def test_rows_that_are_wrong(bare: Path, change: dict[int, list], words: str) -> None:
    table(bare, ["file", "lat", "lon"], [change.get(i, row) for i, row in enumerate(rows())])
    assert fault(bare, words)


@pytest.mark.parametrize(
    ("column", "words"), [("role", "role 'maybe' is unknown; give query"), ("split", "'maybe' is")]
)
def test_words_that_are_unknown(bare: Path, column: str, words: str) -> None:
    table(bare, ["file", "lat", "lon", column], [[*row, "maybe"] for row in rows()])
    assert fault(bare, "row 2", words)


def test_a_table_that_is_none(bare: Path) -> None:
    (bare / "t.csv").write_bytes(b"")
    assert fault(bare, "t.csv is empty; expected columns such as")
    (bare / "t.csv").write_text("file,lat,lon\n")
    assert fault(bare, "t.csv has a header but no rows")
    (bare / "t.csv").write_bytes(b"file,lat,lon\n\xff\xfe,1,2")
    assert fault(bare, "t.csv is not UTF-8 text")


@pytest.mark.parametrize(
    ("text", "value"),
    [("48.5", 48.5), ("-48,5", -48.5), ("55 deg 41' 53.40\" N", 55.698166667), ("13° 11' 43.4\" W", -13.195388889)],
)
def test_degrees_as_people_and_tools_write_them(text: str, value: float) -> None:
    assert degrees(text) == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize("text", ["", "north", "48.5.5", "inf"])
def test_degrees_that_are_none(text: str) -> None:
    assert np.isnan(degrees(text))


def test_times_as_tools_write_them() -> None:
    moment = datetime(2024, 6, 1, 10, 0, tzinfo=UTC).timestamp()
    forms = ("2024-06-01T12:00:00+02:00", "2024-06-01 10:00:00", "2024:06:01 10:00:00", str(moment), str(moment * 1000))
    assert [seconds(form) for form in forms] == [moment] * 5 and seconds("noon") is None


def test_killed_and_run_again_it_is_the_same(walk: Path, tmp_path: Path) -> None:
    import_photos(walk, tmp_path / "a" / "set")
    code = """
import sys
from butf.importers import photos, pictures
read = pictures.read_bytes
count = iter(range(100))
def slow(path):
    if next(count) == 4:
        print("waiting", flush=True)
        sys.stdin.read()
    return read(path)
pictures.read_bytes = slow
photos.import_photos(sys.argv[1], sys.argv[2])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(walk), str(tmp_path / "b" / "set")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=files.REPO,
    )  # fmt: skip
    assert process.stdout.readline() == "waiting\n"
    with pytest.raises(BadInput, match=f"is being imported by process {process.pid}"):
        import_photos(walk, tmp_path / "b" / "set")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert os.listdir(tmp_path / "b") == [".set.importing"]
    report = import_photos(walk, tmp_path / "b" / "set")
    assert report.notes == ("went on with an import that was broken off: 4 of 10 frames were there",)

    def content(root: Path) -> dict[str, bytes]:
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    assert content(tmp_path / "a") == content(tmp_path / "b")


@pytest.mark.skipif(not (REAL / "lund_exif").is_dir(), reason="../shared/data/lund_exif is not beside the repository")
def test_real_photographs_with_exif(tmp_path: Path) -> None:
    """Against the positions that the same app wrote a second time, as JSON in the image description."""
    report = import_photos(REAL / "lund_exif", tmp_path / "lund")
    frames = report.frames
    assert len(frames) == 29 and report.left == {} and report.matched["test"] == (6, 6)
    for i in range(29):
        with Image.open(frames.image_path(i)) as picture:
            text = picture.getexif()[Base.ImageDescription]
        for key, column in (("MAPLatitude", frames.lat), ("MAPLongitude", frames.lon)):
            assert float(re.search(rf'"{key}":"([\d.]+)"', text)[1]) == pytest.approx(column[i], abs=5e-6)
    assert inspect(tmp_path / "lund").fine


@pytest.mark.skipif(not (REAL / "campus_gps").is_dir(), reason="../shared/data/campus_gps is not beside the repository")
def test_real_photographs_with_a_table(tmp_path: Path) -> None:
    report = import_photos(REAL / "campus_gps", tmp_path / "campus")
    frames = report.frames
    assert len(frames) == 100 and frames.origin["utm_zone"] == "18N" and report.matched["test"][1] == 20
    with (REAL / "campus_gps" / "metadata.csv").open() as stream:
        wanted = sorted((float(row["Latitude"]), float(row["Longitude"])) for row in csv.DictReader(stream))
    np.testing.assert_allclose(sorted(zip(frames.lat, frames.lon, strict=True)), wanted, atol=1e-8)
    # A hundred photographs of one campus: all within a kilometre of each other.
    assert np.ptp(frames.position[:, :2], axis=0).max() < 1000
