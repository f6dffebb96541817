"""The describer of a measured side modality: what the side descriptor of BU-TF learns from, and is not deployed."""

import torch
from torch import Tensor, nn

from butf.networks.decoder import convolve
from butf.networks.pooling import GeM

WIDTH = 48


class MeasuredDescriber(nn.Module):
    """Describes side maps by their shape alone: a few thin convolutions at their own size, a quarter of the picture's.

    Depth of a place is the same by day and by night, so this descriptor is too. It starts from nothing and needs no
    encoding of the side modality as a picture.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.features = nn.Sequential(
            convolve(2, WIDTH),
            convolve(WIDTH, WIDTH),
            nn.AvgPool2d(2),
            convolve(WIDTH, 2 * WIDTH),
            convolve(2 * WIDTH, 2 * WIDTH),
            nn.Conv2d(2 * WIDTH, dim, 1),
        )
        self.pool = GeM()

    def forward(self, side: Tensor, valid: Tensor) -> Tensor:
        """Unit descriptors `(B, dim)` of side maps `(B, 1, h, w)` encoded to 0..1 and their masks."""
        described: Tensor = self.pool(self.features(torch.cat([side.masked_fill(~valid, 1.0), valid.float()], dim=1)))
        return described
