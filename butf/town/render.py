"""One frame: colour, depth, reflectance and classes from the same rays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butf.town.camera import CORNERS, Rays, make_camera
from butf.town.canvas import fractal_noise
from butf.town.classes import CLASS
from butf.town.conditions import Condition
from butf.town.district import District
from butf.town.light import Lighting, Visibility
from butf.town.mesh import joined
from butf.town.plan import stream
from butf.town.post import Develop
from butf.town.raycast import Hits, Scene
from butf.town.sky import Sky
from butf.town.surface import Surface, Surfaces
from butf.town.traffic import Traffic
from butf.town.traversal import make_poses

LIDAR_REACH = 100.0  # metres beyond which nothing comes back


@dataclass(frozen=True, eq=False)
class Picture:
    """`rgb` (H, W, 3) uint8; `depth` (H, W) float32 metres along the optical axis, 0 for sky; `reflectance` (H, W)
    float32 0..1, 0 where nothing came back; `classes` (H, W) uint8."""

    rgb: np.ndarray
    depth: np.ndarray
    reflectance: np.ndarray
    classes: np.ndarray


class Renderer:
    """Renders the frames of one traversal of one district; `samples` 1 has no antialiasing, 2 refines edges."""

    def __init__(self, district: District, condition: Condition, samples: int = 2):
        config = district.config
        self._district, self._samples = district, samples
        self._condition = condition = condition.at_season(config.season)
        self.plan = district.plan
        self.poses = make_poses(config, district.plan, condition)
        self._traffic = Traffic(config, district.plan, condition, self.poses, district.fleet)
        self._scene = Scene(joined([district.static, district.dynamic(condition)]))
        rng = stream(config, "light", district.split, condition.name)
        self._sky = Sky(condition, rng)
        lamps = np.array(district.places.lamps, np.float32).reshape(-1, 4)
        self._ripples = np.stack([fractal_noise(rng, 256, beta=1.3) * np.float32(0.006) for _ in range(3)], axis=-1)
        self._lighting = Lighting(condition, self._scene, self._sky, lamps, rng)
        self.camera = make_camera(config)
        self._rays = Rays(self.camera)
        self._surfaces = Surfaces(district, self._scene, condition, 1 / self.camera.fx)
        self._develop = Develop(condition, config.width, config.height)

    def picture(self, index: int) -> Picture:
        """The frame at place `index`."""
        shape = (self.camera.height, self.camera.width)
        shift = self._set_traffic(index)
        eye = (self.poses.position[index] - shift).astype(np.float32)
        yaw = float(self.poses.yaw[index])
        rng = stream(self._district.config, "frame", self._district.split, self._condition.name, index)

        forward = np.array([np.cos(yaw), np.sin(yaw), 0], np.float32)
        directions, axial = self._rays.centres(yaw)
        hits = self._scene.first_hits(_repeated(eye, len(directions)), directions)
        seen = np.flatnonzero(hits.row >= 0)
        surface = self._surfaces.at(eye, directions[seen], _taken(hits, seen))
        visible = self._lighting.visibility(surface, self._rays.phase[seen])
        sun = None if visible.sun is None else self._smoothed(visible.sun, seen)
        visible = Visibility(self._smoothed(visible.sky, seen), sun)
        energy = self._lighting.energy(surface, visible, eye, forward)
        light = self._composed(directions, seen, surface, energy)
        if self._samples > 1:
            number = self._image(seen, surface.number, -1.0)
            edges = _edges(number)
            if len(edges):
                centre = _Centres(number, seen, energy)
                light[edges] = self._refined(edges, centre, eye, forward, yaw)
        rgb = self._develop(light.reshape(*shape, 3), rng)
        depth = self._image(seen, surface.distance * axial[seen], 0.0)
        classes = self._image(seen, surface.kind, CLASS["sky"])
        return Picture(rgb, depth, self._image(seen, _reflectance(surface), 0.0), classes)

    def echoes(
        self, index: int, origins: np.ndarray, directions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What pulses from `origins` (N, 3) metres in the town's frame along unit `directions` (N, 3) meet, with the
        traffic of frame `index`: the rows (M,) of those that meet something, metres (M,), and reflectance (M,)."""
        shift = self._set_traffic(index)
        start = np.ascontiguousarray(origins - shift, dtype=np.float32)
        along = np.ascontiguousarray(directions, dtype=np.float32)
        hits = self._scene.first_hits(start, along)
        seen = np.flatnonzero(hits.row >= 0)
        surface = self._surfaces.at(start[seen], along[seen], _taken(hits, seen))
        return seen, surface.distance, _reflectance(surface)

    def stream(self, *key: int | str) -> np.random.Generator:
        """A random stream of this traversal's own."""
        return stream(self._district.config, *key, self._district.split, self._condition.name)

    def _set_traffic(self, index: int) -> np.ndarray:
        """Place the vehicles of frame `index`; gives the origin (3,) of the scene in the town's frame."""
        traffic, middles = self._traffic.at(index)
        origin = self._district.origin
        self._scene.set_traffic(traffic.moved(-origin[0], -origin[1]), middles - origin)
        return np.array([*origin, 0.0])

    def _image(self, seen: np.ndarray, values: np.ndarray, empty: float) -> np.ndarray:
        image = np.full(self.camera.height * self.camera.width, empty, values.dtype)
        image[seen] = values
        return image.reshape(self.camera.height, self.camera.width)

    def _composed(self, directions: np.ndarray, seen: np.ndarray, surface: Surface, energy: np.ndarray) -> np.ndarray:
        """Linear light (N, 3) along all directions: the sky's where nothing is `seen`, else of the lit surface."""
        light = np.empty((len(directions), 3), np.float32)
        missed = np.ones(len(directions), bool)
        missed[seen] = False
        light[missed] = self._sky(directions[missed])
        colour = self._lighting.shade(surface, energy)
        self._mirror(colour, directions[seen], surface)
        light[seen] = self._hazy(colour, surface.distance)
        return light

    def _hazy(self, colour: np.ndarray, distance: np.ndarray) -> np.ndarray:
        clear = np.exp(-distance * np.float32(self._condition.fog))[:, None]
        seen: np.ndarray = colour * clear + self._sky.horizon * np.float32(0.9) * (1 - clear)
        return seen

    def _mirror(self, colour: np.ndarray, directions: np.ndarray, surface: Surface) -> None:
        """Adds what glass and wet ground mirror. Dry glass shows the sky or a darker grey street."""
        rows = np.flatnonzero(surface.gloss > 0.03)
        if not len(rows):
            return
        normal, view = surface.normal[rows], directions[rows]
        if self._condition.wet:
            cell = (surface.point[rows, :2] * 6).astype(np.int32) & 255
            normal = normal + self._ripples[cell[:, 1], cell[:, 0]]
            normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        out = view - 2 * np.einsum("ij,ij->i", view, normal)[:, None] * normal
        start = surface.point[rows] + surface.normal[rows] * np.float32(0.02)
        mirrored = self._sky(out)
        if self._condition.wet:
            hits = self._scene.first_hits(start, out)
            met = np.flatnonzero(hits.row >= 0)
            if len(met):
                image = self._surfaces.at(start[met], out[met], _taken(hits, met))
                mirrored[met] = self._hazy(self._lighting.simple(image), image.distance)
        else:
            mirrored[self._scene.occluded(start, out)] = self._sky.horizon * np.float32(0.22)
        share = surface.gloss[rows, None]
        colour[rows] += share * (mirrored - colour[rows])

    def _smoothed(self, values: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Averages neighbouring pixels so that the four phases of sky directions blend into all eight."""
        total = _blurred(self._image(seen, values, 0.0))
        weight = _blurred(self._image(seen, np.ones_like(values), 0.0))
        smooth: np.ndarray = total.ravel()[seen] / weight.ravel()[seen]
        return smooth

    def _refined(
        self, pixels: np.ndarray, centre: _Centres, eye: np.ndarray, forward: np.ndarray, yaw: float
    ) -> np.ndarray:
        """Linear light (P, 3) of pixels as the mean of four rays.

        A ray takes over the light that falls on the same surface at a pixel centre next to it; only the others
        need shadow rays of their own.
        """
        directions = self._rays.around(pixels, yaw)
        hits = self._scene.first_hits(_repeated(eye, len(directions)), directions)
        seen = np.flatnonzero(hits.row >= 0)
        surface = self._surfaces.at(eye, directions[seen], _taken(hits, seen))
        energy, alone = centre.energy(pixels[seen >> 2], seen & 3, surface.number)
        if len(alone):
            own = surface.take(alone)
            visible = self._lighting.visibility(own, (seen[alone] & 3).astype(np.int8))
            energy[alone] = self._lighting.energy(own, visible, eye, forward)
        light = self._composed(directions, seen, surface, energy)
        means: np.ndarray = np.minimum(light, 6.0).reshape(-1, 4, 3).mean(1)
        return means


class _Centres:
    """The light that falls on what the pixel centres show, found again by surface number."""

    def __init__(self, number: np.ndarray, seen: np.ndarray, energy: np.ndarray):
        self._number, self._width = np.pad(number, 1, constant_values=-1), number.shape[1]
        self._row = np.zeros(number.shape, np.int64)
        self._row.ravel()[seen] = np.arange(len(seen))
        self._row = np.pad(self._row, 1)
        self._energy = energy

    def energy(self, pixel: np.ndarray, corner: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Light (N, 3) of samples at a `corner` of a pixel that hit surface `number`, and which found none (K,)."""
        y, x = pixel // self._width + 1, pixel % self._width + 1
        steps = np.sign(CORNERS[corner]).astype(np.int64)
        row = np.full(len(pixel), -1)
        for dx, dy in ((1, 1), (0, 1), (1, 0), (0, 0)):
            at = y + dy * steps[:, 1], x + dx * steps[:, 0]
            row = np.where(self._number[at] == number, self._row[at], row)
        return self._energy[row], np.flatnonzero(row < 0)


def _edges(number: np.ndarray) -> np.ndarray:
    """Pixels whose neighbour to any side shows another surface."""
    edge = np.zeros(number.shape, bool)
    across, down = number[:, 1:] != number[:, :-1], number[1:] != number[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return np.flatnonzero(edge)


def _reflectance(surface: Surface) -> np.ndarray:
    """What a lidar beside the camera gets back: near infrared, angle and range; glass returns next to nothing."""
    value = surface.nir * surface.facing**0.7 * np.clip(1.15 / (1 + (surface.distance / 45) ** 2), 0, 1)
    glass = surface.gloss >= 0.06
    value = np.where(glass & (surface.kind != CLASS["road"]), 0.02 + 0.3 * (surface.facing > 0.995), value)
    return np.where(surface.distance > LIDAR_REACH, 0, np.clip(value, 0.004, 1)).astype(np.float32)


def _repeated(eye: np.ndarray, count: int) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(eye, (count, 3)))


def _taken(hits: Hits, rows: np.ndarray) -> Hits:
    return Hits(hits.row[rows], hits.distance[rows], hits.u[rows], hits.v[rows])


def _blurred(image: np.ndarray) -> np.ndarray:
    """Weights 1, 2, 1 along both axes."""
    image = np.pad(image, 1, mode="edge")
    image = image[:-2] + 2 * image[1:-1] + image[2:]
    blurred: np.ndarray = image[:, :-2] + 2 * image[:, 1:-1] + image[:, 2:]
    return blurred
