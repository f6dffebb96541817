"""Rotations as matrices and unit quaternions qw, qx, qy, qz."""

from __future__ import annotations

import numpy as np


def quaternions(rotations: np.ndarray) -> np.ndarray:
    """(N, 3, 3) rotation matrices -> (N, 4) unit quaternions with qw >= 0.

    A matrix that is a rotation only up to rounding gets the nearest rotation's quaternion (Bar-Itzhack 2000: the
    eigenvector of the largest eigenvalue of a symmetric 4x4 matrix made of its entries).
    """
    r = np.asarray(rotations, float)
    k = np.empty((len(r), 4, 4))
    k[:, 0, 0] = r[:, 0, 0] + r[:, 1, 1] + r[:, 2, 2]
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        k[:, a + 1, a + 1] = r[:, a, a] - r[:, b, b] - r[:, c, c]
        k[:, 0, a + 1] = k[:, a + 1, 0] = r[:, c, b] - r[:, b, c]
        k[:, b + 1, c + 1] = k[:, c + 1, b + 1] = r[:, b, c] + r[:, c, b]
    q = np.linalg.eigh(k)[1][:, :, -1]
    return np.where(q[:, :1] < 0, -q, q)


def angles_deg(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(Q, 4) and (D, 4) unit quaternions -> (Q, D) degrees of the rotation from one to the other, 0 to 180."""
    cosine = np.abs(np.asarray(first) @ np.asarray(second).T)
    degrees: np.ndarray = np.degrees(2 * np.arccos(np.clip(cosine, 0, 1)))
    return degrees
