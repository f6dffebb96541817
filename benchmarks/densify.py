"""Dense depth and reflectance from lidar points: ours beside simple ways, on the town and on real KITTI frames.

Town: the test district at 640x480 with a spinning and a push-broom lidar; truth is known in every pixel. Counted are
pixels within 12 of a sample whose true depth is below 80 m. A push-broom measures reflectance from elsewhere than the
camera, so that its truth is other samples: half of them are held out. There are no moving vehicles: where one stands
now, the push-broom saw the street behind it, and nothing in the points says so.

KITTI: half of the points in the picture are held out and are the truth. Points that show through (covered on all
eight sides in the whole scan, see `butf.densify.visibility`) are no truth for the camera; the table says how they
count.

Boundary: of the pixels (or held-out points) near a jump of true depth by more than 10 %, the share filled within 5 %
of the truth. Every way gets the same samples; "all ways, visible" gives the others only those that ours found visible.
Settings were chosen on the town's val district.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import binary_dilation, distance_transform_edt, maximum_filter, minimum_filter

from benchmarks._fillers import FILLERS
from butf.dataset.manifest import Camera
from butf.densify import Sparse, fill, project
from butf.densify.visibility import SECTORS, occlusion
from butf.files import REPO, read_image

KITTI = REPO.parent / "shared" / "data" / "kitti_lidar"
OURS = "joint inpainting"
CONDITIONS, PLACES = ("overcast", "night", "snow"), (60, 240, 420, 560)
NEAR_PX, FAR_M = 12, 80.0
JUMP, RIGHT, EDGE_PX = 0.10, 0.05, 3
COLUMNS = ("depth RMSE, m", "reflectance MAE", "boundary right", "seconds")


@dataclass(frozen=True)
class Scene:
    """What is filled, and what is known: `depth` and `reflectance` (H, W) with masks of where each counts."""

    group: str
    sparse: Sparse
    camera: Camera
    picture: np.ndarray
    depth: np.ndarray
    counts: np.ndarray
    edge: np.ndarray
    reflectance: np.ndarray
    reflectance_counts: np.ndarray


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks densify", description=__doc__.partition("\n")[0])
    parser.add_argument("--kitti", type=Path, default=KITTI, help="an object folder of KITTI with velodyne/")
    parser.add_argument("--frames", type=int, default=len(CONDITIONS) * len(PLACES), help="frames of the town (12)")
    options = parser.parse_args(argv)
    rows: dict[str, dict[str, list[tuple[float, ...]]]] = {}
    for scene in (*town_scenes(options.frames), *kitti_scenes(options.kitti)):
        measured = scene.sparse.measured
        dense, seconds = timed(lambda scene=scene: fill(scene.sparse, scene.camera, scene.picture))
        ways = rows.setdefault(scene.group, {})
        ways.setdefault(OURS, []).append((*scores(scene, dense.depth, dense.reflectance), seconds))
        for name, way in FILLERS.items():
            for label, mask in ((name, measured), (f"{name}, visible", dense.visible)):
                depth, seconds = timed(lambda way=way, mask=mask, scene=scene: way(scene.sparse.depth, mask))
                ways.setdefault(label, []).append((*scores(scene, depth, way(scene.sparse.reflectance, mask)), seconds))
    print(f"{torch.get_num_threads()} threads")
    for group, ways in rows.items():
        report(group, ways)


def timed(work: Callable[[], object]) -> tuple[object, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def scores(scene: Scene, depth: np.ndarray, reflectance: np.ndarray) -> tuple[float, float, float]:
    """RMSE in metres, mean absolute error of reflectance, and the share of boundary pixels that are right."""
    off = np.abs(depth - scene.depth)
    edge = scene.counts & scene.edge
    rmse = float(np.sqrt(np.mean(off[scene.counts] ** 2)))
    wrong = np.abs(reflectance - scene.reflectance)[scene.reflectance_counts]
    return rmse, float(wrong.mean()), float((off[edge] < RIGHT * scene.depth[edge]).mean())


def town_scenes(count: int) -> Iterator[Scene]:
    from butf.town.conditions import CONDITIONS as WEATHER
    from butf.town.config import preset
    from butf.town.district import District
    from butf.town.lidar import LIDARS, Scanner
    from butf.town.render import Renderer

    district = District(preset("demo").changed(width=640, height=480, traffic=0.0), "test")
    wanted = [(condition, place) for place in PLACES for condition in CONDITIONS][:count]
    for condition in CONDITIONS:
        renderer = Renderer(district, WEATHER[condition])
        scanners = {name: Scanner(renderer, lidar) for name, lidar in LIDARS.items()}
        for place in (place for name, place in wanted if name == condition):
            picture = renderer.picture(place)
            for name, scanner in scanners.items():
                sparse = project(scanner.cloud(place), renderer.camera)
                known, kept = picture.reflectance, sparse
                if scanner.lidar.lines_hz:
                    kept, known = halved(sparse, place), sparse.reflectance
                near = distance_transform_edt(~kept.measured) <= NEAR_PX
                counts = near & (picture.depth > 0) & (picture.depth < FAR_M)
                right = np.abs(sparse.depth - picture.depth) < RIGHT * picture.depth
                held = sparse.measured & ~kept.measured & right if kept is not sparse else counts
                yield Scene(
                    f"town, {name}", kept, renderer.camera, picture.rgb, picture.depth, counts,
                    jumps(picture.depth), known, held,
                )  # fmt: skip


def kitti_scenes(folder: Path) -> Iterator[Scene]:
    from butf.importers.kitti_layouts import Recording, read_scan

    if not folder.is_dir():
        print(f"no KITTI frames: {folder} is not there; give --kitti")
        return
    recording = Recording.find(folder)
    for number, name in enumerate(sorted(recording.pictures)):
        calibration, image = recording.calibration(name), read_image(recording.pictures[name])
        camera, picture = calibration.camera(image.size), np.asarray(image)
        whole = project(read_scan(recording.scans[name], calibration), camera)
        kept = halved(whole, number)
        held = whole.measured & ~kept.measured & (whole.depth < FAR_M)
        through = occlusion(whole.depth, camera) == SECTORS
        for group, counts in (("KITTI", held & ~through), ("KITTI, with points that show through", held)):
            yield Scene(
                group, kept, camera, picture, whole.depth, counts, sparse_jumps(whole), whole.reflectance, counts
            )


def halved(sparse: Sparse, seed: int) -> Sparse:
    """Half of the samples, drawn at random."""
    return sparse.where(sparse.measured & (np.random.default_rng(seed).random(sparse.depth.shape) < 0.5))


def jumps(depth: np.ndarray) -> np.ndarray:
    """(H, W) bool: within `EDGE_PX` of a jump between two neighbouring pixels."""
    found = np.zeros(depth.shape, bool)
    for first, second in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        a, b = depth[first], depth[second]
        jump = (a > 0) & (b > 0) & (np.abs(a - b) > JUMP * np.minimum(a, b))
        found[first] |= jump
        found[second] |= jump
    return binary_dilation(found, iterations=EDGE_PX)


def sparse_jumps(sparse: Sparse) -> np.ndarray:
    """(H, W) bool: samples beside one whose depth differs, in the three columns to each side of the same row."""
    window = (1, 2 * EDGE_PX + 1)
    far = maximum_filter(sparse.depth, window)
    near = minimum_filter(np.where(sparse.measured, sparse.depth, np.inf), window)
    return sparse.measured & (far > near * (1 + JUMP))


def report(group: str, ways: dict[str, list[tuple[float, ...]]]) -> None:
    """A table of means over the frames, and in how many of them ours is best."""
    count = len(ways[OURS])
    print(f"\n{group}: {count} frames\n{'':<26}" + "".join(f"{name:>18}" for name in COLUMNS))
    for name, rows in ways.items():
        rmse, mae, edge, seconds = np.mean(rows, axis=0)
        print(f"{name:<26}{rmse:>18.2f}{100 * mae:>17.2f}%{100 * edge:>17.1f}%{seconds:>18.2f}")
    own = np.array(ways[OURS])
    others = np.array([rows for name, rows in ways.items() if name != OURS])
    best = [int((own[:, 0] < others[:, :, 0].min(0)).sum()), int((own[:, 1] < others[:, :, 1].min(0)).sum())]
    linear = 100 * (own[:, 2] - np.array(ways["linear"])[:, 2])
    print(
        f"ours is best of all in depth in {best[0]}, in reflectance in {best[1]} of {count} frames; at boundaries "
        f"{linear.mean():+.1f} points against linear ({linear.min():+.1f} to {linear.max():+.1f})"
    )
