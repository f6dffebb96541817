"""BU-TF, bottom-up transfer: a decoder on the image trunk reconstructs the side modality, and describes it."""

import torch
from torch import Tensor, nn

from butf.networks.aggregation import GEM, Aggregation
from butf.networks.decoder import Decoder
from butf.networks.description import Description, Network, describe_parts
from butf.networks.trunk import build_trunk

DECODER_WIDTH = {"efficientnet-lite0": 96, "alexnet": 192}
SIDE_DIM = 96


class BottomUpTransfer(Network):
    """One trunk, a light decoder, and a side descriptor pooled from the decoder's features.

    The side descriptor is not pooled from the decoded map itself, which is too sensitive to the viewpoint; a 1x1
    adapter stands between, so that the triplets can choose what of the decoder's features identifies a place.
    """

    side_share: float = 1.0
    """What the side descriptor's squared distances count beside the main one's."""

    def __init__(self, trunk: str, pretrained: bool = True, aggregation: Aggregation = GEM, outputs: int = 1):
        """`outputs`: numbers reconstructed for a pixel, one or one a class (`Encoding.channels`)."""
        super().__init__(aggregation)
        self.trunk = build_trunk(trunk, pretrained)
        self.pool = aggregation.build(self.trunk.channels[-1])
        width = DECODER_WIDTH[trunk]
        self.decoder = Decoder(self.trunk.channels, width, outputs)
        self.adapter = nn.Conv2d(width, SIDE_DIM, 1)
        self.side_pool = aggregation.build(SIDE_DIM)
        self.descriptor_dim = self.pool.dim + self.side_pool.dim + (self.side_share < 1)

    def describe(self, images: Tensor) -> Description:
        return self.describe_maps(self.trunk(images), (images.shape[-2], images.shape[-1]))

    def describe_briefly(self, images: Tensor) -> Description:
        maps = self.trunk(images)
        side = self.describe_side(self.decoder.features(maps))
        return describe_parts(self.pool(maps[-1]), weighed(side, self.side_share))

    def describe_side(self, features: Tensor) -> Tensor:
        """The side descriptor `(B, Ds)`, of unit length and not weighed, from the decoder's features."""
        side: Tensor = self.side_pool(self.adapter(features))
        return side

    def describe_maps(self, maps: list[Tensor], size: tuple[int, int]) -> Description:
        """`describe`, from the trunk's maps of pictures of `size` (H, W)."""
        main, side, side_map = self.parts(maps, maps, size)
        return describe_parts(main, weighed(side, self.side_share), side_map)

    def parts(
        self, maps: list[Tensor], for_decoder: list[Tensor], size: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Main and side descriptor `(B, D)`, both of unit length and not weighed, and the side map.

        Training gives the decoder maps of the same values whose gradients go elsewhere.
        """
        features, side_map = self.decoder(for_decoder, size)
        return self.pool(maps[-1]), self.describe_side(features), side_map


class AdaptedBottomUpTransfer(BottomUpTransfer):
    """BU-TF whose side descriptor was matched to that of measured depth.

    Such descriptors spread over the whole sphere, where those that triplets alone taught keep to a narrow cone: with
    equal weight they would drown the main ones. The share was chosen on val and on real pairs, see docs/method.md.
    """

    side_share = 0.05


def weighed(side: Tensor, share: float) -> Tensor:
    """Unit descriptors `(B, D)` as unit ones whose squared distances are `share` of what they were.

    Below 1 they have one more component, which is the same for all.
    """
    if share == 1:
        return side
    constant = torch.full_like(side[:, :1], (1 - share) ** 0.5)
    return torch.cat([share**0.5 * side, constant], dim=1)
