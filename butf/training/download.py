"""A run's model as one file to take away: its weights and its card, and nothing of the machine it was trained on."""

import io
import shlex
import zipfile
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, TypeVar

import safetensors.torch

from butf.errors import BadInput
from butf.keypoints.card import KeypointCard
from butf.networks.card import Card, card_text, parse_card
from butf.networks.weights import read_weights
from butf.training.folder import Run

AnyCard = TypeVar("AnyCard", Card, KeypointCard)
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The time of the files in the archive: the same run gives the same bytes."""


def downloadable(run: Run) -> Path | None:
    """The weights to take from a run: the finished ones, else the best measured so far in its last training step."""
    if run.complete:
        return run.weights_path
    return run.best_path if run.best_path.is_file() else None


def model_archive(run: Run) -> bytes:
    """A zip file of `model.safetensors` and `card.json`. Raises BadInput when the run has none yet, or a broken one."""
    path = downloadable(run)
    if path is None:
        raise BadInput(f"run {run.name} has no model yet; wait until recall was measured in its last training step")
    tensors, metadata = read_weights(path)
    text = _portable_text(metadata.get("card", ""), path)
    files: dict[str, str | bytes] = {
        "model.safetensors": safetensors.torch.save(tensors, metadata={"card": text}),
        "card.json": text,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(f"{run.name}/{name}", LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _portable_text(text: str, path: Path) -> str:
    """The card's text without folders of this machine, of places or of keypoints."""
    try:
        return portable(KeypointCard.parse(text, path)).text()
    except BadInput:
        return card_text(portable(parse_card(text, path)))


def portable(card: AnyCard) -> AnyCard:
    """The card with every folder of this machine shortened to its last name."""
    config = {name: last_name(value) for name, value in card.config.items()}
    words = shlex.split(card.command or "")
    return replace(card, config=config, command=shlex.join(map(last_name, words)) if words else None)


def last_name(value: Any) -> Any:
    """The last name of an absolute path; anything else as it is."""
    absolute = isinstance(value, str) and (value.startswith("~") or PurePath(value).is_absolute())
    return PurePath(value).name if absolute else value
