"""What a ray hits: position, normal, albedo, near infrared, class - everything that does not depend on light."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from butf.town.canvas import fractal_noise
from butf.town.classes import CLASS
from butf.town.conditions import Condition
from butf.town.district import District
from butf.town.mesh import DENSITY, KIND, NORMAL, SURFACE, TEXTURE, TINT, UV0, UV1, UV2
from butf.town.plan import HALF_ROAD
from butf.town.raycast import Hits, Scene


@dataclass(frozen=True, eq=False)
class Surface:
    """N samples. `gloss` is the share of light mirrored; `glow` the window's or sign's number; `number` tells
    surfaces apart; `beam` marks the lights of moving vehicles."""

    distance: np.ndarray
    point: np.ndarray
    normal: np.ndarray
    facing: np.ndarray  # cosine between normal and view
    albedo: np.ndarray
    tint: np.ndarray
    nir: np.ndarray
    kind: np.ndarray
    glow: np.ndarray
    gloss: np.ndarray
    number: np.ndarray
    beam: np.ndarray

    def take(self, rows: np.ndarray) -> Surface:
        return Surface(*(getattr(self, field.name)[rows] for field in fields(self)))


class Surfaces:
    """Looks up surfaces of one traversal, with its snow and water on them."""

    def __init__(self, district: District, scene: Scene, condition: Condition, pixel: float):
        materials = district.materials
        self._atlas, self._scene, self._condition, self._pixel = district.atlas, scene, condition, pixel
        self._roads = materials.roads[0], materials.roads[-1]
        self._glass, self._light = materials["car glass"], materials["car light"]
        self._patches = fractal_noise(np.random.default_rng(5), 256, beta=1.2)

    def at(self, origin: np.ndarray, directions: np.ndarray, hits: Hits) -> Surface:
        """The surfaces that rays from `origin` (3,) or (N, 3) hit; every ray must have hit something."""
        rows = self._scene.table[hits.row]
        point = origin + directions * hits.distance[:, None]
        normal = rows[:, NORMAL]
        away = np.einsum("ij,ij->i", normal, directions)
        kind = rows[:, KIND].astype(np.uint8)
        leaf = kind == 0
        uv = rows[:, UV0] + rows[:, UV1] * hits.u[:, None] + rows[:, UV2] * hits.v[:, None]
        texture = rows[:, TEXTURE].astype(np.int32)
        facing = np.abs(away) + np.float32(1e-3)
        footprint = hits.distance * self._pixel * rows[:, DENSITY] / np.sqrt(facing)
        texel, texel_kind, glow = self._atlas.lookup(texture, uv[:, 0], uv[:, 1], footprint)
        kind = np.where(leaf, texel_kind, kind)
        leaf = kind == CLASS["vegetation"]
        normal = np.where(((away > 0) & ~leaf)[:, None], -normal, normal)
        tint = rows[:, TINT]
        albedo = texel[:, :3] * texel[:, :3] * tint  # textures are stored with gamma 2
        nir = texel[:, 3] * np.clip(tint.mean(1), 0.1, 1.3)
        nir = np.where(leaf, 0.55 + 0.3 * (texel[:, 3] - 0.6), nir)
        glass = (kind == CLASS["window"]) | (texture == self._glass)
        gloss = np.where(glass, 0.06 + 0.7 * (1 - facing) ** 4, 0).astype(np.float32)
        beam = (texture == self._light) & self._scene.is_moving(hits.row)
        if self._condition.snow or self._condition.wet:
            ground = np.floor(point[:, :2] * 10).astype(np.int32) & 255
            patches = self._patches[ground[:, 1], ground[:, 0]]
            lane = (texture >= self._roads[0]) & (texture <= self._roads[1])
            if self._condition.snow:
                albedo, nir, gloss = self._snow(albedo, nir, gloss, normal, kind, patches, uv, lane)
            if self._condition.wet:
                albedo, nir, gloss = self._water(albedo, nir, gloss, normal, point, facing, patches)
        return Surface(
            hits.distance,
            point,
            normal,
            facing,
            albedo.astype(np.float32),
            tint,
            nir,
            kind,
            glow,
            gloss,
            rows[:, SURFACE],
            beam,
        )

    def _snow(
        self,
        albedo: np.ndarray,
        nir: np.ndarray,
        gloss: np.ndarray,
        normal: np.ndarray,
        kind: np.ndarray,
        patches: np.ndarray,
        uv: np.ndarray,
        lane: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        up, strength = normal[:, 2], self._condition.snow
        cover = np.clip((up - 0.30) * 4 + patches * 0.35, 0, 1)
        wheel = np.abs(np.abs(uv[:, 1] - 0.5) * 2 * HALF_ROAD - 1.6) - 0.75
        tracks = np.where(lane, np.exp(-((wheel / 0.3) ** 2)), 0.0)
        road = (kind == CLASS["road"]) | (kind == CLASS["marking"])
        cover = np.where(road, cover * np.clip(1.12 - 0.95 * tracks + patches * 0.2, 0, 1), cover)
        leaf = kind == CLASS["vegetation"]
        cover = np.where(leaf, np.clip(up, 0, 1) * 0.75, cover)
        cover = np.minimum(cover * min(strength, 1.3), 0.97).astype(np.float32)
        white = np.array([0.80, 0.83, 0.88], np.float32)
        albedo = albedo + cover[:, None] * (white - albedo)
        return albedo, nir + cover * (0.72 - nir), gloss * (1 - cover)

    def _water(
        self,
        albedo: np.ndarray,
        nir: np.ndarray,
        gloss: np.ndarray,
        normal: np.ndarray,
        point: np.ndarray,
        facing: np.ndarray,
        patches: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        wet = self._condition.wet
        level = normal[:, 2] > 0.8
        albedo = albedo * np.where(level, 1 - 0.5 * wet, 1 - 0.2 * wet)[:, None].astype(np.float32)
        nir = nir * np.where(level, 1 - 0.55 * wet, 1 - 0.15 * wet)
        puddle = np.clip(0.03 + 0.42 * (1 - facing) ** 5 + np.clip(patches, 0, 1) * 0.10, 0, 0.5) * wet
        return albedo, nir, np.where(level & (point[:, 2] < 0.5), puddle, gloss).astype(np.float32)
