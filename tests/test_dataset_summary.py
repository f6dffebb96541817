"""A data set in numbers and words, against plain counting and scipy's rotations."""

from __future__ import annotations

import csv
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from test_dataset_frames import rewrite

from butf.dataset.frames import Camera, Frames, PlaceRule
from butf.dataset.summary import (
    counts,
    depth_histogram,
    field_of_view,
    forward,
    looks_text,
    place_text,
    when_text,
    where_text,
)  # fmt: skip


def test_counts_are_those_of_the_table(tiny_dataset: Path, tiny_frames: Frames) -> None:
    with (tiny_dataset / "frames.csv").open(newline="") as stream:
        expected = Counter((row["traversal"], row["split"]) for row in csv.DictReader(stream))
    rows = counts(tiny_frames)
    assert [row.traversal for row in rows] == ["reference", "overcast", "night"]
    assert {(row.traversal, split): number for row in rows for split, number in row.frames.items()} == expected
    assert [(row.role, row.seen, row.total) for row in rows] == [
        ("reference", True, 12), ("query", True, 12), ("query", False, 12),
    ]  # fmt: skip
    assert [row.traversal for row in counts(tiny_frames.take(tiny_frames.where(traversal="night")))] == ["night"]


def test_field_of_view() -> None:
    assert field_of_view(Camera("a", 200, 100, 100.0, 50.0, 100.0, 50.0)) == pytest.approx((90, 90))
    off_centre = Camera("b", 200, 100, 100.0, 100.0, 0.0, 25.0)
    expected = (math.degrees(math.atan(2)), math.degrees(math.atan(0.25) + math.atan(0.75)))
    assert field_of_view(off_centre) == pytest.approx(expected)


def test_the_histogram_holds_every_measured_pixel(tiny_frames: Frames) -> None:
    histogram = depth_histogram(tiny_frames)
    maps = [tiny_frames.modality(i, "depth") for i in range(36)]
    metres = np.concatenate([side.values[side.valid] for side in maps if side is not None])
    assert (histogram.read, histogram.have) == (35, 35)
    assert histogram.share.sum() + histogram.below + histogram.above == pytest.approx(1)
    assert histogram.measured == pytest.approx(len(metres) / (35 * 64 * 96))
    for low, high, share in zip(histogram.edges, histogram.edges[1:-1], histogram.share, strict=False):
        assert share == pytest.approx(((metres >= low) & (metres < high)).mean(), abs=1e-9)
    ratios = histogram.edges[1:] / histogram.edges[:-1]
    assert histogram.edges[[0, -1]] == pytest.approx([1, 100]) and ratios == pytest.approx(ratios[0])


def test_the_histogram_says_what_lies_outside_and_how_many_it_read(tiny_dataset: Path) -> None:
    text = (tiny_dataset / "dataset.json").read_text()
    (tiny_dataset / "dataset.json").write_text(text.replace('"near_m": 1.0', '"near_m": 5').replace("100.0", "9"))
    frames = Frames.load(tiny_dataset)
    histogram = depth_histogram(frames, maps=4)
    maps = [frames.modality(i, "depth") for i in (0, 11, 22, 34)]  # the 35 that have depth, in four even steps
    metres = np.concatenate([side.values[side.valid] for side in maps])
    assert (histogram.read, histogram.have) == (4, 35)
    assert (histogram.below, histogram.above) == pytest.approx(((metres < 5).mean(), (metres > 9).mean()))


def test_without_depth_there_is_no_histogram(tiny_dataset: Path) -> None:
    for path in tiny_dataset.glob("*/depth/*.png"):
        path.unlink()
    assert depth_histogram(Frames.load(tiny_dataset)) is None


def test_forward_is_the_third_axis_of_the_rotation() -> None:
    for rotation in Rotation.random(50, rng=np.random.default_rng(0)):
        x, y, z, w = rotation.as_quat()
        assert forward(np.array([w, x, y, z])) == pytest.approx(rotation.apply([0, 0, 1]))


@pytest.mark.parametrize(
    ("yaw", "pitch", "words"),
    [(0, 0, "north (0°), level"), (90, 12, "east (90°), 12° up"), (226, -5, "south-west (226°), 5° down")],
)
def test_which_way_a_camera_looks(tiny_frames: Frames, yaw: float, pitch: float, words: str) -> None:
    level_north = Rotation.from_matrix([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # x east, y down, z north
    turned = Rotation.from_euler("z", -yaw, degrees=True) * level_north * Rotation.from_euler("x", pitch, degrees=True)
    x, y, z, w = turned.as_quat()
    tiny_frames.orientation[3] = (w, x, y, z)
    assert looks_text(tiny_frames, 3) == words


def test_straight_down_has_no_heading(tiny_frames: Frames) -> None:
    x, y, z, w = Rotation.from_matrix([[1, 0, 0], [0, -1, 0], [0, 0, -1]]).as_quat()
    tiny_frames.orientation[0] = (w, x, y, z)
    assert looks_text(tiny_frames, 0) == "90° down"


def test_where_and_when_in_words(tiny_dataset: Path, tiny_frames: Frames) -> None:
    words = where_text(tiny_frames, 0)
    assert words.startswith(f"{tiny_frames.lat[0]:.6f}° N, {tiny_frames.lon[0]:.6f}° E, altitude 35.00 m")
    assert when_text(tiny_frames, 1) == "1.00 s of the recording"
    tiny_frames.time_s[0] = 1_700_000_000
    assert when_text(tiny_frames, 0) == "2023-11-14 22:13:20 UTC"
    gone = ("lat", "lon", "time_s", "qw", "qx", "qy", "qz")
    rewrite(tiny_dataset, **dict.fromkeys(gone), easting_m=[-1.5] * 36)
    (tiny_dataset / "dataset.json").write_text("{}")
    bare = Frames.load(tiny_dataset)
    assert where_text(bare, 0) == "1.50 m west, 5405000.00 m north, 35.00 m up"
    assert (when_text(bare, 0), looks_text(bare, 0)) == ("", "")


def test_the_rule_of_places_in_words() -> None:
    assert place_text(PlaceRule(25.0)) == "within 25 m"
    assert place_text(PlaceRule(0.25, 20.0)) == "within 0.25 m and turned by no more than 20°"
