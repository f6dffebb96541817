"""A network that only describes: by ONNX Runtime on the CPU, by torch where that cannot be."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from functools import partial

from torch import Tensor

from butf.networks.description import Description, Network
from butf.networks.folding import folded
from butf.networks.graphs import EXPORTING, Graph, example, graph_of

KEPT = 8
"""Graphs that a network keeps, for sizes of pictures and what is asked; one costs about the memory of its weights."""
INPUTS = ("images", "measured", "valid")  # none that a part of the answer has

Shapes = tuple[tuple[int, ...], ...]
Kind = tuple[Shapes, bool]
"""What a graph is for: the shapes of its inputs, and whether it gives the descriptor alone."""

_LOG = logging.getLogger(__name__)


class Deployed:
    """Describes as its network does, to rounding; a picture's numbers do not depend on the others of its batch.

    On the CPU a graph for each size of picture is made at first use, which takes half a second, and run by ONNX
    Runtime. Where that fails, and on other devices, torch runs `network`. Threads may share it.
    """

    def __init__(self, network: Network) -> None:
        """`network`: in evaluation mode, copied as it is now."""
        self.network: Network = folded(network)
        """The copy, its normalisation folded: for who needs the maps inside."""
        cpu = all(parameter.device.type == "cpu" for parameter in network.parameters())
        self.engine = "onnxruntime" if cpu else "torch"
        """What describes: `onnxruntime`, or `torch`, which it also becomes when a graph cannot be made."""
        self._graphs: OrderedDict[Kind, Graph] = OrderedDict()
        self._guard = threading.Lock()

    def describe(self, images: Tensor) -> Description:
        """Describe `(B, 3, H, W)` RGB pictures in 0..1, float32."""
        # A network that reads the side modality says itself what is missing.
        graph = None if self.network.reads_side else self._graph(images)
        return self.network.describe(images) if graph is None else Description(**graph.run(images))

    def descriptors(self, images: Tensor) -> Tensor:
        """The descriptors `(B, D)` of `describe`, and nothing else: see `Network.describe_briefly`."""
        graph = None if self.network.reads_side else self._graph(images, alone=True)
        return self.network.describe_briefly(images).descriptor if graph is None else graph.run(images)["descriptor"]

    def describe_measured(self, images: Tensor, side: Tensor, valid: Tensor) -> Description:
        """Describe pictures with their side maps, float32, and masks, bool, `(B, 1, h, w)`; only if it `reads_side`."""
        graph = self._graph(images, side, valid) if self.network.reads_side else None
        if graph is None:
            return self.network.describe_measured(images, side, valid)
        return Description(**graph.run(images, side, valid))

    def _graph(self, *inputs: Tensor, alone: bool = False) -> Graph | None:
        """The graph for inputs of these shapes, made if there is none; None where torch has to describe."""
        if self.engine == "torch" or not len(inputs[0]):
            return None
        kind = tuple(tuple(part.shape[1:]) for part in inputs), alone
        graph = self._known(kind)
        if graph is None:
            with EXPORTING:
                graph = self._known(kind)  # another visitor may have waited for the same one
                if graph is None and self.engine != "torch":
                    graph = self._made(kind)
        return graph

    def _known(self, kind: Kind) -> Graph | None:
        with self._guard:
            if kind in self._graphs:
                self._graphs.move_to_end(kind)
            return self._graphs.get(kind)

    def _made(self, kind: Kind) -> Graph | None:
        try:
            graph = _export(self.network, kind)
        except Exception as error:  # whatever the exporter or the runtime does not know: torch knows its own network
            self.engine = "torch"
            _LOG.warning(
                "ONNX Runtime cannot run %s, torch describes with it, two to three times slower: %s",
                type(self.network).__name__, error,
            )  # fmt: skip
            return None
        with self._guard:
            self._graphs[kind] = graph
            if len(self._graphs) > KEPT:
                self._graphs.popitem(last=False)
        return graph


def _export(network: Network, kind: Kind) -> Graph:
    """The graph of a network for inputs of these shapes, each without its batch. Raises whatever can go wrong."""
    shapes, alone = kind
    return graph_of(network, partial(descriptor if alone else answer, network), examples(shapes))


def descriptor(network: Network, images: Tensor) -> dict[str, Tensor]:
    """The descriptor of a picture."""
    return {"descriptor": network.describe_briefly(images).descriptor}


def answer(network: Network, *inputs: Tensor) -> dict[str, Tensor]:
    """The parts of a description that there are, of a picture or of one with its measured side map and mask."""
    describe = network.describe_measured if network.reads_side else network.describe
    return {name: part for name, part in describe(*inputs)._asdict().items() if part is not None}


def examples(shapes: Shapes) -> dict[str, Tensor]:
    """A picture, and a side map and mask where there are three shapes, `(1, ...)`, by their names."""
    named = dict(zip(INPUTS, map(example, shapes), strict=False))
    return named | ({"valid": named["valid"] > 0.3} if "valid" in named else {})
