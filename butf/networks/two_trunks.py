"""Two trunks of one kind, each with its pooling: the body of hallucination and of RGB-D."""

from butf.networks.aggregation import GEM, Aggregation
from butf.networks.description import Network
from butf.networks.trunk import build_trunk


class TwoTrunks(Network):
    """A trunk for the picture and one for the side modality, or for what stands in for it."""

    def __init__(self, trunk: str, pretrained: bool = True, aggregation: Aggregation = GEM):
        super().__init__(aggregation)
        self.trunk = build_trunk(trunk, pretrained)
        self.pool = aggregation.build(self.trunk.channels[-1])
        self.side_trunk = build_trunk(trunk, pretrained)
        self.side_pool = aggregation.build(self.trunk.channels[-1])
        self.descriptor_dim = self.pool.dim + self.side_pool.dim
