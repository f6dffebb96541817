"""PCA whitening of pooled vectors, learnt once from vectors of training pictures and kept with the network."""

import torch
from torch import Tensor
from torch.nn import functional as F

from butf.errors import BadInput
from butf.networks.pooling import Pooling


class Whitened(Pooling):
    """A pooling whose vectors `(B, D)` are centred, turned to their first principal axes, scaled and made unit.

    Each axis is divided by the training vectors' deviation along it, so that none counts more than another (Jegou and
    Chum 2012): what many pictures have in common no longer makes them alike. Until `learn` the axes are the first
    `outputs` numbers as they are.
    """

    mean: Tensor
    axes: Tensor

    def __init__(self, pooling: Pooling, outputs: int):
        """`outputs`: how many axes are kept. Raises BadInput when `pooling` has fewer."""
        super().__init__()
        inputs = pooling.dim
        check_whitening(inputs, outputs)
        self.pooling, self.dim = pooling, outputs
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("axes", torch.eye(outputs, inputs))

    @torch.no_grad()
    def learn(self, vectors: Tensor) -> None:
        """Learn mean and axes from pooled vectors `(N, D)`; BadInput when they are too few for the axes wanted."""
        from sklearn.decomposition import PCA

        outputs = len(self.axes)
        check_whitening(self.pooling.dim, outputs, len(vectors))
        found = PCA(outputs, whiten=True, svd_solver="full").fit(vectors.double().cpu().numpy())
        deviations = torch.from_numpy(found.explained_variance_).sqrt().clamp(min=1e-9)
        self.mean.copy_(torch.from_numpy(found.mean_))
        self.axes.copy_(torch.from_numpy(found.components_) / deviations[:, None])

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(self.project(self.pooling(features)), dim=1)

    def project(self, vectors: Tensor) -> Tensor:
        """Pooled vectors `(B, D)` whitened, not yet of unit length."""
        return (vectors - self.mean) @ self.axes.T

    def contributions(self, features: Tensor) -> Tensor:
        """The centre that is taken off counts in equal parts for all positions."""
        own = self.pooling.contributions(features)
        own = own - (self.mean / own[0, 0].numel())[:, None, None]
        lengths = self.project(self.pooling(features)).norm(dim=1).clamp(min=1e-12)
        whitened: Tensor = torch.einsum("bdhw,ed->behw", own, self.axes) / lengths[:, None, None, None]
        return whitened


def check_whitening(dim: int, outputs: int, vectors: int | None = None) -> None:
    """BadInput unless vectors of `dim` numbers can be whitened to `outputs`, and so many `vectors` can teach it."""
    if outputs > dim:
        raise BadInput(f"whiten is {outputs}, but a part of the descriptor has {dim} numbers; choose at most {dim}")
    if vectors is not None and vectors <= outputs:
        raise BadInput(
            f"whiten is {outputs}, but only {vectors} training pictures can teach it; choose less than {vectors}"
        )
