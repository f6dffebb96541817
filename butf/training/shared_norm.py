"""Batch normalisation by the statistics of the whole batch where each rank has a share of it.

torch's SyncBatchNorm needs GPUs; this is the same in plain operations, with the gradient through the statistics, so
that it runs on CPUs too and is tested there.
"""

import torch
from torch import Tensor, nn

from butf import ranks


class SharedBatchNorm(nn.BatchNorm2d):
    """Takes the place of a batch normalisation: its parameters, its running statistics, their names, what follows it.

    In evaluation mode, and in a process that stands alone, it computes what the former one did.
    """

    def __init__(self, former: nn.BatchNorm2d):
        super().__init__(former.num_features, former.eps, former.momentum, former.affine, former.track_running_stats)
        self.weight, self.bias = former.weight, former.bias
        for name, buffer in former.named_buffers(recurse=False):
            setattr(self, name, buffer)
        self.train(former.training)
        # timm's has the rectifier inside.
        self.after = nn.Sequential(*former.children())

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or ranks.size() == 1:
            return self.after(super().forward(input))  # type: ignore[no-any-return]
        mean, variance, count = moments(input if input.dtype == self.weight.dtype else input.to(self.weight.dtype))
        self._remember(mean.detach(), variance.detach(), count)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        normalised = torch.addcmul(shift[:, None, None], input, scale[:, None, None]).to(input.dtype)
        return self.after(normalised)  # type: ignore[no-any-return]

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * count / (count - 1).clamp(min=1), share)


def moments(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and (biased) variance `(C,)` over the features `(b, C, h, w)` of all ranks, with gradient, and their count.

    Each rank's own moments are joined as Chan (1979) does, which loses no digits where means are large.
    """
    count = features.numel() / features.shape[1]
    own = torch.stack([features.mean((0, 2, 3)), features.var((0, 2, 3), unbiased=False)])
    own = torch.cat([own, own.new_full((1, own.shape[1]), count)])
    means, variances, counts = ranks.gather(own[None], [ranks.size()]).unbind(1)
    whole = counts.sum(0)
    mean = (counts * means).sum(0) / whole
    variance = (counts * (variances + (means - mean).square())).sum(0) / whole
    return mean, variance, whole.detach()


def share_statistics(module: nn.Module) -> None:
    """Put a `SharedBatchNorm` in the place of each batch normalisation inside `module`."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, SharedBatchNorm(child))
        else:
            share_statistics(child)
