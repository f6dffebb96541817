"""Hallucination (Hoffman, Gupta and Darrell 2016): a second trunk imitates, from the picture, a depth network."""

from torch import Tensor

from butf.networks.description import Description, describe_parts
from butf.networks.two_trunks import TwoTrunks


class Hallucination(TwoTrunks):
    """An image trunk and a hallucination trunk, both fed with the picture: exactly twice the size of image-only.

    The depth network that the second trunk learns to imitate is needed in training only (`butf.training.recipe`).
    """

    def describe(self, images: Tensor) -> Description:
        return describe_parts(self.pool(self.trunk(images)[-1]), self.side_pool(self.side_trunk(images)[-1]))
