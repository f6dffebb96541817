"""Virtual things in a photo: where they land, how large, what hides them, and the pose's error."""

import itertools
import math

import numpy as np
import pytest
from PIL import Image

from butf.dataset.manifest import Camera
from butf.dataset.modalities import Map
from butf.pose import scene, things
from butf.pose.mesh import UP, box, flat_polygon, quads, turned
from butf.pose.occlusion import Screen, visible
from butf.pose.overlay import FINER, composed, exposure, overlay
from butf.pose.pose import Pose
from butf.pose.raster import rasterise, scaled
from butf.pose.route import route, spacing

CAMERA = Camera("c", 80, 60, 70.0, 74.0, 39.0, 28.0)
RED = (255.0, 0.0, 0.0)


def looking(heading_deg: float = 0.0, centre=(100.0, 200.0, 30.0), pitch_deg: float = 0.0) -> Pose:
    """A camera that looks along a heading clockwise from north, turned down by the pitch."""
    heading, pitch = math.radians(heading_deg), math.radians(pitch_deg)
    ahead = np.array([math.sin(heading), math.cos(heading), 0.0])
    right = np.cross(ahead, UP)
    forward = math.cos(pitch) * ahead - math.sin(pitch) * UP
    return Pose(np.stack([right, np.cross(forward, right), forward], axis=1), np.array(centre, float))


def pinhole(point: np.ndarray, camera: Camera, pose: Pose) -> tuple[float, float, float]:
    """The textbook's projection of one point, without anything of ours: pixel and depth."""
    x, y, z = (sum(pose.rotation[k, j] * (point[k] - pose.centre[k]) for k in range(3)) for j in range(3))
    return camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy, z


def patch(pose: Pose, x: float, y: float, z: float, half: float, colour=RED):
    """A small square parallel to the picture around a point of the camera's frame."""
    at = np.array([[x - half, y - half, z], [x + half, y - half, z], [x + half, y + half, z], [x - half, y + half, z]])
    return quads(pose.to_world(at)[None], np.array([colour]))


@pytest.mark.parametrize("heading, pitch", [(0, 0), (70, 5), (200, -8)])
def test_a_thing_lands_where_the_pinhole_camera_projects_it(heading, pitch):
    pose = looking(heading, pitch_deg=pitch)
    for x, y, z in ((0.4, -0.2, 6.0), (-2.0, 1.0, 12.0)):
        centre = pose.to_world(np.array([[x, y, z]]))[0]
        u, v, depth = pinhole(centre, CAMERA, pose)
        assert depth == pytest.approx(z)
        fine = scaled(CAMERA, 640, 480)
        layer = rasterise([patch(pose, x, y, z, 0.3)], fine, pose)
        rows, columns = np.nonzero(layer.opacity)
        assert columns.mean() + 0.5 == pytest.approx(8 * u, abs=0.6)
        assert rows.mean() + 0.5 == pytest.approx(8 * v, abs=0.6)
        assert np.allclose(layer.z[layer.opacity > 0], z)
        wide, tall = 8 * CAMERA.fx * 0.6 / z, 8 * CAMERA.fy * 0.6 / z
        assert len(rows) == pytest.approx(wide * tall, rel=0.06)


def test_sizes_go_with_one_over_the_distance():
    pose, fine = looking(), scaled(CAMERA, 1280, 960)
    areas = [(rasterise([patch(pose, 0, 0, z, 0.5)], fine, pose).opacity > 0).sum() for z in (4.0, 8.0, 16.0)]
    assert areas[0] / areas[1] == pytest.approx(4, rel=0.03)
    assert areas[1] / areas[2] == pytest.approx(4, rel=0.03)


