"""What is known of a trained model, kept beside its weights and inside their file."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from butf.dataset.modalities import Encoding
from butf.errors import BadInput
from butf.files import parse_json
from butf.networks.aggregation import GEM, Aggregation
from butf.networks.methods import METHODS
from butf.networks.trunk import TRUNKS


@dataclass(frozen=True)
class Card:
    """A model's card. Recalls are fractions of queries; sizes count parameters."""

    name: str
    method: str
    trunk: str
    image_area: int
    """Pixels of a picture as the network sees it."""
    descriptor_dim: int
    parameters: int
    size_ratio: float
    """`parameters` over those of image-only on the same trunk."""
    training_steps: int
    """How many times something is trained on the way: the talk's count."""
    encoding: Encoding | None = None
    """How the reconstructed side modality is coded to 0..1; None without a decoder."""
    data: str | None = None
    """Name of the data set it was trained on."""
    seen: tuple[str, ...] = ()
    """Conditions whose place labels training used."""
    val_recall: dict[str, float] = field(default_factory=dict)
    """recall@1 on the val areas by condition, and `mean`."""
    seed: int | None = None
    config: dict[str, Any] = field(default_factory=dict)
    command: str | None = None
    commit: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    images_seen: int | None = None
    """Pictures that went through training, all its steps together, a step taken from another model included."""
    seconds: float | None = None
    """How long training took, counted likewise."""
    aggregation: Aggregation = GEM
    """How each part of the descriptor is pooled; cards from before there was a choice mean GeM."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as card.json holds them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any, source: str) -> "Card":
        """The card in `values`, which was read from `source`; BadInput when it is not one of ours."""
        if not isinstance(values, dict):
            raise BadInput(f"{source} is no model card; expected a JSON object")
        known = {item.name for item in fields(cls)}
        try:
            encoding, aggregation = values.get("encoding"), values.get("aggregation")
            card = cls(
                **{key: value for key, value in values.items() if key in known}
                | {"encoding": Encoding(**encoding) if encoding else None, "seen": tuple(values.get("seen", ()))}
                | {"aggregation": Aggregation(**aggregation) if aggregation else GEM}
            )
        except BadInput as error:
            raise BadInput(f"{source} is no model card of this version: {error}") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise BadInput(f"{source} is no model card of ours ({error}); choose a model that BU-TF trained") from error
        wrong = [name for name, fine in _checked(card).items() if not fine]
        if wrong:
            value = getattr(card, wrong[0])
            raise BadInput(
                f"{source} is no model card of ours ({wrong[0]} is {value!r}); choose a model that BU-TF trained"
            )
        if card.method not in METHODS or card.trunk not in TRUNKS:
            raise BadInput(f"{source} names method {card.method!r} on trunk {card.trunk!r}, which this version lacks")
        return card


def _checked(card: Card) -> dict[str, bool]:
    """Whether each field is of its kind: pages and commands compute with it and show it."""
    counts = ("image_area", "descriptor_dim", "parameters")
    texts, optional = (card.name, card.method, card.trunk, *card.seen), (card.data, card.command, card.commit)
    return {
        "name": all(isinstance(text, str) for text in texts),
        "data": all(text is None or isinstance(text, str) for text in optional),
        **{name: type(getattr(card, name)) is int and getattr(card, name) >= 1 for name in counts},
        "size_ratio": is_number(card.size_ratio) and card.size_ratio > 0,
        "training_steps": type(card.training_steps) is int and card.training_steps >= 0,
        "val_recall": isinstance(card.val_recall, dict) and all(map(is_number, card.val_recall.values())),
        "config": isinstance(card.config, dict) and isinstance(card.versions, dict),
        "images_seen": all(value is None or is_number(value) for value in (card.images_seen, card.seconds, card.seed)),
    }


def is_number(value: object) -> bool:
    """Whether it is a finite number, as what JSON holds may not be."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def card_text(card: Card) -> str:
    """The card as JSON."""
    return json.dumps(card.as_dict(), indent=2)


def parse_card(text: str, source: str | Path) -> Card:
    """The inverse of `card_text`; BadInput names `source`."""
    try:
        values = parse_json(text, source)
    except BadInput as error:
        raise BadInput(f"{source} holds no model card; choose a model that BU-TF trained") from error
    return Card.from_dict(values, str(source))
