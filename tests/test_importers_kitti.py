"""The KITTI importer: real frames against KITTI's own projection, made-up drives of known poses, every bad input."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import utm
from PIL import Image
from scipy.spatial.transform import Rotation

from butf import files
from butf.dataset.frames import Frames
from butf.dataset.inspection import inspect
from butf.errors import BadInput
from butf.importers.kitti import import_kitti

pytestmark = pytest.mark.usefixtures("one_thread")
REAL = files.REPO.parent / "shared" / "data" / "kitti_lidar"
WIDTH, HEIGHT, FOCAL = 160, 96, 100.0
COUNT = 4
# Camera 2 (rectified) = K^-1 P; the lidar looks along x with y left and z up, a camera along z with y down.
P2 = np.array([[FOCAL, 0, 80, 6.0], [0, FOCAL, 48, 0.5], [0, 0, 1, 0.004]])
AXES = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]])
TURN = Rotation.from_euler("xyz", [1.0, -2.0, 0.5], degrees=True).as_matrix()
LIDAR = TURN @ AXES, np.array([0.05, -0.1, -0.3])
RECTIFIED = Rotation.from_euler("xyz", [-0.6, 0.3, 0.9], degrees=True).as_matrix()
IMU = Rotation.from_euler("xyz", [0.2, -0.4, 1.0], degrees=True).as_matrix(), np.array([-0.8, 0.3, -0.8])
LAT, LON = 60.0, 11.9  # at the border of zone 32, where grid north and true north are 2.5 degrees apart


def words(matrix: np.ndarray) -> str:
    return " ".join(f"{value:.12e}" for value in np.ravel(matrix))


def picture(path: Path, seed: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def scan(path: Path, landmark: np.ndarray) -> None:
    """Dull points on the ground ahead, and one bright landmark (3,), in the lidar's frame."""
    rng = np.random.default_rng(1)
    ground = np.stack([rng.uniform(5, 40, 400), rng.uniform(-8, 8, 400), np.full(400, -1.7)], axis=1)
    points = np.concatenate([ground, landmark[None]])
    bright = np.append(np.full(400, 0.2), 1.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.column_stack([points, bright]).astype("<f4").tobytes())


def lidar_from_camera(point: np.ndarray, rectified: np.ndarray) -> np.ndarray:
    """A point of the first rectified camera in the lidar's frame."""
    return LIDAR[0].T @ (rectified.T @ point - LIDAR[1])


LANDMARK = np.array([3.0, -1.0, 14.0])  # in the first rectified camera's frame of the first picture


@pytest.fixture
def odometry(tmp_path: Path) -> Path:
    """Four frames going forward and turning right; the landmark stays where it is."""
    root = tmp_path / "kitti" / "sequences" / "07"
    poses = []
    for k in range(COUNT):
        turn, centre = Rotation.from_euler("y", 4 * k, degrees=True).as_matrix(), np.array([0.3 * k, 0.1, 2.0 * k])
        poses.append(np.column_stack([turn, centre]))
        picture(root / "image_2" / f"{k:06d}.png", k)
        # Here Tr takes the lidar's points to the rectified camera at once.
        scan(root / "velodyne" / f"{k:06d}.bin", lidar_from_camera(turn.T @ (LANDMARK - centre), np.eye(3)))
    (root / "calib.txt").write_text(f"P0: {words(P2)}\nP2: {words(P2)}\nTr: {words(np.column_stack(LIDAR))}\n")
    (root / "times.txt").write_text("".join(f"{0.1 * k:e}\n" for k in range(COUNT)))
    poses_file = tmp_path / "kitti" / "poses" / "07.txt"
    poses_file.parent.mkdir()
    poses_file.write_text("".join(f"{words(pose)}\n" for pose in poses))
    return root


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Three frames of a drive that turns; the landmark stands 15 m ahead of the first."""
    day = tmp_path / "2011_09_26"
    root = day / "2011_09_26_drive_0001_sync"
    for k in range(3):
        name = f"{k:010d}"
        lat, lon = LAT + 2e-5 * k, LON + 1e-5 * k
        angles = 0.02 * k, -0.03, 0.6 + 0.1 * k  # roll, pitch, yaw
        picture(root / "image_02" / "data" / f"{name}.png", k)
        oxts = root / "oxts" / "data" / f"{name}.txt"
        oxts.parent.mkdir(parents=True, exist_ok=True)
        oxts.write_text(words(np.array([lat, lon, 110.0 + 0.1 * k, *angles, *range(24)])))
        turn, centre = imu_pose(lat, lon, 110.0 + 0.1 * k, *angles)
        seen = turn.T @ (raw_landmark() - centre)
        scan(root / "velodyne_points" / "data" / f"{name}.bin", IMU[0] @ seen + IMU[1])
    moments = "".join(f"2011-09-26 13:02:25.{964389445 + 10_000_000 * k:09d}\n" for k in range(3))
    (root / "image_02" / "timestamps.txt").write_text(moments)
    both = {"R": LIDAR[0], "T": LIDAR[1]}
    write_entries(day / "calib_velo_to_cam.txt", calib_time="15-Mar-2012", **both)
    write_entries(day / "calib_imu_to_velo.txt", R=IMU[0], T=IMU[1])
    write_entries(day / "calib_cam_to_cam.txt", R_rect_00=RECTIFIED, P_rect_02=P2)
    return root


def write_entries(path: Path, **entries: object) -> None:
    lines = [f"{key}: {value if isinstance(value, str) else words(value)}" for key, value in entries.items()]
    path.write_text("\n".join(lines) + "\n")


def imu_pose(lat: float, lon: float, up: float, roll: float, pitch: float, yaw: float) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and centre of the unit in the metres of zone 32, its yaw counted from true east.

    True north in the grid comes from a small step to the north.
    """
    here, there = (np.array(utm.from_latlon(a, lon, force_zone_number=32)[:2]) for a in (lat, lat + 1e-4))
    east, north = there - here
    tilt = np.arctan2(-east, north)
    turn = Rotation.from_euler("ZYX", [yaw + tilt, pitch, roll]).as_matrix()
    return turn, np.array([*here, up])


