"""Image-only: trunk and pooling, trained with triplets in one step; untrained it is the off-the-shelf floor."""

from torch import Tensor

from butf.networks.description import Description, Network, describe_parts
from butf.networks.pooling import GeM
from butf.networks.trunk import build_trunk


class ImageOnly(Network):
    """One trunk and one pooled descriptor."""

    def __init__(self, trunk: str, pretrained: bool = True):
        super().__init__()
        self.trunk = build_trunk(trunk, pretrained)
        self.pool = GeM()
        self.descriptor_dim = self.trunk.channels[-1]

    def describe(self, images: Tensor) -> Description:
        return describe_parts(self.pool(self.trunk(images)[-1]))
