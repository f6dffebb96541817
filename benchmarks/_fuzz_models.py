"""What fuzzing aims at in models and runs: weights, cards, checkpoints, kept descriptors, the files of a run."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import nn

from benchmarks import _fuzz_containers as containers
from benchmarks import _fuzz_mutations as mutations
from benchmarks._fuzz_data import Target
from butf.keypoints.card import KeypointCard
from butf.networks import zoo
from butf.networks.card import card_text, parse_card
from butf.networks.weights import load_weights, save_weights
from butf.retrieval import bank
from butf.training.checkpoint import load_checkpoint, random_states, save_checkpoint
from butf.training.config import TrainConfig
from butf.training.folder import Run
from butf.training.runs import train_command

KEY = "0123456789abcdef01234567"
STATUS = {
    "started": 1.0,
    "state": "running",
    "step": 3,
    "steps": 9,
    "phase": "main",
    "message": "",
    "updated": 2.0,
    "device": "cpu",
}
METRICS = [
    {"step": 1, "phase_index": 1, "loss": 0.5},
    {"step": 2, "phase_index": 1, "loss": 0.4},
    {"step": 2, "phase_index": 1, "recall": {"night": 0.5}},
    {"step": 1, "phase_index": 2, "loss": 0.3},
]


def targets(folder: Path) -> list[Target]:
    """All of this module, at work in an empty folder."""
    card, points = _card(), KeypointCard("mine", val={"night": {"matching": 0.5}}).text()
    of_weights = (containers.of_safetensors,)
    own = _own_weights(folder / "own.safetensors", card)
    lines = "\n".join(json.dumps(record) for record in METRICS).encode()
    return [
        Target("weights", (_weights(card),), of_weights, _load(folder / "a.safetensors"), 1.0),
        Target("weights, damaged", (own,), (mutations.of_bytes,), _load(folder / "b.safetensors", own), 1.0),
        Target("model cards", (card.encode(),), (mutations.of_json,), _use_card, 2.0),
        Target("keypoint cards", (points.encode(),), (mutations.of_json,), _use_keypoint_card, 1.0),
        Target(
            "checkpoints",
            (_checkpoint(folder / "seed.pt"),),
            (mutations.of_bytes,),
            _check(folder / "a.pt", folder / "seed.pt"),
            0.3,
        ),
        Target("kept descriptors", (_kept(),), (mutations.of_bytes,), _kept_read(folder / "a.npz", True), 0.5),
        Target("kept descriptors, arrays", (_kept(),), (_other_array,), _kept_read(folder / "b.npz", False), 0.5),
        Target(
            "status.json", (json.dumps(STATUS).encode(),), (mutations.of_json,), _run(folder / "a", "status.json"), 2.0
        ),
        Target("turn.json", (b'{"at": 1.5}',), (mutations.of_json,), _run(folder / "b", "turn.json"), 1.0),
        Target("metrics.jsonl", (lines,), (_other_lines, mutations.of_bytes), _run(folder / "c", "metrics.jsonl"), 2.0),
        Target("config.json", (_config().encode(),), (mutations.of_json,), _run(folder / "d", "config.json"), 2.0),
    ]


def _card() -> str:
    return card_text(zoo.off_the_shelf_card())


def _config() -> str:
    return json.dumps(TrainConfig().as_dict() | {"command": "python -m butf train"})


def _network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def _weights(card: str) -> bytes:
    """As others write them: without a digest, so that hostile tensors get through to their readers."""
    return safetensors.torch.save(_network().state_dict(), {"card": card})


def _own_weights(path: Path, card: str) -> bytes:
    save_weights(path, _network().state_dict(), {"card": card})
    return path.read_bytes()


def _load(path: Path, own: bytes | None = None) -> Callable[[bytes], object]:
    """Reads weights; whatever differs from `own` is damaged and must not be taken."""
    network = _network()

    def run(case: bytes) -> None:
        path.write_bytes(case)
        zoo.read_card(path)
        load_weights(path, network)
        assert own is None or _same_but_spaces(case, own), "damaged weights are believed"

    return run


def _same_but_spaces(case: bytes, own: bytes) -> bool:
    """Spaces after the header count for nothing, and neither does its order."""
    one, other = (json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]) for data in (case, own))
    return bool(one == other)


def _use_card(case: bytes) -> None:
    card = parse_card(case.decode("utf-8", "replace"), "card.json")
    zoo.network_size(640, 480, card.image_area)
    f"{card.name} {card.parameters:,} {card.size_ratio:.2f} {card.descriptor_dim:d} {card.training_steps:d}".encode()
    [f"{name} {100 * value:.1f}" for name, value in card.val_recall.items()]
    f"{card.data} {', '.join(card.seen)}".encode()
    card_text(card)
    if card.encoding:
        card.encoding.decode(card.encoding.encode(np.ones(1)))


def _use_keypoint_card(case: bytes) -> None:
    card = KeypointCard.parse(case.decode("utf-8", "replace"), "card.json")
    f"{card.name} {card.parameters:,}".encode()
    [f"{value:.2f}" for measures in card.val.values() for value in measures.values() if value is not None]


def _checkpoint(path: Path) -> bytes:
    network = _network()
    optimizer = torch.optim.Adam(network.parameters())
    states = random_states(np.random.default_rng(0))
    save_checkpoint(path, network, optimizer, None, {"step": 3, "best": None, "times": [1.5]}, states)
    return path.read_bytes()


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _check(path: Path, seed: Path) -> Callable[[bytes], object]:
    sound = load_checkpoint(seed)

    def run(case: bytes) -> None:
        path.write_bytes(case)
        assert _equal(load_checkpoint(path), sound), "a damaged checkpoint is believed"

    return run


def _kept() -> bytes:
    file = io.BytesIO()
    np.savez(file, key=np.array(KEY), values=np.eye(4, dtype=np.float32))
    return file.getvalue()


def _other_array(rng: random.Random, data: bytes) -> bytes:
    """A whole npz with another array's header, such as one of terabytes, or of python objects."""
    head = rng.choice(
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 4), }", "{'descr': '|O', 'shape': (4, 4)}")
    )
    head = head.replace("4", str(rng.choice((4, 0, -1, 10**6, 10**12, 10**30))), rng.randrange(4))
    body = mutations.of_bytes(rng, head.encode()) if rng.random() < 0.5 else head.encode()
    array = b"\x93NUMPY\x01\0" + len(body).to_bytes(2, "little") + body + bytes(64)
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(file, "w") as made:
        made.writestr("key.npy", source.read("key.npy"))
        made.writestr("values.npy", array)
    return file.getvalue()


def _kept_read(path: Path, damaged: bool) -> Callable[[bytes], object]:
    """Reads a file that was damaged, or one that is sound as a file and holds another array."""

    def run(case: bytes) -> None:
        path.write_bytes(case)
        values = bank._read(path, KEY)
        assert values is None or values.ndim == 2 or not damaged
        assert values is None or not damaged or np.array_equal(values, np.eye(4)), "a damaged file is believed"

    return run


def _other_lines(rng: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    lines[at] = mutations.of_json(rng, lines[at])
    return b"\n".join(lines)


def _run(folder: Path, name: str) -> Callable[[bytes], object]:
    folder.mkdir()
    run = Run(folder)
    run.config_path.write_text(_config())
    run.status_path.write_text(json.dumps(STATUS))

    def read(case: bytes) -> None:
        (folder / name).write_bytes(case)
        state = run.state()
        times = [f"{time or 0.0:.1f}" for time in (state.started, state.updated, state.turn)]
        f"{state.step:d} {state.steps:d} {state.phase} {state.message} {times}".encode()
        run.metrics()
        if name == "config.json":
            TrainConfig.from_dict(run.config)
            train_command(run.config, "a")

    return read
