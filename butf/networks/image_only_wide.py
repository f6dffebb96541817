"""Image-only-wide: the control of BU-TF that has its size and its two descriptors, and no side modality."""

from torch import Tensor, nn

from butf.networks.aggregation import GEM, Aggregation
from butf.networks.bu_tf import SIDE_DIM
from butf.networks.decoder import FeatureDecoder
from butf.networks.description import Description, Network, describe_parts
from butf.networks.trunk import build_trunk

# A little wider than BU-TF's decoder: the layers that only draw the side map would be dead weight here.
FEATURE_WIDTH = {"efficientnet-lite0": 103, "alexnet": 206}


class ImageOnlyWide(Network):
    """BU-TF's network without the layers that draw the side map; the parameters saved make the rest wider."""

    def __init__(self, trunk: str, pretrained: bool = True, aggregation: Aggregation = GEM):
        super().__init__(aggregation)
        self.trunk = build_trunk(trunk, pretrained)
        self.pool = aggregation.build(self.trunk.channels[-1])
        width = FEATURE_WIDTH[trunk]
        self.features = FeatureDecoder(self.trunk.channels, width)
        self.adapter = nn.Conv2d(width, SIDE_DIM, 1)
        self.second_pool = aggregation.build(SIDE_DIM)
        self.descriptor_dim = self.pool.dim + self.second_pool.dim

    def describe(self, images: Tensor) -> Description:
        return self.describe_maps(self.trunk(images))

    def describe_maps(self, maps: list[Tensor]) -> Description:
        """`describe`, from the trunk's maps."""
        return describe_parts(self.pool(maps[-1]), self.second_pool(self.adapter(self.features(maps))))
