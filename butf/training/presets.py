"""How long and how hard to train, in plain words: the choices of the Train page."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    """Values that replace the defaults of TrainConfig; `custom` leaves all of them to the user."""

    label: str
    about: str
    values: dict[str, Any] = field(default_factory=dict)
    custom: bool = False


PRESETS = (
    Preset(
        "Quick try",
        "60 optimiser steps in each training step: a few minutes on two processor cores. "
        "Enough to see the losses fall, too few for a good model.",
        {"steps": 60, "validate_every": 20, "checkpoint_every": 20},
    ),
    Preset(
        "As shipped",
        "The settings of the models in assets/models: a quarter to three quarters of an hour on two cores.",
        {"steps": 400},
    ),
    Preset("Custom", "Every setting is yours.", custom=True),
)
