"""The one interface of all methods: pictures in, `Description` out."""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from butf.networks.aggregation import Aggregation
from butf.networks.pooling import Pooling
from butf.networks.trunk import Trunk
from butf.networks.whitening import Whitened

PARTS = ("pool", "side_pool", "second_pool")
"""The names under which networks keep the pooling of their parts: the main one, and that of the side part."""


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
    trunk: Trunk
    pool: Pooling
    reads_side: bool = False
    """Whether a picture is not enough: `rgbd` is given the measured side modality too."""

    def __init__(self, aggregation: Aggregation):
        """`aggregation`: how each part of the descriptor is pooled."""
        super().__init__()
        self.aggregation = aggregation

    @property
    def main_dim(self) -> int:
        """How many numbers of the descriptor, the first ones, are its main part."""
        return self.poolings["pool"].dim

    @property
    def poolings(self) -> dict[str, Pooling]:
        """The pooling of each part of the descriptor, by the name that the network keeps it under."""
        return {name: getattr(self, name) for name in PARTS if hasattr(self, name)}

    def whiten(self, outputs: int, vectors: dict[str, Tensor]) -> None:
        """Whiten each part to `outputs` numbers, learnt from pooled vectors `(N, D)` of training pictures, by pooling.

        Raises BadInput, and leaves the network as it is, when a part has fewer numbers or the vectors are too few.
        """
        made = {}
        for name, table in vectors.items():
            made[name] = Whitened(getattr(self, name), outputs).to(table.device)
            made[name].learn(table)
        for name, pooling in made.items():
            setattr(self, name, pooling)
            self.descriptor_dim += outputs - pooling.pooling.dim
        self.aggregation = replace(self.aggregation, whiten=outputs)

    def unwhiten(self) -> None:
        """Take whitening away where there is some: what was trained is left."""
        for name, pooling in self.poolings.items():
            if isinstance(pooling, Whitened):
                setattr(self, name, pooling.pooling)
                self.descriptor_dim += pooling.pooling.dim - pooling.dim
        self.aggregation = replace(self.aggregation, whiten=None)

    def describe(self, images: Tensor) -> Description:
        """Describe `(B, 3, H, W)` RGB pictures in 0..1; H and W are multiples of 16."""
        raise RuntimeError(f"{type(self).__name__} has no describe()")

    def describe_briefly(self, images: Tensor) -> Description:
        """`describe` with no side map: where places are sought, what only the map needs is not computed."""
        return self.describe(images)._replace(side_map=None)

    def describe_measured(self, images: Tensor, side: Tensor, valid: Tensor) -> Description:
        """Describe pictures with their side maps and masks `(B, 1, h, w)`; only where `reads_side`."""
        raise RuntimeError(f"{type(self).__name__} reads no side modality")

    def forward(self, images: Tensor) -> Description:
        return self.describe(images)
