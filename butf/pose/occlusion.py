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
    screen: Screen, z: np.ndarray, slack: np.ndarray | float, window: tuple[slice, slice], size: tuple[int, int]
) -> np.ndarray:
    """The share (h, w) 0..1 of each pixel of a `window` (rows, columns) in which something at `z` (h, w) is seen.

    `size` (height, width) is that of the whole picture which the window is part of. It is asked of the four cells of
    the map around the pixel's centre whether they hide it, and the answers, not the depths, are averaged by distance:
    a depth between a lamp post's and the sky's is nowhere in the scene ("percentage closer filtering": Reeves, Salesin
    and Cook, "Rendering antialiased shadows with depth maps", 1987). A cell hides what is farther than its own depth
    by more than `slack` times the thing's distance.
    """
    rows, across = (
        _cells(part, length, own) for part, length, own in zip(window, size, screen.depth.shape, strict=True)
    )
    reach = np.where(np.isfinite(z), z, 0.0) * (1 - slack)
    hides = np.where(screen.valid, screen.depth, np.inf)
    seen = np.zeros(z.shape)
    for row, weight in rows:
        for column, other in across:
            seen += weight[:, None] * other[None] * (hides[row[:, None], column[None]] >= reach)
    return seen


def _cells(part: slice, length: int, own: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The two cells of an axis around each pixel's centre, and their weights: those of linear interpolation."""
    at = np.clip((np.arange(part.start, part.stop) + 0.5) * own / length - 0.5, 0, own - 1)
    first = np.floor(at).astype(int)
    second = np.minimum(first + 1, own - 1)
    return (first, 1 - (at - first)), (second, at - first)
