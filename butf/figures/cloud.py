"""A depth map as points in space, coloured by the photograph: what the network believes the street to be."""

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from butf.dataset.manifest import Camera
from butf.figures.theme import base_layout, drawn

POINTS = 12_000
USUAL_VIEW_DEG = 60.0
MARGIN = 0.97
"""Depth this near to the far end of the scale is sky, or what was never measured."""
REACH_M = 50.0
LEAST_M = 0.1
"""An axis is at least as long."""
GROUND = "#9aa1a9"
"""Neither light nor dark, so that the colours of night and of snow are both seen on it."""


def usual_camera(width: int, height: int) -> Camera:
    """A camera that sees 60 degrees across, for photos that say nothing of theirs."""
    focal = width / 2 / math.tan(math.radians(USUAL_VIEW_DEG) / 2)
    return Camera("assumed", width, height, focal, focal, width / 2, height / 2)


def reach(far_m: float) -> float:
    """How far in metres points are drawn, of a scale that ends at `far_m`: what is farther is mostly guessed."""
    return min(MARGIN * far_m, REACH_M)


def points(
    depth: np.ndarray, valid: np.ndarray, picture: Image.Image, camera: Camera, far_m: float, most: int = POINTS
) -> tuple[np.ndarray, np.ndarray]:
    """Points `(N, 3)` float32 in metres in the camera frame (x right, y down, z forward) and colours `(N, 3)` uint8.

    `depth` `(H, W)` is z-depth in metres. Every n-th pixel in both directions, so that no more than `most` remain;
    pixels that are not valid or lie beyond `reach` are left out.
    """
    height, width = depth.shape
    step = max(1, math.ceil(math.sqrt(height * width / most)))
    rows, columns = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    z = depth[rows, columns]
    keep = valid[rows, columns] & np.isfinite(z) & (z > 0) & (z < reach(far_m))
    z = z[keep]
    # The camera speaks of its own pixels, whose centres are at half ones; the map may be of another size.
    u = (columns[keep] + 0.5) * camera.width / width
    v = (rows[keep] + 0.5) * camera.height / height
    xyz = np.stack([(u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z], axis=1)
    colours = np.asarray(picture.convert("RGB").resize((width, height)))[rows, columns][keep]
    return xyz.astype(np.float32), colours


def marker(colours: np.ndarray) -> dict[str, Any]:
    """How Plotly draws points in their colours `(N, 3)`.

    A square is two triangles, a disc dozens: without a graphics card the cloud comes in half the time.
    """
    words = [f"rgb({r},{g},{b})" for r, g, b in np.asarray(colours).tolist()]
    return {"size": 3, "symbol": "square", "line": {"width": 0}, "color": words}


def hidden_axes(points: np.ndarray) -> dict[str, Any]:
    """The axes of a scene, unseen, that hold points (N, 3); their ranges are left out where there are none."""
    axis = {"visible": False, "showspikes": False}
    if not len(points):
        return {f"{name}axis": axis for name in "xyz"}
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.maximum(LEAST_M - (high - low), 0.0) / 2
    ends = np.stack([low - room, high + room], axis=1).tolist()
    return {f"{name}axis": axis | {"range": end} for name, end in zip("xyz", ends, strict=True)}


def measure(axes: dict[str, Any]) -> tuple[np.ndarray, float]:
    """From where Plotly measures a scene's camera, and in what: the middle (3,) of the axes, and the geometric mean of
    their lengths."""
    ranges = np.array([axes[f"{name}axis"]["range"] for name in "xyz"], float)
    return ranges.mean(axis=1), float(np.prod(np.ptp(ranges, axis=1)) ** (1 / 3))


def cloud_figure(xyz: np.ndarray, colours: np.ndarray, height: int = 460) -> go.Figure:
    """Points `(N, 3)` of the camera frame in their colours `(N, 3)`, seen from a little behind and above the camera."""
    x, y, z = np.round(xyz, 2).T
    look = marker(colours)
    cloud = {"type": "scatter3d", "mode": "markers", "marker": look, "x": x, "y": z, "z": -y}
    cloud |= {"hovertemplate": "%{x:.1f} m to the right<br>%{y:.1f} m ahead<br>%{z:.1f} m up<extra></extra>"}
    scene: dict[str, Any] = hidden_axes(np.stack([x, z, -y], axis=1)) | {"aspectmode": "data", "bgcolor": GROUND}
    scene |= {"camera": {"eye": {"x": 0.25, "y": -1.5, "z": 0.45}, "center": {"x": 0, "y": 0, "z": -0.15}}}
    layout = base_layout(height) | {"scene": scene, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}}
    return drawn([cloud], layout)