def test_every_pixel_has_the_depth_that_its_own_ray_meets():
    """A slanting triangle against the intersection of each pixel's ray with its plane, one pixel after the other."""
    pose = looking(30, pitch_deg=4)
    corners = np.array([[-2.0, 1.5, 4.0], [3.0, 1.0, 15.0], [0.5, -2.0, 9.0]])
    mesh = flat_polygon(pose.to_world(corners), RED)
    layer = rasterise([mesh], CAMERA, pose)
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    met = 0
    for row, column in itertools.product(range(CAMERA.height), range(CAMERA.width)):
        ray = np.array([(column + 0.5 - CAMERA.cx) / CAMERA.fx, (row + 0.5 - CAMERA.cy) / CAMERA.fy, 1.0])
        z = normal @ corners[0] / (normal @ ray)
        sides = [np.cross(corners[(i + 1) % 3] - corners[i], z * ray - corners[i]) @ normal for i in range(3)]
        inside = z > 0 and min(sides) > 1e-6 * abs(normal @ normal)
        if inside:
            met += 1
            assert layer.z[row, column] == pytest.approx(z)
        elif min(sides) < -1e-6 * abs(normal @ normal):
            assert layer.opacity[row, column] == 0
    assert met > 100


def test_nearer_triangles_win_in_any_order():
    pose = looking()
    near, far = patch(pose, 0, 0, 5, 0.5, (0.0, 0.0, 255.0)), patch(pose, 0, 0, 9, 2.0)
    for meshes in ([near, far], [far, near]):
        layer = rasterise(meshes, CAMERA, pose)
        assert layer.z.min() == pytest.approx(5)
        assert (layer.z[(layer.opacity > 0) & (layer.colour[..., 2] == 0)] > 8.9).all()


def test_nothing_behind_the_camera_is_drawn_and_what_reaches_behind_is_cut():
    pose = looking()
    picture = Image.new("RGB", (80, 60), (90, 90, 90))
    behind = [patch(pose, 0, 0, -5.0, 2.0), *things.pin(scene_point(pose, -6.0), 2.0)]
    drawn = overlay(picture, CAMERA, pose, behind, width=80)
    assert np.array_equal(np.asarray(drawn), np.asarray(picture))
    strip = np.array([[-1.0, 1.5, -20.0], [1.0, 1.5, -20.0], [1.0, 1.5, 30.0], [-1.0, 1.5, 30.0]])
    layer = rasterise([quads(pose.to_world(strip)[None], np.array([RED]))], CAMERA, pose)
    rows, columns = np.nonzero(layer.opacity)
    assert rows.min() > CAMERA.cy, "ground is seen beneath the horizon alone"
    lowest = columns[rows == CAMERA.height - 1]
    depth = CAMERA.fy * 1.5 / (CAMERA.height - 0.5 - CAMERA.cy)
    assert len(lowest) == pytest.approx(2 * CAMERA.fx / depth, abs=1)
    assert np.allclose(layer.z[rows, columns], CAMERA.fy * 1.5 / (rows + 0.5 - CAMERA.cy))


def scene_point(pose: Pose, ahead: float) -> np.ndarray:
    return np.array([*scene.spot(pose, ahead, 0.5), pose.centre[2] - 1.5])


def test_a_texture_keeps_its_perspective():
    """The middle of a board that slants away is where its diagonals cross, not in the middle of its outline."""
    pose, fine = looking(), scaled(CAMERA, 1280, 960)
    corners = np.array([[-1.0, -1.0, 4.0], [1.0, -1.0, 12.0], [1.0, 1.0, 12.0], [-1.0, 1.0, 4.0]])
    texture = np.zeros((400, 400, 3), np.uint8)
    texture[:, 200:] = 255
    layer = rasterise([things.board(pose.to_world(corners), texture)], fine, pose)
    row = round(fine.cy)
    white = np.flatnonzero(layer.colour[row, :, 0] > 127)
    edge = fine.cx + fine.fx * 0.0 / 8.0
    outline = np.flatnonzero(layer.opacity[row])
    assert white[0] == pytest.approx(edge, abs=4)
    assert abs(white[0] - outline.mean()) > 50