def raw_landmark() -> np.ndarray:
    turn, centre = imu_pose(LAT, LON, 110.0, 0.0, -0.03, 0.6)
    return centre + turn @ [15.0, 1.0, 1.0]


def where_landmark_is(frames: Frames, i: int) -> np.ndarray:
    """The world position of the brightest point of a frame, from its pixel, depth, camera, orientation and place."""
    points, returns = frames.modality(i, "points"), frames.modality(i, "returns")
    row, column = np.argwhere(points.valid & (returns.values > 0.9))[0]
    camera, z = frames.cameras[0], points.values[row, column]
    seen = np.array([(column + 0.5 - camera.cx) / camera.fx, (row + 0.5 - camera.cy) / camera.fy, 1.0]) * z
    qw, qx, qy, qz = frames.orientation[i]
    return Rotation.from_quat([qx, qy, qz, qw]).apply(seen) + frames.position[i]


def fault(src: Path, *expected: str, **options: object) -> None:
    """Importing fails with one line that holds all of these words, and leaves nothing behind."""
    home = src.parents[2]
    before = sorted(home.rglob("*"))
    with pytest.raises(BadInput) as error:
        import_kitti(src, home / "out", **options)
    text = str(error.value)
    assert "\n" not in text and not [word for word in expected if word not in text], text
    assert sorted(home.rglob("*")) == before


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Frames:
    if not REAL.is_dir():
        pytest.skip(f"there are no KITTI frames at {REAL}")
    report = import_kitti(REAL, tmp_path_factory.mktemp("kitti") / "real", every=2)
    assert any("no poses" in note for note in report.notes) and report.matched == {"test": (0, 2)}
    return report.frames


@pytest.mark.parametrize("i", range(2))
def test_real_points_fall_where_kitti_projects_them(real: Frames, i: int) -> None:
    name = f"{2 * i:06d}"
    calibration = {}
    for line in (REAL / "calib" / f"{name}.txt").read_text().splitlines():
        key, _, numbers = line.partition(":")
        calibration[key] = np.array(numbers.split(), float)
    lift = np.eye(4)
    lift[:3] = calibration["Tr_velo_to_cam"].reshape(3, 4)
    turn = np.eye(4)
    turn[:3, :3] = calibration["R0_rect"].reshape(3, 3)
    values = np.fromfile(REAL / "velodyne" / f"{name}.bin", "<f4").reshape(-1, 4)
    seen = calibration["P2"].reshape(3, 4) @ turn @ lift @ np.column_stack([values[:, :3], np.ones(len(values))]).T
    picture_size = Image.open(REAL / "image_2" / f"{name}.png").size
    expected = np.full(picture_size[::-1], np.inf)
    for u, v, z in np.column_stack([seen[0] / seen[2], seen[1] / seen[2], seen[2]]):
        if z > 0.3 and 0 <= u < picture_size[0] and 0 <= v < picture_size[1]:
            expected[int(v), int(u)] = min(expected[int(v), int(u)], z)
    points = real.modality(i, "points")
    known = np.isfinite(expected)
    assert points.valid.shape == known.shape and 15_000 < known.sum() < 25_000
    assert (points.valid != known).sum() < 10, "but for points on the border of two pixels"
    both = points.valid & known
    off = np.abs(points.values[both] - np.minimum(expected[both], 65535 / 256))
    assert (off > 0.003).mean() < 1e-3, "metres, stored in steps of 1/256"


