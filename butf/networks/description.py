"""The one interface of all methods: pictures in, `Description` out."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Description(NamedTuple):
    """What a method says of a batch of B pictures.

    The descriptor is the concatenation of its parts, each of unit length, so the squared distance of two descriptors
    is the sum of the squared distances of their parts.
    """

    descriptor: Tensor
    """(B, D): `main` and, where there is one, `side`."""
    main: Tensor
    """(B, Dm): the part that comes from the image trunk, unit length."""
    side: Tensor | None = None
    """(B, Ds): the part that comes from the side modality, unit length."""
    side_map: Tensor | None = None
    """(B, 1, H/4, W/4): the reconstructed side modality, encoded to 0..1 (see `butf.dataset.modalities.Encoding`).

    For semantics (B, C, H/4, W/4): the share of each class.
    """


def describe_parts(main: Tensor, side: Tensor | None = None, side_map: Tensor | None = None) -> Description:
    """Join unit-length parts `(B, Dm)` and `(B, Ds)` to a `Description`."""
    descriptor = main if side is None else torch.cat([main, side], dim=1)
    return Description(descriptor, main, side, side_map)


class Network(nn.Module):
    """A method's deployed network: everything that is needed at test time, and nothing else."""

    descriptor_dim: int
    reads_side: bool = False
    """Whether a picture is not enough: `rgbd` is given the measured side modality too."""

    def describe(self, images: Tensor) -> Description:
        """Describe `(B, 3, H, W)` RGB pictures in 0..1; H and W are multiples of 16."""
        raise RuntimeError(f"{type(self).__name__} has no describe()")

    def forward(self, images: Tensor) -> Description:
        return self.describe(images)
