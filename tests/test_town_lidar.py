"""The simulated lidars against what the camera sees, and their maps on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from butf.dataset.frames import Frames
from butf.densify import project
from butf.errors import BadInput
from butf.town.conditions import CONDITIONS
from butf.town.config import TownConfig
from butf.town.district import District
from butf.town.lidar import LIDARS, PUSH_BROOM, SPINNING, Lidar, Scanner, known, to_camera
from butf.town.render import Renderer
from butf.town.writer import write_town

CONFIG = TownConfig(seed=3, train_places=8, val_places=40, test_places=8, width=320, height=240, traffic=0.0)
PLACE = 12


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(District(CONFIG, "val"), CONDITIONS["overcast"], samples=1)


def exact(lidar: Lidar) -> Lidar:
    return dataclasses.replace(lidar, noise_m=0.0, drop_out=0.0, dark=1e-6, speckle=0.0)


def off_truth(renderer: Renderer, lidar: Lidar) -> np.ndarray:
    """Metres by which samples lie behind what the camera sees in their pixels; before it is below 0."""
    truth = renderer.picture(PLACE).depth
    sparse = project(Scanner(renderer, lidar).cloud(PLACE), renderer.camera)
    both = sparse.measured & (truth > 0)
    assert both.sum() > 2000
    return (sparse.depth - truth)[both] / truth[both]


def test_axes_of_the_camera() -> None:
    ahead, right, up = to_camera(np.array([[0, 9, 0], [4, 0, 0], [0, 0, 2]]), np.pi / 2)
    np.testing.assert_allclose([ahead, right, up], [[0, 0, 9], [4, 0, 0], [0, -2, 0]], atol=1e-6)


@pytest.mark.parametrize("name", LIDARS)
def test_without_noise_points_lie_on_what_the_camera_sees_or_behind_it(renderer: Renderer, name: str) -> None:
    off = off_truth(renderer, exact(known(name)))
    assert np.median(np.abs(off)) < 0.008
    # Before it only where a pixel holds an edge: a point is somewhere in the pixel, the truth in its middle.
    assert (off < -0.05).mean() < 0.03
    assert (off > 0.05).mean() > (0.05 if name == "push-broom" else 0.002)


def test_noise_of_a_range_and_lost_pulses(renderer: Renderer) -> None:
    clean, lossy = exact(SPINNING), dataclasses.replace(exact(SPINNING), drop_out=0.25)
    whole, part = (len(Scanner(renderer, lidar).cloud(PLACE)) for lidar in (clean, lossy))
    assert part / whole == pytest.approx(0.75, abs=0.01)
    noisy = dataclasses.replace(clean, noise_m=0.05)
    ranges = [
        np.linalg.norm(Scanner(renderer, lidar).cloud(PLACE).points - np.array(mount_of(renderer)), axis=1)
        for lidar in (clean, noisy)
    ]
    assert np.std(ranges[1] - ranges[0]) == pytest.approx(0.05, rel=0.05)
    assert Scanner(renderer, SPINNING).cloud(PLACE).points.tobytes() == (
        Scanner(renderer, SPINNING).cloud(PLACE).points.tobytes()
    )


def mount_of(renderer: Renderer) -> tuple[float, float, float]:
    """The spinning lidar's place in the camera's frame, which may look aside from where the car drives."""
    right, down, forward = SPINNING.mount
    turn = renderer.poses.yaw[PLACE] - renderer.poses.course[PLACE]
    return (
        right * np.cos(turn) + forward * np.sin(turn),
        down,
        forward * np.cos(turn) - right * np.sin(turn),
    )


def test_dark_surfaces_give_less_back(renderer: Renderer) -> None:
    seen = Scanner(renderer, exact(SPINNING)).cloud(PLACE)
    real = Scanner(renderer, dataclasses.replace(exact(SPINNING), dark=0.2)).cloud(PLACE)
    assert len(real) < 0.8 * len(seen)
    assert np.mean(real.reflectance) > np.mean(seen.reflectance) * 1.1


def test_an_unknown_lidar_is_told() -> None:
    with pytest.raises(BadInput, match="lidar 'sonar' is unknown; expected spinning or push-broom"):
        known("sonar")


def test_a_town_gets_lidar_maps_afterwards_and_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "town"
    config = dataclasses.replace(CONFIG, width=96, height=72, val_places=16)
    chosen = {"splits": ("val",), "conditions": ("reference",), "stride": 6, "workers": 1, "progress": False}
    write_town(out, config, **chosen)
    before = {path: path.read_bytes() for path in out.rglob("*.jpg")}
    assert "lidar" not in Frames.load(out).modalities
    write_town(out, config, lidar=PUSH_BROOM.name, **chosen)
    frames = Frames.load(out)
    assert {"points", "returns", "lidar"} < frames.modalities.keys()
    assert {path: path.read_bytes() for path in out.rglob("*.jpg")} == before
    for i in range(len(frames)):
        truth, lidar, points = (frames.modality(i, name) for name in ("depth", "lidar", "points"))
        both = truth.valid & lidar.valid
        assert 0.02 < points.valid.mean() < lidar.valid.mean() and both.mean() > 0.4
        assert np.median(np.abs(lidar.values - truth.values)[both] / truth.values[both]) < 0.03
    kept = sorted(out.rglob("lidar/*.png"))
    first = kept[0].read_bytes()
    stamp = kept[1].stat().st_mtime_ns
    kept[0].write_bytes(first[:-20])
    write_town(out, config, lidar=PUSH_BROOM.name, **chosen)
    assert kept[0].read_bytes() == first and kept[1].stat().st_mtime_ns == stamp
    with pytest.raises(BadInput, match="has maps of a push-broom lidar"):
        write_town(out, config, lidar=SPINNING.name, **chosen)
    write_town(out, config, **chosen)
    assert "lidar" in Frames.load(out).modalities
