"""How a frame's dense map came about: its lidar points, what visibility removed, the filled map, truth and error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from butf.dataset.frames import Frames
from butf.dataset.modalities import Map, colour
from butf.densify import Dense
from butf.densify.dataset import Filling, dense_of, measured
from butf.figures.depth import Scale
from butf.figures.gallery import data_uri, png_uri, thumbnail
from butf.figures.previews import Tile, map_uri
from butf.figures.samples import CLEAR, FULL_COLOUR, dotted, error_picture
from butf.files import read_image
from butf.views import side_scale

RIGHT = 0.05
WIDEST = 1300
REMOVED_SIZE = 1.6  # a removed point's dot over that of a point, for there are few


@dataclass(frozen=True)
class Agreement:
    """A filled depth beside the true one: median absolute error in metres, share of pixels off by less than 5 %."""

    median_m: float
    right: float


@dataclass(frozen=True)
class Origin:
    """The pictures, their width over their height, and the scale of the depth maps."""

    tiles: tuple[Tile, ...]
    proportion: float
    scale: Scale


def has_points(frames: Frames, i: int) -> bool:
    """Whether frame i has what `origin` shows."""
    return frames.modality_path(i, "points") is not None


def origin(frames: Frames, i: int) -> Origin | None:
    """Fill the points of frame i and show what that does; None where no point fell into its picture.

    Takes as long as `butf.densify.fill`. Raises `BadInput` for a damaged map, or without a camera of the picture's
    size.
    """
    dense = dense_of(frames, i, Filling.of(frames, "points"))
    if dense is None:
        return None
    picture = np.asarray(read_image(frames.image_path(i)))
    scale = side_scale(frames, "points")
    tiles = [_points(dense, picture, scale), _removed(dense, picture), _filled(dense, scale)]
    truth = frames.modality(i, "depth") if measured(frames, "depth") else None
    if truth is not None and truth.values.shape == dense.depth.shape:
        tiles += [_truth(truth, scale), _error(dense, truth)]
    if dense.reflectance is not None:
        tiles.append(_reflectance(dense.reflectance, dense.valid))
    return Origin(tuple(tiles), picture.shape[1] / picture.shape[0], scale)


def agreement(dense: Dense, truth: Map) -> Agreement | None:
    """How near the filled depth comes to a true depth of its size, where both are known; None where nothing is."""
    known = dense.valid & truth.valid
    if not known.any():
        return None
    off = np.abs(dense.depth[known].astype(np.float64) - truth.values[known])
    return Agreement(float(np.median(off)), float((off < RIGHT * truth.values[known]).mean()))


def _points(dense: Dense, picture: np.ndarray, scale: Scale) -> Tile:
    depth, where = dense.sparse.depth, dense.sparse.measured
    colours = colour(depth[where][None], low=scale.low, high=scale.high, name="points")[0]
    note = f"{where.sum():,} pixels, {where.mean():.0%} of the picture"
    return Tile(_photo(dotted(picture, where, colours)), "Measured points", note, f"The lidar's points: {note}")


def _removed(dense: Dense, picture: np.ndarray) -> Tile:
    gone = dense.sparse.measured & ~dense.visible
    k_wide = dotted(picture, np.zeros_like(gone), np.zeros((0, 3))).shape[1]
    radius = REMOVED_SIZE * max(1.5, k_wide / 500)
    share = gone.sum() / dense.sparse.measured.sum()
    note = f"{gone.sum():,} points, {share:.1%}"
    shown = dotted(picture, gone, np.array(CLEAR, np.uint8), radius)
    return Tile(_photo(shown), "Removed as hidden", note, f"Points that the camera cannot see: {note}")


def _filled(dense: Dense, scale: Scale) -> Tile:
    note = f"{dense.valid.mean():.0%} of the picture, grey where no point is near"
    uri = map_uri(Map("depth", dense.depth, dense.valid), scale)
    return Tile(uri, "Dense depth", note, f"Depth filled between the points: {note}")


def _truth(truth: Map, scale: Scale) -> Tile:
    return Tile(map_uri(truth, scale), "True depth", "of the data set", "The true depth in the same colours")


def _error(dense: Dense, truth: Map) -> Tile:
    known = dense.valid & truth.valid
    share = (dense.depth - truth.values) / np.where(truth.valid, truth.values, 1)
    found = agreement(dense, truth)
    note = "nothing to compare" if found is None else f"median {found.median_m:.2f} m, {found.right:.0%} within 5%"
    words = f"Blue where the dense depth is too near, orange where too far, full colour from {FULL_COLOUR:.0%}: {note}"
    return Tile(png_uri(error_picture(share, known)), "Error", note, words)


def _reflectance(values: np.ndarray, valid: np.ndarray) -> Tile:
    uri = map_uri(Map("reflectance", values, valid), Scale(0.0, 1.0, "", False))
    return Tile(uri, "Dense reflectance", "filled together with depth", "Reflectance filled between the points")


def _photo(pixels: np.ndarray) -> str:
    return data_uri(thumbnail(Image.fromarray(pixels), WIDEST, 86))
