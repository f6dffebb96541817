"""Image-only: trunk and pooling, trained with triplets in one step; untrained it is the off-the-shelf floor."""

from torch import Tensor

from butf.networks.aggregation import GEM, Aggregation
from butf.networks.description import Description, Network, describe_parts
from butf.networks.trunk import build_trunk


class ImageOnly(Network):
    """One trunk and one pooled descriptor."""

    def __init__(self, trunk: str, pretrained: bool = True, aggregation: Aggregation = GEM):
        super().__init__(aggregation)
        self.trunk = build_trunk(trunk, pretrained)
        self.pool = aggregation.build(self.trunk.channels[-1])
        self.descriptor_dim = self.pool.dim

    def describe(self, images: Tensor) -> Description:
        return describe_parts(self.pool(self.trunk(images)[-1]))
