"""Triangles to pixels: a z-buffer for a pinhole camera, in numpy.

Perspective is right inside a triangle too: 1/z and what is divided by z are linear in the picture, the things
themselves are not (Heckbert and Moreton, "Interpolation for polygon texture mapping and shading", 1991).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from butf.dataset.manifest import Camera
from butf.pose.mesh import Mesh
from butf.pose.pose import Pose

NEAR_M = 0.1
SUN = np.array([-0.45, -0.35, 0.82])
AMBIENT = 0.62
EDGE = 1e-9


@dataclass(frozen=True, eq=False)
class Layer:
    """What a camera of W x H pixels sees of some meshes."""

    colour: np.ndarray
    """(H, W, 3) float32, 0..255; 0 where nothing is."""
    opacity: np.ndarray
    """(H, W) float32, 0..1."""
    z: np.ndarray
    """(H, W) float64 metres along the optical axis; infinite where nothing is."""
    slack: np.ndarray
    """(H, W) float32: `Mesh.slack` of what is seen."""
    window: tuple[slice, slice] | None
    """Rows and columns outside which there is nothing; None where there is nothing at all."""


@dataclass(frozen=True, eq=False)
class _Piece:
    """A triangle of the camera frame before the near plane: corners (3, 3), places in the texture (3, 2), its pixels
    (3, 2), and the first and last column and row whose centres it may cover."""

    corners: np.ndarray
    places: np.ndarray
    pixels: np.ndarray
    bounds: tuple[int, int, int, int]
    colour: np.ndarray
    shade: float
    mesh: Mesh
    texture: np.ndarray | None


def scaled(camera: Camera, width: int, height: int) -> Camera:
    """The same camera with another number of pixels."""
    x, y = width / camera.width, height / camera.height
    return Camera(camera.name, width, height, camera.fx * x, camera.fy * y, camera.cx * x, camera.cy * y)


def project(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Points (N, 3) of the camera frame, z above 0, to pixels (N, 2)."""
    x, y, z = np.asarray(points, float).T
    return np.stack([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy], axis=1)


def rasterise(meshes: Iterable[Mesh], camera: Camera, pose: Pose) -> Layer:
    """The nearest of the triangles in each pixel; what lies nearer than `NEAR_M` or behind the camera is cut off."""
    pieces = [piece for mesh in meshes for piece in _pieces(mesh, camera, pose)]
    shape = camera.height, camera.width
    window = None
    if pieces:
        bounds = np.array([piece.bounds for piece in pieces])
        (left, top), (right, bottom) = bounds[:, [0, 2]].min(axis=0), bounds[:, [1, 3]].max(axis=0)
        window = slice(int(top), int(bottom) + 1), slice(int(left), int(right) + 1)
    colour, opacity = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    layer = Layer(colour, opacity, np.full(shape, np.inf), np.zeros(shape, np.float32), window)
    for piece in pieces:
        _fill(layer, piece)
    return layer


def _pieces(mesh: Mesh, camera: Camera, pose: Pose) -> Iterator[_Piece]:
    """What is in view of each triangle of a mesh."""
    whole = pose.to_camera(mesh.corners.reshape(-1, 3)).reshape(-1, 3, 3)
    places = np.zeros((len(whole), 3, 2)) if mesh.places is None else mesh.places
    texture = None if mesh.texture is None else _fitting(mesh.texture, whole, camera)
    shades = _shades(mesh, pose)
    corners, places, numbers = _before(whole, places)
    if not len(corners):
        return
    pixels = project(corners.reshape(-1, 3), camera).reshape(-1, 3, 2)
    first = np.maximum(np.ceil(pixels.min(axis=1) - 0.5), 0)
    last = np.minimum(np.floor(pixels.max(axis=1) - 0.5), [camera.width - 1, camera.height - 1])
    for i in np.flatnonzero((first <= last).all(axis=1)):
        (left, top), (right, bottom) = first[i].astype(int).tolist(), last[i].astype(int).tolist()
        shade = float(shades[numbers[i]])
        colour = mesh.colours[numbers[i]] * shade
        yield _Piece(corners[i], places[i], pixels[i], (left, right, top, bottom), colour, shade, mesh, texture)


