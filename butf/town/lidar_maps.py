"""Depth as a lidar on the town's car would give it: maps of modality `lidar`, made of `points` and `returns`, beside
the true depth.

As with a real car: the scanner's points are projected into the stored picture, those that the camera cannot see are
taken out, and the gaps are filled with the picture as guide (`butf.densify`).
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from butf.dataset.modalities import Map, map_bytes
from butf.densify import fill, project
from butf.files import read_image, write_atomic
from butf.town.config import TownConfig
from butf.town.districts import renderer
from butf.town.lidar import Lidar, Scanner
from butf.workers import end_with_parent

MEASURED = ("points", "returns", "lidar")
CHUNK = 96  # frames a task; a traversal's scene takes as long to build as about ten maps


@dataclass(frozen=True)
class Scan:
    """Frames of one traversal of one district that one process scans: `pictures[k]` is taken at `places[k]`, and its
    maps are written to `maps[k]`, by modality."""

    config: TownConfig
    lidar: Lidar
    split: str
    condition: str
    places: tuple[int, ...]
    pictures: tuple[Path, ...]
    maps: tuple[dict[str, Path], ...]

    def parts(self) -> list[Scan]:
        """The same in portions that processes share."""
        cuts = [slice(k, k + CHUNK) for k in range(0, len(self.places), CHUNK)]
        return [
            Scan(
                self.config, self.lidar, self.split, self.condition,
                self.places[cut], self.pictures[cut], self.maps[cut],
            )
            for cut in cuts
        ]  # fmt: skip


def scan_all(scans: Sequence[Scan], workers: int) -> Iterator[int]:
    """Write the maps of all scans; gives the numbers of finished frames as they come."""
    parts = [part for scan in scans for part in scan.parts()]
    if workers == 1 or len(parts) < 2:
        for part in parts:
            yield from _scan(part)
        return
    with multiprocessing.get_context("spawn").Pool(min(workers, len(parts)), _settle) as pool:
        yield from pool.imap_unordered(_scan_whole, parts)


def _scan_whole(scan: Scan) -> int:
    return sum(_scan(scan))


def _scan(scan: Scan) -> Iterator[int]:
    scanner = Scanner(renderer(scan.config, scan.split, scan.condition, samples=1), scan.lidar)
    for place, picture, paths in zip(scan.places, scan.pictures, scan.maps, strict=True):
        for side in _maps(scanner, place, picture):
            write_atomic(paths[side.name], map_bytes(side), durable=False)
        yield 1


def _maps(scanner: Scanner, place: int, picture: Path) -> tuple[Map, ...]:
    """What was measured, and depth filled between it; empty maps where nothing came back."""
    sparse = project(scanner.cloud(place), scanner.camera)
    points, returns = sparse.maps
    if not sparse.measured.any():
        return points, returns, Map("lidar", sparse.depth, sparse.measured)
    dense = fill(sparse, scanner.camera, np.asarray(read_image(picture)))
    return points, returns, Map("lidar", dense.depth, dense.valid)


def _settle() -> None:
    """One thread a process, for there are as many processes as cores."""
    end_with_parent()
    torch.set_num_threads(1)
