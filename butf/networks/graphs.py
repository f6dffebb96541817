"""Networks in evaluation as graphs that ONNX Runtime runs on the CPU, in a third to a half of torch's time."""

from __future__ import annotations

import io
import math
import os
import threading
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

OPSET = 17
TOLERANCE = 1e-4
"""How far a graph's numbers may be from torch's on what it was made with, where these are above 1 a share of the
largest; rounding is well below."""
EXPORTING = threading.Lock()
"""To be held while a graph is made, whatever of: torch's exporter changes state of the whole process."""

Answer = Callable[..., Mapping[str, Tensor]]
"""What is computed of inputs `(B, ...)`: parts `(B, ...)` by name, each row of one row."""


@dataclass(frozen=True, eq=False)
class Graph:
    """A network for one row of inputs of one size, ready to run."""

    session: InferenceSession
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, *inputs: Tensor) -> dict[str, Tensor]:
        """Of a batch, of B >= 1, row by row: each one's numbers do not depend on the others.

        One at a time is faster than a batch, whose maps leave the processor's cache, and needs the memory of one.
        Threads go to rows for the same reason: shared by one row they mostly wait for each other.
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
        return dict(zip(self.outputs, joined, strict=True))


class _Traced(nn.Module):
    """A network and what is asked of it, as the exporter wants it: the answer a plain tuple."""

    def __init__(self, network: nn.Module, answer: Answer) -> None:
        super().__init__()
        self.network, self.answer = network, answer

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.answer(*inputs).values())


def graph_of(network: nn.Module, answer: Answer, inputs: Mapping[str, Tensor]) -> Graph:
    """The graph of what a network in evaluation mode answers to inputs like these, of one row, by their names.

    `EXPORTING` is to be held. Raises whatever can go wrong, and `RuntimeError` where its numbers are not torch's.
    """
    written, expected = exported(network, answer, inputs)
    graph = Graph(session_of(written), tuple(inputs), tuple(expected))
    found = graph.run(*inputs.values())
    for name, part in expected.items():
        if not np.allclose(found[name].numpy(), part, rtol=0, atol=TOLERANCE * max(1.0, float(np.abs(part).max()))):
            raise RuntimeError(f"its {name} differs from torch's")
    return graph


def exported(network: nn.Module, answer: Answer, inputs: Mapping[str, Tensor]) -> tuple[bytes, dict[str, np.ndarray]]:
    """What `graph_of` runs, as an ONNX model; and what torch answers, by its parts."""
    written: Any = io.BytesIO()  # the exporter that traces takes one, though its types name paths alone
    # The caller may be in inference mode, whose tensors cannot be traced. Warnings are about what would be wrong for
    # other shapes, and about the exporter's age: comparing answers tells what is wrong for this one.
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {name: part.numpy() for name, part in answer(*inputs.values()).items()}
        torch.onnx.export(
            _Traced(network, answer).eval(), tuple(inputs.values()), written, dynamo=False, opset_version=OPSET,
            input_names=tuple(inputs), output_names=tuple(expected),
        )  # fmt: skip
    return written.getvalue(), expected


def session_of(graph: bytes) -> InferenceSession:
    """An ONNX model in one thread."""
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


def example(shape: tuple[int, ...]) -> Tensor:
    """One row of numbers in 0..1, `(1, *shape)`: none of them random, since whoever asks may count on those to come."""
    return (torch.arange(math.prod(shape)).reshape(1, *shape) * 0.37).sin() / 2 + 0.5
