"""What fuzzing aims at in recordings of others: RGB-D, KITTI, RobotCar, photographs, names as in benchmarks."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import _fuzz_containers as containers
from benchmarks import _fuzz_mutations as mutations
from benchmarks._fuzz_data import PHOTO_TABLE, Target, jpeg, png
from butf.importers import photo_table, push_broom, robotcar_files, robotcar_poses
from butf.importers.folder import import_folder
from butf.importers.kitti_layouts import Recording, read_scan
from butf.importers.photo_roles import Choice
from butf.importers.photos import import_photos
from butf.importers.rgbd import import_rgbd

INTRINSICS = b"9 0 8\n0 9 6\n0 0 1\n"
POSE = b"1 0 0 0.1\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"
CALIBRATION = b"P2: 9 0 8 0.5 0 9 6 0 0 0 1 0\nTr: 0 -1 0 0 0 0 -1 0 1 0 0 0\nR0_rect: 1 0 0 0 1 0 0 0 1\n"
POSES = b"1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 0 0 1 0 0 0 0 1 1\n"
TIMES = b"0.0\n0.1\n"
LENS = b"9 9 8 6\n0 0 1 0\n1 0 0 0\n0 1 0 0\n0 0 0 1\n"
EXTRINSIC = b"0.1 0.2 0.3 0.01 0.02 0.03"
STAMPS = b"1418133661893750 1\n1418133661956246 1\n1418133662018739 2\n"
TAGS = b"sun,clouds,overcast\n"
INS = (
    b"timestamp,ins_status,latitude,longitude,altitude,northing,easting,down,utm_zone,velocity_north,velocity_east,"
    b"velocity_down,roll,pitch,yaw\n"
    b"1418133661893750,INS_SOLUTION_GOOD,51.76,-1.26,110,5735777.63,620085.39,-110,30U,0,0,0,0,0,1\n"
    b"1418133661956246,INS_SOLUTION_GOOD,51.76001,-1.26,110,5735778.74,620085.36,-110,30U,0,0,0,0,0,1\n"
)
ODOMETRY = (
    b"source_timestamp,destination_timestamp,x,y,z,roll,pitch,yaw\n"
    b"1418133661956246,1418133661893750,1,0,0,0,0,0\n1418133662018739,1418133661956246,1,0,0,0,0,0\n"
)
NAME = b"@0448000.00@5405500.00@31@U@48.80032@2.29188@pano@tile@90@0@0@35@20240102_030405@note@.jpg"


def targets(folder: Path) -> list[Target]:
    """All of this module, at work in an empty folder."""
    words, scan = (mutations.of_words,), np.arange(16, dtype="<f4").tobytes()
    rgbd = _rgbd(folder / "rgbd")
    table = photos(folder / "photos") / "a.csv"
    drive = _kitti(folder / "kitti")
    logs = folder / "robotcar"
    logs.mkdir()
    return [
        Target("rgbd, poses", (POSE,), words, _import_rgbd(rgbd, rgbd / "frame-000001.pose.txt"), 0.1),
        Target("rgbd, intrinsics", (INTRINSICS,), words, _import_rgbd(rgbd, rgbd / "camera-intrinsics.txt"), 0.1),
        Target(
            "rgbd, depth",
            (png("I;16"),),
            (containers.of_png,),
            _import_rgbd(rgbd, rgbd / "frame-000001.depth.png"),
            0.1,
        ),
        Target("kitti, calibration", (CALIBRATION,), words, _read_kitti(drive, drive / "calib.txt"), 1.0),
        Target("kitti, poses", (POSES,), words, _read_kitti(drive, folder / "poses" / "kitti.txt"), 1.0),
        Target("kitti, times", (TIMES,), words, _read_kitti(drive, drive / "times.txt"), 1.0),
        Target(
            "kitti, scans", (scan,), (mutations.of_bytes,), _read_kitti(drive, drive / "velodyne" / "000000.bin"), 1.0
        ),
        Target("photos, table", (PHOTO_TABLE,), (mutations.of_table,), _table(table), 2.0),
        Target("photos, whole", (PHOTO_TABLE,), (mutations.of_table,), _import_photos(table), 0.1),
        Target("benchmark names", (NAME,), (_other_name,), _import_names(folder / "names"), 0.1),
        Target("robotcar, poses", (INS,), (mutations.of_table,), _ins(logs / "ins.csv"), 1.0),
        Target("robotcar, odometry", (ODOMETRY,), (mutations.of_table,), _odometry(logs / "vo.csv"), 1.0),
        Target("robotcar, lens", (LENS,), words, _lens(logs, logs / "stereo_narrow_left.txt"), 1.0),
        Target("robotcar, extrinsics", (EXTRINSIC,), words, _lens(logs, logs / "stereo.txt"), 1.0),
        Target("robotcar, times", (STAMPS,), words, _stamps(logs / "a"), 1.0),
        Target("robotcar, tags", (TAGS,), words, _tags(logs / "b"), 0.5),
        Target("robotcar, scans", (bytes(48),), (mutations.of_bytes,), _scan(logs / "a.bin"), 1.0),
    ]


def _whole(out: Path, read: Callable[[], object]) -> None:
    """Import, and remove what came of it; a refusal must leave nothing."""
    try:
        read()
    except BaseException:
        assert not out.exists() and not out.with_name(f".{out.name}.importing").exists(), "something was left behind"
        raise
    shutil.rmtree(out)


def _rgbd(src: Path) -> Path:
    src.mkdir()
    (src / "camera-intrinsics.txt").write_bytes(INTRINSICS)
    for number in range(12):
        name = f"frame-{number:06d}"
        (src / f"{name}.color.jpg").write_bytes(jpeg())
        (src / f"{name}.depth.png").write_bytes(png("I;16"))
        (src / f"{name}.pose.txt").write_bytes(POSE.replace(b"0.1", f"{0.9 * number}".encode()))
    return src


def _import_rgbd(src: Path, path: Path) -> Callable[[bytes], object]:
    sound = path.read_bytes()

    def run(case: bytes) -> None:
        path.write_bytes(case)
        try:
            _whole(src.parent / "rgbd-out", lambda: import_rgbd(src, src.parent / "rgbd-out"))
        finally:
            path.write_bytes(sound)

    return run


def _kitti(root: Path) -> Path:
    """An odometry sequence; its poses lie beside the folder that it lies in."""
    drive = root / "kitti"
    for folder in ("image_2", "velodyne"):
        (drive / folder).mkdir(parents=True)
    for number in range(2):
        (drive / "image_2" / f"{number:06d}.png").write_bytes(png("RGB"))
        (drive / "velodyne" / f"{number:06d}.bin").write_bytes(bytes(32))
    (drive / "calib.txt").write_bytes(CALIBRATION)
    (drive / "times.txt").write_bytes(TIMES)
    (root.parent / "poses").mkdir()
    (root.parent / "poses" / "kitti.txt").write_bytes(POSES)
    return drive


def _read_kitti(drive: Path, path: Path) -> Callable[[bytes], object]:
    sound = path.read_bytes()

    def run(case: bytes) -> None:
        path.write_bytes(case)
        try:
            recording = Recording.find(drive)
            calibration = recording.calibration("000000")
            recording.positions(["000000", "000001"], calibration)
            calibration.camera((16, 12))
            read_scan(recording.scans["000000"], calibration)
        finally:
            path.write_bytes(sound)

    return run


def photos(src: Path) -> Path:
    """Two different photographs."""
    src.mkdir()
    for number, name in enumerate(("b.jpg", "c.jpg")):
        Image.new("RGB", (16, 12), (50 * number, 90, 10)).save(src / name)
    return src


def _table(path: Path) -> Callable[[bytes], object]:
    def run(case: bytes) -> None:
        path.write_bytes(case)
        photo_table.find_table(path.parent, None)
        photo_table.read_table(path)

    return run


def _import_photos(path: Path) -> Callable[[bytes], object]:
    src, out = path.parent, path.parent.parent / "photos-out"

    def run(case: bytes) -> None:
        path.write_bytes(case)
        _whole(out, lambda: import_photos(src, out, Choice()))

    return run


def _other_name(rng: random.Random, data: bytes) -> bytes:
    parts = data.split(b"@")
    for _ in range(rng.randint(1, 2)):
        parts[rng.randrange(len(parts) - 1)] = rng.choice(mutations.TEXTS).encode("utf-8", "replace")
    made = b"@".join(parts).replace(b"/", b"").replace(b"\0", b"")
    return made if len(made) < 250 else data


def _import_names(src: Path) -> Callable[[bytes], object]:
    for folder in ("database", "queries"):
        (src / folder).mkdir(parents=True)
    out, sound = src.parent / "names-out", NAME.decode()
    (src / "database" / sound).write_bytes(jpeg())

    def run(case: bytes) -> None:
        path = src / "queries" / case.decode("utf-8", "replace")
        path.write_bytes(jpeg(exif=True))
        try:
            _whole(out, lambda: import_folder(src, out))
        finally:
            path.unlink()

    return run


def _ins(path: Path) -> Callable[[bytes], object]:
    def run(case: bytes) -> None:
        path.write_bytes(case)
        solution = robotcar_poses.read_solution(path, np.eye(4))
        solution.trajectory.at(solution.trajectory.time_us)

    return run


def _odometry(path: Path) -> Callable[[bytes], object]:
    ins = path.with_name("sound-ins.csv")
    ins.write_bytes(INS)
    anchor = robotcar_poses.read_solution(ins, np.eye(4)).trajectory

    def run(case: bytes) -> None:
        path.write_bytes(case)
        robotcar_poses.read_odometry(path, anchor)

    return run


def _lens(folder: Path, path: Path) -> Callable[[bytes], object]:
    (folder / "stereo_narrow_left.txt").write_bytes(LENS)
    (folder / "stereo.txt").write_bytes(EXTRINSIC)
    sound = path.read_bytes()

    def run(case: bytes) -> None:
        path.write_bytes(case)
        try:
            robotcar_files.read_lens(folder, folder)
        finally:
            path.write_bytes(sound)

    return run


def _stamps(traversal: Path) -> Callable[[bytes], object]:
    pictures = traversal / robotcar_files.PICTURES
    pictures.mkdir(parents=True)
    (pictures / "1418133661893750.png").write_bytes(png("L"))

    def run(case: bytes) -> None:
        (traversal / "stereo.timestamps").write_bytes(case)
        robotcar_files.read_pictures(traversal)

    return run


def _tags(traversal: Path) -> Callable[[bytes], object]:
    traversal.mkdir()

    def run(case: bytes) -> None:
        (traversal / "tags.csv").write_bytes(case)
        robotcar_files.read_condition(traversal, traversal.parent)

    return run


def _scan(path: Path) -> Callable[[bytes], object]:
    def run(case: bytes) -> None:
        path.write_bytes(case)
        push_broom.read_scan(path)

    return run
