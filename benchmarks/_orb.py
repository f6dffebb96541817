"""OpenCV's ORB as a peer of our keypoints (a development dependency: imported only where it is asked for)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from butf.keypoints.features import Features


class Orb:
    """Rublee et al., ICCV 2011. Its 256 bits become numbers of equal size, whose distances order as Hamming's do."""

    def extract(self, image: Image.Image, limit: int, upright: bool = False) -> Features:
        """At most `limit` keypoints; they are never upright."""
        import cv2

        grey = cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2GRAY)
        # Faint corners too, and up to SIFT's border: night pictures would have too few otherwise.
        orb = cv2.ORB_create(limit, fastThreshold=3, edgeThreshold=12, patchSize=24)
        found, described = orb.detectAndCompute(grey, None)
        if described is None:
            none = np.zeros(0, np.float32)
            return Features(np.zeros((0, 2), np.float32), none, none, none, np.zeros((0, 256), np.float32))
        order = np.argsort([-point.response for point in found], kind="stable")[:limit]
        chosen = [found[row] for row in order]
        bits = np.unpackbits(described[order], axis=1).astype(np.float32)
        points = np.array([point.pt for point in chosen], np.float32) + 0.5
        sizes = np.array([point.size for point in chosen], np.float32) / 24
        angles = np.radians([point.angle for point in chosen]).astype(np.float32)
        scores = np.array([point.response for point in chosen], np.float32)
        return Features(points, np.maximum(1, sizes), angles, scores, (2 * bits - 1) / 16)