def _before(corners: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles (T, 3, 3) and (T, 3, 2) without what is not before the near plane, and of which each is a part."""
    nearest, farthest = corners[..., 2].min(axis=1), corners[..., 2].max(axis=1)
    plain = np.flatnonzero(nearest >= NEAR_M)
    parts: list[tuple[np.ndarray, ...]] = [(corners[plain], places[plain], plain)]
    for number in np.flatnonzero((nearest < NEAR_M) & (farthest > NEAR_M)):
        cut = _clipped(corners[number], places[number])
        parts.append((*(np.stack(kind) for kind in zip(*cut, strict=True)), np.full(len(cut), number)))
    first, second, third = (np.concatenate(kind) for kind in zip(*parts, strict=True))
    return first, second, third


def _clipped(corners: np.ndarray, places: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The part of a triangle (3, 3) beyond the near plane, as one or two triangles (Sutherland and Hodgman 1974)."""
    inside = corners[:, 2] >= NEAR_M
    kept: list[np.ndarray] = []
    whole = np.concatenate([corners, places], axis=1)
    for i in range(3):
        here, there = whole[i], whole[(i + 1) % 3]
        if inside[i]:
            kept.append(here)
        if inside[i] != inside[(i + 1) % 3]:
            share = (NEAR_M - here[2]) / (there[2] - here[2])
            kept.append(here + share * (there - here))
    fan = [np.stack([kept[0], kept[i], kept[i + 1]]) for i in range(1, len(kept) - 1)]
    return [(triangle[:, :3], triangle[:, 3:]) for triangle in fan]


def _fill(layer: Layer, piece: _Piece) -> None:
    """Draw one triangle into the layer, where nothing nearer was drawn."""
    left, right, top, bottom = piece.bounds
    (ax, ay), (bx, by), (cx, cy) = piece.pixels.tolist()
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if abs(area) < EDGE:
        return
    x, y = np.arange(left, right + 1) + 0.5 - ax, (np.arange(top, bottom + 1) + 0.5 - ay)[:, None]
    second = x * ((cy - ay) / area) - y * ((cx - ax) / area)
    third = y * ((bx - ax) / area) - x * ((by - ay) / area)
    first = 1 - second - third
    inside = np.minimum(np.minimum(second, third), first) >= -EDGE
    inverse = (1 / piece.corners[:, 2]).tolist()
    z = 1 / np.maximum(first * inverse[0] + second * inverse[1] + third * inverse[2], 1e-12)
    window = slice(top, bottom + 1), slice(left, right + 1)
    seen = inside & (z < layer.z[window])
    layer.z[window][seen] = z[seen]
    layer.opacity[window][seen] = piece.mesh.opacity
    layer.slack[window][seen] = piece.mesh.slack
    if piece.texture is None:
        layer.colour[window][seen] = piece.colour
        return
    shares = np.stack([weight[seen] * part for weight, part in zip((first, second, third), inverse, strict=True)])
    at = (shares.T @ piece.places) * z[seen][:, None]
    layer.colour[window][seen] = piece.shade * _read(piece.texture, at)


def _shades(mesh: Mesh, pose: Pose) -> np.ndarray:
    """(T,) Lambert's law on the side of each triangle that faces the camera, over ambient light."""
    if not mesh.lit:
        return np.ones(len(mesh.corners))
    normals = mesh.normals
    facing = np.sign(((pose.centre - mesh.corners.mean(axis=1)) * normals).sum(axis=1))
    shades: np.ndarray = AMBIENT + (1 - AMBIENT) * np.maximum(0.0, facing * (normals @ SUN) / np.linalg.norm(SUN))
    return shades


def _fitting(texture: np.ndarray, corners: np.ndarray, camera: Camera) -> np.ndarray:
    """The texture no larger than it is drawn, so that fine letters are averaged and not picked at random."""
    if (corners[..., 2] < NEAR_M).any():
        return texture
    pixels = project(corners.reshape(-1, 3), camera)
    wide, tall = np.clip(np.ceil(np.ptp(pixels, axis=0)), 1, [texture.shape[1], texture.shape[0]]).astype(int)
    return np.asarray(Image.fromarray(texture).resize((int(wide), int(tall)), Image.Resampling.LANCZOS))


def _read(texture: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Colours (N, 3) between the texture's pixels, at places (N, 2) of 0..1."""
    tall, wide = texture.shape[:2]
    x = np.clip(at[:, 0] * wide - 0.5, 0, wide - 1)
    y = np.clip(at[:, 1] * tall - 0.5, 0, tall - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, wide - 1), np.minimum(top + 1, tall - 1)
    x, y = (x - left)[:, None], (y - top)[:, None]
    upper = texture[top, left] * (1 - x) + texture[top, right] * x
    lower = texture[bottom, left] * (1 - x) + texture[bottom, right] * x
    colours: np.ndarray = upper * (1 - y) + lower * y
    return colours
