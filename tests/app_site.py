"""A small site for tests of the app: two made-up data sets and three untrained models, in folders of their own."""

from pathlib import Path

import torch
from conftest import write_tiny_dataset

from butf.dataset.modalities import Encoding
from butf.networks import zoo
from butf.networks.aggregation import GEM, Aggregation
from butf.networks.card import card_text
from butf.networks.methods import build_network
from butf.networks.weights import save_weights

METHODS = ("image-only", "hallucination", "bu-tf")


def make_site(root: Path) -> dict[str, str]:
    """Fill `root` with data, runs and cache; returns the environment variables that point there."""
    for name in ("other", "tiny"):
        write_tiny_dataset(root / "data" / name)
    for method in METHODS:
        write_model(root / "runs" / f"my-{method}", method)
    return environment(root)


def environment(root: Path) -> dict[str, str]:
    names = {"BUTF_DATA": "data", "BUTF_RUNS": "runs", "BUTF_CACHE": "cache"}
    return {variable: str(root / folder) for variable, folder in names.items()}


def write_model(folder: Path, method: str, aggregation: Aggregation = GEM) -> None:
    """A model as training leaves it, with the weights that it began with."""
    torch.manual_seed(0)
    network = build_network(method, "efficientnet-lite0", aggregation=aggregation)
    encoding = Encoding() if method in ("bu-tf", "rgbd") else None
    card = zoo.describe_card(
        folder.name, network, method, "efficientnet-lite0", image_area=96 * 64, encoding=encoding, seen=("overcast",)
    )
    folder.mkdir(parents=True)
    save_weights(folder / "model.safetensors", network.state_dict(), {"card": card_text(card)})
    (folder / "card.json").write_text(card_text(card))