def plain_visible(screen: Screen, z: np.ndarray, slack: np.ndarray, size: tuple[int, int], top: int, left: int):
    """The share of each pixel that is seen, cell by cell."""
    seen = np.zeros(z.shape)
    tall, wide = screen.depth.shape
    for row, column in np.ndindex(*z.shape):
        y = min(max((top + row + 0.5) * tall / size[0] - 0.5, 0), tall - 1)
        x = min(max((left + column + 0.5) * wide / size[1] - 0.5, 0), wide - 1)
        for i in range(tall):
            for j in range(wide):
                weight = max(0.0, 1 - abs(y - i)) * max(0.0, 1 - abs(x - j))
                hidden = screen.valid[i, j] and screen.depth[i, j] < z[row, column] * (1 - slack[row, column])
                seen[row, column] += weight * (not hidden)
    return seen


def test_occlusion_agrees_with_a_plain_loop():
    rng = np.random.default_rng(3)
    screen = Screen(rng.uniform(2, 20, (6, 9)), rng.random((6, 9)) > 0.2)
    size = 24, 30
    z, slack = rng.uniform(2, 20, (13, 17)), rng.uniform(0, 0.3, (13, 17))
    expected = plain_visible(screen, z, slack, size, 5, 9)
    rows, columns = (axis.ravel() for axis in np.mgrid[5:18, 9:26])
    found = visible(screen, z.ravel(), slack.ravel(), rows, columns, size)
    assert np.allclose(found, expected.ravel())
    assert 0.2 < expected.mean() < 0.8


def test_what_is_nearer_hides_and_sky_or_unknown_do_not():
    pose = looking()
    depth = np.full((60, 80), 8.0, np.float32)
    depth[:, :30], depth[:, 60:] = 3.0, 100.0
    valid = np.ones((60, 80), bool)
    valid[:, 30:40] = False
    screen = Screen.of(Map("depth", depth, valid), 100.0)
    layer = rasterise([patch(pose, 0, 0, 5, 3)], scaled(CAMERA, 160, 120), pose)
    photo = np.zeros((60, 80, 3), np.float32)
    drawn = composed(photo, layer, screen)[30, :, 0]
    assert (drawn[:29] == 0).all() and (drawn[31:] > 150).all()
    far = rasterise([patch(pose, 0, 0, 9, 6)], scaled(CAMERA, 160, 120), pose)
    drawn = composed(photo, far, screen)[30, :, 0]
    assert (drawn[41:59] == 0).all() and (drawn[31:39] > 150).all() and (drawn[61:] > 150).all()


def test_edges_are_averaged_and_the_rest_of_the_photo_is_left_alone():
    pose = looking()
    photo = np.random.default_rng(0).uniform(0, 255, (60, 80, 3)).astype(np.float32)
    layer = rasterise([patch(pose, 0.031, 0.017, 5, 0.5)], scaled(CAMERA, 80 * FINER, 60 * FINER), pose)
    result = composed(photo, layer, None)
    share = layer.opacity.reshape(60, 2, 80, 2).mean(axis=(1, 3))
    assert set(np.unique(share)) > {0.0, 0.5, 1.0}
    expected = photo * (1 - share[..., None]) + share[..., None] * np.array(layer.colour[layer.opacity > 0][0])
    assert np.allclose(result, expected, atol=1e-3)


def test_closed_bodies_have_their_volume():
    """The divergence theorem over the triangles of a box and of a surface of revolution, against the textbook."""

    def volume(mesh) -> float:
        middle = mesh.corners.reshape(-1, 3).mean(axis=0)
        a, b, c = np.moveaxis(mesh.corners - middle, 1, 0)
        return float(np.abs((np.cross(a, b) * c).sum(axis=1)).sum() / 6)  # convex: every face is seen from the middle

    colours = (RED, RED, RED)
    assert volume(box(np.array([3.0, 4.0, 5.0]), np.array([1.0, 2.0, 0.0]), (2, 3, 4), colours)) == pytest.approx(24)
    cone = turned([(0, 0), (2, 0), (0, 3)], np.zeros(3), 200, RED)
    assert volume(cone) == pytest.approx(math.pi * 4 * 3 / 3, rel=1e-3)


