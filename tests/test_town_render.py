"""What the town's renderer says about geometry, checked against closed forms and slow plain versions."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from butf.town.canvas import SIZE, Atlas
from butf.town.classes import CLASS
from butf.town.conditions import CONDITIONS
from butf.town.config import TownConfig
from butf.town.district import District
from butf.town.mesh import Builder, Mesh, joined
from butf.town.raycast import Scene
from butf.town.render import Renderer
from butf.town.traversal import CAMERA_HEIGHT, quaternions

CONFIG = TownConfig(
    seed=3,
    train_places=12,
    val_places=12,
    test_places=12,
    width=128,
    height=96,
    facade_pool=3,
    block_types=1,
    traffic=0.3,
)


@pytest.fixture(scope="module")
def district():
    return District(CONFIG, "val")


@pytest.fixture(scope="module")
def plain(district):
    return Renderer(district, CONDITIONS["reference"], samples=1)


def rows_below_horizon(camera):
    """Metres below the optical axis at unit depth, by picture row."""
    return (np.arange(camera.height) + 0.5 - camera.cy) / camera.fy


def test_depth_of_the_road_is_that_of_a_plane_under_the_camera(plain):
    for index in (0, 5, 11):
        picture = plain.picture(index)
        road = np.isin(picture.classes, (CLASS["road"], CLASS["marking"])) & (picture.depth < 60)
        height = picture.depth * rows_below_horizon(plain.camera)[:, None]
        assert road.sum() > 1000
        assert (
            np.abs(height[road] - CAMERA_HEIGHT).max() < 0.035
        )  # zebra paint and the ground outside lie off the plane
        assert np.mean(np.abs(height[road] - CAMERA_HEIGHT) < 1e-3) > 0.9


def test_depth_carried_into_the_next_frame_meets_the_same_walls(plain):
    here, ahead = 4, 5
    one, two, camera = plain.picture(here), plain.picture(ahead), plain.camera
    turns = Rotation.from_quat(quaternions(plain.poses.yaw[[here, ahead]]), scalar_first=True)
    rows, columns = np.nonzero((one.classes == CLASS["building"]) & (one.depth < 50))
    rays = np.stack(
        [(columns + 0.5 - camera.cx) / camera.fx, (rows + 0.5 - camera.cy) / camera.fy, np.ones(len(rows))], 1
    )
    world = turns[0].apply(rays * one.depth[rows, columns, None]) + plain.poses.position[here]
    x, y, z = turns[1].inv().apply(world - plain.poses.position[ahead]).T
    column, row = camera.cx + camera.fx * x / z, camera.cy + camera.fy * y / z
    inside = (z > 1) & (column > 0) & (column < camera.width) & (row > 0) & (row < camera.height)
    at = row[inside].astype(int), column[inside].astype(int)
    wall = two.classes[at] == CLASS["building"]
    error = np.abs(two.depth[at][wall] / z[inside][wall] - 1)
    assert wall.sum() > 300
    assert np.median(error) < 0.015 and np.mean(error < 0.06) > 0.85


def test_sky_has_no_depth_and_nothing_else_has_none(plain):
    picture = plain.picture(3)
    sky = picture.classes == CLASS["sky"]
    assert 0.02 < sky.mean() < 0.6
    assert np.array_equal(sky, picture.depth == 0)
    assert not picture.reflectance[sky].any()
    assert (picture.reflectance[(picture.depth > 0) & (picture.depth < 60)] > 0).all()
    assert set(np.unique(picture.classes)) > {CLASS["road"], CLASS["building"], CLASS["window"], CLASS["sky"]}


def test_antialiasing_touches_edges_of_the_picture_only(district, plain):
    coarse, fine = plain.picture(7), Renderer(district, CONDITIONS["reference"], samples=2).picture(7)
    for name in ("depth", "reflectance", "classes"):
        assert np.array_equal(getattr(coarse, name), getattr(fine, name))
    change = np.abs(coarse.rgb.astype(int) - fine.rgb).max(2)
    changed = change > 4  # less comes from the exposure, which follows the picture
    sky = np.pad(coarse.classes == CLASS["sky"], 1, mode="edge")
    open_sky = sky[1:-1, 1:-1] & sky[:-2, 1:-1] & sky[2:, 1:-1] & sky[1:-1, :-2] & sky[1:-1, 2:]
    assert open_sky.sum() > 200 and not changed[open_sky].any()
    assert 0.02 < changed.mean() < 0.8
    assert change.mean() < 15


def test_same_frame_whatever_was_rendered_before(district, plain):
    first = plain.picture(2)
    plain.picture(9)
    again, other = plain.picture(2), Renderer(district, CONDITIONS["reference"], samples=1).picture(2)
    for name in ("rgb", "depth", "reflectance", "classes"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert np.array_equal(getattr(first, name), getattr(other, name))


def test_conditions_look_as_they_are_called(district, plain):
    pictures = {name: Renderer(district, CONDITIONS[name], samples=1).picture(6) for name in CONDITIONS}
    level = {name: picture.rgb.mean() for name, picture in pictures.items()}
    road = {name: picture.rgb[picture.classes == CLASS["road"]].mean() for name, picture in pictures.items()}
    assert level["night"] < level["dusk"] < level["reference"]
    assert road["snow"] > road["overcast"] + 25
    sky = {name: picture.rgb[picture.classes == CLASS["sky"]].mean(0) for name, picture in pictures.items()}
    assert sky["reference"][2] > sky["reference"][0] + 20 and sky["night"].max() < 70


def test_stronger_seasons_are_darker_and_whiter():
    district = District(CONFIG.changed(season=1.5), "val")
    mild = District(CONFIG.changed(season=0.2), "val")
    dark, dim = (Renderer(d, CONDITIONS["night"], samples=1).picture(6).rgb.mean() for d in (district, mild))
    assert dark < dim
    white, grey = (Renderer(d, CONDITIONS["snow"], samples=1).picture(6) for d in (district, mild))
    paved = [p.rgb[p.classes == CLASS["sidewalk"]].mean() for p in (white, grey)]
    assert paved[0] > paved[1] + 10


def triangles(rng, count, spread, size):
    points = rng.uniform(-spread, spread, (count, 1, 3)) + rng.uniform(-size, size, (count, 3, 3))
    table = np.zeros((count, 16), np.float32)
    table[:, 15] = np.arange(count)
    return Mesh(points.astype(np.float32), table)


def nearest_slowly(mesh, origin, direction):
    """Triangle and distance by Cramer's rule, one triangle after the other."""
    best = (-1, np.inf)
    for k, (a, b, c) in enumerate(mesh.points.astype(float)):
        system = np.column_stack([b - a, c - a, -direction])
        if abs(np.linalg.det(system)) > 1e-12:
            u, v, t = np.linalg.solve(system, origin - a)
            if u >= 0 and v >= 0 and u + v <= 1 and 0 < t < best[1]:
                best = (k, t)
    return best


