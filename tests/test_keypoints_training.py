"""Training keypoints: the command to the end, resuming to the bit, bad data, and what others make of such a run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from butf.cli import main
from butf.dataset.frames import Frames
from butf.errors import BadInput
from butf.figures.training import keypoint_figure, loss_figure
from butf.files import ASSETS
from butf.keypoints import zoo as keypoint_zoo
from butf.keypoints.config import KeypointConfig
from butf.keypoints.feed import KeypointFeed
from butf.keypoints.trainer import train_keypoints
from butf.keypoints.zoo import load_keypoints
from butf.networks import zoo
from butf.networks.weights import read_weights, save_weights
from butf.training.download import model_archive
from butf.training.folder import Run
from butf.training.runs import train_command
from butf.training.session import StopFlag, StopRequested

STEPS = {f"{phase}_steps": 1 for phase in ("descriptor", "orientation", "detector", "joint")} | {"descriptor_steps": 2}
SMALL = STEPS | {"pairs": 1, "points": 8, "val_pairs": 1, "checkpoint_every": 3, "device": "cpu"}


@pytest.fixture(scope="module", autouse=True)
def runs_folder(tmp_path_factory) -> Iterator[Path]:
    """The runs of this module."""
    folder = tmp_path_factory.mktemp("keypoints") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUTF_RUNS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def trained(runs_folder, tiny_original) -> Run:
    """A run that the command line took to its end; it is only read."""
    flags = [text for name, value in SMALL.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    assert main(["train-keypoints", "--data", str(tiny_original), "--run", str(runs_folder / "points"), *flags]) == 0
    return Run.open(runs_folder / "points")


def test_the_command_trains_to_the_end_and_the_run_is_no_model_of_places(trained, capsys):
    state = trained.state()
    assert (state.state, state.step, state.steps, state.method) == ("finished", 5, 5, "keypoints")
    records = trained.metrics()
    assert [r["phase"] for r in records if "loss" in r] == ["descriptor", "orientation", "detector", "joint"]
    assert {"place", "descriptor", "detector"} <= set(next(r for r in records if r.get("phase") == "joint"))
    assert len(loss_figure(records).data) >= 8 and keypoint_figure(records).data
    extractor = load_keypoints("points")
    assert extractor.card.name == "points" and keypoint_zoo.available()[-1] == "points"
    frames = Frames.load(extractor.card.config["data"])
    assert len(extractor.extract(frames.image(0), 50)) == 50
    assert "points" not in [card.name for card in zoo.available()]
    with pytest.raises(BadInput, match="card"):
        zoo.load("points")
    assert str(frames.root.parent).encode() not in model_archive(trained)
    assert main(["runs"]) == 0 and "keypoints" in capsys.readouterr().out
    assert "train-keypoints" in train_command(trained.config, trained.path)


def test_a_stopped_run_resumes_to_the_same_weights(trained, runs_folder, monkeypatch):
    config = trained.config
    run = Run.create(runs_folder / "again", config, ["train-keypoints"])
    asked = iter([True])  # after the first of the descriptor's two steps
    with monkeypatch.context() as patch:
        patch.setattr(StopFlag, "__bool__", lambda flag: next(asked, False))
        with pytest.raises(StopRequested):
            train_keypoints(run)
    assert 0 < run.status()["step"] < 5 and run.state().state == "stopped"
    train_keypoints(run)
    one, other = (read_weights(each.weights_path)[0] for each in (trained, run))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_data_without_depth_or_poses_and_wrong_settings_are_refused(tiny_frames):
    bare = dataclasses.replace(tiny_frames, modalities={})
    with pytest.raises(BadInput, match="has no depth"):
        KeypointFeed(KeypointConfig(), bare, None)
    with pytest.raises(BadInput, match="no orientations"):
        KeypointFeed(KeypointConfig(), dataclasses.replace(tiny_frames, orientation=None), None)
    with pytest.raises(BadInput, match="no two train frames"):
        KeypointFeed(KeypointConfig(pair_share=0.001), tiny_frames, None)
    with pytest.raises(BadInput, match="descriptor_loss is 'l2'"):
        KeypointConfig(descriptor_loss="l2")
    with pytest.raises(BadInput, match="unknown field 'margin'"):
        KeypointConfig.from_dict({"margin": 1})


def test_broken_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(BadInput, match="there are no keypoints 'nobody'"):
        load_keypoints("nobody")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00\x00")
    with pytest.raises(BadInput, match="truncated"):
        load_keypoints(str(tmp_path / "cut.safetensors"))
    save_weights(tmp_path / "bare.safetensors", {"a": torch.zeros(1)}, {})
    with pytest.raises(BadInput, match="no card of keypoints"):
        load_keypoints(str(tmp_path / "bare.safetensors"))
    card = json.dumps({"name": "x", "method": "keypoints"})
    save_weights(tmp_path / "other.safetensors", {"a": torch.zeros(1)}, {"card": card})
    with pytest.raises(BadInput, match="another version"):
        load_keypoints(str(tmp_path / "other.safetensors"))
    with pytest.raises(BadInput, match="no card of keypoints"):
        load_keypoints(str(ASSETS / "models" / "image-only" / "model.safetensors"))


def test_pairs_are_drawn_from_train_areas_of_other_conditions(tiny_frames):
    feed = KeypointFeed(KeypointConfig(pairs=1), tiny_frames, None)
    source = feed.sources[0]
    rng = np.random.default_rng(0)
    drawn = [source.draw(rng) for _ in range(20)]
    assert all(tiny_frames.split[row] == "train" for pair in drawn for row in pair)
    assert all(tiny_frames.condition[one] != tiny_frames.condition[other] for one, other in drawn)
