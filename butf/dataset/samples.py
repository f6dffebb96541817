"""Frames as a torch data set: pictures decoded once, then served from memory."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from butf.dataset.frames import Frames
from butf.dataset.modalities import Encoding, Map
from butf.dataset.pictures import fine_enough

SIDE_STRIDE = 4


class Sample(TypedDict):
    """A picture and its encoded side map, see `Samples`."""

    image: torch.Tensor
    side: torch.Tensor
    valid: torch.Tensor
    index: int


class Samples(Dataset[Sample]):
    """Pictures and encoded side maps of some frames of a data set.

    Item k is a dict of `image` (3, H, W) uint8, `side` (1, H // 4, W // 4) float32 encoded to 0..1, `valid`
    (1, H // 4, W // 4) bool (False where nothing was measured, everywhere where the frame has no map), and `index`,
    the frame's row in `frames`. The tensors are views of the memory kept: copy before changing them.

    Memory is 3 H W + 5 H W / 16 bytes a frame, taken as pictures are first asked for. With worker processes each
    worker fills its own, so keep workers alive between epochs.
    """

    def __init__(
        self,
        frames: Frames,
        indices: np.ndarray,
        size: tuple[int, int],
        encoding: Encoding | None = None,
        modality: str | None = None,
    ) -> None:
        """`size` is (W, H) in pixels; without `encoding` no side maps are read. `modality` names the maps to read
        where they are not those of the encoding: a lidar's in place of depth."""
        self.frames = frames
        self.indices = np.asarray(indices, np.int64)
        self.size = size
        self.encoding = encoding
        self.modality = modality or (encoding.modality if encoding else None)
        count, (width, height) = len(self.indices), size
        side = (count, 1, height // SIDE_STRIDE, width // SIDE_STRIDE)
        # Left unwritten: the system hands out pages only as they are filled.
        self._images = torch.empty((count, 3, height, width), dtype=torch.uint8)
        self._sides = torch.empty(side, dtype=torch.float32)
        self._valid = torch.empty(side, dtype=torch.bool)
        self._kept = np.zeros(count, bool)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, k: int) -> Sample:
        if not self._kept[k]:
            self._fill(k)
        return {
            "image": self._images[k],
            "side": self._sides[k],
            "valid": self._valid[k],
            "index": int(self.indices[k]),
        }

    def gathered(self, rows: np.ndarray, pinned: bool = False) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """`image`, `side` and `valid` of some items, `(B, ...)` each; `pinned` where a GPU is to fetch them."""
        rows = np.asarray(rows, np.int64)
        for k in rows[~self._kept[rows]]:
            self._fill(int(k))
        return _taken(self._images, rows, pinned), _taken(self._sides, rows, pinned), _taken(self._valid, rows, pinned)

    def _fill(self, k: int) -> None:
        index = int(self.indices[k])
        picture = self.frames.image(index, least=fine_enough(self.size[0] * self.size[1]))
        if picture.size != self.size:
            picture = picture.resize(self.size, Image.Resampling.BILINEAR)
        self._images[k] = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
        self._sides[k], self._valid[k] = 0, False
        if self.encoding is not None and self.modality is not None:
            side = self.frames.modality(index, self.modality)
            if side is not None:
                self._sides[k], self._valid[k] = self._encoded(side, self.encoding)
        self._kept[k] = True

    def _encoded(self, side: Map, encoding: Encoding) -> tuple[torch.Tensor, torch.Tensor]:
        height, width = self._sides.shape[-2:]
        values, valid = nearest(side.values, (width, height)), nearest(side.valid, (width, height))
        encoded = encoding.encode(np.where(valid, values, encoding.far))
        return torch.from_numpy(encoded)[None], torch.from_numpy(valid)[None]


def _taken(table: torch.Tensor, rows: np.ndarray, pinned: bool) -> torch.Tensor:
    """Rows of a table, copied once and by this thread: torch wakes all of its threads for it, which takes longer."""
    rows_of_it = torch.empty((len(rows), *table.shape[1:]), dtype=table.dtype, pin_memory=pinned)
    np.take(table.numpy(), rows, axis=0, out=rows_of_it.numpy(), mode="clip")  # any other mode copies twice
    return rows_of_it


def nearest(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) array -> (H, W) at `size` (W, H), each new pixel taking the old one under its centre.

    Never a mean: a depth between a wall and the sky behind it is nowhere in the scene.
    """
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for new, old in zip(reversed(size), values.shape, strict=True)
    )
    taken: np.ndarray = values[rows[:, None], columns]
    return taken
