"""What methods are compared with in speed: AlexNet or VGG16 with NetVLAD, as in Arandjelovic 2016 and pytorch-NetVlad.

The trunk up to its last convolution, without the rectifier and pooling behind it, and 64 visual words. Weights are
random, since speed does not depend on them; recall is not measured here. It is run as the methods are.
"""

from __future__ import annotations

import torch
import torchvision
from torch import Tensor, nn

from butf.networks.aggregation import GEM
from butf.networks.card import Card
from butf.networks.description import Description, Network, describe_parts
from butf.networks.netvlad import NetVLAD
from butf.networks.zoo import IMAGE_AREA, Model

REFERENCES = {"alexnet-netvlad": ("alexnet", 256), "vgg16-netvlad": ("vgg16", 512)}
WORDS = 64


class _Plain(Network):
    def __init__(self, name: str) -> None:
        super().__init__(GEM)
        trunk, channels = REFERENCES[name]
        layers = getattr(torchvision.models, trunk)(weights=None).features[:-2]
        self.trunk = nn.Sequential(_Normalised(), *layers)  # type: ignore[assignment]
        self.pool = NetVLAD(channels, WORDS)
        self.descriptor_dim = WORDS * channels

    def describe(self, images: Tensor) -> Description:
        return describe_parts(self.pool(self.trunk(images)))


class _Normalised(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return (images - 0.45) / 0.225


class BareTrunk(Network):
    """A network's trunk and nothing else: its last map, `(B, C, h, w)`, in place of a descriptor."""

    def __init__(self, network: Network) -> None:
        super().__init__(GEM)
        self.trunk = network.trunk
        self.eval()

    def describe(self, images: Tensor) -> Description:
        maps = self.trunk(images)
        last = maps if isinstance(maps, Tensor) else maps[-1]
        return Description(last, last)


def reference(name: str, device: str) -> Model:
    """A reference as a model."""
    network = _Plain(name).to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    card = Card(name, name, REFERENCES[name][0], IMAGE_AREA, network.descriptor_dim, 0, size_ratio=0, training_steps=0)
    return Model(name, card, network, name)
