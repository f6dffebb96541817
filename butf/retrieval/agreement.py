"""Why two pictures are near for a model: where in each of them the parts of their descriptors agree."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from butf.networks.description import Description
from butf.networks.zoo import Model

POOLINGS = {"main": ("pool",), "side": ("side_pool", "second_pool")}
"""The names under which networks keep the pooling of each part of their descriptor."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """One part of two pictures' descriptors.

    `similarity` is the dot product of the two unit vectors; `query` and `candidate` `(h, w)` say which positions of
    each picture it comes from: each map sums to it.
    """

    part: str
    similarity: float
    query: np.ndarray
    candidate: np.ndarray


@dataclass(frozen=True, eq=False)
class Look:
    """What a model says of one picture, tensors of one row on the CPU, and where in it each part comes from.

    `parts`: for each part its unit vector `(1, D)` and what each position adds to it, `(1, D, h, w)`.
    """

    description: Description
    parts: dict[str, tuple[Tensor, Tensor]]


def agreements(query: Look, candidate: Look) -> list[Agreement]:
    """The agreement of each part that a model's descriptor has: main, and side where there is one.

    A pooled vector is a sum over positions, but for its length, which is taken as it is: so the dot product of two of
    them splits exactly into what each position adds to it.
    """
    return [_agreement(part, query.parts[part], candidate.parts[part]) for part in query.parts]


def _agreement(part: str, query: tuple[Tensor, Tensor], candidate: tuple[Tensor, Tensor]) -> Agreement:
    (vector, added), (other, other_added) = query, candidate
    pairs = ((other, added), (vector, other_added))
    maps = [(across[0, :, None, None] * own[0]).sum(dim=0).numpy() for across, own in pairs]
    return Agreement(part, float((vector * other).sum()), *maps)


@torch.inference_mode()
def look(model: Model, picture: Image.Image) -> Look:
    """Describe a picture and keep what the parts of its descriptor were pooled from."""
    network = model.deployed.network  # torch's: nobody can listen to the other one
    poolings = {
        part: getattr(network, name) for part, names in POOLINGS.items() for name in names if hasattr(network, name)
    }
    with _listening(poolings) as heard:
        description = network.describe(model.prepare(picture)[None].to(model.device))
    parts = {
        part: (pooling(heard[part]).cpu(), pooling.contributions(heard[part]).cpu())
        for part, pooling in poolings.items()
    }
    return Look(Description._make(None if part is None else part.cpu() for part in description), parts)


@contextmanager
def _listening(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Keep what these modules are given while it lasts, by this thread: other visitors use the same network."""
    heard: dict[str, Tensor] = {}
    me = threading.get_ident()

    def listener(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def listen(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if threading.get_ident() == me:
                heard[name] = inputs[0]

        return listen

    handles = [module.register_forward_pre_hook(listener(name)) for name, module in modules.items()]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()
