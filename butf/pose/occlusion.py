"""What a depth map hides of virtual things: all that lies farther along the optical axis than what was there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.dataset.modalities import Map

SKY = 0.97
"""Depth this near to the far end of a map's range is sky, or was never measured: it hides nothing."""


@dataclass(frozen=True, eq=False)
class Screen:
    """The depth of what is in the photograph, and where that is known; another size than the photograph's is fine."""

    depth: np.ndarray
    """(h, w) metres along the optical axis."""
    valid: np.ndarray
    """(h, w) bool: what is not valid hides nothing."""

    @classmethod
    def of(cls, side: Map, far_m: float) -> Screen:
        """A depth map whose range ends at `far_m` metres."""
        return cls(side.values, side.valid & np.isfinite(side.values) & (side.values < SKY * far_m))


def visible(
    screen: Screen, z: np.ndarray, slack: np.ndarray, rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """The share (N,) 0..1 of each pixel, at `rows` and `columns` (N,), in which something at `z` (N,) metres is seen.

    `size` (height, width) is that of the picture whose pixels these are. The four cells of the map around a pixel's
    centre are asked whether they hide it, and the answers, not the depths, are averaged by distance: a depth between a
    lamp post's and the sky's is nowhere in the scene ("percentage closer filtering": Reeves, Salesin and Cook,
    "Rendering antialiased shadows with depth maps", 1987). A cell hides what is farther than its own depth by more
    than `slack` (N,) times the thing's distance.
    """
    down, across = (
        _cells(at, *lengths) for at, *lengths in zip((rows, columns), size, screen.depth.shape, strict=True)
    )
    reach, hides = z * (1 - slack), np.where(screen.valid, screen.depth, np.inf)
    share: np.ndarray = sum(
        weight * other * (hides[row, column] >= reach) for row, weight in down for column, other in across
    )  # fmt: skip
    return share


def _cells(
    at: np.ndarray, length: int, own: int
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The two cells of an axis around the centre of pixels (N,), and their weights: those of linear interpolation."""
    place = np.clip((at + 0.5) * own / length - 0.5, 0, own - 1)
    first = np.floor(place).astype(int)
    return (first, 1 - (place - first)), (np.minimum(first + 1, own - 1), place - first)
