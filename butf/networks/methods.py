"""The methods by name: how each is built, how many training steps it takes, how large it is."""

from collections.abc import Callable
from functools import cache

import torch
from torch import nn

from butf.errors import BadInput
from butf.networks.aggregation import GEM, Aggregation
from butf.networks.bu_tf import AdaptedBottomUpTransfer, BottomUpTransfer
from butf.networks.description import Network
from butf.networks.hallucination import Hallucination
from butf.networks.image_only import ImageOnly
from butf.networks.image_only_wide import ImageOnlyWide
from butf.networks.reencode import Reencoder
from butf.networks.rgbd import RGBD

NETWORKS: dict[str, Callable[..., Network]] = {
    "off-the-shelf": ImageOnly,
    "image-only": ImageOnly,
    "hallucination": Hallucination,
    "bu-tf": BottomUpTransfer,
    "bu-tf-adapted": AdaptedBottomUpTransfer,
    "bu-tf-reencode": Reencoder,
    "image-only-wide": ImageOnlyWide,
    "rgbd": RGBD,
}
METHODS = tuple(NETWORKS)
ABOUT = {
    "off-the-shelf": "The trunk with ImageNet's weights; nothing is trained.",
    "image-only": "One trunk and pooling, trained with triplets.",
    "hallucination": "A second trunk learns to imitate a network that sees the side modality.",
    "bu-tf": "A decoder on the trunk reconstructs the side modality, and describes the place too.",
    "bu-tf-adapted": "bu-tf that also learns from pictures with their side modality of conditions whose places nobody "
    "labelled, say of night.",
    "bu-tf-reencode": "The form of the follow-up papers: the reconstructed map goes through a second trunk.",
    "image-only-wide": "A control: as many parameters and steps as bu-tf, no side modality.",
    "rgbd": "An upper bound: the measured side modality is given at test time too, so a photo alone is not enough.",
}
TRAINING_STEPS = {
    "off-the-shelf": 0,
    "image-only": 1,
    "hallucination": 3,
    "bu-tf": 2,
    "bu-tf-adapted": 2,
    "bu-tf-reencode": 2,
    "image-only-wide": 2,
    "rgbd": 2,
}


def build_network(
    method: str, trunk: str, pretrained: bool = True, outputs: int = 1, aggregation: Aggregation = GEM
) -> Network:
    """The deployed network of a method on a trunk; `pretrained` gives its trunks ImageNet weights.

    `outputs`: numbers that bu-tf's decoder reconstructs for a pixel (`Encoding.channels`); `aggregation`: how each
    part of its descriptor is pooled.
    """
    if method not in NETWORKS:
        raise BadInput(f"there is no method {method!r}; choose one of {', '.join(METHODS)}")
    kind = NETWORKS[method]
    decoded = {"outputs": outputs} if isinstance(kind, type) and issubclass(kind, BottomUpTransfer) else {}
    network = kind(trunk, pretrained, aggregation, **decoded)
    # Depthwise convolutions run half as long again on the CPU in any other order of memory.
    return network.to(memory_format=torch.channels_last)


def count_parameters(module: nn.Module) -> int:
    """How many numbers training can change."""
    return sum(parameter.numel() for parameter in module.parameters())


def size_ratio(network: nn.Module, trunk: str) -> float:
    """Parameters of a network over those of image-only on the same trunk: the talk's "size"."""
    return count_parameters(network) / _image_only_parameters(trunk)


@cache
def _image_only_parameters(trunk: str) -> int:
    with torch.random.fork_rng(devices=[]):  # counting leaves no trace in what is drawn later
        return count_parameters(build_network("image-only", trunk, pretrained=False))
