"""Trained keypoints: those shipped in assets/keypoints, those of finished runs, and single files."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import torch

from butf.errors import BadInput
from butf.files import ASSETS, runs_dir, user_path
from butf.keypoints.card import METHOD, KeypointCard
from butf.keypoints.extractor import Extractor
from butf.keypoints.networks import KeypointNetwork
from butf.networks.methods import count_parameters
from butf.networks.weights import read_weights, save_weights

SHIPPED = ASSETS / METHOD
UNTRAINED = "untrained"


def load_keypoints(name: str = METHOD, device: str = "cpu") -> Extractor:
    """The keypoints of that NAME: `keypoints` (shipped), a run's name or folder, or a .safetensors file.

    `untrained` is the network as it starts, the same on every call: a floor to compare with. Raises BadInput when
    there is none of the name, or when the file is truncated, foreign or of another network.
    """
    if name == UNTRAINED:
        return _untrained(device)
    path = find(name)
    tensors, metadata = read_weights(path)
    card = KeypointCard.parse(metadata.get("card", ""), path)
    network = KeypointNetwork()
    try:
        network.load_state_dict({key: tensor.float() for key, tensor in tensors.items()})
    except RuntimeError as error:
        raise BadInput(f"{path} holds keypoints of another version; train them anew") from error
    label = path.parent.name if path.name == "model.safetensors" else path.stem
    return Extractor.of(network, dataclasses.replace(card, name=label), _digest(path), device)


def find(name: str) -> Path:
    """The weights file that NAME means. Raises BadInput, naming the known ones, when there is none."""
    path = user_path(name)
    folders = [runs_dir() / name, path]
    for folder in [SHIPPED, *folders] if name == METHOD else folders:
        if (folder / "model.safetensors").is_file():
            return folder / "model.safetensors"
        if (folder / "config.json").is_file():
            raise BadInput(f"run {folder.name} has no keypoints yet; wait until it has finished, or resume it")
    if path.is_file():
        return path
    raise BadInput(f"there are no keypoints {name!r}; known are {', '.join([*available(), UNTRAINED])}")


def available() -> list[str]:
    """Names of the keypoints that `load_keypoints` knows: the shipped ones, then those of finished runs."""
    found = [METHOD] if (SHIPPED / "model.safetensors").is_file() else []
    for card in sorted(runs_dir().glob("*/card.json")):
        try:
            KeypointCard.parse(card.read_text(encoding="utf-8"), card)
        except (BadInput, OSError, UnicodeDecodeError):
            continue  # a model of places, or a broken card, which must not hide the others
        if (card.parent / "model.safetensors").is_file() and card.parent.name not in found:
            found.append(card.parent.name)
    return found


def write_keypoints(path: Path, network: KeypointNetwork, card: KeypointCard, half: bool = False) -> None:
    """The networks' weights with their card inside the file, of half precision where asked."""
    state = network.state_dict()
    if half:
        state = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    save_weights(path, state, {"card": card.text()})


def _untrained(device: str) -> Extractor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = KeypointNetwork()
    card = KeypointCard(UNTRAINED, parameters=count_parameters(network))
    return Extractor.of(network, card, UNTRAINED, device)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
