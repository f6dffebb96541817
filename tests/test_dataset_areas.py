"""Areas: the even-odd rule against a slow winding of angles, and the file against the standard."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from butf.dataset.areas import Areas, contains, read_areas, write_areas
from butf.dataset.frames import Frames
from butf.errors import BadInput


def inside_by_angles(ring: np.ndarray, point: np.ndarray) -> bool:
    """Whether the angles under which a point sees the edges of a simple ring add up to a full turn."""
    turn = 0.0
    for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        (ax, ay), (bx, by) = a - point, b - point
        turn += math.atan2(ax * by - ay * bx, ax * bx + ay * by)
    return abs(turn) > math.pi


def star(rng: np.random.Generator, corners: int) -> np.ndarray:
    """A simple polygon that is not convex."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = rng.uniform(0.2, 1.0, corners)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_even_odd_rule_matches_winding(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ring, points = star(rng, 9), rng.uniform(-1, 1, (400, 2))
    wanted = [inside_by_angles(ring, point) for point in points]
    assert contains((ring,), points).tolist() == wanted and 0 < sum(wanted) < 400
    closed = np.vstack([ring, ring[:1]])
    assert contains((closed,), points).tolist() == wanted


def test_many_points_equal_points_one_by_one() -> None:
    rng = np.random.default_rng(0)
    ring, points = star(rng, 300), rng.uniform(-1, 1, (2000, 2))
    np.testing.assert_array_equal(contains((ring,), points), [contains((ring,), p[None])[0] for p in points])


def test_holes_are_outside() -> None:
    box = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], float)
    hole = box / 2 + 1
    assert contains((box, hole), np.array([[0.5, 0.5], [2, 2], [3.5, 2], [5, 2]])).tolist() == [
        True,
        False,
        True,
        False,
    ]


def test_vertex_on_the_ray_counts_once() -> None:
    diamond = np.array([[0, -1], [1, 0], [0, 1], [-1, 0]], float)
    assert contains((diamond,), np.array([[0, 0], [-2, 0], [-2, 1], [0.5, 0]])).tolist() == [True, False, False, True]


def test_neighbouring_areas_leave_no_gap_and_share_nothing() -> None:
    left, right = (np.array([[x, 0], [x + 1, 0], [x + 1, 1], [x, 1]], float) for x in (0, 1))
    border = np.stack([np.ones(50), np.linspace(0.01, 0.99, 50)], axis=1)
    assert (contains((left,), border) ^ contains((right,), border)).all()


def test_split_of_follows_the_areas_and_the_first_wins() -> None:
    big, small = (np.array([[0, 0], [s, 0], [s, s], [0, s]], float) for s in (4, 2))
    areas = Areas({"test": ((small,),), "train": ((big,), (big + 10,))})
    points = np.array([[1, 1], [3, 3], [11, 11], [8, 8]], float)
    assert areas.split_of(points).tolist() == ["test", "train", "train", ""]


def test_file_comes_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ring, hole = star(rng, 7), star(rng, 5) / 10
    written = Areas({"val": ((ring, hole),), "test": ((ring + 3,),)}, (star(rng, 4),), ((ring / 2,),))
    write_areas(tmp_path / "areas.geojson", written)
    read = read_areas(tmp_path / "areas.geojson")
    assert list(read.areas) == ["val", "test"] and len(read.streets) == len(read.buildings) == 1
    np.testing.assert_allclose(read.streets[0], written.streets[0], atol=1e-8)
    np.testing.assert_allclose(read.areas["val"][0][1][:-1], hole, atol=1e-8)
    points = rng.uniform(-1, 4, (500, 2))
    assert read.split_of(points).tolist() == written.split_of(points).tolist()


def test_file_is_standard_geojson(tiny_dataset: Path) -> None:
    value = json.loads((tiny_dataset / "areas.geojson").read_text())
    assert value["type"] == "FeatureCollection"
    for feature in value["features"]:
        form, coordinates = feature["geometry"]["type"], feature["geometry"]["coordinates"]
        assert feature["type"] == "Feature" and form in ("Polygon", "LineString")
        for ring in coordinates if form == "Polygon" else []:
            assert ring[0] == ring[-1] and len(ring) >= 4


def test_areas_of_the_small_street_hold_its_frames(tiny_frames: Frames, tiny_dataset: Path) -> None:
    areas = read_areas(tiny_dataset / "areas.geojson")
    points = np.stack([tiny_frames.lon, tiny_frames.lat], axis=1)
    assert areas.split_of(points).tolist() == tiny_frames.split.tolist()


def test_multipolygon_and_foreign_features_are_understood(tmp_path: Path) -> None:
    ring = [[0, 0], [1, 0], [1, 1], [0, 0]]
    features = [
        {
            "properties": {"kind": "area", "split": "train"},
            "geometry": {"type": "MultiPolygon", "coordinates": [[ring], [ring]]},
        },
        {"properties": None, "geometry": {"type": "Point", "coordinates": [0, 0]}},
    ]
    (tmp_path / "x.geojson").write_text(json.dumps({"features": features}))
    assert [len(polygons) for polygons in read_areas(tmp_path / "x.geojson").areas.values()] == [2]


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (
            {
                "properties": {"kind": "area", "split": "all"},
                "geometry": {"type": "Polygon", "coordinates": [[[0, 0]] * 4]},
            },
            "split is 'all'",
        ),
        (
            {"properties": {"kind": "street"}, "geometry": {"type": "LineString", "coordinates": [[0, 0]]}},
            "at least 2 points",
        ),
        (
            {
                "properties": {"kind": "street"},
                "geometry": {"type": "LineString", "coordinates": [[0, 0], [448000, 54]]},
            },
            "out of range",
        ),
        ({"properties": {"kind": "street"}, "geometry": None}, "broken"),
        ({"kind": "street"}, "broken"),
        (7, "broken"),
    ],
)
def test_broken_feature_is_named(tmp_path: Path, feature: object, words: str) -> None:
    (tmp_path / "x.geojson").write_text(json.dumps({"features": [feature]}))
    with pytest.raises(BadInput, match=words) as error:
        read_areas(tmp_path / "x.geojson")
    assert "x.geojson: feature 1" in str(error.value) and "\n" not in str(error.value)


def test_no_feature_collection_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.geojson").write_text("[1]")
    with pytest.raises(BadInput, match="FeatureCollection"):
        read_areas(tmp_path / "x.geojson")
