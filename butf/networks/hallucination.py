"""Hallucination (Hoffman, Gupta and Darrell 2016): a second trunk imitates, from the picture, a depth network."""

from torch import Tensor

from butf.networks.description import Description, Network, describe_parts
from butf.networks.pooling import GeM
from butf.networks.trunk import build_trunk


class Hallucination(Network):
    """An image trunk and a hallucination trunk, both fed with the picture: exactly twice the size of image-only.

    The depth network that the second trunk learns to imitate is needed in training only (`butf.training.recipe`).
    """

    def __init__(self, trunk: str, pretrained: bool = True):
        super().__init__()
        self.trunk = build_trunk(trunk, pretrained)
        self.pool = GeM()
        self.side_trunk = build_trunk(trunk, pretrained)
        self.side_pool = GeM()
        self.descriptor_dim = 2 * self.trunk.channels[-1]

    def describe(self, images: Tensor) -> Description:
        return describe_parts(self.pool(self.trunk(images)[-1]), self.side_pool(self.side_trunk(images)[-1]))