def test_rays_find_what_a_plain_search_finds():
    rng = np.random.default_rng(0)
    still, moving = triangles(rng, 60, 8, 3), triangles(rng, 25, 2, 1.5)
    scene = Scene(still)
    scene.set_traffic(moving, np.zeros((1, 2)))  # the middle of vehicles at most 5 m long
    everything = joined([still, moving])
    origins = (rng.normal(size=(150, 3)) * 3).astype(np.float32)
    directions = rng.normal(size=(150, 3)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    hits = scene.first_hits(origins, directions)
    hidden = scene.occluded(origins, directions)
    found = [
        nearest_slowly(everything, o.astype(float), d.astype(float)) for o, d in zip(origins, directions, strict=True)
    ]
    row = np.array([k for k, _ in found])
    assert (row >= 0).sum() > 30
    assert np.mean(hits.row == row) > 0.98
    same = (hits.row == row) & (row >= 0)
    np.testing.assert_allclose(hits.distance[same], np.array([t for _, t in found])[same], rtol=1e-4)
    assert np.mean(hidden == (row >= 0)) > 0.98


def test_texture_lookup_is_bilinear():
    rng = np.random.default_rng(1)
    texture = rng.integers(0, 256, (SIZE, SIZE, 8), np.uint8)
    atlas = Atlas()
    atlas.add(np.zeros_like(texture))
    number = atlas.add(texture)
    atlas.pack()
    u, v = rng.uniform(-2, 2, (2, 40))
    colour, kind, _ = atlas.lookup(np.full(40, number), u, v, np.full(40, 0.5))
    for k in range(40):
        x, y = u[k] * SIZE - 0.5, v[k] * SIZE - 0.5
        x0, y0 = int(np.floor(x)), int(np.floor(y))
        expected = sum(
            texture[(y0 + j) % SIZE, (x0 + i) % SIZE, :4] * abs(1 - i - (x - x0)) * abs(1 - j - (y - y0))
            for i in (0, 1)
            for j in (0, 1)
        )
        np.testing.assert_allclose(colour[k] * 255, expected, atol=0.05)
        assert kind[k] == texture[int(np.floor(v[k] * SIZE)) % SIZE, int(np.floor(u[k] * SIZE)) % SIZE, 4]


def test_mesh_normals_and_texture_density():
    builder = Builder()
    builder.quad((0, 0, 0), (2, 0, 0), (2, 0, 4), (0, 0, 4), 0, (0, 1, 1, 0))
    builder.polygon([(0, 0, 1), (3, 0, 1), (3, 3, 1), (0, 3, 1), (-1, 1.5, 1)], 1, metres=4.0)
    mesh = builder.mesh()
    assert len(mesh.points) == 2 + 3
    np.testing.assert_allclose(mesh.table[:2, :3], [[0, -1, 0]] * 2)
    np.testing.assert_allclose(mesh.table[2:, :3], [[0, 0, 1]] * 3)
    np.testing.assert_allclose(mesh.table[:2, 12], SIZE * np.sqrt(1 / 8), rtol=1e-5)
    np.testing.assert_allclose(mesh.table[2:, 12], SIZE / 4, rtol=1e-5)
    assert len(set(mesh.table[2:, 15])) == 1
    moved = mesh.moved(5, 0, 0, np.pi / 2)
    np.testing.assert_allclose(moved.points[0, 1], [5, 2, 0], atol=1e-6)
    np.testing.assert_allclose(moved.table[0, :3], [1, 0, 0], atol=1e-6)
