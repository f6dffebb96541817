"""Virtual things drawn into a photograph: at the right place and size, shaded, and hidden by what is nearer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

from butf.dataset.manifest import Camera
from butf.pose.mesh import Mesh
from butf.pose.occlusion import Screen, visible
from butf.pose.pose import Pose
from butf.pose.raster import Layer, rasterise, scaled

WIDTH = 768
"""Small photographs are drawn larger, lest letters on a sign be unreadable."""
FINER = 2
BRIGHT = 205.0
DARKEST = 0.5
FAR = 4
"""Pixels from what is outlined to the end of the line's dark rim."""
OUTLINE, HALO = (255.0, 255.0, 255.0), (29.0, 39.0, 51.0)


def overlay(
    picture: Image.Image,
    camera: Camera,
    pose: Pose,
    meshes: Sequence[Mesh],
    screen: Screen | None = None,
    ghost: Pose | None = None,
    width: int = WIDTH,
) -> Image.Image:
    """The photograph with the meshes as its camera would see them from `pose`.

    `screen` hides what lies behind it. `ghost` is another pose of the same camera: an outline shows where, seen from
    there, the meshes would be. The result has the picture's proportions and at least `width` pixels across, and is
    drawn twice as fine and averaged. `camera` may have another number of pixels than the picture.
    """
    wide = max(picture.width, width)
    tall = max(1, round(picture.height * wide / picture.width))
    photo = np.asarray(picture.convert("RGB").resize((wide, tall), Image.Resampling.BICUBIC), np.float32)
    fine = scaled(camera, FINER * wide, FINER * tall)
    light = exposure(picture)
    for layer in layers(meshes, fine, pose):
        photo = composed(photo, layer, screen, light)
    if ghost is not None:
        photo = outlined(photo, outline_mask(meshes, scaled(camera, wide, tall), ghost))
    return Image.fromarray(np.rint(photo).clip(0, 255).astype(np.uint8))


def layers(meshes: Sequence[Mesh], camera: Camera, pose: Pose) -> list[Layer]:
    """What is to be drawn one after the other: first what can be seen through, such as shadows on the ground."""
    clear = [mesh for mesh in meshes if mesh.opacity < 1]
    solid = [mesh for mesh in meshes if mesh.opacity >= 1]
    return [rasterise(group, camera, pose) for group in (clear, solid) if group]


def composed(photo: np.ndarray, layer: Layer, screen: Screen | None, light: float = 1.0) -> np.ndarray:
    """The photograph (H, W, 3) 0..255 under a layer that is `FINER` times as fine; only where the layer has something
    anything is computed."""
    if layer.window is None:
        return photo
    rows, columns = (
        slice(part.start // FINER * FINER, -(-part.stop // FINER) * FINER) for part in layer.window
    )  # whole pixels of the photograph
    window = rows, columns
    opacity = layer.opacity[window].copy()
    if screen is not None:
        there = np.nonzero(opacity)
        z, slack = layer.z[window][there], layer.slack[window][there]
        opacity[there] *= visible(screen, z, slack, there[0] + rows.start, there[1] + columns.start, layer.z.shape)
    colour = light * layer.colour[window] * opacity[..., None]
    small = slice(rows.start // FINER, rows.stop // FINER), slice(columns.start // FINER, columns.stop // FINER)
    result = photo.copy()
    result[small] = photo[small] * (1 - _averaged(opacity[..., None])) + _averaged(colour)
    return result


def outline_mask(meshes: Sequence[Mesh], camera: Camera, pose: Pose) -> np.ndarray:
    """(H, W) bool: the pixels that solid meshes cover, whatever is in front of them."""
    inside: np.ndarray = np.isfinite(rasterise([mesh for mesh in meshes if mesh.opacity >= 1], camera, pose).z)
    return inside


def outlined(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The photograph (H, W, 3) with a light line on a dark one around a mask (H, W): seen on snow and at night."""
    spans = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    if not len(spans[0]):
        return photo
    result = photo.copy()
    window = tuple(slice(max(0, int(span[0]) - FAR), int(span[-1]) + FAR + 1) for span in spans)
    inner, part = mask[window], result[window]
    near, far = (ndimage.binary_dilation(inner, iterations=steps) for steps in (FAR // 2, FAR))
    part[far & ~near] = HALO
    part[near & ~inner] = OUTLINE
    return result


def exposure(picture: Image.Image) -> float:
    """How bright things are to be drawn, so that they are neither lamps at night nor dull in the sun: 0.5 to 1, by the
    luminance that a tenth of the picture is above."""
    grey = np.asarray(picture.convert("L").resize((64, 48)))
    return float(np.clip(np.percentile(grey, 90) / BRIGHT, DARKEST, 1.0))


def _averaged(fine: np.ndarray) -> np.ndarray:
    """Means of squares of `FINER` x `FINER` of (H, W, C)."""
    tall, wide, channels = fine.shape
    means: np.ndarray = fine.reshape(tall // FINER, FINER, wide // FINER, FINER, channels).mean(axis=(1, 3))
    return means
