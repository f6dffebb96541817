"""The diversification loss (slide equation 4) by itself: what it says, how it pulls, and what came of it here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from butf.figures.recall import Gain
from butf.losses import diversification_loss

EXACT = 1e-9
"""Sums of hundredths miss zero by less: 0.4 - 0.5 + 0.1 is no demand."""
DIVERSIFIED, PLAIN = "bu-tf-diversified", "bu-tf"


@dataclass(frozen=True)
class Hinge:
    """Equation 4 at one point: its value, and its slopes in the triplet losses of the full and the main descriptor."""

    value: float
    slope_full: float
    slope_main: float


def hinge(full: float, main: float, margin: float) -> Hinge:
    """Equation 4 and its gradient, from `butf.losses`."""
    losses = torch.tensor([full, main], dtype=torch.float64, requires_grad=True)
    value = diversification_loss(losses[0], losses[1], margin)
    if float(value.detach()) < EXACT:
        return Hinge(0.0, 0.0, 0.0)
    (slopes,) = torch.autograd.grad(value, losses)
    return Hinge(float(value.detach()), *slopes.tolist())


def demand(full: float, main: float, margin: float) -> str:
    """What the loss asks for at this point, in words."""
    if main < margin:
        return (
            f"It cannot be met: the full loss would have to lie at {main - margin:.2f}, and no loss is below zero. "
            "The hinge then pushes the main loss up."
        )
    if hinge(full, main, margin).value == 0:
        return f"It is met: the full descriptor's loss lies at least {margin:.2f} below the main one's. Nothing pulls."
    return (
        f"It is not met: the full loss should be at most {main - margin:.2f}. The hinge pulls it down and pushes the "
        "main loss up just as hard."
    )


def gain(claim: dict[str, Any]) -> Gain:
    return Gain(claim["a"], claim["b"], claim["where"], 100 * claim["gain"], claim["p"])


def outcome(results: dict[str, Any] | None) -> list[str]:
    """What bu-tf with equation 4 gained over bu-tf without, a sentence a group of conditions, from the experiment.

    `results` as `butf.experiment.summary.load` gives them; empty where the comparison was not made.
    """
    claims = (results or {}).get("claims", [])
    return [
        f"{claim['where']} conditions: {gain(claim).text}, {len(claim['by_seed'])} training "
        f"seed{'s' if len(claim['by_seed']) > 1 else ''}"
        for claim in claims
        if (claim["a"], claim["b"]) == (DIVERSIFIED, PLAIN)
    ]
