"""A trunk as far as no training step changes it: by ONNX Runtime on the CPU, by torch where that cannot be."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import Tensor

from butf.networks.folding import folded
from butf.networks.graphs import EXPORTING, Answer, Graph, example, graph_of
from butf.networks.trunk import Maps, Trunk

IMAGES, BEGUN, LAST = "images", "begun", "last map"
_LOG = logging.getLogger(__name__)


class Unchanging:
    """A trunk's kept stages, or all of one that only serves for comparison. No gradient passes.

    A graph for each size of picture is made at first use; other devices than the CPU, and other precision than single,
    run torch.
    """

    def __init__(self, trunk: Trunk) -> None:
        """`trunk` is copied as it is now, its normalisation folded."""
        self.trunk: Trunk = folded(trunk)
        self._graphs: dict[object, Graph | None] = {}

    def early(self, images: Tensor) -> Maps:
        """As `Trunk.early`."""
        if not self.trunk.kept_stages:
            return self.trunk.early(images)  # nothing but normalised
        found = self._run("early", self._early, {IMAGES: images})
        return dict(zip(self._needed, found.values(), strict=True))

    def last(self, early: Maps) -> Tensor:
        """The last of the maps that `Trunk.late` makes of what `early` gave."""
        return self._run("last", self._last, {BEGUN: early[self.trunk.kept_stages - 1]})[LAST]

    def _early(self, images: Tensor) -> dict[str, Tensor]:
        early = self.trunk.early(images)
        return {f"stage {number}": early[number] for number in self._needed}

    def _last(self, output: Tensor) -> dict[str, Tensor]:
        return {LAST: self.trunk.last(output)}

    @property
    def _needed(self) -> list[int]:
        """The stages whose outputs `early` gives."""
        kept = self.trunk.kept_stages
        return [number for number in range(-1, kept) if number in {kept - 1, *self.trunk.taps}]

    @torch.no_grad()
    def _run(self, kind: str, answer: Answer, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        parts = list(inputs.values())
        usual = all(part.device.type == "cpu" and part.dtype == torch.float32 for part in parts)
        graph = self._graph(kind, answer, inputs) if usual else None
        if graph is None:
            return answer(*parts)
        found = graph.run(*parts)
        return {name: part.contiguous(memory_format=torch.channels_last) for name, part in found.items()}

    def _graph(self, kind: str, answer: Answer, inputs: Mapping[str, Tensor]) -> Graph | None:
        shapes = {name: tuple(part.shape[1:]) for name, part in inputs.items()}
        key = kind, tuple(shapes.values())
        if key not in self._graphs:
            with EXPORTING:
                self._graphs[key] = self._made(answer, {name: example(shape) for name, shape in shapes.items()})
        return self._graphs[key]

    def _made(self, answer: Answer, inputs: Mapping[str, Tensor]) -> Graph | None:
        try:
            return graph_of(self.trunk, answer, inputs)
        except Exception as error:  # whatever the exporter or the runtime does not know: torch knows its own network
            _LOG.warning("ONNX Runtime cannot run what training keeps, torch does, slower: %s", error)
            return None
