"""What is found in one picture: where its keypoints lie, how they are turned, and what they look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Features:
    """N keypoints of one picture, the strongest first.

    Pixels are those of the picture as it was given: x right, y down, the centre of the first pixel at (0.5, 0.5).
    """

    points: np.ndarray
    """(N, 2) float32 x and y, in pixels."""
    scales: np.ndarray
    """(N,) float32: by how much the picture was shrunk where the keypoint was found, 1 for full size."""
    angles: np.ndarray
    """(N,) float32 radians: the patch's orientation, from x towards y."""
    scores: np.ndarray
    """(N,) float32: the detector's response."""
    descriptors: np.ndarray
    """(N, D) float32, rows of unit length."""

    def __len__(self) -> int:
        return len(self.points)

    def take(self, rows: np.ndarray) -> Features:
        """Only these keypoints, in this order."""
        parts = self.points, self.scales, self.angles, self.scores, self.descriptors
        return Features(*(part[rows] for part in parts))
