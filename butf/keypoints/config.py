"""All that determines a training of keypoints; saved with its run as `config.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from butf.errors import BadInput
from butf.keypoints.card import METHOD
from butf.keypoints.losses import DESCRIPTOR_LOSSES, DETECTOR_SCORES
from butf.training.checks import check_choice, check_number
from butf.training.config import option

PHASES = ("descriptor", "orientation", "detector", "joint")
"""In the lecture's order: each needs those before it."""


@dataclass(frozen=True)
class KeypointConfig:
    """What keypoints are trained on, how long and with which losses."""

    method: str = option(METHOD, "always keypoints")
    data: str = option("town", "the data set's folder, or its name: it needs depth and poses")
    also: str | None = option(None, "a second data set to learn from, a video with depth and poses, say of 7-Scenes")
    also_share: float = option(0.6, "share of the second data set's frames that are trained on, the earliest")
    also_weight: float = option(0.2, "share of the pairs that come from the second data set")
    seed: int = option(0, "start of all random numbers: the same seed gives the same keypoints")
    descriptor_steps: int = option(800, "optimiser steps of the descriptor")
    orientation_steps: int = option(200, "optimiser steps of the orientation, through the descriptor")
    detector_steps: int = option(400, "optimiser steps of the detector")
    joint_steps: int = option(400, "optimiser steps of all three under one cost")
    pairs: int = option(4, "pairs of pictures in a step")
    points: int = option(64, "correspondences of each pair")
    pair_share: float = option(0.4, "pictures closer than this share of the place radius are a pair (of 25 m: 10 m)")
    learning_rate: float = option(2e-3, "highest learning rate of AdamW in each phase, a quarter of it in the last")
    weight_decay: float = option(1e-4, "how strongly AdamW pulls all weights towards zero")
    descriptor_loss: str = option(
        "contrast",
        "pairs: the lecture's squared distances and hinges, hardest negatives; contrast: all negatives of the batch",
    )
    detector_score: str = option("softmax", "how a window is scored: softmax, as LIFT does, or max, as TILDE does")
    sigma_place: float = option(0.1, "weight of the squared pixels between a point and its partner's, soft argmax both")
    validate_every: int = option(200, "optimiser steps between two measurements on the val areas")
    val_pairs: int = option(12, "pairs of each condition measured on the val areas")
    checkpoint_every: int = option(50, "optimiser steps between two checkpoints: what a killed run loses at most")
    device: str = option("auto", "what it runs on: auto (a GPU where there is one), cpu or cuda")

    def __post_init__(self) -> None:
        check_choice("method", self.method, (METHOD,))
        check_choice("descriptor_loss", self.descriptor_loss, tuple(DESCRIPTOR_LOSSES))
        check_choice("detector_score", self.detector_score, tuple(DETECTOR_SCORES))
        check_choice("device", self.device, ("auto", "cpu", "cuda"))
        for name in ("pairs", "validate_every", "val_pairs", "checkpoint_every"):
            check_number(name, getattr(self, name), 1, int)
        for name, low in (("seed", 0), ("points", 4), *((f"{phase}_steps", 1) for phase in PHASES)):
            check_number(name, getattr(self, name), low, int)
        for name in ("pair_share", "learning_rate"):
            check_number(name, getattr(self, name), 1e-9, float)
        for name in ("also_share", "also_weight", "weight_decay", "sigma_place"):
            check_number(name, getattr(self, name), 0.0, float)
        for name in ("also_share", "also_weight"):
            if getattr(self, name) > 1:
                raise BadInput(f"{name} is {getattr(self, name)}; expected a share between 0 and 1")

    def steps_of(self, phase: str) -> int:
        """Optimiser steps of one of `PHASES`."""
        steps: int = getattr(self, f"{phase}_steps")
        return steps

    @property
    def total_steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(map(self.steps_of, PHASES))

    def as_dict(self) -> dict[str, Any]:
        """Plain values by field name, as `config.json` holds them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> KeypointConfig:
        """The configuration in `values`; BadInput names a field that is unknown or has a wrong value."""
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise BadInput(
                f"the configuration has an unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}"
            )
        return cls(**values)
