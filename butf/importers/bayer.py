"""Raw pictures of a camera with a Bayer filter: colours by bilinear interpolation, and distortion taken out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


def demosaic(mosaic: np.ndarray) -> np.ndarray:
    """(H, W) uint8 in the pattern GBRG (rows G B G B, R G R G) -> (H, W, 3) uint8 RGB, H and W at least 2.

    Each colour that a pixel lacks is the mean of its two or four nearest neighbours of that colour. At the border the
    picture is mirrored about its outermost pixels, which keeps the pattern.
    """
    padded = np.pad(mosaic.astype(np.float32), 1, mode="reflect")
    middle = padded[1:-1, 1:-1]
    beside = (padded[1:-1, :-2] + padded[1:-1, 2:]) / 2
    above = (padded[:-2, 1:-1] + padded[2:, 1:-1]) / 2
    corners = (padded[:-2, :-2] + padded[:-2, 2:] + padded[2:, :-2] + padded[2:, 2:]) / 4
    cross = (beside + above) / 2
    rgb = np.empty((*mosaic.shape, 3), np.float32)
    # At the green of the even rows, the blue, the red, and the green of the odd rows: where red, green, blue come from.
    origins: tuple[tuple[int, int, tuple[np.ndarray, ...]], ...] = (
        (0, 0, (above, middle, beside)),
        (0, 1, (corners, cross, middle)),
        (1, 0, (middle, cross, corners)),
        (1, 1, (beside, middle, above)),
    )
    for row, column, sources in origins:
        for channel, source in enumerate(sources):
            rgb[row::2, column::2, channel] = source[row::2, column::2]
    return np.rint(rgb).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Undistortion:
    """`lut` (H, W, 2): for each pixel of the undistorted picture the column and row in the raw one from which it comes,
    counted from the centre of the first pixel."""

    lut: np.ndarray

    @cached_property
    def _corners(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each pixel the four raw pixels around its source (4, H * W), and how much each counts (4, H * W, 1)."""
        height, width = self.lut.shape[:2]
        column, row = self.lut.reshape(-1, 2).T
        inside = (column >= 0) & (column <= width - 1) & (row >= 0) & (row <= height - 1)
        left = np.clip(np.floor(np.where(inside, column, 0)), 0, width - 2).astype(np.int64)
        top = np.clip(np.floor(np.where(inside, row, 0)), 0, height - 2).astype(np.int64)
        right_share, lower_share = np.where(inside, column - left, 0), np.where(inside, row - top, 0)
        first = top * width + left
        weights = [
            (1 - right_share) * (1 - lower_share), right_share * (1 - lower_share),
            (1 - right_share) * lower_share, right_share * lower_share,
        ]  # fmt: skip
        weight = (np.array(weights) * inside).astype(np.float32)[..., None]
        return np.stack([first, first + 1, first + width, first + width + 1]), weight

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 raw -> undistorted, by bilinear interpolation; black where nothing was seen."""
        places, weights = self._corners
        flat = picture.reshape(-1, 3)
        total = sum(flat[place] * weight for place, weight in zip(places, weights, strict=True))
        undistorted: np.ndarray = np.rint(total).astype(np.uint8).reshape(picture.shape)
        return undistorted
