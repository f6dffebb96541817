"""Checkpoints: training goes on to the bit, nothing half-written is ever seen, foreign files are refused."""

import errno
import io
import os
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from butf.errors import BadInput
from butf.networks import weights
from butf.training import checkpoint


def parts() -> tuple[nn.Module, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    return model, optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)


def steps(model, optimizer, scheduler, generator: np.random.Generator, count: int) -> None:
    """`count` steps that draw from every source of chance."""
    for _ in range(count):
        images = torch.from_numpy(generator.normal(size=(6, 4))).float() + random.random() + 0.1 * torch.randn(6, 4)
        optimizer.zero_grad()
        model(images).square().mean().backward()
        optimizer.step()
        scheduler.step()


def seed() -> np.random.Generator:
    random.seed(3)
    torch.manual_seed(4)
    return np.random.default_rng(5)


def saved(path: Path, generator: np.random.Generator | None = None) -> Path:
    checkpoint.save_checkpoint(path, *parts(), {"step": 1}, checkpoint.random_states(generator))
    return path


def test_resumed_training_equals_uninterrupted_training_to_the_bit(tmp_path):
    generator = seed()
    whole = parts()
    steps(*whole, generator, 20)

    generator = seed()
    half = parts()
    steps(*half, generator, 10)
    checkpoint.save_checkpoint(tmp_path / "checkpoint.pt", *half, {"step": 10}, checkpoint.random_states(generator))

    random.seed(99)
    torch.manual_seed(99)
    other = np.random.default_rng(99)
    resumed = parts()
    loaded = checkpoint.load_checkpoint(tmp_path / "checkpoint.pt")
    for part, name in zip(resumed, ("model", "optimizer", "scheduler"), strict=True):
        part.load_state_dict(loaded[name])
    checkpoint.restore_random_states(loaded["rng"], other)
    steps(*resumed, other, 10)

    assert loaded["progress"] == {"step": 10}
    for name, tensor in whole[0].state_dict().items():
        assert torch.equal(tensor, resumed[0].state_dict()[name]), name
    assert whole[2].get_last_lr() == resumed[2].get_last_lr()


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_every_kind_of_numpy_generator_survives_the_weights_only_load(tmp_path, kind):
    generator = np.random.Generator(kind(7))
    generator.random(3)
    path = saved(tmp_path / "checkpoint.pt", generator)
    expected = generator.random(5)
    checkpoint.restore_random_states(checkpoint.load_checkpoint(path)["rng"], generator)
    assert np.array_equal(generator.random(5), expected)


def test_a_generator_of_another_kind_is_refused(tmp_path):
    path = saved(tmp_path / "checkpoint.pt", np.random.Generator(np.random.MT19937(1)))
    states = checkpoint.load_checkpoint(path)["rng"]
    with pytest.raises(BadInput, match=r"kind MT19937; expected PCG64"):
        checkpoint.restore_random_states(states, np.random.default_rng())


def test_a_truncated_checkpoint_is_refused(tmp_path):
    content = saved(tmp_path / "whole.pt").read_bytes()
    for length in (0, 1, 100, len(content) // 2, len(content) - 1):
        path = tmp_path / f"cut-{length}.pt"
        path.write_bytes(content[:length])
        with pytest.raises(BadInput, match=r"cut-\d+\.pt is truncated or no checkpoint"):
            checkpoint.load_checkpoint(path)


def test_foreign_files_are_refused_and_their_code_never_runs(tmp_path):
    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "hacked"),)

    buffer = io.BytesIO()
    torch.save({"format": checkpoint.FORMAT, "model": Payload()}, buffer)
    foreign = {
        "text.pt": b"hello",
        "pickle.pt": pickle.dumps(Payload()),
        "code.pt": buffer.getvalue(),
    }
    for name, content in foreign.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadInput, match=name):
            checkpoint.load_checkpoint(tmp_path / name)
    assert not (tmp_path / "hacked").exists()

    torch.save({"epoch": 3, "state_dict": {}}, tmp_path / "theirs.pt")
    with pytest.raises(BadInput, match=r"theirs\.pt was not written by this trainer"):
        checkpoint.load_checkpoint(tmp_path / "theirs.pt")
    with pytest.raises(BadInput, match=r"none\.pt is missing"):
        checkpoint.load_checkpoint(tmp_path / "none.pt")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_keeps_the_former_checkpoint(tmp_path, monkeypatch, call):
    path = saved(tmp_path / "checkpoint.pt")
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(BadInput, match=r"checkpoint\.pt cannot be written"):
        saved(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert checkpoint.load_checkpoint(path)["progress"] == {"step": 1}


def test_weights_and_metadata_come_back(tmp_path):
    path = tmp_path / "model.safetensors"
    model, _, _ = parts()
    other, _, _ = parts()
    weights.save_weights(path, model.state_dict(), {"method": "bu-tf"})
    assert weights.load_weights(path, other) == {"method": "bu-tf"}
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


# What safetensors itself refuses to write.
def test_tied_and_strided_tensors_are_written_whole(tmp_path):
    table = torch.arange(12.0).reshape(3, 4)
    weights.save_weights(tmp_path / "w.safetensors", {"a": table, "b": table, "c": table.T}, {})
    tensors, metadata = weights.read_weights(tmp_path / "w.safetensors")
    assert metadata == {}
    assert torch.equal(tensors["b"], table)
    assert torch.equal(tensors["c"], table.T)


def test_weights_of_another_network_name_the_first_mismatch(tmp_path):
    path = tmp_path / "model.safetensors"
    module = nn.Linear(3, 4)
    before = module.weight.clone()
    cases = {
        "weight is (2, 3), expected (4, 3)": nn.Linear(3, 2).state_dict(),
        "bias is missing": nn.Linear(3, 4, bias=False).state_dict(),
        "scale is unknown": {**module.state_dict(), "scale": torch.zeros(1)},
    }
    for expected, state in cases.items():
        weights.save_weights(path, state, {})
        with pytest.raises(BadInput) as caught:
            weights.load_weights(path, module)
        assert expected in str(caught.value)
    assert torch.equal(module.weight, before)


def test_truncated_and_foreign_weights_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    weights.save_weights(path, parts()[0].state_dict(), {})
    content = path.read_bytes()
    for broken in (b"", b"hello", content[: len(content) // 2], content[:-1]):
        path.write_bytes(broken)
        with pytest.raises(BadInput, match=r"model\.safetensors is truncated or no safetensors file"):
            weights.read_weights(path)
    with pytest.raises(BadInput, match="is missing"):
        weights.read_weights(tmp_path / "none.safetensors")
