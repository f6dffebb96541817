"""Side modalities on disk, as numbers, and as a network's targets in 0..1.

Depth is the truth where a data set has it; `lidar` is depth as a lidar measured it, filled between its points
(`butf.densify`). A network that learns from either reconstructs depth. `points` and `returns` are what that was made
of: depth and reflectance in the pixels that a point falls into, nothing in the others; nobody learns from these.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from butf.dataset import colours
from butf.errors import BadInput
from butf.files import read_pixels, write_atomic

if TYPE_CHECKING:
    from butf.dataset.frames import Frames

DEPTH_SCALE = 256.0
UNLABELLED = 255
FILLED_FROM = "filled_from"
"""Key of a modality in dataset.json: the samples that its gaps were filled from. Without it all was measured."""


@dataclass(frozen=True)
class Modality:
    """What a side modality is: its unit, its form on disk, the encodings a network may use (the first by default)."""

    name: str
    unit: str
    form: str
    colours: str
    encodings: tuple[str, ...]
    sparse: bool = False


MODALITIES = {
    modality.name: modality
    for modality in (
        Modality("depth", "m", "16-bit PNG, metres x 256", "ramp", ("log", "inverse", "linear")),
        Modality("reflectance", "0..1", "8-bit grey PNG, 0..255 = 0..1", "grey", ("identity",)),
        Modality("lidar", "m", "16-bit PNG, metres x 256", "ramp", ("log", "inverse", "linear")),
        Modality("points", "m", "16-bit PNG, metres x 256", "ramp", ("log", "inverse", "linear"), sparse=True),
        Modality("returns", "0..1", "8-bit grey PNG, 0..255 = 0..1", "grey", ("identity",), sparse=True),
        Modality("semantics", "class id", "8-bit palette PNG of class ids", "palette", ("classes",)),
    )
}


LEARNABLE = tuple(name for name, modality in MODALITIES.items() if not modality.sparse)


@dataclass(frozen=True, eq=False)
class Map:
    """One side map: `values` (H, W) float32 in the modality's unit, `valid` (H, W) bool where it was measured."""

    name: str
    values: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True)
class Encoding:
    """How a network sees a modality: monotonic, `near` -> 0 and `far` -> 1, clipped outside.

    log: ln(v / near) / ln(far / near); inverse: (1/near - 1/v) / (1/near - 1/far); linear: (v - near) / (far - near);
    identity: the value itself; classes: linear, decoded to the nearest id, `near` and `far` being the first and the
    last class id. `near` and `far` are metres for depth.
    """

    modality: str = "depth"
    kind: str = "log"
    near: float = 1.0
    far: float = 100.0

    def __post_init__(self) -> None:
        modality = known(self.modality)
        if self.kind not in modality.encodings:
            raise BadInput(
                f"encoding {self.kind!r} does not suit {self.modality}; use {' or '.join(modality.encodings)}"
            )
        lowest = 0 if self.modality == "depth" else -math.inf
        if not lowest < self.near < self.far < math.inf:
            raise BadInput(f"encoding range {self.near} to {self.far} is wrong; expected 0 < near < far in metres")

    @property
    def channels(self) -> int:
        """How many numbers a network reconstructs for a pixel: the share of each class, or the one encoded value."""
        return round(self.far - self.near) + 1 if self.kind == "classes" else 1

    def encode(self, values: Any) -> Any:
        """Values in the modality's unit -> float32 in 0..1; numpy array or torch tensor of any shape alike."""
        xp, values = _float32(values)
        if self.kind == "identity":
            return xp.clip(values, 0.0, 1.0)
        values = xp.clip(values, self.near, self.far)
        if self.kind == "log":
            return xp.clip(xp.log(values / self.near) / math.log(self.far / self.near), 0.0, 1.0)
        if self.kind == "inverse":
            return xp.clip((1 / self.near - 1 / values) / (1 / self.near - 1 / self.far), 0.0, 1.0)
        return (values - self.near) / (self.far - self.near)

    def decode(self, encoded: Any) -> Any:
        """The inverse of `encode`: 0..1 (clipped) -> float32 in the modality's unit."""
        xp, encoded = _float32(encoded)
        encoded = xp.clip(encoded, 0.0, 1.0)
        if self.kind == "identity":
            return encoded
        if self.kind == "log":
            return self.near * xp.exp(encoded * math.log(self.far / self.near))
        if self.kind == "inverse":
            return 1 / (1 / self.near - encoded * (1 / self.near - 1 / self.far))
        values = self.near + encoded * (self.far - self.near)
        return xp.round(values) if self.kind == "classes" else values


