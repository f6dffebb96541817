"""BU-TF, bottom-up transfer: a decoder on the image trunk reconstructs the side modality, and describes it."""

import torch
from torch import Tensor, nn

from butf.networks.decoder import Decoder
from butf.networks.description import Description, Network, describe_parts
from butf.networks.pooling import GeM
from butf.networks.trunk import build_trunk

DECODER_WIDTH = {"efficientnet-lite0": 96, "alexnet": 192}
SIDE_DIM = 96
SIDE_SHARE = 0.1
"""What the side descriptor's squared distances count beside the main one's, which keep to a narrower cone."""


class BottomUpTransfer(Network):
    """One trunk, a light decoder, and a side descriptor pooled from the decoder's features.

    The side descriptor is not pooled from the decoded map itself, which is too sensitive to the viewpoint; a 1x1
    adapter stands between, so that the triplets can choose what of the decoder's features identifies a place.
    """

    def __init__(self, trunk: str, pretrained: bool = True, outputs: int = 1):
        """`outputs`: numbers reconstructed for a pixel, one or one a class (`Encoding.channels`)."""
        super().__init__()
        self.trunk = build_trunk(trunk, pretrained)
        self.pool = GeM()
        width = DECODER_WIDTH[trunk]
        self.decoder = Decoder(self.trunk.channels, width, outputs)
        self.adapter = nn.Conv2d(width, SIDE_DIM, 1)
        self.side_pool = GeM()
        self.descriptor_dim = self.trunk.channels[-1] + SIDE_DIM + 1

    def describe(self, images: Tensor) -> Description:
        return self.describe_maps(self.trunk(images), (images.shape[-2], images.shape[-1]))

    def describe_maps(
        self, maps: list[Tensor], size: tuple[int, int], for_decoder: list[Tensor] | None = None
    ) -> Description:
        """`describe`, from the trunk's maps of pictures of `size` (H, W).

        Training may give the decoder maps of the same values whose gradients go elsewhere.
        """
        features, side_map = self.decoder(maps if for_decoder is None else for_decoder, size)
        return describe_parts(self.pool(maps[-1]), weighed(self.side_pool(self.adapter(features))), side_map)


def weighed(side: Tensor) -> Tensor:
    """Unit side descriptors `(B, SIDE_DIM)` as unit ones of one more component, which is the same for all.

    It leaves squared distances their SIDE_SHARE, so that neither part of the full descriptor drowns the other.
    """
    constant = side.new_full((len(side), 1), (1 - SIDE_SHARE) ** 0.5)
    return torch.cat([SIDE_SHARE**0.5 * side, constant], dim=1)


def unweighed(side: Tensor) -> Tensor:
    """The inverse of `weighed`."""
    return side[:, :SIDE_DIM] / SIDE_SHARE**0.5
