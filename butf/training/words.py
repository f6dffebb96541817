"""What poolings learn from training pictures outside of any descent: NetVLAD's words before, whitening after it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from butf import ranks
from butf.dataset.samples import Samples
from butf.networks.description import Network
from butf.networks.netvlad import NetVLAD
from butf.networks.whitening import check_whitening
from butf.training.batch import Batch
from butf.training.recipe import Recipe
from butf.training.validation import describe_samples, evenly

BATCHES = 4
MOST_FEATURES = 100_000
"""Most local features that words are learnt from, as many as in the paper (Arandjelovic 2016)."""
PICTURES = 2000
"""Most pictures that whitening is learnt from."""


def learn_words(recipe: Recipe, phase: str, draw: Callable[[], Batch]) -> None:
    """Give each NetVLAD that a training step makes use of, and that has no words yet, those of the step's own batches.

    Running statistics of batch normalisation see these batches too; nothing else changes.
    """
    waiting = {
        name: module for name, module in recipe.named_modules() if isinstance(module, NetVLAD) and not module.ready
    }
    if not waiting:
        return
    nn.ModuleList(recipe.trained(phase)).train()
    heard: dict[str, list[Tensor]] = {name: [] for name in waiting}

    def keep(name: str, inputs: Tensor, _: Tensor) -> None:
        heard[name].append(ranks.join(inputs.detach().float().permute(0, 2, 3, 1).flatten(0, 2)))

    with listening(waiting, keep):
        for _ in range(BATCHES):
            recipe.losses(phase, draw())
    for name, parts in heard.items():
        if parts:
            features = torch.cat(parts)
            waiting[name].learn_words(features[:: -(-len(features) // MOST_FEATURES)])


def check_whitens(network: Network, outputs: int, samples: Samples) -> None:
    """BadInput, before anything is trained, where whitening to so many numbers will not be possible."""
    for pooling in network.poolings.values():
        check_whitening(pooling.dim, outputs, min(len(samples), PICTURES))


def learn_whitening(network: Network, outputs: int, samples: Samples) -> None:
    """Whiten each part of a trained network to so many numbers, learnt from up to `PICTURES` training pictures."""
    rows = evenly(np.arange(len(samples)), PICTURES)
    heard: dict[str, list[Tensor]] = {name: [] for name in network.poolings}
    with listening(network.poolings, lambda name, _, vectors: heard[name].append(vectors.detach())):
        describe_samples(network, samples, rows)
    own = {name: torch.cat(parts) if parts else torch.empty(0) for name, parts in heard.items()}
    device = next(network.parameters()).device
    network.whiten(outputs, {name: ranks.join(table.to(device)) for name, table in own.items()})


@contextmanager
def listening(modules: Mapping[str, nn.Module], heard: Callable[[str, Tensor, Tensor], None]) -> Iterator[None]:
    """Call `heard(name, input, output)` at each pass through one of these modules while it lasts."""
    handles = [
        module.register_forward_hook(lambda _, inputs, output, name=name: heard(name, inputs[0], output))
        for name, module in modules.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