@pytest.mark.parametrize("name", list(things.OBJECTS))
def test_objects_stand_on_their_foot_and_are_as_tall_as_asked(name):
    foot = np.array([10.0, 20.0, 3.0])
    corners = np.concatenate([m.corners.reshape(-1, 3) for m in things.OBJECTS[name](foot, 2.5) if m.opacity == 1])
    assert corners[:, 2].min() == pytest.approx(3.0)
    assert corners[:, 2].max() == pytest.approx(5.5)
    assert np.abs(corners[:, :2].mean(axis=0) - foot[:2]).max() < 0.2


@pytest.mark.parametrize("facing", scene.FACINGS)
@pytest.mark.parametrize("right", [-4.0, 4.0])
def test_signs_are_read_from_left_to_right_and_stand_upright(facing, right):
    pose = looking(40)
    foot = np.array([*scene.spot(pose, 10.0, right), pose.centre[2] - 1.5])
    along = scene.reading(facing, pose, foot)
    face = things.sign(foot, along, "Sign", 3.0)[1]
    top_left, top_right, bottom_right = face.corners[0]
    pixels = [pinhole(corner, CAMERA, pose)[:2] for corner in (top_left, top_right, bottom_right)]
    assert pixels[0][0] < pixels[1][0], "not mirrored"
    assert pixels[1][1] < pixels[2][1], "not upside down"
    ahead = pose.rotation[:, 2]
    sight = things.level(foot - pose.centre)
    assert abs(along @ (sight if facing == "the camera" else np.cross(ahead, UP))) < 1e-9
    assert face.corners[..., 2].max() == pytest.approx(foot[2] + 3.0)


def test_arrows_lie_on_the_ground_along_the_path():
    path = np.array([[0.0, 0.0], [0.0, 20.0], [30.0, 20.0]])
    dark, bright = things.arrows(path, 7.0)
    assert len(dark.corners) == len(bright.corners) == 4 * 11, "one each 4 m from 5 to 45 m"
    assert bright.corners[..., 2] == pytest.approx(7.04)
    assert dark.corners[..., 2].max() < bright.corners[..., 2].min()
    tips = bright.corners[::4, 0, :2]
    reach = 5 + 4 * np.arange(11)
    expected = np.where(
        reach[:, None] <= 20, np.stack([0 * reach, reach], 1), np.stack([reach - 20, 20 + 0 * reach], 1)
    )
    assert np.allclose(tips, expected)
    assert things.arrows(path[:1], 7.0) == []


def test_the_route_follows_the_streets_around_a_block():
    east, north = np.arange(0, 101, 5.0), np.arange(5, 101, 5.0)
    places = np.concatenate([np.stack([east, 0 * east], 1), np.stack([100 + 0 * north, north], 1)])
    assert spacing(places) == pytest.approx(5)
    path = route(np.array([1.0, 1.5]), np.array([101.0, 98.0]), places)
    assert np.allclose(path[[0, -1]], [[1.0, 1.5], [101.0, 98.0]])
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    assert 185 < length < 200, "along the streets, corners cut by one step at most"
    assert ((np.abs(path[1:-1, 1]) < 1e-9) | (np.abs(path[1:-1, 0] - 100) < 1e-9)).all()
    apart = np.concatenate([places, [[500.0, 500.0], [505.0, 500.0]]])
    assert len(route(np.array([1.0, 0.0]), np.array([503.0, 500.0]), apart)) == 2, "nothing leads there: straight"
    assert len(route(np.array([1.0, 0.0]), np.array([9.0, 2.0]), places)) == 2, "near: straight"
    assert len(route(np.array([1.0, 0.0]), np.array([90.0, 2.0]), places[:1])) == 2


