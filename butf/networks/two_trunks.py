"""Two trunks of one kind, each with its pooling: the body of hallucination and of RGB-D."""

from butf.networks.description import Network
from butf.networks.pooling import GeM
from butf.networks.trunk import build_trunk


class TwoTrunks(Network):
    """A trunk for the picture and one for the side modality, or for what stands in for it."""

    def __init__(self, trunk: str, pretrained: bool = True):
        super().__init__()
        self.trunk = build_trunk(trunk, pretrained)
        self.pool = GeM()
        self.side_trunk = build_trunk(trunk, pretrained)
        self.side_pool = GeM()
        self.descriptor_dim = 2 * self.trunk.channels[-1]
