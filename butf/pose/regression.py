"""A pose straight from a description: PoseNet's head (Kendall 2015) on descriptors that are kept as they are.

The talk's future work. The head knows one place, the one that it was trained in; it needs no database at test time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from butf.pose.baselines import rotation_of
from butf.pose.pose import Pose


@dataclass(frozen=True)
class RegressionConfig:
    """How a head is trained; chosen on val (docs/localize.md)."""

    layers: tuple[int, ...] = (512, 256)
    """Widths of the hidden layers; none leaves a linear map."""
    steps: int = 1000
    batch: int = 256
    rate: float = 1e-3
    decay: float = 1e-3
    dropout: float = 0.0
    noise: float = 1.0
    """Standard deviation added to the descriptor, as a share of how much descriptors vary: without it places are learnt
    by heart, under the conditions that were shown only."""
    seed: int = 0


class PoseHead(nn.Module):
    """Descriptors (B, D) -> positions (B, 3) in units of the place's size, and unit quaternions (B, 4)."""

    def __init__(self, width: int, config: RegressionConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for size in config.layers:
            layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(config.dropout)]
            width = size
        self.body = nn.Sequential(*layers)
        self.position, self.rotation = nn.Linear(width, 3), nn.Linear(width, 4)
        # Learnt weights of the two errors (Kendall & Cipolla 2017), as logarithms of variances.
        self.balance = nn.Parameter(torch.tensor([0.0, -3.0]))

    def forward(self, descriptors: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(descriptors)
        return self.position(features), F.normalize(self.rotation(features), dim=1)


@dataclass(frozen=True, eq=False)
class Regressor:
    """A trained head with the place that it knows."""

    head: PoseHead
    mean: Tensor
    """(D,) of the training descriptors."""
    scale: Tensor
    """Their usual distance from it."""
    middle: np.ndarray
    """(3,) metres: middle of the training positions."""
    size_m: float
    """Root mean square distance from it."""

    @torch.inference_mode()
    def poses(self, descriptors: np.ndarray) -> list[Pose]:
        """The poses of pictures with these descriptors (N, D)."""
        self.head.eval()
        given = (torch.from_numpy(np.asarray(descriptors, np.float32)) - self.mean) / self.scale
        positions, quaternions = (part.double().numpy() for part in self.head(given))
        centres = self.middle + self.size_m * positions
        return [Pose(rotation_of(q), centre) for q, centre in zip(quaternions, centres, strict=True)]


def train_regressor(
    descriptors: np.ndarray, poses: Sequence[Pose], config: RegressionConfig | None = None
) -> Regressor:
    """Fit a head to descriptors (N, D) and the poses of their cameras; the same input gives the same head."""
    config = config or RegressionConfig()
    given = torch.from_numpy(np.asarray(descriptors, np.float32))
    centres = np.array([pose.centre for pose in poses])
    middle = centres.mean(axis=0)
    size_m = float(np.sqrt(((centres - middle) ** 2).sum(axis=1).mean())) or 1.0
    mean = given.mean(dim=0)
    scale = (given - mean).pow(2).mean().sqrt().clamp_min(1e-9)
    positions = torch.from_numpy((centres - middle) / size_m).float()
    quaternions = torch.from_numpy(np.array([pose.quaternion for pose in poses])).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        head = PoseHead(given.shape[1], config)
        _fit(head, (given - mean) / scale, positions, quaternions, config)
    return Regressor(head, mean, scale, middle, size_m)


def pose_loss(head: PoseHead, descriptors: Tensor, positions: Tensor, quaternions: Tensor) -> Tensor:
    """`exp(-s_x) |x - x~| + s_x + exp(-s_q) |q - q~| + s_q` (Kendall & Cipolla 2017, equation 7), the mean of a batch.

    A quaternion and its negative are one rotation: the nearer one counts.
    """
    found, turned = head(descriptors)
    apart = torch.linalg.vector_norm(found - positions, dim=1).mean()
    sign = torch.where((turned * quaternions).sum(dim=1, keepdim=True) < 0, -1.0, 1.0)
    angle = torch.linalg.vector_norm(turned - sign * quaternions, dim=1).mean()
    loss: Tensor = apart * torch.exp(-head.balance[0]) + angle * torch.exp(-head.balance[1]) + head.balance.sum()
    return loss


def _fit(head: PoseHead, descriptors: Tensor, positions: Tensor, quaternions: Tensor, config: RegressionConfig) -> None:
    optimiser = torch.optim.AdamW(head.parameters(), lr=config.rate, weight_decay=config.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.steps)
    head.train()
    for _ in range(config.steps):
        rows = torch.randint(len(descriptors), (min(config.batch, len(descriptors)),))
        noisy = descriptors[rows] + config.noise * torch.randn(len(rows), descriptors.shape[1])
        loss = pose_loss(head, noisy, positions[rows], quaternions[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