@pytest.mark.parametrize("metres, degrees", [(0.0, 1.0), (0.5, 0.0), (1.0, 3.0)])
def test_an_error_is_as_large_as_asked_and_moves_things_left(metres, degrees):
    pose = looking(77, pitch_deg=3)
    wrong = scene.erring(pose, metres, degrees)
    assert pose.metres_to(wrong) == pytest.approx(metres)
    assert pose.degrees_to(wrong) == pytest.approx(degrees)
    point = np.array([*scene.spot(pose, 20.0, 0.0), pose.centre[2]])
    moved = scene.pixel_of(point, CAMERA, wrong)[0] - scene.pixel_of(point, CAMERA, pose)[0]
    assert moved < 0
    level = scene.erring(looking(77), metres, degrees)
    expected = -CAMERA.fx * math.tan(math.radians(degrees) + math.atan2(metres, 20.0))
    assert scene.pixel_of(point, CAMERA, level)[0] - CAMERA.cx == pytest.approx(expected, rel=1e-6)


def test_spots_on_the_map_and_ahead_of_the_camera_are_the_same():
    pose = looking(123, pitch_deg=6)
    assert scene.seen_at(pose, scene.spot(pose, 12.5, -3.0)) == pytest.approx((12.5, -3.0))
    north = looking(0)
    assert scene.spot(north, 10, 2) == pytest.approx([102.0, 210.0])
    assert scene.pixel_of(np.array([100.0, 190.0, 30.0]), CAMERA, north) is None


def test_the_ground_is_found_by_depth_of_any_size_or_said_to_be_guessed():
    pose = looking(10, pitch_deg=5)
    rows, columns = np.mgrid[0:30, 0:40]
    ray = np.stack(
        [(2 * (columns + 0.5) - CAMERA.cx) / CAMERA.fx, (2 * (rows + 0.5) - CAMERA.cy) / CAMERA.fy, np.ones((30, 40))],
        -1,
    )
    down = -(ray @ pose.rotation.T)[..., 2]
    depth = np.where(down > 1e-3, 1.7 / np.maximum(down, 1e-3), 90.0)
    side = Map("depth", depth.astype(np.float32), down > 0)
    assert scene.ground_below(side, CAMERA, pose) == (pytest.approx(1.7, abs=1e-3), True)
    assert scene.ground_below(None, CAMERA, pose) == (1.5, False)
    assert scene.ground_below(Map("depth", 20 * side.values, side.valid), CAMERA, pose) == (1.5, False)
    assert scene.ground_below(Map("depth", side.values, side.valid & False), CAMERA, pose) == (1.5, False)


def test_a_ghost_outlines_the_right_place():
    pose = looking()
    picture = Image.new("RGB", (80, 60), (90, 90, 90))
    wish = scene.Wish(("Object",), "Cube", height_m=1.0)
    made = scene.scene(wish, pose, scene.spot(pose, 6.0, 0.0), 1.0, np.zeros((1, 2)))
    wrong = scene.erring(pose, 1.0, 0.0)
    alone = np.asarray(overlay(picture, CAMERA, wrong, made.meshes, width=320), int)
    ghost = np.asarray(overlay(picture, CAMERA, wrong, made.meshes, ghost=pose, width=320), int)
    changed = np.flatnonzero(np.abs(ghost - alone).sum(axis=(0, 2)))
    right = scene.pixel_of(made.goal, CAMERA, pose)[0] * 4
    assert changed[0] < right < changed[-1] < right + 4 * CAMERA.fx * 0.9 / 5
    assert (alone.shape, exposure(picture)) == ((240, 320, 3), 0.5)


def test_a_scene_has_what_was_wished_for():
    pose = looking()
    goal = scene.spot(pose, 12.0, 1.0)
    for kinds in ((), ("Sign",), ("Arrows",), ("Object",), scene.KINDS):
        made = scene.scene(scene.Wish(kinds), pose, goal, 1.5, np.zeros((1, 2)))
        assert len(made.meshes) == sum({"Sign": 2, "Arrows": 2, "Object": 2}[kind] for kind in kinds)
        assert made.goal == pytest.approx([*goal, 28.5])
