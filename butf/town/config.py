"""Settings of the procedural town: what is built, how hard it is, and how it is stored."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from butf.errors import BadInput
from butf.files import parse_json

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class TownConfig:
    """Everything the generator needs; two equal configurations give the same bytes on the same machine.

    Lengths are in metres, angles in degrees, shares in 0..1. The knobs of difficulty are `facade_pool`,
    `block_types`, `landmarks`, `jitter_m`, `occupancy`, `traffic`, `hoardings`, `change`, `lane_offset_m`,
    `heading_deg` and `season`.
    """

    seed: int = 7
    train_places: int = 1500
    val_places: int = 600
    test_places: int = 600
    spacing_m: float = 4.5  # between reference places, along the lane
    # how many places are kept; 0 keeps all. They are spread evenly over the district's route.
    train_kept: int = 0
    val_kept: int = 0
    test_queries_kept: int = 0  # the test reference is always whole
    # difficulty: the town
    facade_pool: int = 8  # distinct facades a district draws from
    block_types: int = 2  # block templates a district repeats
    landmarks: float = 0.02  # share of lots with a facade found nowhere else in the district
    block_m: float = 96.0  # mean distance between junctions
    jitter_m: float = 8.0  # how far a junction may lie from its grid point, on each axis
    trees: float = 0.5  # share of street tree places that carry a tree
    # difficulty: the traversals
    occupancy: float = 0.6  # share of parking bays that hold a vehicle
    traffic: float = 0.5  # density of moving vehicles: 0 none, 1 dense
    hoardings: float = 0.5  # share of hoarding places in use
    change: float = 0.7  # share of shop fronts and hoardings that differ in a traversal
    lane_offset_m: float = 3.2  # largest sideways offset of a query traversal
    heading_deg: float = 10.0  # largest heading error of a query
    season: float = 1.0  # strength of dark, snow, rain, fog and noise: 0 mild, 1 strong
    # pictures
    width: int = 256
    height: int = 192
    fov_deg: float = 80.0  # horizontal field of view
    horizon: float = 0.46  # height of the horizon: 0 top, 1 bottom of the picture
    jpeg_quality: int = 85
    depth_bits: int = 9  # significant bits of depth that are stored: 9 gives 0.2 % at most
    reflectance_step: int = 4  # stored reflectance is a multiple of this many 255ths

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            low, high = LIMITS[field.name]
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise BadInput(f"town setting {field.name} is {value!r}; expected a number from {low} to {high}")
            if isinstance(field.default, int) and not isinstance(value, int):
                raise BadInput(f"town setting {field.name} is {value!r}; expected a whole number")
        if self.width % 4 or self.height % 4:
            raise BadInput(f"town picture is {self.width}x{self.height}; expected multiples of 4")

    def places(self, split: str) -> int:
        """Reference places of a split before any are left out."""
        return {"train": self.train_places, "val": self.val_places, "test": self.test_places}[split]

    def changed(self, **settings: Any) -> TownConfig:
        """A copy with other settings; `BadInput` for an unknown name."""
        for name in settings:
            if name not in LIMITS:
                raise BadInput(f"unknown town setting {name!r}; known settings: {', '.join(LIMITS)}")
        return dataclasses.replace(self, **settings)

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


LIMITS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "train_places": (4, 20000),
    "val_places": (4, 20000),
    "test_places": (4, 20000),
    "spacing_m": (1.0, 50.0),
    "train_kept": (0, 20000),
    "val_kept": (0, 20000),
    "test_queries_kept": (0, 20000),
    "facade_pool": (1, 200),
    "block_types": (1, 100),
    "landmarks": (0.0, 1.0),
    "block_m": (60.0, 200.0),
    "jitter_m": (0.0, 15.0),
    "trees": (0.0, 1.0),
    "occupancy": (0.0, 1.0),
    "traffic": (0.0, 1.0),
    "hoardings": (0.0, 1.0),
    "change": (0.0, 1.0),
    "lane_offset_m": (0.0, 3.2),
    "heading_deg": (0.0, 30.0),
    "season": (0.0, 1.5),
    "width": (16, 2048),
    "height": (16, 2048),
    "fov_deg": (30.0, 120.0),
    "horizon": (0.2, 0.8),
    "jpeg_quality": (30, 100),
    "depth_bits": (6, 16),
    "reflectance_step": (1, 32),
}

PRESETS = {
    "paper": {},
    "demo": {"train_kept": 60, "val_kept": 60, "test_queries_kept": 150},
}


def preset(name: str, seed: int = 7) -> TownConfig:
    """The configuration called `name`: `paper` (everything) or `demo` (the same town, fewer frames of it)."""
    if name not in PRESETS:
        raise BadInput(f"unknown town preset {name!r}; expected one of {', '.join(PRESETS)}")
    return TownConfig(seed=seed, **PRESETS[name])


def parse_setting(text: str) -> tuple[str, object]:
    """`facade_pool=8` to `("facade_pool", 8)`."""
    name, equals, value = text.partition("=")
    if not equals:
        raise BadInput(f"town setting {text!r} has no value; expected knob=value, such as facade_pool=8")
    try:
        return name.strip(), parse_json(value, name)
    except BadInput:
        raise BadInput(f"town setting {name} is {value!r}; expected a number") from None
