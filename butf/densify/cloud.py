"""Points that a lidar measured, seen from one camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.errors import BadInput


@dataclass(frozen=True, eq=False)
class Cloud:
    """`points` (N, 3) float32 metres in the camera's frame (x right, y down, z forward), and the `reflectance` (N,)
    float32 0..1 of each, None where the sensor gives none."""

    points: np.ndarray
    reflectance: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or self.points.shape[1] != 3:
            raise BadInput(f"a cloud has points of shape {self.points.shape}; expected (N, 3): x, y, z in metres")
        if self.reflectance is not None and self.reflectance.shape != (len(self.points),):
            raise BadInput(
                f"a cloud has {len(self.points)} points and reflectance of shape {self.reflectance.shape}; "
                f"expected one number a point"
            )

    def __len__(self) -> int:
        return len(self.points)

    def take(self, rows: np.ndarray) -> Cloud:
        """Only these points: indices or a mask."""
        return Cloud(self.points[rows], None if self.reflectance is None else self.reflectance[rows])
