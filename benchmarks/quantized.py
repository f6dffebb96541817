"""Whether describing in int8 would pay: pictures a second and recall@1, beside the float32 graphs that are used.

A model's graph is quantized for one size of picture: weights by channel, maps by their range on some training pictures
(ONNX Runtime's static quantization, 7-bit weights, without which products overflow on a processor without VNNI). It
describes all pictures of a split; recall@1 is over all its queries, with those that int8 won and lost and McNemar's p.
It is kept where it gains 1.5 times at less than half a point of recall@1. Seconds are those of the processor, one
thread, in turns.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

from butf.commands.common import add_data, add_json, at_least_one, find_dataset, text_table, write_result
from butf.dataset.frames import Frames
from butf.networks import deployed, zoo
from butf.networks.graphs import Graph, exported, session_of
from butf.networks.zoo import Model
from butf.retrieval.explore import split_search
from butf.retrieval.pairs import overall

GAIN, LOSS = 1.5, 0.005
TIMED, ROUNDS = 48, 5
HEADER = ("model", "float32", "int8", "gain", "recall@1", "in int8", "won", "lost", "p", "kept")


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks quantized", description=__doc__.partition("\n")[0])
    add_data(parser)
    parser.add_argument("--models", nargs="+", default=["image-only", "bu-tf"], metavar="NAME")
    parser.add_argument("--split", default="test", help="whose recall is measured (test)")
    parser.add_argument("--pictures", type=at_least_one, default=128, metavar="N", help="to set the ranges by (128)")
    add_json(parser)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    frames = Frames.load(find_dataset(args.data))
    rows = np.random.default_rng(0).permutation(frames.where(split="train"))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BUTF_CACHE"] = folder  # descriptors in int8 are nobody else's
        entries = [measured(name, frames, rows, args) for name in args.models]
    report = {"data": args.data, "split": args.split, "entries": entries}
    write_result(args.json, report, text_table(HEADER, [row(entry) for entry in entries]))


def measured(name: str, frames: Frames, rows: np.ndarray, args: argparse.Namespace) -> dict[str, Any]:
    """Both ways of one model."""
    model = zoo.load(name)
    pictures = [model.prepare(frames.image(int(i)))[None] for i in rows[: max(args.pictures, TIMED)]]
    plain = model.deployed._graph(pictures[0], alone=True)
    assert plain is not None, "ONNX Runtime cannot run this model"
    graph = quantized(model, pictures[: args.pictures])
    rates = in_turns({"float32": plain, "int8": graph}, pictures[:TIMED])
    other = dataclasses.replace(model, name=f"{name} in int8", digest=f"int8 {model.digest}")
    object.__setattr__(other, "deployed", Quantized(graph))
    ours, theirs = (split_search(frames, args.split, one, 1) for one in (model, other))
    pair = overall(theirs, ours, frames.place)
    asked = pair.both + pair.a_only + pair.b_only + pair.neither
    return {
        "model": name, "images_per_s": rates, "gain": rates["int8"] / rates["float32"], "queries": asked,
        "recall": (pair.both + pair.b_only) / asked, "recall_int8": (pair.both + pair.a_only) / asked,
        "won": pair.a_only, "lost": pair.b_only, "p": pair.p,
    }  # fmt: skip


class Quantized:
    """Makes descriptors as `Deployed` does, of pictures of one size, by a graph in int8."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def descriptors(self, images: Tensor) -> Tensor:
        return self.graph.run(images)["descriptor"]


class Ranges(CalibrationDataReader):
    """The pictures that tell how far each map's numbers go."""

    def __init__(self, pictures: list[Tensor]) -> None:
        self._left = iter(pictures)

    def get_next(self) -> dict[str, np.ndarray] | None:
        picture = next(self._left, None)
        return None if picture is None else {"images": picture.numpy()}


def quantized(model: Model, pictures: list[Tensor]) -> Graph:
    """The graph of a model in int8, for pictures of this size."""
    with tempfile.TemporaryDirectory() as folder:
        plain, ready, small = (Path(folder) / f"{name}.onnx" for name in ("plain", "ready", "small"))
        network = model.deployed.network
        graph, parts = exported(network, partial(deployed.descriptor, network), {"images": pictures[0]})
        plain.write_bytes(graph)
        quant_pre_process(plain, ready, skip_symbolic_shape=True)  # which does not know all of bu-tf
        quantize_static(
            ready, small, Ranges(pictures), per_channel=True, reduce_range=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
        return Graph(session_of(small.read_bytes()), ("images",), tuple(parts))


def in_turns(graphs: dict[str, Graph], pictures: list[Tensor]) -> dict[str, float]:
    """Pictures that each graph describes in a second of the processor, the best of some rounds."""
    best = dict.fromkeys(graphs, float("inf"))
    for _ in range(ROUNDS):
        for name, graph in graphs.items():
            start = time.process_time()
            for picture in pictures:
                graph.run(picture)
            best[name] = min(best[name], time.process_time() - start)
    return {name: len(pictures) / seconds for name, seconds in best.items()}


def row(entry: dict[str, Any]) -> tuple[str, ...]:
    rates = entry["images_per_s"]
    kept = entry["gain"] >= GAIN and entry["recall"] - entry["recall_int8"] < LOSS
    return (
        entry["model"], f"{rates['float32']:.0f}", f"{rates['int8']:.0f}", f"{entry['gain']:.2f}",
        f"{entry['recall']:.3f}", f"{entry['recall_int8']:.3f}", str(entry["won"]), str(entry["lost"]),
        f"{entry['p']:.2g}", "yes" if kept else "NO",
    )  # fmt: skip
