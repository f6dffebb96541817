"""Previews: what a decoder makes of two fixed val pictures while training goes on, kept in the run's folder.

Each is a file `previews/000120.npz` of plain arrays, named by the training step and written at once. Making one draws
no random number and leaves the network in the mode it was in, so training comes to the same weights without them.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from butf.dataset.frames import Frames
from butf.dataset.modalities import Encoding, Map
from butf.dataset.samples import Samples
from butf.files import write_atomic
from butf.networks.description import Network
from butf.training.batch import taken

FIRST = 10
"""The first previews of a training step are made at 0, 10, 20, 40, 80, ... optimiser steps: most is learnt early."""


@dataclass(frozen=True, eq=False)
class Preview:
    """What the decoder made of the pictures after `step` training steps: a map `(h, w)` in the modality's unit each."""

    step: int
    frames: tuple[str, ...]
    maps: tuple[Map, ...]


class Previews:
    """Writes the previews of one run."""

    def __init__(self, folder: Path, frames: Frames, size: tuple[int, int], encoding: Encoding, seed: int):
        """`size` is the (W, H) at which the network sees pictures; `seed` chooses which."""
        self.folder, self.encoding = folder, encoding
        rows = chosen_pictures(frames, encoding.modality, seed)
        self.names = frames.frame[rows]
        self.samples = Samples(frames, rows, size)

    def write(self, step: int, network: Network) -> None:
        """Keep what `network` makes of the pictures now; nothing where it draws no side map or val has no pictures."""
        if not len(self.samples) or network.reads_side:
            return
        shares = self._decoded(network)
        if shares is None:
            return
        file = io.BytesIO()
        modality = np.array(self.encoding.modality)
        np.savez_compressed(file, frames=self.names, modality=modality, values=in_unit(shares, self.encoding))
        write_atomic(self.folder / f"{step:06d}.npz", file.getvalue())

    def forget_after(self, step: int) -> None:
        """Remove previews of steps that a run resumed from `step` takes again."""
        for number, path in preview_files(self.folder).items():
            if number > step:
                path.unlink(missing_ok=True)

    def _decoded(self, network: Network) -> np.ndarray | None:
        device, was_training = next(network.parameters()).device, network.training
        images, _, _ = taken(self.samples, np.arange(len(self.samples)), device)
        network.eval()
        with torch.inference_mode():
            side_map = network(images).side_map
        network.train(was_training)
        return None if side_map is None else side_map.float().cpu().numpy()


def due(step: int) -> bool:
    """Whether a preview is made after `step` optimiser steps of a training step, beside those at measurements."""
    times, rest = divmod(step, FIRST)
    return not rest and not times & (times - 1)


def chosen_pictures(frames: Frames, modality: str, seed: int) -> np.ndarray:
    """Two val frames `(2,)` that have a side map: one of a seen condition and the nearest of an unseen one.

    Where all conditions are of one kind, two of these; fewer where val has fewer such frames.
    """
    if "val" not in frames.splits:
        return np.empty(0, np.int64)
    asked = np.concatenate([np.empty(0, np.int64), *frames.queries("val").values()])
    usable = np.array([row for row in asked if frames.modality_path(int(row), modality)], np.int64)
    seen = np.array([frames.seen(name) for name in frames.condition[usable]], bool)
    first = usable[seen] if seen.any() else usable
    if not len(first):
        return first
    rng = np.random.default_rng(seed)
    chosen = rng.choice(first, 1)
    unseen = usable[~seen & (usable != chosen)]
    if seen.any() and len(unseen):
        # Of the nearest, as many as there are unseen conditions, one by chance: else it would always be the same one.
        nearest = unseen[np.argsort(frames.distances(chosen, unseen)[0], kind="stable")]
        kinds = len(set(frames.condition[unseen].tolist()))
        return np.append(chosen, rng.choice(nearest[:kinds], 1))
    return np.append(chosen, rng.permutation(first[first != chosen])[:1])


def in_unit(shares: np.ndarray, encoding: Encoding) -> np.ndarray:
    """Decoded maps `(N, C, h, w)` in the modality's unit `(N, h, w)`; for classes the likeliest one's id."""
    if shares.shape[1] == 1:
        values: np.ndarray = encoding.decode(shares[:, 0])
        return values
    likeliest: np.ndarray = encoding.near + shares.argmax(axis=1).astype(np.float32)
    return likeliest


def preview_files(folder: Path) -> dict[int, Path]:
    """The previews in a folder by training step, in order."""
    return {int(path.stem): path for path in sorted(folder.glob("*.npz")) if path.stem.isdigit()}


def read_previews(paths: Sequence[Path]) -> list[Preview]:
    """The previews in some files; a damaged one is passed over, since the others are still worth seeing."""
    return [preview for path in paths if (preview := _read(path))]


def _read(path: Path) -> Preview | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            name, frames, values = str(arrays["modality"]), arrays["frames"].tolist(), arrays["values"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return Preview(int(path.stem), tuple(frames), tuple(Map(name, map_, np.ones(map_.shape, bool)) for map_ in values))


def spread(paths: dict[int, Path], most: int) -> list[Path]:
    """At most `most` of the previews, the first and the last among them.

    Evenly by their order and not by their steps: there are more of the early steps, in which most changes.
    """
    files = list(paths.values())
    if len(files) <= most:
        return files
    return [files[k] for k in np.linspace(0, len(files) - 1, most).round().astype(int)]
