"""OpenCV's SIFT as a peer of our keypoints (a development dependency: imported only where it is asked for)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from butf.keypoints.features import Features

NAME = "opencv-sift"


class Sift:
    """Lowe's keypoints with root-SIFT descriptors (Arandjelovic & Zisserman 2012)."""

    digest = "opencv-sift-root-2"

    def extract(self, image: Image.Image, limit: int, upright: bool = False) -> Features:
        """At most `limit` keypoints; `upright` ones are described as if none were turned, as ours are."""
        import cv2

        grey = cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2GRAY)
        sift = cv2.SIFT_create(limit, contrastThreshold=0.01)
        found, described = sift.detectAndCompute(grey, None)
        if upright and found:
            for point in found:
                point.angle = 0.0
            found, described = sift.compute(grey, found)
        if described is None:
            none = np.zeros(0, np.float32)
            return Features(np.zeros((0, 2), np.float32), none, none, none, np.zeros((0, 128), np.float32))
        order = np.argsort([-point.response for point in found], kind="stable")[:limit]
        chosen = [found[row] for row in order]
        lengths = np.maximum(described[order].sum(axis=1, keepdims=True), 1e-9)
        # OpenCV counts from the centre of the first pixel, we from its corner.
        points = np.array([point.pt for point in chosen], np.float32) + 0.5
        scales = np.maximum(1, np.array([point.size for point in chosen], np.float32) / 6)
        angles = np.radians([point.angle for point in chosen]).astype(np.float32)
        scores = np.array([point.response for point in chosen], np.float32)
        return Features(points, scales, angles, scores, np.sqrt(described[order] / lengths))
