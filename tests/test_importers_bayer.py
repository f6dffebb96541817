"""Demosaicing against a slow plain version and OpenCV, undistortion against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from robotcar_layout import CAMERA, distorted, mosaic, table
from scipy.ndimage import gaussian_filter, map_coordinates

from butf.importers.bayer import Undistortion, demosaic

COLOURS = (("G", "B"), ("R", "G"))


def plainly(raw: np.ndarray) -> np.ndarray:
    """Each colour of each pixel inside as the mean of the nearest pixels of that colour."""
    height, width = raw.shape
    rgb = np.zeros((height, width, 3))
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            for channel, colour in enumerate("RGB"):
                around = [
                    (abs(dy) + abs(dx), float(raw[y + dy, x + dx]))
                    for dy in (-1, 0, 1)
                    for dx in (-1, 0, 1)
                    if COLOURS[(y + dy) % 2][(x + dx) % 2] == colour
                ]
                nearest = min(distance for distance, _ in around)
                rgb[y, x, channel] = np.mean([value for distance, value in around if distance == nearest])
    return rgb


def test_colours_are_the_means_of_their_nearest_pixels() -> None:
    raw = np.random.default_rng(0).integers(0, 256, (13, 18), dtype=np.uint8)
    assert np.abs(demosaic(raw) - plainly(raw))[1:-1, 1:-1].max() <= 0.5


def test_they_are_those_of_opencv() -> None:
    cv2 = pytest.importorskip("cv2")
    raw = np.random.default_rng(1).integers(0, 256, (40, 52), dtype=np.uint8)
    # OpenCV names a pattern by its second row and column: GBRG is its GR.
    theirs = cv2.cvtColor(raw, cv2.COLOR_BayerGR2RGB).astype(int)
    assert np.abs(demosaic(raw)[1:-1, 1:-1] - theirs[1:-1, 1:-1]).max() <= 1


def test_an_even_colour_stays_up_to_the_border() -> None:
    picture = np.tile(np.array([200, 120, 40], np.uint8), (7, 8, 1))
    assert (demosaic(mosaic(picture)) == picture).all()


def test_undistortion_looks_up_as_scipy_does() -> None:
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    lut = table(CAMERA, 0.2) + rng.normal(0, 0.5, (48, 64, 2))
    found = Undistortion(lut).apply(picture)
    inside = ((lut >= 0) & (lut <= (63, 47))).all(axis=2)
    assert 0.7 < inside.mean() < 1
    for channel in range(3):
        theirs = map_coordinates(picture[..., channel].astype(float), np.moveaxis(lut[..., ::-1], 2, 0), order=1)
        assert np.abs(found[..., channel] - theirs)[inside].max() <= 0.51
    assert (found[~inside] == 0).all()


def test_undistortion_takes_a_known_distortion_out() -> None:
    smooth = gaussian_filter(np.random.default_rng(3).uniform(0, 255, (48, 64, 3)), (3, 3, 0)) * 3 - 255
    picture = np.clip(smooth, 0, 255).astype(np.uint8)
    raw = distorted(picture, CAMERA, -0.1)
    off = np.abs(raw.astype(int) - picture).mean()
    left = np.abs(Undistortion(table(CAMERA, -0.1)).apply(raw).astype(int) - picture).mean()
    assert left < 1 and off > 4 * left
