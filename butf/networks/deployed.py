"""A network that only describes: by ONNX Runtime on the CPU, by torch where that cannot be."""

from __future__ import annotations

import io
import logging
import math
import os
import threading
import warnings
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from butf.networks.description import Description, Network
from butf.networks.folding import folded

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

KEPT = 8
"""Picture sizes whose graphs a network keeps; one costs about the memory of its weights."""
OPSET = 17
TOLERANCE = 1e-4
"""How far a graph's numbers may be from torch's on the picture it was made with; rounding is below 1e-6."""
PARTS = Description._fields
INPUTS = ("images", "measured", "valid")  # none that a part of the answer has

Shapes = tuple[tuple[int, ...], ...]

# One at a time, whatever the network: torch's exporter changes state of the whole process.
_EXPORTING = threading.Lock()
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
        self._graphs: OrderedDict[Shapes, _Graph] = OrderedDict()
        self._guard = threading.Lock()

    def describe(self, images: Tensor) -> Description:
        """Describe `(B, 3, H, W)` RGB pictures in 0..1, float32."""
        # A network that reads the side modality says itself what is missing.
        graph = None if self.network.reads_side else self._graph(images)
        return self.network.describe(images) if graph is None else graph.run(images)

    def describe_measured(self, images: Tensor, side: Tensor, valid: Tensor) -> Description:
        """Describe pictures with their side maps, float32, and masks, bool, `(B, 1, h, w)`; only if it `reads_side`."""
        graph = self._graph(images, side, valid) if self.network.reads_side else None
        if graph is None:
            return self.network.describe_measured(images, side, valid)
        return graph.run(images, side, valid)

    def _graph(self, *inputs: Tensor) -> _Graph | None:
        """The graph for inputs of these shapes, made if there is none; None where torch has to describe."""
        if self.engine == "torch" or not len(inputs[0]):
            return None
        shapes = tuple(tuple(part.shape[1:]) for part in inputs)
        graph = self._known(shapes)
        if graph is None:
            with _EXPORTING:
                graph = self._known(shapes)  # another visitor may have waited for the same one
                if graph is None and self.engine != "torch":
                    graph = self._made(shapes)
        return graph

    def _known(self, shapes: Shapes) -> _Graph | None:
        with self._guard:
            if shapes in self._graphs:
                self._graphs.move_to_end(shapes)
            return self._graphs.get(shapes)

    def _made(self, shapes: Shapes) -> _Graph | None:
        try:
            graph = _export(self.network, shapes)
        except Exception as error:  # whatever the exporter or the runtime does not know: torch knows its own network
            self.engine = "torch"
            _LOG.warning(
                "ONNX Runtime cannot run %s, torch describes with it, two to three times slower: %s",
                type(self.network).__name__, error,
            )  # fmt: skip
            return None
        with self._guard:
            self._graphs[shapes] = graph
            if len(self._graphs) > KEPT:
                self._graphs.popitem(last=False)
        return graph


@dataclass(frozen=True, eq=False)
class _Graph:
    """A network for one picture of one size, ready to run."""

    session: InferenceSession
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, *inputs: Tensor) -> Description:
        """`Description` of a batch, of B >= 1, picture by picture.

        One at a time is faster than a batch, whose maps leave the processor's cache, and needs the memory of one.
        Threads go to pictures for the same reason: shared by one picture they mostly wait for each other.
        """
        arrays = [part.detach().contiguous().numpy() for part in inputs]
        count, threads = len(arrays[0]), torch.get_num_threads()

        def one(number: int) -> list[np.ndarray]:
            fed = {name: array[number : number + 1] for name, array in zip(self.inputs, arrays, strict=True)}
            rows: list[np.ndarray] = self.session.run(self.outputs, fed)
            return rows

        if min(count, threads) == 1:
            rows = list(map(one, range(count)))
        else:
            with ThreadPoolExecutor(min(count, threads), thread_name_prefix="describing") as pool:
                rows = list(pool.map(one, range(count)))
        joined = (torch.from_numpy(np.concatenate(parts)) for parts in zip(*rows, strict=True))
        return Description(**dict(zip(self.outputs, joined, strict=True)))


class _Traced(nn.Module):
    """A network whose answer is a plain tuple of the parts it has, as the exporter wants it."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        describe = self.network.describe_measured if self.network.reads_side else self.network.describe
        return tuple(part for part in describe(*inputs) if part is not None)


def _export(network: Network, shapes: Shapes) -> _Graph:
    """The graph of a network for inputs of `shapes`, each without its batch. Raises whatever can go wrong."""
    examples = _examples(shapes)
    written, expected = exported(network, examples)
    graph = _Graph(_session(written), INPUTS[: len(examples)], tuple(expected))
    found = graph.run(*examples)._asdict()
    for name, part in expected.items():
        if not np.allclose(found[name].numpy(), part, rtol=0, atol=TOLERANCE):
            raise RuntimeError(f"its {name} differs from torch's")
    return graph


def exported(network: Network, examples: tuple[Tensor, ...]) -> tuple[bytes, dict[str, np.ndarray]]:
    """The network as an ONNX model for inputs like these, of one picture; and what torch says of them, by its parts."""
    written: Any = io.BytesIO()  # the exporter that traces takes one, though its types name paths alone
    # The caller may be in inference mode, whose tensors cannot be traced. Warnings are about what would be wrong for
    # other shapes, and about the exporter's age: comparing answers tells what is wrong for this one.
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        described = network.describe_measured(*examples) if network.reads_side else network.describe(*examples)
        expected = {name: part.numpy() for name, part in zip(PARTS, described, strict=True) if part is not None}
        torch.onnx.export(
            _Traced(network).eval(), examples, written, dynamo=False, opset_version=OPSET,
            input_names=INPUTS[: len(examples)], output_names=tuple(expected),
        )  # fmt: skip
    return written.getvalue(), expected


def _session(graph: bytes) -> InferenceSession:
    # From 1.29 on ONNX Runtime tells Microsoft what it runs unless this is set before it is imported; requirements.txt
    # keeps to versions before.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # not at import: what starts other processes does without it

    onnxruntime.disable_telemetry_events()  # on Windows they were there before
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    # What the arena once took it keeps, for each size of picture.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _examples(shapes: Shapes) -> tuple[Tensor, ...]:
    """A picture, and a side map and mask where there are three shapes, `(1, ...)`: no random numbers are drawn."""
    waves = [(torch.arange(math.prod(shape)).reshape(1, *shape) * 0.37).sin() / 2 + 0.5 for shape in shapes]
    return (*waves[:2], waves[2] > 0.3) if len(waves) == 3 else tuple(waves)
