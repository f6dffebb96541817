"""The traversals of the town: season, weather and light of each."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Condition:
    """One traversal. Colours are linear light; the sun stands at (azimuth from east, elevation) in degrees."""

    name: str
    role: str  # "reference" or "query"
    labels: bool  # may training use its place labels?
    zenith: Colour  # of the sky
    horizon: Colour
    clouds: float  # cover, 0..1
    sun: tuple[float, float] | None = None
    sunlight: Colour = (0.0, 0.0, 0.0)
    fog: float = 0.0004  # extinction a metre
    leaves: str = "green"
    lane: float = 0.0  # share of the largest lane offset
    wet: float = 0.0
    snow: float = 0.0
    lamps: float = 0.0  # power of the light that street lamps throw
    glow: float = 0.0  # brightness of lamps, windows and signs themselves
    lit: float = 0.0  # share of lit windows
    headlights: float = 0.0
    exposure: float = 1.0
    adapt: bool = True  # does the camera adapt its exposure to the picture?
    flare: float = 0.0
    noise: float = 0.006  # of the sensor, 1 = full scale; added when the picture is loaded

    def at_season(self, season: float) -> Condition:
        """The condition with its weather, darkness and noise at `season` (0 mild, 1 as written)."""
        return dataclasses.replace(
            self,
            fog=self.fog * season,
            wet=self.wet * min(season, 1.0),
            snow=self.snow * season,
            noise=self.noise * season,
            flare=self.flare * season,
            exposure=self.exposure * (1.6 ** (1 - season) if self.lamps else 1.0),
        )


CONDITIONS: dict[str, Condition] = {
    condition.name: condition
    for condition in (
        Condition(
            "reference",
            "reference",
            True,
            (0.22, 0.42, 0.85),
            (0.75, 0.85, 0.95),
            0.3,
            sun=(60, 52),
            sunlight=(2.6, 2.5, 2.3),
        ),
        Condition(
            "overcast",
            "query",
            True,
            (0.60, 0.64, 0.70),
            (0.82, 0.84, 0.87),
            0.9,
            fog=0.0025,
            leaves="thin",
            lane=0.7,
            exposure=0.95,
        ),
        Condition(
            "lowsun",
            "query",
            True,
            (0.17, 0.28, 0.56),
            (0.74, 0.58, 0.44),
            0.3,
            sun=(205, 14),
            sunlight=(6.0, 3.8, 1.9),
            fog=0.0010,
            leaves="autumn",
            lane=1.0,
            flare=0.15,
            exposure=1.15,
        ),
        Condition(
            "rain",
            "query",
            True,
            (0.28, 0.32, 0.38),
            (0.48, 0.51, 0.55),
            1.0,
            fog=0.008,
            wet=1.0,
            lane=0.85,
            glow=0.4,
            lit=0.12,
            noise=0.012,
        ),
        Condition(
            "dusk",
            "query",
            False,
            (0.03, 0.05, 0.13),
            (0.32, 0.17, 0.14),
            0.6,
            fog=0.005,
            leaves="autumn",
            lane=1.0,
            lamps=0.7,
            glow=0.85,
            lit=0.40,
            headlights=0.3,
            exposure=0.75,
            adapt=False,
            noise=0.02,
        ),
        Condition(
            "snow",
            "query",
            False,
            (0.64, 0.68, 0.76),
            (0.86, 0.88, 0.92),
            0.8,
            fog=0.017,
            leaves="bare",
            lane=1.0,
            snow=1.0,
            noise=0.01,
        ),
        Condition(
            "night",
            "query",
            False,
            (0.004, 0.006, 0.012),
            (0.022, 0.018, 0.016),
            0.6,
            fog=0.002,
            leaves="thin",
            lane=0.9,
            lamps=1.0,
            glow=1.0,
            lit=0.22,
            headlights=1.0,
            exposure=1.7,
            adapt=False,
            noise=0.03,
        ),
    )
}
