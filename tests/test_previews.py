"""Previews: two fixed val pictures, reconstructed while training goes on, without a trace in its result."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from test_trainer import new_run, small_world, stop_after  # noqa: F401  (the fixture runs by itself)

from butf.dataset.frames import Frames
from butf.dataset.modalities import Encoding
from butf.networks import zoo
from butf.networks.weights import read_weights
from butf.run_views import preview_html, why_no_previews
from butf.training import trainer as trainer_module
from butf.training.config import TrainConfig
from butf.training.folder import Run
from butf.training.job import train
from butf.training.previews import chosen_pictures, due, in_unit, preview_files, read_previews, spread
from butf.training.trainer import Trainer


def steps(run: Run) -> list[int]:
    return list(preview_files(run.previews_path))


def test_they_leave_no_trace_in_the_weights_and_survive_a_stop(tiny_dataset: Path, monkeypatch) -> None:
    parts = new_run(tiny_dataset, "parts", method="bu-tf")
    stop_after(7, parts)
    assert steps(parts) == [4, 7]
    (parts.previews_path / "000008.npz").write_bytes(b"of a life after the checkpoint")
    again = Trainer(parts, TrainConfig.from_dict(parts.config), torch.device("cpu"))
    assert again.global_step == 7 and steps(parts) == [4, 7]
    train(parts)
    assert steps(parts) == [4, 7, 8], "as the decoder began, at the measurement, at the end"

    monkeypatch.setattr(trainer_module.Trainer, "_preview", lambda _: None)
    without = new_run(tiny_dataset, "without", method="bu-tf")
    train(without)
    assert not steps(without)
    expected, found = (read_weights(run.weights_path)[0] for run in (without, parts))
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_last_one_is_what_the_finished_model_reconstructs(tiny_dataset: Path) -> None:
    run = new_run(tiny_dataset, "mine", method="bu-tf", steps=2)
    train(run)
    frames, model = Frames.load(tiny_dataset), zoo.load("mine")
    (last,) = read_previews(list(preview_files(run.previews_path).values())[-1:])
    assert last.step == 4 and len(last.frames) == 2
    for name, side in zip(last.frames, last.maps, strict=True):
        image = frames.image(int(np.flatnonzero(frames.frame == name)[0]))
        encoded = model.description(image).side_map[0, 0].numpy()
        assert side.name == "depth" and side.values.shape == encoded.shape
        np.testing.assert_allclose(side.values, 1.0 * 100.0**encoded, rtol=1e-3)  # log scale, 1 to 100 m


@pytest.mark.parametrize("method", ["image-only", "image-only-wide", "hallucination", "rgbd"])
def test_what_has_no_decoder_keeps_none_and_says_so(tiny_dataset: Path, method: str) -> None:
    run = new_run(tiny_dataset, "mine", method=method, steps=1)
    train(run)
    assert not steps(run)
    assert why_no_previews(run.state()) == f"{method} has no decoder, so there is no reconstruction to watch."


def test_one_picture_is_of_a_seen_condition_and_one_of_an_unseen_near_it(tiny_frames: Frames) -> None:
    for seed in range(6):
        seen, unseen = chosen_pictures(tiny_frames, "depth", seed)
        assert tiny_frames.condition[[seen, unseen]].tolist() == ["overcast", "night"]
        assert tiny_frames.split[[seen, unseen]].tolist() == ["val", "val"]
        assert np.abs(tiny_frames.position[seen] - tiny_frames.position[unseen]).max() < 20, "the same place"
        assert chosen_pictures(tiny_frames, "depth", seed).tolist() == [seen, unseen]
    assert len({int(chosen_pictures(tiny_frames, "depth", seed)[0]) for seed in range(20)}) == 2


def test_with_one_kind_of_condition_it_takes_two_of_these_and_without_val_none(tiny_frames: Frames) -> None:
    alone = tiny_frames.take(np.flatnonzero(tiny_frames.condition != "night"))
    chosen = chosen_pictures(alone, "depth", 0)
    assert len(set(chosen.tolist())) == 2 and set(alone.condition[chosen]) == {"overcast"}
    assert len(chosen_pictures(tiny_frames, "reflectance", 0)) == 0
    assert len(chosen_pictures(tiny_frames.take(tiny_frames.where(split="train")), "depth", 0)) == 0


def test_steps_double_between_previews() -> None:
    assert [step for step in range(700) if due(step)] == [0, 10, 20, 40, 80, 160, 320, 640]


def test_classes_are_the_likeliest_and_depth_is_in_metres() -> None:
    shares = np.zeros((1, 3, 1, 2), np.float32)
    shares[0, 2, 0, 0] = shares[0, 1, 0, 1] = 1
    assert in_unit(shares, Encoding("semantics", "classes", 0.0, 2.0)).tolist() == [[[2, 1]]]
    depth = in_unit(np.full((1, 1, 1, 1), 0.5, np.float32), Encoding("depth", "log", 1.0, 100.0))
    assert depth.item() == pytest.approx(math.sqrt(100))


def test_damaged_files_are_passed_over_and_long_rows_thinned(tiny_dataset: Path) -> None:
    run = new_run(tiny_dataset, "mine", method="bu-tf", steps=2)
    train(run)
    (run.previews_path / "000003.npz").write_bytes(b"PK half")
    (run.previews_path / ".000005.npz.1f").write_bytes(b"left over")
    files = preview_files(run.previews_path)
    assert list(files) == [2, 3, 4]
    assert [preview.step for preview in read_previews(list(files.values()))] == [2, 4]
    many = {step: Path(f"{step:06d}.npz") for step in range(50)}
    assert [int(path.stem) for path in spread(many, 4)] == [0, 16, 33, 49]
    html = preview_html(run, Frames.load(tiny_dataset))
    assert html.count("<img") == 2 * (2 + 2) and "overcast, seen in training" in html and "night, unseen" in html
    assert "step 2" in html and "step 4" in html and "off by" in html and "1 m" in html and "100 m" in html


def test_pictures_that_the_data_set_lost_leave_the_reconstructions(tiny_dataset: Path) -> None:
    run = new_run(tiny_dataset, "mine", method="bu-tf", steps=1)
    train(run)
    frames = Frames.load(tiny_dataset)
    html = preview_html(run, frames.take(frames.where(split="train")))
    assert html.count("<img") == 2 * 2 and "which the data set no longer has" in html


def test_classes_are_shown_without_a_scale(tiny_dataset: Path) -> None:
    run = new_run(tiny_dataset, "mine", method="bu-tf", steps=1, modality="semantics")
    train(run)
    html = preview_html(run, Frames.load(tiny_dataset))
    assert html.count("<img") == 2 * (2 + 2) and "true semantics" in html and 'class="scale"' not in html
