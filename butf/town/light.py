"""Light on surfaces: sun and sky with their shadows, street lamps, headlights, lit windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.town.canvas import LAMP_GLASS
from butf.town.classes import CLASS
from butf.town.conditions import Condition
from butf.town.raycast import Scene
from butf.town.sky import Sky, along
from butf.town.surface import Surface

_ELEVATIONS = ((0.35, 3, 0.3), (0.8, 4, 0.0), (1.35, 1, 0.6))  # elevation, directions, first azimuth
_DOME = np.array(
    [
        [np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)]
        for e, count, first in _ELEVATIONS
        for a in first + np.arange(count) * 2 * np.pi / count
    ],
    np.float32,
)[[0, 3, 1, 4, 2, 5, 7, 6]]  # phase p looks along directions p and p + 4
LAMP_COLOURS = np.array([[1.0, 0.62, 0.25], [0.9, 0.95, 1.0], [1.0, 0.78, 0.5]], np.float32)
LAMP_REACH = 21.0
LIT = 256


@dataclass(frozen=True, eq=False)
class Visibility:
    """Per sample: `sky` cosine-weighted visible sky of two of the eight directions, `sun` 0..1."""

    sky: np.ndarray
    sun: np.ndarray | None


class Lighting:
    """The lights of one traversal."""

    def __init__(self, condition: Condition, scene: Scene, sky: Sky, lamps: np.ndarray, rng: np.random.Generator):
        self._condition, self._scene, self._sky, self._lamps = condition, scene, sky, lamps
        self._lit = rng.random(LIT) < condition.lit
        self._lit[0] = False
        tones = np.array([[1.0, 0.72, 0.38], [1.0, 0.85, 0.6], [0.8, 0.9, 1.0], [1.0, 0.6, 0.3]])
        self._tones = (tones[rng.integers(0, 4, LIT)] * rng.uniform(0.3, 1.4, (LIT, 1))).astype(np.float32)
        self.ambient = sky.zenith * np.float32(0.65) + sky.horizon * np.float32(0.35)

    def visibility(self, surface: Surface, phase: np.ndarray) -> Visibility:
        """Which of the sky's sample directions and whether the sun is seen from each sample."""
        start = surface.point + surface.normal * np.float32(0.01)
        seen = np.zeros(len(phase), np.float32)
        for half in (0, 4):
            directions = _DOME[phase + half]
            weight = np.einsum("ij,ij->i", surface.normal, directions)
            rows = np.flatnonzero(weight > 0.02)
            hidden = self._scene.occluded(start[rows], directions[rows])
            seen[rows] += weight[rows] * ~hidden
        if self._sky.sun is None:
            return Visibility(seen, None)
        sun = np.zeros(len(phase), np.float32)
        leaf = surface.kind == CLASS["vegetation"]
        rows = np.flatnonzero((along(surface.normal, self._sky.sun[0]) > 0.01) | leaf)
        sun[rows] = ~self._scene.occluded(start[rows], self._sky.sun)
        return Visibility(seen, sun)

    def energy(self, surface: Surface, visible: Visibility, eye: np.ndarray, forward: np.ndarray) -> np.ndarray:
        """Light (N, 3) that falls on each sample."""
        condition = self._condition
        up = 0.5 + 0.5 * surface.normal[:, 2]
        bounce = 0.10 * (1 - up) * (1 + 3 * condition.snow)
        energy = (visible.sky * 0.85 + 0.06 + 0.10 * up + bounce)[:, None] * self.ambient
        if visible.sun is not None and self._sky.sun is not None:
            slope = along(surface.normal, self._sky.sun[0])
            leaf = surface.kind == CLASS["vegetation"]
            slope = np.where(leaf, 0.35 + 0.65 * np.clip(slope, 0, 1), np.clip(slope, 0, 1))
            energy += (slope * visible.sun + 0.05 * (1 - 0.5 * up))[:, None] * self._sky.sunlight
        if condition.lamps and len(self._lamps):
            energy += self._street_lamps(surface, eye, forward)
        if condition.headlights:
            energy += self._headlights(surface, eye, forward)
        return energy.astype(np.float32)

    def shade(self, surface: Surface, energy: np.ndarray) -> np.ndarray:
        """Colours (N, 3) in linear light, without reflections and fog."""
        colour: np.ndarray = surface.albedo * energy
        return colour + self.emission(surface) if self._condition.glow else colour

    def simple(self, surface: Surface) -> np.ndarray:
        """Colours of what is seen in a mirror: sky light without shadows, and lit windows."""
        return self.shade(surface, self.ambient)

    def emission(self, surface: Surface) -> np.ndarray:
        """Light of windows, signs, lamps and the lights of moving vehicles."""
        out = np.zeros((len(surface.glow), 3), np.float32)
        rows = np.flatnonzero(surface.glow > 0)
        glow, point = surface.glow[rows].astype(np.int64), surface.point[rows]
        house = (np.floor(point[:, 0] / 9) * 7 + np.floor(point[:, 1] / 9) * 13).astype(np.int64)
        number = np.where(glow > 250, glow, (glow * 31 + house * 17) % 251)
        power = np.float32(self._condition.glow)
        albedo = surface.albedo[rows]
        light = (albedo * 1.3 + 0.10) * self._tones[number] * 1.1
        display = (glow > 250) & (glow != LAMP_GLASS)
        light = np.where(display[:, None], (albedo * 1.5 + 0.05) * ((house % 5 > 1) * 0.9 + 0.1)[:, None], light)
        light = np.where((glow == LAMP_GLASS)[:, None], 6.0, light)
        on = self._lit[number] | display | (glow == LAMP_GLASS)
        out[rows] = light * on[:, None] * power
        out[surface.beam] = surface.tint[surface.beam] * np.float32(2.5) * power
        return out

    def _street_lamps(self, surface: Surface, eye: np.ndarray, forward: np.ndarray) -> np.ndarray:
        """Inverse-square light of the lamps in reach; only the strongest one of a sample casts a shadow."""
        energy = np.zeros_like(surface.point)
        best = np.zeros(len(energy), np.float32)
        which = np.zeros(len(energy), np.int32)
        x, y = np.ascontiguousarray(surface.point[:, 0]), np.ascontiguousarray(surface.point[:, 1])
        away = self._lamps[:, :2] - eye[:2]
        near = np.flatnonzero((np.hypot(*away.T) < 75) & (away @ forward[:2] > -LAMP_REACH))
        for k in near:
            lamp = self._lamps[k]
            rows = np.flatnonzero((x - lamp[0]) ** 2 + (y - lamp[1]) ** 2 < LAMP_REACH**2)
            if not len(rows):
                continue
            towards = lamp[:3] - surface.point[rows]
            r2 = np.einsum("ij,ij->i", towards, towards) + np.float32(0.3)
            r = np.sqrt(r2)
            slope = np.clip(np.einsum("ij,ij->i", towards, surface.normal[rows]) / r, 0, 1)
            leaf = surface.kind[rows] == CLASS["vegetation"]
            down = np.clip(towards[:, 2] / r * 1.4 + 0.15, 0.05, 1)
            fade = np.clip(1 - (r / (LAMP_REACH * 1.1)) ** 2, 0, 1)
            power = (slope * 0.9 + 0.1 * leaf) * down * fade * np.float32(24 * self._condition.lamps) / r2
            energy[rows] += power[:, None] * LAMP_COLOURS[int(lamp[3])]
            better = power > best[rows]
            best[rows[better]], which[rows[better]] = power[better], k
        rows = np.flatnonzero(best > 0.02)
        if len(rows):
            lamp = self._lamps[which[rows]]
            start = surface.point[rows] + surface.normal[rows] * np.float32(0.01)
            towards = lamp[:, :3] - start
            r = np.linalg.norm(towards, axis=1)
            hidden = self._scene.occluded(start, towards / r[:, None], np.maximum(r - 0.6, 0.01).astype(np.float32))
            energy[rows] -= (best[rows] * hidden)[:, None] * LAMP_COLOURS[lamp[:, 3].astype(int)]
        return energy

    def _headlights(self, surface: Surface, eye: np.ndarray, forward: np.ndarray) -> np.ndarray:
        """The camera car's own beam: dipped, so that it falls off above the horizon."""
        towards = surface.point - (eye - np.array([0, 0, 0.9], np.float32))
        r2 = np.einsum("ij,ij->i", towards, towards) + 1
        towards = towards / np.sqrt(r2)[:, None]
        cone = np.clip((along(towards, forward) - 0.8) / 0.2, 0, 1) ** 1.3
        dip = np.clip(0.05 - towards[:, 2] * 1.2, 0.012, 0.2)
        slope = np.clip(0.05 - np.einsum("ij,ij->i", towards, surface.normal), 0, 1)
        power = cone * dip * slope * (self._condition.headlights * 300) / (r2 + 30)
        beam: np.ndarray = power[:, None] * np.array([1.0, 0.96, 0.88], np.float32)
        return beam
