"""The checks of a training configuration's values, each with a sentence that says what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from butf.errors import BadInput

if TYPE_CHECKING:
    from butf.training.config import TrainConfig


def check_numbers(config: TrainConfig) -> None:
    """BadInput unless every number of a configuration can be what it is."""
    for name, low in (
        ("steps", 1),
        ("places", 2),
        ("views", 2),
        ("image_area", 64 * 64),
        ("seed", 0),
        ("refresh_every", 1),
        ("validate_every", 1),
        ("checkpoint_every", 1),
        ("kept_stages", 0),
        ("final_queries", 0),
        ("extra_pictures", 1),
    ):
        check_number(name, getattr(config, name), low, int)
    for name in ("learning_rate", "margin", "tau", "positive_share", "positive_deg", "negative_share"):
        check_number(name, getattr(config, name), 1e-9, float)
    sigmas = ("sigma_side", "sigma_full", "sigma_transfer", "sigma_match", "sigma_keep")
    for name in (
        *sigmas,
        "weight_decay",
        "trunk_rate",
        "hard_share",
        "guess_share",
        "side_share",
        "decoder_reach",
        "extra_reach",
    ):
        check_number(name, getattr(config, name), 0.0, float)
    for name in ("hard_share", "guess_share", "side_share"):
        if getattr(config, name) > 1:
            raise BadInput(f"{name} is {getattr(config, name)}; expected a share between 0 and 1")
    if config.negative_share <= config.positive_share:
        raise BadInput(
            f"negative_share is {config.negative_share}; expected more than positive_share, "
            f"{config.positive_share}, so that no pair is both"
        )


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """BadInput unless `value` is one of `choices`."""
    if value not in choices:
        raise BadInput(f"{name} is {value!r}; choose one of {', '.join(choices)}")


def check_number(name: str, value: Any, low: float, kind: type) -> None:
    """BadInput unless `value` is a finite number of this kind and not below `low`."""
    allowed = (int,) if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed) or not low <= value < 1e12:
        raise BadInput(f"{name} is {value!r}; expected {'a whole number' if kind is int else 'a number'} from {low:g}")
