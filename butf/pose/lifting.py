"""Keypoints of database pictures in space: by measured depth, or by depth that a bu-tf model reconstructs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from butf.dataset.frames import Frames
from butf.dataset.modalities import Map, is_depth
from butf.errors import BadInput
from butf.pose.triangulation import NEIGHBOURS, TURNED_DEG, USUAL_SPREAD, Depths, corrected, sightings, triangulate
from butf.pose.views import View, Views, kept, key_of

if TYPE_CHECKING:
    from butf.networks.zoo import Model

MEASURED = ("depth", "lidar")
"""Modalities that hold measured depth, the better first."""
MEASURED_SPREAD = 0.01
REACH = 1
"""Pixels around a keypoint within which its depth is looked for."""
EDGE = 1.1
"""Farthest over nearest depth in that window, from which on it is an edge: the keypoint is the nearer thing's."""


class Lifter(Protocol):
    """Gives the depths of a picture's keypoints."""

    def depths(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """z (N,) metres, not a number where there is none, and the standard deviation (N,) of its logarithm."""
        ...


def lifted(view: View, z: np.ndarray) -> np.ndarray:
    """The keypoints in the data set's frame, (N, 3) metres, by their z-depths (N,)."""
    points: np.ndarray = view.pose.centre + np.asarray(z, np.float64)[:, None] * view.rays()
    return points


class Measured:
    """Depth as the data set has it, of the true modality or else of a lidar's filled one."""

    def __init__(self, frames: Frames) -> None:
        """Raises `BadInput` for a data set without either."""
        self.frames = frames
        modality = next((name for name in MEASURED if name in frames.modalities), None)
        if modality is None:
            raise BadInput(f"data set {frames.name} has no depth; ask for reconstructed depth of a bu-tf model")
        self.modality = modality

    def depths(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        side = self.frames.modality(view.frame, self.modality)
        nothing = np.full(len(view.features), np.nan)
        z = nothing if side is None else sampled(side, view.features.points, (view.camera.width, view.camera.height))
        return z, np.full(len(z), MEASURED_SPREAD)


class Reconstructed:
    """Depth that a model decodes from each picture, set right by the picture's known neighbours."""

    def __init__(self, views: Views, database: np.ndarray, model: Model, form: str = "triangulated") -> None:
        """`form`: "decoded" takes depth as the model gives it, "scaled" corrects its scale, "triangulated" triangulates
        each keypoint with it. Raises `BadInput` for a model that reconstructs no depth.
        """
        if not model.reconstructs or not is_depth(model.encoding.modality):
            raise BadInput(f"model {model.name} ({model.card.method}) reconstructs no depth; choose a bu-tf model")
        self.views, self.database, self.model, self.form = views, database, model, form

    def depths(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        others = [] if self.form == "decoded" else self._neighbours(view)
        parts = [repr((other.key, other.pose.centre.tolist(), other.pose.quaternion.tolist())) for other in others]
        about = repr((self.model.digest, self.form, view.camera))
        found = kept(key_of("depths", view.key, about, *parts), lambda: self._computed(view, others))
        return found["z"], found["spread"]

    def _computed(self, view: View, others: list[View]) -> dict[str, np.ndarray]:
        side = self.model.reconstruct(self.views.frames.image(view.frame))
        assert side is not None
        decoded = sampled(side, view.features.points, (view.camera.width, view.camera.height))
        # Where the scale ends nothing is known but that it is far: the sky, mostly.
        decoded[decoded > 0.97 * self.model.encoding.far] = np.nan
        spread = np.full(len(decoded), USUAL_SPREAD)
        if self.form == "decoded" or not others:
            return {"z": decoded, "spread": spread}
        found = sightings(view, others)
        scaled, rest = corrected(decoded, triangulate(found, decoded, USUAL_SPREAD))
        if self.form == "scaled":
            return {"z": scaled, "spread": np.full(len(decoded), rest)}
        both: Depths = triangulate(found, scaled, rest)
        return {"z": both.z, "spread": both.spread}

    def _neighbours(self, view: View) -> list[View]:
        """The database's pictures nearest to it that look the same way: those farther off match too badly to help."""
        frames = self.views.frames
        own = np.array([view.frame])
        metres, degrees = frames.distances(own, self.database)[0], frames.angles(own, self.database)[0]
        order = np.argsort(metres, kind="stable")
        near = order[(metres <= frames.place.radius_m)[order] & (degrees <= TURNED_DEG)[order] & (metres > 0)[order]]
        return [self.views[int(self.database[row])] for row in near[:NEIGHBOURS]]


@dataclass(frozen=True, eq=False)
class Lifted:
    """A database picture with its keypoints in space: `points` (N, 3) metres, `spread` (N,) of the depth's log."""

    view: View
    points: np.ndarray
    spread: np.ndarray


def sampled(side: Map, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """z-depths (N,) of keypoints at pixels (N, 2) of a picture of `size` (W, H), from a map of any size.

    Between pixels 1 / z is interpolated, which is exact on a plane; at an edge of depth the nearer side is taken. Not a
    number where nothing was measured.
    """
    height, width = side.values.shape
    x = points[:, 0].astype(np.float64) * width / size[0] - 0.5
    y = points[:, 1].astype(np.float64) * height / size[1] - 0.5
    inverse = np.where(side.valid & (side.values > 0), 1 / np.maximum(side.values, 1e-6), np.nan)
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    reach = range(-REACH, REACH + 1)
    window = np.stack([_at(inverse, row + dy, column + dx) for dy in reach for dx in reach], axis=1)
    known = ~np.isnan(window)
    nearest = np.where(known, window, -np.inf).max(axis=1)
    farthest = np.where(known, window, np.inf).min(axis=1)
    smooth = _bilinear(inverse, y, x)
    edge = np.isnan(smooth) | (nearest > EDGE * farthest)
    with np.errstate(divide="ignore"):
        return np.where(known.any(axis=1), 1 / np.where(edge, nearest, smooth), np.nan)


def _bilinear(values: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    down, right = y - top, x - left
    above = (1 - right) * _at(values, top, left) + right * _at(values, top, left + 1)
    below = (1 - right) * _at(values, top + 1, left) + right * _at(values, top + 1, left + 1)
    mixed: np.ndarray = (1 - down) * above + down * below
    return mixed


def _at(values: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Values at pixels, the border's beyond the border."""
    height, width = values.shape
    taken: np.ndarray = values[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    return taken
