"""Training steps replayed on a GPU: what launches their thousand small kernels one by one is done once.

Networks as small as ours keep a GPU busy for a few milliseconds a step, and a processor for twenty that launches their
kernels. A CUDA graph holds the launches of a step's losses, gradients and clipping, and starts all of them at once, on
the very memory they were recorded with: a batch is copied to where the recorded one lay.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from butf import ranks
from butf.training.batch import Batch, Extra
from butf.training.config import TrainConfig

WARM_UP = 3
"""Steps on batches of a shape that are launched as ever before one is recorded: libraries choose their ways in them."""
MOST_KINDS = 4
"""More kinds of batches than this are not recorded: each holds the memory of a step."""

Step = Callable[[Batch], dict[str, Tensor]]


def replayable(config: TrainConfig) -> bool:
    """Whether a configuration's steps are alike but for their batches: no weight changes, no rank is waited for."""
    return ranks.size() == 1 and config.transfer_schedule in ("constant", "balanced")


class Recorded:
    """One step of one kind, on the memory of the batch that it was recorded with."""

    def __init__(self, step: Step, batch: Batch, parameters: list[nn.Parameter], stream: torch.cuda.Stream):
        self.batch = _copied(batch)
        self.parameters = parameters
        for parameter in parameters:
            parameter.grad = None  # theirs is then memory of the graph, written anew by each replay
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=stream):
            self.terms = step(self.batch)
        self.gradients = [parameter.grad for parameter in parameters]

    def replay(self, batch: Batch) -> dict[str, Tensor]:
        """The step on another batch of this kind: gradients of the parameters, and the terms of its loss."""
        for ours, given in zip(_tensors(self.batch), _tensors(batch), strict=True):
            ours.copy_(given)
        self.graph.replay()
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient
        return {name: value.clone() for name, value in self.terms.items()}


class Replay:
    """Calls `step`, which leaves gradients and gives terms, and replays it once it is warm. Of one training step."""

    def __init__(self, step: Step, parameters: list[nn.Parameter]):
        self.step, self.parameters = step, parameters
        self.stream = torch.cuda.Stream()
        self.recorded: dict[object, Recorded] = {}
        self.seen: dict[object, int] = {}

    def __call__(self, batch: Batch, kind: object = None) -> dict[str, Tensor]:
        """One step; `kind` is whatever else than the shapes of the batch makes it another one."""
        shapes = tuple(value.shape for value in _tensors(batch))
        key = kind, shapes
        if key not in self.recorded:
            self.seen[shapes] = self.seen.get(shapes, 0) + 1
            if self.seen[shapes] <= WARM_UP or len(self.recorded) == MOST_KINDS:
                return self._launched(batch)
            self.recorded[key] = Recorded(self.step, batch, self.parameters, self.stream)
        return self.recorded[key].replay(batch)

    def _launched(self, batch: Batch) -> dict[str, Tensor]:
        """On the stream of the recordings: what autograd keeps for a parameter belongs to the stream it first saw."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            for parameter in self.parameters:
                parameter.grad = None
            terms = self.step(batch)
        torch.cuda.current_stream().wait_stream(self.stream)
        return terms


class Replayed:
    """A function of tensors, without gradients, on the present stream; replayed once it is warm.

    Inputs lie in pinned memory of the CPU. What it gives lies in memory of its own each time.
    """

    def __init__(self, function: Callable[..., tuple[Tensor, ...]]):
        self.function = function
        self.recorded: dict[object, tuple[torch.cuda.CUDAGraph, list[Tensor], tuple[Tensor, ...]]] = {}
        self.seen: dict[object, int] = {}

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        shapes = tuple(value.shape for value in inputs)
        if shapes not in self.recorded:
            self.seen[shapes] = self.seen.get(shapes, 0) + 1
            there = [value.cuda(non_blocking=True) for value in inputs]
            if self.seen[shapes] <= WARM_UP or len(self.recorded) == MOST_KINDS:
                return self.function(*there)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
                found = self.function(*there)
            self.recorded[shapes] = graph, there, found
        graph, there, found = self.recorded[shapes]
        for ours, given in zip(there, inputs, strict=True):
            ours.copy_(given, non_blocking=True)
        graph.replay()
        return tuple(value.clone() for value in found)


class Beside:
    """Draws batches on a stream of their own, so that a GPU changes their pictures while it computes the step before.

    What is drawn may depend on nothing that a step changes.
    """

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()

    def __call__(self, draw: Callable[[], Batch]) -> Batch:
        with torch.cuda.stream(self.stream):
            batch = draw()
        present = torch.cuda.current_stream()
        present.wait_stream(self.stream)
        for value in _tensors(batch):
            value.record_stream(present)  # else the memory of a batch that is let go might be the next one's too soon
        return batch


def _tensors(batch: Batch | Extra) -> list[Tensor]:
    values = [getattr(batch, item.name) for item in fields(batch)]
    own = [value for value in values if isinstance(value, Tensor)]
    return own + [tensor for value in values if isinstance(value, Extra) for tensor in _tensors(value)]


def _copied(batch: Batch) -> Batch:
    def copied(part: Any) -> Any:
        tensors = {item.name: getattr(part, item.name) for item in fields(part)}
        return replace(part, **{name: value.clone() for name, value in tensors.items() if isinstance(value, Tensor)})

    own = cast(Batch, copied(batch))
    return own if own.extra is None else replace(own, extra=copied(own.extra))
