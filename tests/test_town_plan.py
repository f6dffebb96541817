"""The town's plan: districts apart, routes, poses, what stays and what changes between traversals."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import utm
from scipy.spatial.transform import Rotation

from butf.errors import BadInput
from butf.town.classes import CLASS
from butf.town.conditions import CONDITIONS
from butf.town.config import LIMITS, SPLITS, TownConfig, parse_setting, preset
from butf.town.district import District
from butf.town.plan import HALF_ROAD, make_plan
from butf.town.traffic import Traffic
from butf.town.traversal import make_poses, quaternions, to_lat_lon, to_utm
from butf.town.writer import places

PAPER = preset("paper")
SMALL = TownConfig(seed=5, train_places=30, val_places=20, test_places=20, facade_pool=3, block_types=2)


@pytest.fixture(scope="module")
def plans():
    return {split: make_plan(PAPER, split) for split in SPLITS}


@pytest.fixture(scope="module")
def district():
    return District(SMALL, "train")


def test_presets_have_the_promised_sizes():
    assert PAPER.train_places >= 1500 and PAPER.val_places >= 600 and PAPER.test_places >= 600
    demo = preset("demo")
    assert len(places(demo, "test", "reference")) == 600 and len(places(demo, "test", "night")) == 150
    assert len(places(demo, "train", "snow")) == len(places(demo, "val", "reference")) == 60
    for split in SPLITS:
        assert set(places(demo, split, "rain")) <= set(places(PAPER, split, "rain"))
        gaps = np.diff(places(demo, split, "rain"))
        assert gaps.max() - gaps.min() <= 1
    assert demo.changed(train_kept=0, val_kept=0, test_queries_kept=0) == PAPER


def test_districts_lie_at_least_100_m_apart(plans):
    for a, b in combinations(SPLITS, 2):
        one, other = (plans[split].nodes.reshape(-1, 2) for split in (a, b))
        gap = np.maximum(one.min(0) - other.max(0), other.min(0) - one.max(0)).max()
        assert gap > 100 + 2 * 30  # a row of buildings stands round the outer streets
        routes = plans[a].centre, plans[b].centre
        assert np.linalg.norm(routes[0][:, None] - routes[1][None], axis=2).min() > 200


def test_routes_use_no_street_twice_and_are_long_enough(plans):
    for split, plan in plans.items():
        streets = [frozenset(pair) for pair in pairwise(plan.route_nodes)]
        assert len(streets) == len(set(streets))
        for a, b in pairwise(plan.route_nodes):
            assert abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1
        poses = make_poses(PAPER, plan, CONDITIONS["reference"])
        assert len(poses.yaw) == PAPER.places(split)
        steps = np.linalg.norm(np.diff(poses.position, axis=0), axis=1)
        assert 4.2 < np.median(steps) < 4.8 and steps.max() < 8


def test_camera_stays_on_the_road(plans):
    plan = plans["val"]
    line = np.array([plan.nodes[node] for node in plan.route_nodes])
    for condition in CONDITIONS.values():
        poses = make_poses(PAPER, plan, condition)
        assert np.abs(poses.side).max() < HALF_ROAD - 2.2
        for k in (0, len(poses.yaw) // 2, len(poses.yaw) - 1):
            ends = np.stack([line[:-1], line[1:]])
            along = ends[1] - ends[0]
            t = np.clip(((poses.position[k, :2] - ends[0]) * along).sum(1) / (along**2).sum(1), 0, 1)
            assert np.linalg.norm(ends[0] + t[:, None] * along - poses.position[k, :2], axis=1).min() < 3.3


def test_queries_drift_and_look_aside_within_the_limits(plans):
    plan = plans["val"]
    reference = make_poses(PAPER, plan, CONDITIONS["reference"])
    assert np.allclose(reference.yaw, reference.course)
    for name, condition in CONDITIONS.items():
        if name == "reference":
            continue
        poses = make_poses(PAPER, plan, condition)
        offset, turn = np.abs(poses.side - 1.6), np.degrees(np.abs(poses.yaw - poses.course))
        assert offset.max() <= PAPER.lane_offset_m + 1e-9 and turn.max() <= PAPER.heading_deg + 1e-9
        assert offset.max() > 0.5 * PAPER.lane_offset_m * condition.lane and turn.max() > 5
        assert np.abs(np.diff(poses.side)).max() < 1.0
        stagger = poses.along - reference.along
        assert stagger.min() >= 0 and stagger.max() < PAPER.spacing_m and stagger.std() > 1


def test_positions_agree_with_latitude_and_longitude(plans):
    position = to_utm(make_poses(PAPER, plans["train"], CONDITIONS["snow"]).position)
    lat, lon = to_lat_lon(position[:, 0], position[:, 1])
    easting, northing, zone, _ = utm.from_latlon(lat, lon)
    assert zone == 30
    assert np.hypot(easting - position[:, 0], northing - position[:, 1]).max() < 0.01


def test_quaternions_turn_the_camera_axes_into_the_world():
    yaw = np.random.default_rng(0).uniform(-7, 7, 20)
    turns = Rotation.from_quat(quaternions(yaw), scalar_first=True)
    np.testing.assert_allclose(turns.apply([0, 0, 1]), np.stack([np.cos(yaw), np.sin(yaw), 0 * yaw], 1), atol=1e-12)
    np.testing.assert_allclose(turns.apply([1, 0, 0]), np.stack([np.sin(yaw), -np.cos(yaw), 0 * yaw], 1), atol=1e-12)
    np.testing.assert_allclose(turns.apply([0, 1, 0]), [[0, 0, -1]] * 20, atol=1e-12)


def test_streets_and_junctions_share_their_corners(district):
    mesh = district.static
    flat = (mesh.points[:, :, 2] == 0).all(1) & (mesh.table[:, 14] == 0)
    corners, counts = np.unique(np.round(mesh.points[flat].reshape(-1, 3)[:, :2], 3), axis=0, return_counts=True)
    kerbs = district.plan.block_corners(1, 1, HALF_ROAD) - district.origin
    for corner in kerbs:
        near = np.linalg.norm(corners - corner, axis=1) < 2e-3
        assert counts[near].sum() >= 4  # a junction and two streets meet there


def test_facades_stay_and_parked_cars_shops_and_leaves_change(district):
    again = District(SMALL, "train")
    assert np.array_equal(district.static.points, again.static.points)
    assert np.array_equal(district.atlas.texels, again.atlas.texels)
    one, other = (district.dynamic(CONDITIONS[name]) for name in ("overcast", "snow"))
    assert len(one.points) != len(other.points)
    kinds = [set(np.unique(district.dynamic(CONDITIONS[name]).table[:, 14]).astype(int)) for name in ("snow", "rain")]
    assert all(CLASS["building"] not in kind for kind in kinds)
    same = district.dynamic(CONDITIONS["overcast"])
    assert np.array_equal(one.points, same.points) and np.array_equal(one.table, same.table)


def test_nothing_changes_where_the_knobs_say_so():
    still = SMALL.changed(change=0.0, occupancy=0.0, traffic=0.0, trees=0.0, hoardings=0.0)
    district = District(still, "val")
    shops = [district._ground_floors(CONDITIONS[name]) for name in ("overcast", "night")]
    assert np.array_equal(shops[0].table, shops[1].table)
    assert len(district._parked(CONDITIONS["night"]).points) == 0
    poses = make_poses(still, district.plan, CONDITIONS["night"])
    mesh, middles = Traffic(still, district.plan, CONDITIONS["night"], poses, district.fleet).at(3)
    assert len(mesh.points) == 0 and len(middles) == 0


def test_traffic_keeps_clear_of_the_camera():
    busy = SMALL.changed(traffic=1.0)
    district = District(busy, "val")
    seen = 0
    for name in ("lowsun", "night"):
        poses = make_poses(busy, district.plan, CONDITIONS[name])
        traffic = Traffic(busy, district.plan, CONDITIONS[name], poses, district.fleet)
        for index in range(len(poses.yaw)):
            mesh, middles = traffic.at(index)
            seen += len(middles)
            if len(mesh.points):
                ground = mesh.points.reshape(-1, 3)[:, :2] - poses.position[index, :2]
                assert np.linalg.norm(ground, axis=1).min() > 0.5
    assert seen > 40


@pytest.mark.parametrize("name", LIMITS)
def test_settings_out_of_range_are_named(name):
    low, high = LIMITS[name]
    for value in (low - 1, high + 1, "many", None, float("nan")):
        with pytest.raises(BadInput, match=name):
            PAPER.changed(**{name: value})


def test_settings_from_the_command_line():
    assert parse_setting("facade_pool=8") == ("facade_pool", 8)
    assert PAPER.changed(**dict([parse_setting("season=0.5")])).season == 0.5
    for text in ("facade_pool", "facade_pool=some"):
        with pytest.raises(BadInput, match="facade_pool"):
            parse_setting(text)
    with pytest.raises(BadInput, match="unknown town setting"):
        PAPER.changed(colour=3)
    with pytest.raises(BadInput, match="multiples of 4"):
        PAPER.changed(width=250)
    with pytest.raises(BadInput, match="preset"):
        preset("huge")
