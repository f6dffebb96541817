"""VLAD and NetVLAD: local features are assigned to visual words, and their residuals summed word by word."""

import math

import faiss
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from butf.networks.pooling import Pooling

ROUNDS = 25
RATIO = 100.0
"""How many times the likeliest word's share is that of the second, in the geometric mean (Arandjelovic 2016)."""


class NetVLAD(Pooling):
    """NetVLAD (Arandjelovic 2016) as the lecture has it, on local features of unit length.

    `a_k(x) = softmax_k(w_k.x + b_k)`, `V(k, j) = sum_i a_k(x_i) (x_i(j) - c_k(j))`, each word's row made of unit
    length (intra-normalisation), then the whole. `w`, `b` and `c` are learnt apart from each other. They begin from
    `learn_words`; without it the words are random, and `ready` is false.

    Shape: `(B, C, h, w)` to `(B, K C)`, word by word.
    """

    ready: Tensor

    def __init__(self, channels: int, clusters: int):
        super().__init__()
        self.centres = nn.Parameter(F.normalize(torch.randn(clusters, channels), dim=1))
        self.weights = nn.Parameter(torch.zeros(clusters, channels))
        self.biases = nn.Parameter(torch.zeros(clusters))
        self.register_buffer("ready", torch.tensor(False))
        with torch.no_grad():
            self._assign_by(self.centres, alpha=1.0)

    @torch.no_grad()
    def learn_words(self, features: Tensor) -> None:
        """Begin from data: k-means centres of local features `(N, C)`, and the assignment that goes with them."""
        unit = F.normalize(features.float(), dim=1)
        centres = visual_words(unit.cpu(), len(self.centres)).to(unit.device)
        self.centres.copy_(centres)
        self._assign_by(centres, sharpness(unit, centres))
        self.ready.fill_(True)

    def _assign_by(self, centres: Tensor, alpha: float) -> None:
        weights, biases = assignment_of(centres, alpha)
        self.weights.copy_(weights)
        self.biases.copy_(biases)

    def forward(self, features: Tensor) -> Tensor:
        local, shares = self._assigned(features)
        return vlad(residual_sums(local, self.centres, shares))

    def contributions(self, features: Tensor) -> Tensor:
        """What each position adds to the vector, the lengths by which it is divided taken as they are."""
        local, shares = self._assigned(features)
        sums = residual_sums(local, self.centres, shares)
        own = shares[..., None] * (local[:, :, None] - self.centres)  # (B, h w, K, C)
        own = own / sums.norm(dim=-1).clamp(min=1e-12)[:, None, :, None]
        whole = F.normalize(sums, dim=-1).flatten(1).norm(dim=1).clamp(min=1e-12)
        added: Tensor = (own.flatten(2) / whole[:, None, None]).transpose(1, 2).unflatten(2, features.shape[-2:])
        return added

    def _assigned(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Local features `(B, h w, C)` of unit length and their shares of the words `(B, h w, K)`."""
        local = F.normalize(features.float().flatten(2).transpose(1, 2), dim=2)
        return local, torch.softmax(local @ self.weights.T + self.biases, dim=-1)


def assignment_of(centres: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """The lecture's `w` `(K, D)`, `b` `(K,)` that assign by distance: `w_k = 2 alpha c_k`, `b_k = -alpha |c_k|^2`."""
    return 2 * alpha * centres, -alpha * centres.square().sum(dim=1)


def soft_assignment(features: Tensor, centres: Tensor, alpha: float) -> Tensor:
    """How much each local feature belongs to each visual word, `(N, K)`, rows that sum to 1 (Arandjelovic 2016).

    `a_k(x) = softmax_k(-alpha ||x - c_k||^2)`, which is the slides' `softmax_k(w_k.x + b_k)` with the values of
    `assignment_of`. As alpha grows it becomes `hard_assignment`.

    Shape: `features` `(N, D)`, `centres` `(K, D)`.
    """
    weights, biases = assignment_of(centres, alpha)
    return torch.softmax(features @ weights.T + biases, dim=1)


def hard_assignment(features: Tensor, centres: Tensor) -> Tensor:
    """VLAD's assignment (Jegou 2010): 1 for the nearest of `centres` `(K, D)`, else 0; `(N, K)`."""
    return F.one_hot(torch.cdist(features, centres).argmin(dim=1), len(centres)).to(features.dtype)


def residual_sums(features: Tensor, centres: Tensor, shares: Tensor) -> Tensor:
    """VLAD's matrix before it is normalised, `V(k, j) = sum_i a_k(x_i) (x_i(j) - c_k(j))` (Jegou 2010).

    Shape: `features` `(..., N, D)`, `centres` `(K, D)`, `shares` `(..., N, K)`; `(..., K, D)`.
    """
    return shares.transpose(-1, -2) @ features - shares.sum(dim=-2)[..., None] * centres


def vlad(sums: Tensor) -> Tensor:
    """Residual sums `(..., K, D)` as unit vectors `(..., K D)`: each word's row of unit length, then the whole."""
    return F.normalize(F.normalize(sums, dim=-1).flatten(-2), dim=-1)


def visual_words(features: Tensor, count: int) -> Tensor:
    """Centres `(count, D)` of k-means over features `(N, D)`, the same ones at every call."""
    table = np.ascontiguousarray(features.numpy(), np.float32)
    means = faiss.Kmeans(table.shape[1], count, niter=ROUNDS, seed=0, min_points_per_centroid=1)
    means.train(table)
    assert means.centroids is not None
    return torch.from_numpy(means.centroids.copy())


def sharpness(features: Tensor, centres: Tensor) -> float:
    """The alpha at which the nearest word's share of features `(N, D)` is `RATIO` times the second's, on average.

    The log of the two shares' ratio is alpha times the difference of the squared distances.
    """
    if len(centres) < 2:
        return 1.0
    nearest = torch.cdist(features, centres).square().topk(2, dim=1, largest=False).values
    return math.log(RATIO) / max(float((nearest[:, 1] - nearest[:, 0]).mean()), 1e-6)
