"""Semantic classes of the town."""

CLASS_NAMES = (
    "void",
    "road",
    "marking",
    "sidewalk",
    "building",
    "window",
    "door",
    "sign",
    "roof",
    "vegetation",
    "terrain",
    "pole",
    "vehicle",
    "sky",
    "fence",
)
CLASS = {name: index for index, name in enumerate(CLASS_NAMES)}
