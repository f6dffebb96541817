"""BU-TF in the form of the follow-up papers (ICRA 2019, IJCV 2021): the decoded map goes through a second trunk."""

from torch import Tensor
from torch.nn import functional as F

from butf.networks.aggregation import GEM, Aggregation
from butf.networks.bu_tf import DECODER_WIDTH
from butf.networks.colours import colour_ramp
from butf.networks.decoder import Decoder
from butf.networks.description import Description, Network, describe_parts
from butf.networks.trunk import build_trunk


class Reencoder(Network):
    """Trunk, decoder, fixed colours, second trunk. L1 and triplets never share weights: gradients are cut between."""

    def __init__(self, trunk: str, pretrained: bool = True, aggregation: Aggregation = GEM):
        super().__init__(aggregation)
        self.trunk = build_trunk(trunk, pretrained)
        self.pool = aggregation.build(self.trunk.channels[-1])
        self.decoder = Decoder(self.trunk.channels, DECODER_WIDTH[trunk])
        self.side_trunk = build_trunk(trunk, pretrained)
        self.side_pool = aggregation.build(self.trunk.channels[-1])
        self.descriptor_dim = self.pool.dim + self.side_pool.dim

    def describe(self, images: Tensor) -> Description:
        return self.describe_maps(self.trunk(images), (images.shape[-2], images.shape[-1]))

    def describe_maps(self, maps: list[Tensor], size: tuple[int, int]) -> Description:
        """`describe`, from the trunk's maps of pictures of `size` (H, W)."""
        _, side_map = self.decoder([level.detach() for level in maps], size)
        picture = F.interpolate(colour_ramp(side_map.detach()), size, mode="bilinear", align_corners=False)
        side = self.side_pool(self.side_trunk(picture)[-1])
        return describe_parts(self.pool(maps[-1]), side, side_map)