def known(name: str) -> Modality:
    """The modality of that name; `BadInput` for any other."""
    if name not in MODALITIES:
        raise BadInput(f"modality {name!r} is unknown; expected {', '.join(MODALITIES)}")
    return MODALITIES[name]


def is_depth(name: str) -> bool:
    """Whether a modality gives metres along the optical axis."""
    return known(name).unit == "m"


def default_encoding(frames: Frames, modality: str = "depth") -> Encoding:
    """The encoding a data set suggests: the modality's first kind, with dataset.json's near and far (or classes); that
    of depth for a lidar's."""
    declared, kind = frames.modalities.get(modality, {}), known(modality).encodings[0]
    if is_depth(modality):
        return Encoding("depth", kind, float(declared.get("near_m", 1.0)), float(declared.get("far_m", 100.0)))
    last = max(len(declared.get("classes", ())) - 1, 1) if modality == "semantics" else 1
    return Encoding(modality, kind, 0.0, float(last))


def read_map(path: Path | str, name: str, classes: int | None = None) -> Map:
    """Read a side map. Not measured: depth 0, reflectance 0, class 255.

    Raises `BadInput` for a damaged file, a wrong bit depth, or (with `classes`, their number) an unknown class id.
    """
    modality = known(name)
    picture = read_pixels(path)
    expected = {"16-bit": ("I;16", "I;16B", "I"), "8-bit grey": ("L",), "8-bit palette": ("P", "L")}[
        modality.form.partition(" PNG")[0]
    ]
    if picture.mode not in expected:
        raise BadInput(f"{path} is {mode_in_words(picture.mode)}; expected {modality.form}")
    stored = np.asarray(picture)
    if is_depth(name):
        return Map(name, (stored / DEPTH_SCALE).astype(np.float32), stored > 0)
    if modality.unit == "0..1":
        return Map(name, stored.astype(np.float32) / 255, stored > 0)
    if classes is not None:
        strange = stored[(stored >= classes) & (stored != UNLABELLED)]
        if strange.size:
            raise BadInput(
                f"{path} has class {strange[0]}; expected 0 to {classes - 1} as in dataset.json, or 255 for none"
            )
    return Map(name, stored.astype(np.float32), stored != UNLABELLED)


def write_map(path: Path | str, side: Map) -> None:
    """Write a side map in its form on disk; depth beyond 255.99 m is stored as 255.99 m, values not valid as none."""
    write_atomic(path, map_bytes(side))


def map_bytes(side: Map) -> bytes:
    """The PNG file of a side map."""
    values = np.where(side.valid, np.nan_to_num(side.values), 0)
    if is_depth(side.name):
        # A measured surface nearer than 1/256 m must not become "no measurement".
        stored = np.clip(np.rint(values * DEPTH_SCALE), 1, 65535) * side.valid
        picture = Image.fromarray(stored.astype(np.uint16))
    elif known(side.name).unit == "0..1":
        picture = Image.fromarray((np.clip(np.rint(values * 255), 1, 255) * side.valid).astype(np.uint8))
    else:
        picture = Image.fromarray(np.where(side.valid, np.rint(values), UNLABELLED).astype(np.uint8), mode="L")
        picture.putpalette(colours.palette().astype(np.uint8).tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def colour(
    side: Map | np.ndarray,
    valid: np.ndarray | None = None,
    name: str | None = None,
    low: float | None = None,
    high: float | None = None,
) -> np.ndarray:
    """A side map as a picture (H, W, 3) uint8; what is not valid is neutral grey.

    Depth runs over log metres from `low` (1 m, warm and bright) to `high` (100 m, cool and dark); reflectance is grey
    over `low` (0) to `high` (1); semantics takes one colour a class.
    """
    values, valid, name = (
        (side.values, side.valid, side.name) if isinstance(side, Map) else (side, valid, name or "depth")
    )
    values = np.asarray(values, np.float64)
    valid = np.isfinite(values) if valid is None else np.asarray(valid) & np.isfinite(values)
    picture = colours.painted(np.where(valid, values, 1.0), known(name).colours, low, high)
    picture[~valid] = colours.INVALID
    return picture


def _float32(values: Any) -> tuple[Any, Any]:
    """The array library of `values` (torch is only asked for when a tensor is given) and the values as float32."""
    if isinstance(values, (np.ndarray, np.generic, float, int)):
        return np, np.asarray(values, np.float32)
    import torch

    return torch, values.float()


def mode_in_words(mode: str) -> str:
    """A Pillow mode as a person would say it."""
    words = {
        "L": "8-bit",
        "P": "8-bit",
        "1": "1-bit",
        "RGB": "a colour picture",
        "RGBA": "a colour picture",
        "I;16": "16-bit",
    }
    return words.get(mode, f"of mode {mode}")
