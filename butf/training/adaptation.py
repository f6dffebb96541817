"""Batch-norm statistics of other conditions: the control that sees new pictures and learns nothing else from them."""

import numpy as np
import torch
from torch import nn

from butf.dataset.frames import Frames
from butf.dataset.samples import Samples
from butf.networks.description import Network

BATCH = 32


@torch.no_grad()
def adapt_statistics(
    network: Network, frames: Frames, size: tuple[int, int], pictures: int, seed: int, batch: int = BATCH
) -> None:
    """Replace the running means and variances of `network` by those over pictures of all conditions of the train areas.

    As many pictures of unseen conditions as of seen ones are taken, `pictures` in all, of `size` (W, H); weights stay
    as they are (Li et al., "Revisiting batch normalization for practical domain adaptation", 2016).
    """
    rows = mixed_rows(frames, pictures, np.random.default_rng(seed))
    samples = Samples(frames, rows, size)
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
        norm.train()
    device = next(network.parameters()).device
    for start in range(0, len(rows) - batch + 1, batch):
        images = torch.stack([samples[row]["image"] for row in range(start, start + batch)])
        network.describe(images.to(device).float() / 255)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()


def mixed_rows(frames: Frames, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` train frames in random order, half of them of unseen conditions."""
    rows = frames.where(split="train")
    unseen = np.array([not frames.seen(name) for name in frames.condition[rows]], bool)
    halves = [rng.choice(part, min(count // 2, len(part)), replace=False) for part in (rows[~unseen], rows[unseen])]
    return rng.permutation(np.concatenate(halves))
