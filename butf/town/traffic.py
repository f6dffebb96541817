"""Moving vehicles: where they are when a frame is taken."""

from __future__ import annotations

import numpy as np

from butf.town.conditions import Condition
from butf.town.config import TownConfig
from butf.town.mesh import Mesh, joined
from butf.town.plan import LANE, LEAD, Plan, stream
from butf.town.traversal import SPEED, Poses
from butf.town.vehicles import COLOURS, SHAPES, Fleet

_KINDS = ("car", "saloon", "car", "saloon", "van", "lorry", "bus")
_SHARES = np.array([0.24, 0.24, 0.10, 0.10, 0.14, 0.08, 0.10])
REACH = 75.0  # metres ahead that are filled


class Traffic:
    """The vehicles ahead of the camera in one traversal.

    Vehicles in the camera's lane keep station at gaps that change slowly; oncoming ones pass at twice the speed, so
    that their places are new in every frame. Nothing depends on which frames are asked for.
    """

    def __init__(self, config: TownConfig, plan: Plan, condition: Condition, poses: Poses, fleet: Fleet):
        self._plan, self._poses, self._fleet = plan, poses, fleet
        rng = stream(config, "traffic", plan.split, condition.name)
        length = 2 * poses.along[-1] + 400
        self._lanes = {
            -LANE / 2: self._flow(rng, length, config.traffic),
            LANE / 2: self._flow(rng, length, config.traffic),
        }
        self._sway = rng.uniform(0, 2 * np.pi)

    @staticmethod
    def _flow(rng: np.random.Generator, length: float, density: float) -> list[tuple[float, str, int]]:
        """Vehicles of a lane: metres along, shape, colour."""
        vehicles, s = [], rng.uniform(0, 60)
        while density > 0 and s < length:
            name = str(rng.choice(_KINDS, p=_SHARES))
            vehicles.append((s, name, int(rng.integers(len(COLOURS)))))
            s += SHAPES[name].length + rng.gamma(2.0, 3.5 / density) + 4.0
        return vehicles

    def at(self, index: int) -> tuple[Mesh, np.ndarray]:
        """The mesh of the vehicles at frame `index`, in the town's frame, and their middles (V, 2)."""
        here, side = self._poses.along[index], self._poses.side[index]
        placed, middles = [], []
        for lane, vehicles in self._lanes.items():
            oncoming = lane < 0
            passed = 2 * here if oncoming else 0.35 * here + 14.0 * np.sin(here / 60.0 + self._sway) + 30.0
            for s, name, colour in vehicles:
                ahead = s - passed
                on_route = here + ahead < self._plan.along[-1] - 2
                if on_route and self._clear(ahead, lane, side, SHAPES[name].length):
                    point, heading = self._plan.at(np.array([here + ahead]))
                    x, y = point[0] + lane * np.array([np.sin(heading[0]), -np.cos(heading[0])])
                    turn = heading[0] + (np.pi if oncoming else 0.0)
                    placed.append(self._fleet.place(name, colour, x, y, turn))
                    middles.append((x, y))
        return joined(placed), np.array(middles, float).reshape(-1, 2)

    @staticmethod
    def _clear(ahead: float, lane: float, side: float, length: float) -> bool:
        """Is the vehicle in view and not on top of the camera?"""
        if not 1.0 < ahead < REACH:
            return False
        beside = abs(lane - side) > 2.2
        return ahead - length / 2 > (2.0 if beside else 5.5)


def frame_time(along: float) -> float:
    """Seconds since the start of the traversal at which a camera is `along` metres down its route."""
    return float((along - LEAD) / SPEED)
