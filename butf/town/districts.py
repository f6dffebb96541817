"""Districts and traversals that a process has built, held for the next task that works on the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from butf.town.conditions import CONDITIONS
from butf.town.config import TownConfig
from butf.town.district import District
from butf.town.plan import Plan
from butf.town.render import Renderer


@dataclass(frozen=True, eq=False)
class Ground:
    """What maps and tables need of a district; much smaller than the district. `footprints` are those of its buildings,
    each (corners, 2) metres in the town's frame."""

    plan: Plan
    footprints: tuple[np.ndarray, ...]


_grounds: dict[tuple[TownConfig, str], Ground] = {}  # of one town at a time


@lru_cache(maxsize=1)
def district(config: TownConfig, split: str) -> District:
    """The district of a split; the last one asked for is held."""
    built = District(config, split)
    if any(town != config for town, _ in _grounds):
        _grounds.clear()
    _grounds[config, split] = Ground(built.plan, tuple(built.places.footprints))
    return built


@lru_cache(maxsize=1)
def renderer(config: TownConfig, split: str, condition: str, samples: int) -> Renderer:
    """The renderer of a traversal; the last one asked for is held."""
    return Renderer(district(config, split), CONDITIONS[condition], samples)


def grounds(config: TownConfig, splits: list[str]) -> dict[str, Ground]:
    """The ground of each of these splits, built where this process has not built that district yet."""
    for split in splits:
        if (config, split) not in _grounds:
            district(config, split)
    return {split: _grounds[config, split] for split in splits}
