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

    def shares(self, features: Tensor) -> Tensor:
        """How much of each channel's response comes from each position: `(B, C, h, w)`, 1 in all for a channel."""
        powers = features.float().clamp(min=EPSILON).pow(self.power)
        return powers / powers.sum(dim=(2, 3), keepdim=True)


class MAC(nn.Module):
    """Maximum activation of convolutions, then L2: the pooling of the talk."""

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(features.float().amax(dim=(2, 3)), dim=1)

    def shares(self, features: Tensor) -> Tensor:
        """Where each channel has its maximum: `(B, C, h, w)`, 1 at the first such position and 0 elsewhere."""
        flat = features.flatten(2)
        return F.one_hot(flat.argmax(dim=2), flat.shape[2]).float().reshape(features.shape)


def soft_assignment(features: Tensor, centres: Tensor, alpha: float) -> Tensor:
    """How much each local feature belongs to each visual word, `(N, K)`, rows that sum to 1 (Arandjelovic 2016).

    `a_k(x) = softmax_k(-alpha ||x - c_k||^2)`: the slides' `softmax_k(w_k.x + b_k)` with `w_k = 2 alpha c_k` and
    `b_k = -alpha ||c_k||^2`. As alpha grows it becomes the hard assignment of VLAD, to the nearest centre.

    Shape: `features` `(N, D)`, `centres` `(K, D)`.
    """
    weights, biases = 2 * alpha * centres, -alpha * centres.square().sum(dim=1)
    return torch.softmax(features @ weights.T + biases, dim=1)


def residual_sums(features: Tensor, centres: Tensor, shares: Tensor) -> Tensor:
    """VLAD's matrix before it is normalised, `V(k, j) = sum_i a_k(x_i) (x_i(j) - c_k(j))` (Jegou 2010), `(K, D)`.

    Shape: `features` `(N, D)`, `centres` `(K, D)`, `shares` `(N, K)` as `soft_assignment` gives them.
    """
    return shares.T @ features - shares.sum(dim=0)[:, None] * centres
