"""The database as localization sees it: each picture's pose, camera, keypoints, computed once and kept in npz files."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from butf import files
from butf.dataset.frames import Frames
from butf.dataset.manifest import Camera
from butf.errors import BadInput
from butf.keypoints.features import Features
from butf.pose.camera import camera_of_size
from butf.pose.pose import Pose

_FORM = "3"  # part of every key: change it when what is kept changes its meaning
_HELD = 512  # pictures whose keypoints are held in memory: 0.3 MB each


class Extractor(Protocol):
    """What finds keypoints: `butf.keypoints.zoo.load_keypoints()` gives one."""

    @property
    def digest(self) -> str:
        """Of its weights: what a cache of features is keyed by."""
        ...

    def extract(self, image: Image.Image, limit: int, upright: bool = False) -> Features:
        """The strongest `limit` keypoints of a picture."""
        ...


@dataclass(frozen=True, eq=False)
class View:
    """One database picture: its number, pose, camera and keypoints; `key` tells what these were computed from."""

    frame: int
    pose: Pose
    camera: Camera
    features: Features
    key: str

    def rays(self) -> np.ndarray:
        """(N, 3) world directions of the keypoints, of z-depth 1: a point of z-depth z is at centre + z ray."""
        camera = self.camera
        x = (self.features.points[:, 0] - camera.cx) / camera.fx
        y = (self.features.points[:, 1] - camera.cy) / camera.fy
        rays: np.ndarray = np.stack([x, y, np.ones(len(x))], axis=1).astype(np.float64) @ self.pose.rotation.T
        return rays


class Views:
    """The pictures of a data set with their keypoints, looked up in memory, then on disk, then computed."""

    def __init__(self, frames: Frames, extractor: Extractor, limit: int, upright: bool) -> None:
        self.frames, self.extractor, self.limit, self.upright = frames, extractor, limit, upright
        self._held: OrderedDict[int, View] = OrderedDict()

    def __getitem__(self, i: int) -> View:
        """Frame i; raises `BadInput` where dataset.json knows no camera of its size."""
        if i in self._held:
            self._held.move_to_end(i)
            return self._held[i]
        picture = self.frames.image(i)
        camera = camera_of_size(self.frames, picture.size)
        if camera is None:
            raise BadInput(
                f"{self.frames.root / 'dataset.json'} has no camera of {picture.width}x{picture.height}; add fx, fy, "
                "cx and cy of the database's camera to localize in it"
            )
        key = key_of(
            "keypoints", picture.tobytes(), repr((picture.size, self.extractor.digest, self.limit, self.upright))
        )
        features = _features(kept(key, lambda: _parts(self.features(picture))))
        self._held[i] = View(int(i), pose_of(self.frames, i), camera, features, key)
        while len(self._held) > _HELD:
            self._held.popitem(last=False)
        return self._held[i]

    def features(self, picture: Image.Image) -> Features:
        """The keypoints of any picture, as those of the database were found."""
        return self.extractor.extract(picture, self.limit, self.upright)


def pose_of(frames: Frames, i: int) -> Pose:
    """Frame i's own pose; raises `BadInput` where the data set has no orientations."""
    if frames.orientation is None:
        raise BadInput(
            f"{frames.root / 'frames.csv'} has no orientations; add qw, qx, qy, qz of its frames, or search only"
        )
    w, x, y, z = frames.orientation[i]
    return Pose(Rotation.from_quat([x, y, z, w]).as_matrix(), frames.position[i].astype(np.float64))


def kept(key: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays by name from the file of this key in the cache, computed and written where there is none.

    A damaged file is computed again rather than believed.
    """
    path = files.cache_dir() / "localization" / f"{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        made = compute()
    existing = next(folder for folder in (path.parent, *path.parents) if folder.exists())
    if os.access(existing, os.W_OK):
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {**made}  # among keywords of other types
        np.savez(buffer, **arrays)
        files.write_atomic(path, buffer.getvalue(), durable=False)
    return made


def key_of(kind: str, *parts: str | bytes) -> str:
    """A key of what is computed from these parts."""
    digest = hashlib.blake2b(f"{_FORM} {kind}".encode(), digest_size=16)
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def _parts(features: Features) -> dict[str, np.ndarray]:
    # Half precision halves the cache; the angles between descriptors change in the fourth digit.
    return {
        "points": features.points, "scales": features.scales, "angles": features.angles, "scores": features.scores,
        "descriptors": features.descriptors.astype(np.float16),
    }  # fmt: skip


def _features(parts: dict[str, np.ndarray]) -> Features:
    return Features(**{name: values.astype(np.float32) for name, values in parts.items()})
