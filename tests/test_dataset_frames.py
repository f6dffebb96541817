"""The frame table against plain readings of the same files."""

from __future__ import annotations

import csv
import hashlib
import itertools
import math
import os
from pathlib import Path

import numpy as np
import pytest
import utm
from conftest import edit_json, write_tiny_dataset
from PIL import Image
from scipy.spatial.transform import Rotation

from butf.dataset.frames import Frames, PlaceRule, find_datasets, write_frames
from butf.dataset.noise import add_noise
from butf.dataset.table import Table
from butf.errors import BadInput


def rewrite(root: Path, **columns: object) -> None:
    """Set or (with None) remove columns of frames.csv with the csv module alone."""
    with (root / "frames.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for name, values in columns.items():
        for row, value in zip(rows, itertools.repeat(None) if values is None else values, strict=False):
            row.pop(name, None)
            if value is not None:
                row[name] = str(value)
    with (root / "frames.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def bare_dataset(root: Path, rng: np.random.Generator, n: int = 60) -> Path:
    """A data set of poses alone in a local frame, two traversals without roles."""
    quaternion = Rotation.random(n, rng=rng).as_quat()
    east, north, up = rng.uniform(0, 2, (3, n))
    table = {
        "frame": [f"{'ab'[i % 2]}/{i:03d}" for i in range(n)],
        "split": rng.choice(["train", "test"], n),
        "easting_m": east,
        "northing_m": north,
        "altitude_m": up,
        **dict(zip(("qx", "qy", "qz", "qw"), quaternion.T, strict=True)),
    }
    write_frames(root, table, {"place": {"radius_m": 0.6, "angle_deg": 70.0}})
    return root


def test_every_value_comes_back(tiny_dataset: Path) -> None:
    frames = Frames.load(tiny_dataset)
    with (tiny_dataset / "frames.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(frames) == len(rows) == 36
    for i, row in enumerate(rows):
        assert [frames.frame[i], frames.traversal[i], frames.condition[i], frames.split[i]] == list(row.values())[:4]
        numbers = [frames.time_s[i], frames.lat[i], frames.lon[i], *frames.position[i], *frames.orientation[i]]
        assert numbers == pytest.approx([float(value) for value in list(row.values())[4:]], abs=1e-9)


def test_writer_keeps_tenths_of_a_millimetre(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    east, north = rng.uniform(1e5, 9e5, 50), rng.uniform(0, 1e7, 50)
    columns = {"frame": [f"a/{i}" for i in range(50)], "split": ["test"] * 50, "easting_m": east, "northing_m": north}
    write_frames(tmp_path, columns, {})
    read = Frames.load(tmp_path, pictures=False)
    assert np.abs(read.position[:, :2] - np.stack([east, north], axis=1)).max() < 1e-4
    assert (read.position[:, 2] == 0).all() and read.lat is None and read.orientation is None


def test_minimal_table_gets_traversals_and_conditions(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text("{}")
    (tmp_path / "frames.csv").write_text("split,northing_m,frame,easting_m\ntest,2,walk/x1,1\ntrain,5,run/x1,4\n\n")
    frames = Frames.load(tmp_path, pictures=False)
    assert frames.name == tmp_path.name and frames.position.tolist() == [[1, 2, 0], [4, 5, 0]]
    assert frames.traversal.tolist() == frames.condition.tolist() == ["walk", "run"]
    assert (frames.conditions, frames.splits, frames.seen("walk")) == (["walk", "run"], ["train", "test"], True)
    assert frames.time_s is None and frames.place == PlaceRule(25.0, None)


def test_conditions_of_the_table_are_taken_where_dataset_json_lists_no_traversals(tiny_dataset: Path) -> None:
    edit_json(tiny_dataset / "dataset.json", traversals=[])
    rewrite(tiny_dataset, condition=["sun"] * 12 + ["cloud"] * 24)
    frames = Frames.load(tiny_dataset)
    assert frames.conditions == ["sun", "cloud"]
    assert len(frames.where(condition="cloud", split="val")) == 4


def test_latitudes_alone_become_utm(tiny_dataset: Path) -> None:
    whole = Frames.load(tiny_dataset)
    rewrite(tiny_dataset, easting_m=None, northing_m=None)
    for origin in ({"utm_zone": "31N"}, None):
        edit_json(tiny_dataset / "dataset.json", origin=origin)
        np.testing.assert_allclose(Frames.load(tiny_dataset).position, whole.position, atol=1e-3)


def test_utm_alone_becomes_latitudes(tiny_dataset: Path) -> None:
    whole = Frames.load(tiny_dataset)
    rewrite(tiny_dataset, lat=None, lon=None)
    read = Frames.load(tiny_dataset)
    assert np.abs(read.lat - whole.lat).max() < 1e-8 and np.abs(read.lon - whole.lon).max() < 1e-8


def test_southern_zone_has_its_false_northing(tmp_path: Path) -> None:
    lat, lon = [-33.8568, -33.8570], [151.2153, 151.2160]
    columns = {"frame": ["a/0", "a/1"], "split": ["test"] * 2, "lat": lat, "lon": lon}
    for zone in ("56S", "56H", None):
        write_frames(tmp_path, columns, {"origin": zone and {"utm_zone": zone}})
        position = Frames.load(tmp_path, pictures=False).position
        for row in range(2):
            assert position[row, :2] == pytest.approx(utm.from_latlon(lat[row], lon[row])[:2], abs=1e-6)


def test_zone_is_one_for_all_frames_across_its_border(tmp_path: Path) -> None:
    lon = 6 + np.linspace(-1e-4, 1e-4, 9)
    columns = {"frame": [f"a/{i}" for i in range(9)], "split": ["test"] * 9, "lat": [50.0] * 9, "lon": lon}
    write_frames(tmp_path, columns, {})
    steps = np.diff(Frames.load(tmp_path, pictures=False).position[:, 0])
    parallel_m = math.radians(2.5e-5) * 6378137 / math.sqrt(1 - 0.00669438 * math.sin(math.radians(50)) ** 2)
    assert steps == pytest.approx([parallel_m * math.cos(math.radians(50))] * 8, rel=2e-3)


def test_where_matches_a_loop(tiny_frames: Frames) -> None:
    values = [(None, *tiny_frames.splits), (None, *tiny_frames.conditions), (None, "reference", "night")]
    for split, condition, traversal in itertools.product(*values):
        wanted = [
            i
            for i in range(len(tiny_frames))
            if split in (None, tiny_frames.split[i])
            and condition in (None, tiny_frames.condition[i])
            and traversal in (None, tiny_frames.traversal[i])
        ]
        found = tiny_frames.where(split=split, condition=condition, traversal=traversal)
        assert found.tolist() == wanted and found.dtype == np.int64


@pytest.mark.parametrize("value", [{"split": "tset"}, {"condition": "fog"}, {"traversal": "nowhere"}])
def test_unknown_value_is_bad_input(tiny_frames: Frames, value: dict) -> None:
    with pytest.raises(BadInput, match="give one of"):
        tiny_frames.where(**value)


def test_absent_split_is_empty(tmp_path: Path) -> None:
    frames = Frames.load(bare_dataset(tmp_path, np.random.default_rng(0)), pictures=False)
    assert len(frames.where(split="val")) == len(frames.database("val")) == 0 and frames.queries("val") == {}


def test_take_keeps_rows_together(tiny_frames: Frames) -> None:
    rows = [30, 2, 17]
    taken = tiny_frames.take(rows)
    assert taken.frame.tolist() == [tiny_frames.frame[row] for row in rows]
    assert taken.image(0).tobytes() == tiny_frames.image(30).tobytes()
    np.testing.assert_array_equal(taken.position, tiny_frames.position[rows])
    np.testing.assert_array_equal(taken.orientation, tiny_frames.orientation[rows])


def test_reference_is_the_database_and_the_rest_asks(tiny_frames: Frames) -> None:
    assert tiny_frames.frame[tiny_frames.database("test")].tolist() == [f"reference/{i:06d}" for i in range(8, 12)]
    queries = tiny_frames.queries("test")
    assert {name: len(rows) for name, rows in queries.items()} == {"overcast": 4, "night": 4}
    assert all((tiny_frames.condition[rows] == name).all() for name, rows in queries.items())
    assert [tiny_frames.seen(name) for name in tiny_frames.conditions] == [True, True, False]


def test_without_reference_every_frame_is_in_both_but_never_finds_itself(tmp_path: Path) -> None:
    frames = Frames.load(bare_dataset(tmp_path, np.random.default_rng(0)), pictures=False)
    database, queries = frames.database("test"), frames.queries("test")
    assert sorted(np.concatenate(list(queries.values()))) == database.tolist() == frames.where(split="test").tolist()
    assert not frames.positives(database, database, PlaceRule(100.0, 180.0)).diagonal().any()
    assert frames.positives(database, database, PlaceRule(100.0, 180.0)).sum() == len(database) * (len(database) - 1)


@pytest.mark.parametrize("rule", [None, PlaceRule(1.0), PlaceRule(0.8, 100.0)])
def test_positives_match_scipy_rotations(tmp_path: Path, rule: PlaceRule | None) -> None:
    frames = Frames.load(bare_dataset(tmp_path, np.random.default_rng(3)), pictures=False)
    queries, database = frames.where(split="test"), np.arange(len(frames))
    used = rule or PlaceRule(0.6, 70.0)
    turn = [Rotation.from_quat(q[[1, 2, 3, 0]]) for q in frames.orientation]
    same = frames.positives(queries, database, rule)
    for i, q in enumerate(queries):
        for j, d in enumerate(database):
            metres = math.dist(frames.position[q], frames.position[d])
            degrees = math.degrees((turn[q].inv() * turn[d]).magnitude())
            assert frames.distances(queries, database)[i, j] == pytest.approx(metres, abs=1e-12)
            assert same[i, j] == (q != d and metres <= used.radius_m and degrees <= (used.angle_deg or 180))
    assert 0 < same.sum() < same.size / 2


def test_positives_in_blocks_equal_positives_at_once(tmp_path: Path) -> None:
    frames = Frames.load(bare_dataset(tmp_path, np.random.default_rng(3), n=1300), pictures=False)
    rows = np.arange(len(frames))
    one_by_one = np.concatenate([frames.positives(rows[i : i + 1], rows) for i in rows])
    np.testing.assert_array_equal(frames.positives(rows, rows), one_by_one)


def test_angle_rule_without_orientations_is_bad_input(tiny_dataset: Path) -> None:
    rewrite(tiny_dataset, qw=None, qx=None, qy=None, qz=None)
    frames = Frames.load(tiny_dataset)
    with pytest.raises(BadInput, match="no orientations"):
        frames.positives(np.arange(3), np.arange(3), PlaceRule(25.0, 20.0))


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".png"])
def test_picture_may_have_any_of_three_suffixes(tiny_dataset: Path, suffix: str) -> None:
    old = tiny_dataset / "reference" / "rgb" / "000004.jpg"
    picture = Image.open(old).copy()
    old.unlink()
    picture.save(old.with_suffix(suffix))
    frames = Frames.load(tiny_dataset)
    assert frames.image_path(4) == old.with_suffix(suffix)
    assert frames.image(4).size == (96, 64)


def test_noise_is_declared_clean_on_disk_and_always_the_same(tiny_dataset: Path) -> None:
    edit_json(tiny_dataset / "dataset.json", noise={"rgb": {"night": 0.02}})
    frames = Frames.load(tiny_dataset)
    night, day = 24, 0
    stored = np.asarray(Image.open(frames.image_path(night)).convert("RGB"), float)
    noisy = np.asarray(frames.image(night), float)
    inner = (stored > 30) & (stored < 225)
    gap = (noisy - stored)[inner]
    assert gap.std() == pytest.approx(0.02 * 255, rel=0.05) and abs(gap.mean()) < 0.3
    assert frames.image(night).tobytes() == Frames.load(tiny_dataset).take([night]).image(0).tobytes()
    assert frames.image(night).tobytes() != frames.image(night + 1).tobytes()
    assert frames.image(day).tobytes() == Image.open(frames.image_path(day)).convert("RGB").tobytes()


@pytest.mark.parametrize("std", [0.006, 0.4])
def test_noise_is_the_plain_sum_rounded_and_kept_within_0_to_255(std: float) -> None:
    values = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    key = "reference/000001 rgb"
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    drawn = np.random.default_rng(seed).standard_normal(values.size, dtype=np.float32)
    plain = [
        min(max(round(float(np.float32(value) + number * np.float32(255 * std))), 0), 255)
        for value, number in zip(values.ravel(), drawn, strict=True)
    ]
    before = values.copy()
    np.testing.assert_array_equal(add_noise(values, std, key).ravel(), plain)
    np.testing.assert_array_equal(values, before)
    assert add_noise(values, 0, key) is values


def test_a_picture_is_read_no_finer_than_needed_unless_noise_is_declared(tiny_dataset: Path) -> None:
    edit_json(tiny_dataset / "dataset.json", noise={"rgb": {"night": 0.02}})
    frames = Frames.load(tiny_dataset)
    night, day = 24, 0
    assert frames.image(day, least=16).size == (24, 16)
    assert frames.image(night, least=16).tobytes() == frames.image(night).tobytes()


def test_reflectance_noise_leaves_unmeasured_pixels_alone(tiny_dataset: Path) -> None:
    edit_json(tiny_dataset / "dataset.json", modalities={"reflectance": {}}, noise={"reflectance": 0.05})
    pixels = np.full((64, 96), 128, np.uint8)
    pixels[:10] = 0
    (tiny_dataset / "reference" / "reflectance").mkdir()
    Image.fromarray(pixels).save(tiny_dataset / "reference" / "reflectance" / "000000.png")
    side = Frames.load(tiny_dataset).modality(0, "reflectance")
    assert (side.values[:10] == 0).all() and not side.valid[:10].any() and side.valid[10:].all()
    assert side.values[10:].std() == pytest.approx(0.05, rel=0.05)
    assert side.values[10:].mean() == pytest.approx(128 / 255, abs=0.003)


def test_modality_is_none_where_there_is_no_file_or_none_declared(tiny_frames: Frames) -> None:
    last = len(tiny_frames) - 1
    assert tiny_frames.modality(last, "depth") is None and tiny_frames.modality_path(last, "depth") is None
    assert tiny_frames.modality(0, "reflectance") is None
    depth = tiny_frames.modality(0, "depth")
    raw = np.asarray(Image.open(tiny_frames.modality_path(0, "depth")))
    np.testing.assert_array_equal(depth.values, raw / np.float32(256))
    np.testing.assert_array_equal(depth.valid, raw > 0)


def test_datasets_are_found_by_folder_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUTF_DATA", str(tmp_path / "data"))
    for name in ("beta", "alpha", ".alpha.unfinished"):
        write_tiny_dataset(tmp_path / "data" / name)
    (tmp_path / "data" / "no-data-set").mkdir()
    found = find_datasets()
    ours = {name: path for name, path in found.items() if path.is_relative_to(tmp_path)}
    assert ours == {name: tmp_path / "data" / name for name in ("alpha", "beta")}


def test_a_hundred_thousand_rows_load_as_a_plain_reading_finds_them(tmp_path: Path) -> None:
    n = 100_000
    rng = np.random.default_rng(0)
    east, north = 450_000 + rng.uniform(0, 5000, n), 5_400_000 + rng.uniform(0, 5000, n)
    lat, lon = utm.to_latlon(east, north, 31, northern=True)
    quaternion = Rotation.random(n, rng=rng).as_quat()
    table = {
        "frame": [f"drive/{i:06d}" for i in range(n)],
        "traversal": ["drive"] * n,
        "condition": ["sun"] * n,
        "split": rng.choice(["train", "val", "test"], n),
        "time_s": np.arange(n) / 10,
        **{"lat": lat, "lon": lon, "easting_m": east, "northing_m": north, "altitude_m": np.zeros(n)},
        **dict(zip(("qx", "qy", "qz", "qw"), quaternion.T, strict=True)),
    }
    write_frames(tmp_path, table, {"origin": {"utm_zone": "31N"}})
    with (tmp_path / "frames.csv").open(newline="") as stream:
        rows = [[float(cell) for cell in row[4:]] for row in itertools.islice(csv.reader(stream), 1, None)]
    frames = Frames.load(tmp_path, pictures=False)
    assert len(frames) == len(rows) == n
    np.testing.assert_allclose(frames.position, np.array(rows)[:, 3:6])


def test_listing_of_pictures_ignores_other_files(tiny_dataset: Path) -> None:
    folder = tiny_dataset / "reference" / "rgb"
    (folder / "Thumbs.db").write_text("")
    os.rename(folder / "000003.jpg", folder / "000003.jpg.part")
    with pytest.raises(BadInput, match="reference/000003' has no picture"):
        Frames.load(tiny_dataset)
    assert len(Frames.load(tiny_dataset, pictures=False)) == 36


@pytest.mark.parametrize(
    "text",
    [
        "frame,split,lat\na/0,test,1\n",
        "frame,split,lat\na/0,test,1",
        " frame , split,lat,\na/0,test, 1 ,\nb/1,,,x\n",
        "frame,split\na/0,test\n,\n\n",
        "frame,split\na/0,NaN\nnull,-0\n",
        "frame,split\n,\na/0,test\n",
        'frame,split\n"a/0",test\nb/1,"te""st"\n',
        "frame,split\r\na/0,test\r\nb/1,val\r\n",
        "frame,split\na/0,t\u00e9st\n",
        "frame,split\n" + "".join(f"a/{i},test\n" for i in range(3000)),
    ],
)
def test_tables_read_by_column_are_as_the_csv_module_has_them(tmp_path: Path, text: str) -> None:
    path = tmp_path / "frames.csv"
    path.write_bytes(text.encode())
    with path.open(newline="") as stream:
        header, *rows = csv.reader(stream)
    while rows and not any(rows[-1]):
        rows.pop()
    expected = dict(zip([name.strip() for name in header], zip(*rows, strict=True), strict=True))
    assert Table(path).columns == expected


def test_many_pictures_are_found_as_one_by_one(tiny_dataset: Path) -> None:
    pictures = tiny_dataset / "overcast" / "rgb"
    (pictures / "000001.jpg").rename(pictures / "000001.png")
    (pictures / "000002.png").touch()
    (pictures / "000003.jpg").rename(pictures / "000003.jpeg")
    (pictures / "000003.png").touch()
    (pictures / "000004.txt").touch()
    frames = Frames.load(tiny_dataset)
    rows = frames.where(traversal="overcast")[::-1]
    found = frames.image_files(rows)
    assert found == [str(frames.image_path(int(row))) for row in rows]
    endings = {Path(path).stem: Path(path).suffix for path in found}
    assert [endings[f"{number:06d}"] for number in range(5)] == [".jpg", ".png", ".jpg", ".jpeg", ".jpg"]
    (pictures / "000004.jpg").unlink()
    with pytest.raises(BadInput, match=r"overcast/000004 has no picture; expected e[.]g[.] overcast/rgb/000004[.]jpg"):
        frames.image_files(rows)
