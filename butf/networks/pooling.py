"""From a feature map `(B, C, h, w)` to one unit vector `(B, C)`."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-6


class GeM(nn.Module):
    """Generalized-mean pooling (Radenovic 2018), then L2: `(mean_x max(f(x), eps)^p)^(1/p)`, p learnt.

    p = 1 is the average, p -> infinity the maximum. Negative responses count as none.
    """

    def __init__(self, power: float = 3.0):
        super().__init__()
        self.power = nn.Parameter(torch.tensor(power))

    def forward(self, features: Tensor) -> Tensor:
        # In single precision under bf16 autocast: powers of small numbers vanish there.
        responses = features.float().clamp(min=EPSILON)
        pooled = responses.pow(self.power).mean(dim=(2, 3)).pow(1.0 / self.power)
        return F.normalize(pooled, dim=1)


class MAC(nn.Module):
    """Maximum activation of convolutions, then L2: the pooling of the talk."""

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(features.float().amax(dim=(2, 3)), dim=1)
