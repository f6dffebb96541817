"""The database as localization sees it: each picture's pose, camera, keypoints, computed once and kept in npz files."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from butf import files
from butf.dataset.frames import Frames
from butf.dataset.manifest import Camera
from butf.errors import BadInput
from butf.keypoints.features import Features
from butf.pose.camera import camera_of_size
from butf.pose.pose import Pose
from butf.shelf import Shelf

_FORM = "4"  # part of every key: change it when what is kept changes its meaning
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
    """The pictures of a data set with their keypoints, looked up in memory, then on disk, then computed.

    Threads may share it: each picture is computed once.
    """

    def __init__(self, frames: Frames, extractor: Extractor, limit: int, upright: bool) -> None:
        self.frames, self.extractor, self.limit, self.upright = frames, extractor, limit, upright
        self._held = Shelf(_HELD)
        self._ahead, self._waiting = 0, threading.Condition()

    def __getitem__(self, i: int) -> View:
        """Frame i; raises `BadInput` where dataset.json knows no camera of its size."""
        view: View = self._held.get(int(i), lambda: self._view(int(i)))
        return view

    def prepare(self, frames: Sequence[int]) -> threading.Thread:
        """Find the keypoints of frames and keep them on disk, where they can be, in a thread that is started here.

        It makes way for whoever is `ahead`. A frame that cannot be read is left to whoever asks for it.
        """

        def work() -> None:
            for i in frames if _writable(_folder()) else ():
                with self._waiting:
                    self._waiting.wait_for(lambda: not self._ahead)
                with suppress(BadInput):
                    self._view(i)

        thread = threading.Thread(target=work, name="preparing-views", daemon=True)
        thread.start()
        return thread

    @contextmanager
    def ahead(self, make: Callable[[int], object], frames: Iterable[int]) -> Iterator[None]:
        """Call `make` of each frame in as many threads as torch leaves cores idle, while the caller takes one by one.

        What it raises is left to the caller, who asks for the same; what nobody waits for any more is not begun.
        """
        threads = max(1, (os.cpu_count() or 1) // torch.get_num_threads())
        self._count(1)
        pool = ThreadPoolExecutor(threads, thread_name_prefix="views-ahead")
        try:
            for frame in frames:
                pool.submit(make, frame)
            yield
        finally:
            pool.shutdown(cancel_futures=True)
            self._count(-1)

    def _count(self, more: int) -> None:
        with self._waiting:
            self._ahead += more
            self._waiting.notify_all()

    def _view(self, i: int) -> View:
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
        return View(i, pose_of(self.frames, i), camera, features, key)

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
    path = _folder() / f"{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        made = compute()
    if _writable(path.parent):
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {**made}  # among keywords of other types
        np.savez(buffer, **arrays)
        files.write_atomic(path, buffer.getvalue(), durable=False)
    return made


def _folder() -> Path:
    return files.cache_dir() / "localization"


def _writable(folder: Path) -> bool:
    existing = next(above for above in (folder, *folder.parents) if above.exists())
    return os.access(existing, os.W_OK)


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
