"""What is known of trained keypoints, kept beside their weights and inside their file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from butf.errors import BadInput
from butf.files import parse_json

METHOD = "keypoints"
"""What runs and cards of keypoints say they are, where those of places name a method."""


@dataclass(frozen=True)
class KeypointCard:
    """A card of detector, orientation and descriptor."""

    name: str
    method: str = METHOD
    parameters: int = 0
    data: str | None = None
    """Name of the data set that it was trained on."""
    also: str | None = None
    """Name of a second one, if any."""
    val: dict[str, dict[str, float]] = field(default_factory=dict)
    """What was measured on the val areas, by condition (see `butf.keypoints.measures`)."""
    seed: int | None = None
    config: dict[str, Any] = field(default_factory=dict)
    command: str | None = None
    commit: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    images_seen: int | None = None
    seconds: float | None = None
    note: str = ""

    def text(self) -> str:
        """The card as JSON."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def parse(cls, text: str, source: str | Path) -> KeypointCard:
        """The inverse of `text`; raises `BadInput` naming `source` for what is no card of keypoints."""
        fault = BadInput(f"{source} holds no card of keypoints; choose what `train-keypoints` trained")
        try:
            values = parse_json(text, source)
        except BadInput as error:
            raise fault from error
        if not isinstance(values, dict) or values.get("method") != METHOD or not isinstance(values.get("name"), str):
            raise fault
        known = {item.name for item in fields(cls)}
        card = cls(**{key: value for key, value in values.items() if key in known})
        if not card._sound():
            raise fault
        return card

    def _sound(self) -> bool:
        """Whether what is computed with and shown is of its kind."""
        measured = list(self.val.values()) if isinstance(self.val, dict) else [None]
        numbers = [value for one in measured if isinstance(one, dict) for value in one.values()]
        optional = (self.data, self.also, self.command, self.commit)
        return (
            type(self.parameters) is int
            and all(isinstance(one, dict) for one in measured)
            and all(value is None or isinstance(value, (int, float)) for value in numbers)
            and all(text is None or isinstance(text, str) for text in optional)
            and isinstance(self.note, str)
            and isinstance(self.config, dict)
            and isinstance(self.versions, dict)
        )
