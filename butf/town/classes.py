"""Semantic classes of the town and their colours."""

import numpy as np

CLASS_NAMES = (
    "void", "road", "marking", "sidewalk", "building", "window", "door", "sign", "roof",
    "vegetation", "terrain", "pole", "vehicle", "sky", "fence",
)
CLASS = {name: index for index, name in enumerate(CLASS_NAMES)}
PALETTE = np.array(
    [
        [0, 0, 0], [90, 60, 110], [255, 255, 255], [230, 60, 220], [100, 100, 110], [110, 180, 230], [150, 80, 30],
        [230, 220, 40], [160, 60, 60], [70, 140, 40], [150, 220, 140], [240, 150, 40], [30, 40, 180],
        [120, 170, 255], [190, 150, 130],
    ],
    np.uint8,
)
