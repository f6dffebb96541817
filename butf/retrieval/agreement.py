"""Why two pictures are near for a model: where in each of them the parts of their descriptors agree."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

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


def agreements(model: Model, query: Image.Image, candidate: Image.Image) -> list[Agreement]:
    """The agreement of each part that the model's descriptor has: main, and side where there is one.

    A pooled channel is a mean over positions, so the dot product of two pooled vectors splits exactly into what each
    position adds to it.
    """
    seen = [_pooled(model, picture) for picture in (query, candidate)]
    return [_agreement(part, *(parts[part] for parts in seen)) for part in seen[0]]


def _agreement(part: str, query: tuple[Tensor, Tensor], candidate: tuple[Tensor, Tensor]) -> Agreement:
    (vector, shares), (other, other_shares) = query, candidate
    product = (vector * other)[0, :, None, None]
    maps = [(product * own[0]).sum(dim=0).cpu().numpy() for own in (shares, other_shares)]
    return Agreement(part, float(product.sum()), *maps)


@torch.inference_mode()
def _pooled(model: Model, picture: Image.Image) -> dict[str, tuple[Tensor, Tensor]]:
    """For each part its unit vector `(1, C)` and the shares of positions in it `(1, C, h, w)`."""
    poolings = {
        part: getattr(model.network, name)
        for part, names in POOLINGS.items()
        for name in names
        if hasattr(model.network, name)
    }
    with _listening(poolings) as heard:
        model.network.describe(model.prepare(picture)[None].to(model.device))
    return {part: (pooling(heard[part]), pooling.shares(heard[part])) for part, pooling in poolings.items()}


@contextmanager
def _listening(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Keep what these modules are given while it lasts, by this thread: other visitors use the same network."""
    heard: dict[str, Tensor] = {}
    me = threading.get_ident()

    def listener(name: str):
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