def test_real_frames_have_dense_maps(real: Frames) -> None:
    assert inspect(real.root).fine and len(real.cameras) == 2, "their pictures have two sizes"
    for i in range(2):
        points, depth, bright = (real.modality(i, name) for name in ("points", "depth", "reflectance"))
        assert points.valid.mean() < 0.06 and 0.6 < depth.valid.mean() < 0.9
        np.testing.assert_array_equal(depth.valid, bright.valid)
        both = points.valid & depth.valid
        off = np.abs(depth.values - points.values)[both] / points.values[both]
        assert np.median(off) < 0.01 and (off < 0.1).mean() > 0.9, "it goes through most of what was measured"


def test_odometry_poses(odometry: Path, tmp_path: Path) -> None:
    report = import_kitti(odometry, tmp_path / "out")
    frames = report.frames
    assert frames.lat is None and frames.origin is None and len(frames) == COUNT and inspect(frames.root).fine
    np.testing.assert_allclose(frames.time_s, 0.1 * np.arange(COUNT))
    # The second camera's centre lies at -K^-1 p in the first one's frame; the world's up is the first camera's -y.
    offset = -np.linalg.solve(P2[:, :3], P2[:, 3])
    for k in range(COUNT):
        x, y, z = np.add(Rotation.from_euler("y", 4 * k, degrees=True).apply(offset), [0.3 * k, 0.1, 2.0 * k])
        np.testing.assert_allclose(frames.position[k], [x, z, -y], atol=1e-4)
        assert np.linalg.norm(where_landmark_is(frames, k) - [3.0, 14.0, 1.0]) < 0.15
    assert report.matched == {"test": (COUNT, COUNT)}


def test_raw_poses(raw: Path, tmp_path: Path) -> None:
    frames = import_kitti(raw, tmp_path / "out").frames
    assert frames.origin["utm_zone"] == "32N" and frames.lat is not None and inspect(frames.root).fine
    np.testing.assert_allclose(frames.time_s, [0, 0.01, 0.02], atol=2e-6)
    assert abs(frames.lat[0] - LAT) < 2e-5 and abs(frames.lon[0] - LON) < 3e-5, "within the metre of the lever arm"
    for k in range(3):
        assert np.linalg.norm(where_landmark_is(frames, k) - raw_landmark()) < 0.2


