"""`models`: what is shipped, and finished runs."""

from __future__ import annotations

import argparse
from typing import Any

from butf.commands.common import add_json, check_output, text_table, write_result
from butf.networks.card import Card
from butf.networks.zoo import available


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `models`."""
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """List the models, the shipped ones first."""
    check_output(args.json)
    cards = available()
    write_result(args.json, {"models": [_entry(card) for card in cards]}, _as_text(cards))


def _entry(card: Card) -> dict[str, Any]:
    return {
        "name": card.name,
        "method": card.method,
        "trunk": card.trunk,
        "parameters": card.parameters,
        "size_ratio": card.size_ratio,
        "training_steps": card.training_steps,
        "descriptor_dim": card.descriptor_dim,
        "recall": card.val_recall,
        "data": card.data,
        "seen": list(card.seen),
    }


def _as_text(cards: list[Card]) -> str:
    header = ("name", "method", "trunk", "parameters", "size_ratio", "training_steps", "recall", "data")
    rows = [
        (
            card.name, card.method, card.trunk, f"{card.parameters:,}", f"{card.size_ratio:.2f}x",
            str(card.training_steps), _recall(card.val_recall), card.data or "ImageNet",
        )
        for card in cards
    ]  # fmt: skip
    note = "size_ratio: parameters over those of image-only on the same trunk; recall: recall@1 on the val areas, in %"
    return f"{text_table(header, rows)}\n\n{note}"


def _recall(by_condition: dict[str, float]) -> str:
    return ", ".join(f"{name} {100 * value:.1f}" for name, value in by_condition.items()) or "not measured"
