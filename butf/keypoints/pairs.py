"""Pairs of pictures of the same place, with depth and poses: what keypoints learn from and are measured by."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from butf.dataset.frames import Frames
from butf.dataset.poses import angles_deg
from butf.errors import BadInput
from butf.keypoints.warping import View

MOVING = ("vehicle", "sky")
"""Classes that are left out: what is somewhere else when the next picture is taken, or has no place at all."""
MOST_PIXELS = 320 * 240
"""Larger pictures are shrunk to this: cameras of phones and Kinects to about the town's."""
TURNED_DEG = 30.0
KEPT = 3000


@dataclass(frozen=True, eq=False)
class Views:
    """The pictures of a data set as views: grey or colour, depth without what moves, camera and pose."""

    frames: Frames
    moving: tuple[int, ...] = field(default=())
    """Ids of the classes `MOVING`, where the data set has classes."""

    @classmethod
    def of(cls, frames: Frames) -> Views:
        """The views of a data set. Raises `BadInput` when it has no depth, poses or camera."""
        if "depth" not in frames.modalities:
            raise BadInput(f"{frames.root} has no depth; keypoints learn from depth and poses: take a data set with it")
        if frames.orientation is None:
            raise BadInput(f"{frames.root / 'frames.csv'} has no orientations; add qw, qx, qy, qz to learn keypoints")
        if not frames.cameras:
            raise BadInput(f"{frames.root / 'dataset.json'} has no camera; add its size, focal lengths and centre")
        classes = frames.modalities.get("semantics", {}).get("classes", [])
        return cls(frames, tuple(classes.index(name) for name in MOVING if name in classes))

    def view(self, row: int) -> View:
        """Frame `row`, colour `(1, 3, H, W)`. Raises `BadInput` when it has no depth."""
        assert self.frames.orientation is not None  # see `of`
        pixels, depth, intrinsics = _read(self, int(row))
        return View(
            torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255,
            torch.from_numpy(depth).float(),
            torch.from_numpy(intrinsics),
            torch.from_numpy(Rotation.from_quat(self.frames.orientation[row], scalar_first=True).as_matrix()),
            torch.from_numpy(np.asarray(self.frames.position[row], np.float64)),
        )

    def has_depth(self, rows: np.ndarray) -> np.ndarray:
        """(N,) bool: which of these frames have a depth map."""
        return np.array([self.frames.modality_path(int(row), "depth") is not None for row in rows], bool)


def near_pairs(frames: Frames, rows: np.ndarray, metres: float) -> list[np.ndarray]:
    """For each of `rows`, the others of them taken within `metres` and turned by less than 30 degrees."""
    assert frames.orientation is not None
    found = []
    for row in rows:
        gap = np.linalg.norm(frames.position[rows] - frames.position[row], axis=1)
        turned = angles_deg(frames.orientation[[row]], frames.orientation[rows])[0]
        found.append(rows[(gap <= metres) & (turned <= TURNED_DEG) & (rows != row)])
    return found


def pairs_in_time(rows: np.ndarray, least: int, most: int) -> list[np.ndarray]:
    """For each of `rows`, in the order of a video, the others `least` to `most` rows before or after it."""
    places = np.arange(len(rows))
    gaps = np.abs(places[:, None] - places)
    return [rows[(gap >= least) & (gap <= most)] for gap in gaps]


def in_order(frames: Frames) -> np.ndarray:
    """(N,) rows of all frames in the order of the video they come from: by the last part of their names."""
    return np.argsort([name.rpartition("/")[2] for name in frames.frame.tolist()], kind="stable")


@lru_cache(maxsize=KEPT)
def _read(views: Views, row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels (H, W, 3) uint8, depth (H, W) float32 and intrinsics (4,) of a frame, shrunk alike."""
    frames = views.frames
    picture, depth = frames.image(row), frames.modality(row, "depth")
    if depth is None:
        path = Path(str(frames.frame[row]).replace("/", "/depth/")).with_suffix(".png")
        raise BadInput(f"{frames.root / path} is missing; add the depth, or leave the frame out")
    metres = np.where(depth.valid, depth.values, 0).astype(np.float32)
    semantics = frames.modality(row, "semantics") if views.moving else None
    if semantics is not None:
        metres = np.where(np.isin(semantics.values.astype(np.int64), views.moving), 0, metres).astype(np.float32)
    shrink = min(1.0, (MOST_PIXELS / (picture.width * picture.height)) ** 0.5)
    size = round(picture.width * shrink), round(picture.height * shrink)
    camera = next(c for c in frames.cameras if (c.width, c.height) == picture.size)
    across = np.array([size[0] / camera.width, size[1] / camera.height], np.float32)
    intrinsics = np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float32) * np.tile(across, 2)
    small = picture if size == picture.size else picture.resize(size, Image.Resampling.BOX)
    return np.array(small), _nearest(metres, size), intrinsics


def _nearest(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) values at another size (W, H), each the nearest: depths of two surfaces are never mixed."""
    rows = ((np.arange(size[1]) + 0.5) * values.shape[0] / size[1]).astype(int)
    columns = ((np.arange(size[0]) + 0.5) * values.shape[1] / size[0]).astype(int)
    taken: np.ndarray = values[rows[:, None], columns]
    return taken