def test_every_second_frame_and_what_has_no_partner(odometry: Path, tmp_path: Path) -> None:
    picture(odometry / "image_2" / "000009.png", 9)
    (odometry / "velodyne" / "000008.bin").write_bytes(b"")
    poses = odometry.parents[1] / "poses" / "07.txt"
    poses.write_text(poses.read_text() + f"{words(np.eye(4)[:3])}\n")
    (odometry / "times.txt").write_text("0 1 2 3 4")
    report = import_kitti(odometry, tmp_path / "out", every=2)
    assert len(report.frames) == 2 and report.frames.time_s.tolist() == [0, 2]
    assert report.left == {"no scan of that name": ("000009",), "no picture of that name": ("000008",)}
    assert "1 frame left out: no scan of that name (000009)" in str(report)
    with (report.frames.root / "sources.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert ["000002.png", "drive/000001", ""] in rows and ["000008", "", "no picture of that name"] in rows


def test_without_poses_frames_are_set_apart(odometry: Path, tmp_path: Path) -> None:
    (odometry.parents[1] / "poses" / "07.txt").unlink()
    report = import_kitti(odometry, tmp_path / "out")
    assert "the recording has no poses" in report.notes[0] and report.matched == {"test": (0, COUNT)}


def test_points_that_are_not_finite_are_dropped(odometry: Path, tmp_path: Path) -> None:
    path = odometry / "velodyne" / "000000.bin"
    strange = np.array([[np.nan, 0, 0, 0.5], [10, np.inf, 0, 0.5]], "<f4")
    before = import_kitti(odometry, tmp_path / "before").frames
    path.write_bytes(path.read_bytes() + strange.tobytes())
    after = import_kitti(odometry, tmp_path / "after").frames
    assert before.modality_path(0, "depth").read_bytes() == after.modality_path(0, "depth").read_bytes()


def test_broken_off_it_goes_on(odometry: Path, tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_kitti(odometry, tmp_path / "out", progress=stop)
    assert not (tmp_path / "out").exists()
    report = import_kitti(odometry, tmp_path / "out")
    assert "2 of 4 frames were there" in report.notes[0] and inspect(report.frames.root).fine


def test_folders_that_are_missing(odometry: Path, tmp_path: Path) -> None:
    fault(odometry.parent, "has no folder image_2/", "expected image_2/ and velodyne/")
    (odometry / "velodyne").rename(odometry / "lidar")
    fault(odometry, "has no folder velodyne/", "or a drive with image_02/data/")
    with pytest.raises(BadInput, match=r"nowhere is not a folder; expected image_2/"):
        import_kitti(tmp_path / "nowhere", tmp_path / "out")


def test_raw_folders_that_are_missing(raw: Path) -> None:
    (raw / "oxts").rename(raw / "gps")
    fault(raw, "has no folder oxts/data/; it holds the positions")
    (raw / "velodyne_points").rename(raw / "points")
    fault(raw, "has no folder velodyne_points/data/")


def test_a_truncated_scan(odometry: Path) -> None:
    path = odometry / "velodyne" / "000002.bin"
    path.write_bytes(path.read_bytes()[:-7])
    fault(odometry, str(path), "bytes; expected 16 a point", "copy it again")
    path.write_bytes(b"")
    fault(odometry, str(path), "has 0 bytes")


def test_a_scan_that_does_not_fall_into_its_picture(odometry: Path) -> None:
    path = odometry / "velodyne" / "000001.bin"
    values = np.fromfile(path, "<f4").reshape(-1, 4)
    values[:, 0] *= -1
    path.write_bytes(values.tobytes())
    fault(odometry, str(path), "no point falls into the picture", "check the calibration")


def test_calibration_that_lacks_something(odometry: Path, raw: Path) -> None:
    path = odometry / "calib.txt"
    whole = path.read_text()
    path.write_text("\n".join(line for line in whole.splitlines() if not line.startswith("Tr")))
    fault(odometry, str(path), "has no Tr")
    path.write_text(whole.replace("P2: ", "P2: 1 "))
    fault(odometry, str(path), "P2 has 13 numbers; expected 3 x 4")
    path.write_text(whole.replace("Tr: ", "Tr: x"))
    fault(odometry, str(path), "holds something that is not a number")
    (raw.parent / "calib_velo_to_cam.txt").unlink()
    fault(raw, "calib_velo_to_cam.txt does not exist")


def test_poses_and_times_that_do_not_fit(odometry: Path, raw: Path) -> None:
    poses = odometry.parents[1] / "poses" / "07.txt"
    lines = poses.read_text().splitlines()
    poses.write_text("\n".join(lines[:-1]))
    fault(odometry, str(poses), "has 3 poses for 4 pictures")
    poses.write_text("\n".join([*lines[:-1], "1 2 3"]))
    fault(odometry, str(poses), "expected 12 numbers each")
    poses.write_text("\n".join(lines))
    (odometry / "times.txt").write_text("0 1 2")
    fault(odometry, "times.txt has 3 times for 4 pictures")
    place = raw / "oxts" / "data" / f"{1:010d}.txt"
    place.write_text("60.0 11.9")
    fault(raw, str(place), "has no latitude, longitude, altitude, roll, pitch and yaw")
    place.unlink()
    fault(raw, str(place), "does not exist")


def test_no_two_of_one_name(odometry: Path) -> None:
    for path in (odometry / "velodyne").iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    fault(odometry, "none of 4 pictures has a scan of its name")


def test_where_it_must_not_or_cannot_write(odometry: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(BadInput, match="there already exists"):
        import_kitti(odometry, tmp_path / "there")
    with pytest.raises(BadInput, match="cannot be written"):
        import_kitti(odometry, "/proc/nowhere/out")
    assert not list((tmp_path / "there").iterdir())
