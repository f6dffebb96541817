"""Steps that a GPU replays: what they may not do can be told without one, and that they are the same steps with one."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from butf.training.augmentation import Changes, changed
from butf.training.batch import Batch, Extra
from butf.training.config import TrainConfig
from butf.training.folder import Run
from butf.training.recipes import build_recipe
from butf.training.replay import Beside, Replay, Replayed, replayable
from butf.training.session import StopFlag
from butf.training.trainer import GRADIENT_NORM, Trainer

COUNT, EXTRA = 6, 3
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


def batch_on(device: str, extra: bool = False, guessed: bool = False) -> Batch:
    def pictures(count: int) -> list[Tensor]:
        sides = torch.rand(count, 1, 64, 64), torch.rand(count, 1, 64, 64) > 0.1
        return [part.to(device) for part in (torch.rand(count, 3, 64, 64), *sides)]

    place = torch.arange(COUNT + EXTRA * guessed, device=device) % 3
    same, other = place[:, None] == place, ~torch.eye(len(place), dtype=torch.bool, device=device)
    further = Extra(*pictures(EXTRA), torch.rand(EXTRA, 3, 64, 64).to(device)) if extra else None
    return Batch(*pictures(COUNT), same & other, ~same, further)


@pytest.mark.parametrize(
    "values",
    [
        {"method": "image-only"},
        {"method": "image-only", "loss": "contrastive"},
        {"method": "image-only", "loss": "contrastive", "mining": "tuples"},
        {"method": "image-only", "mining": "tuples", "squared_distance": True},
        {"method": "image-only-wide", "extra": "consistency"},
        {"method": "image-only-wide", "extra": "guesses"},
        {"method": "hallucination", "lambda_div": 0.1},
        {"method": "bu-tf"},
        {"method": "bu-tf", "modality": "semantics"},
        {"method": "bu-tf", "pooling": "netvlad"},
        {"method": "bu-tf", "transfer_schedule": "balanced"},
        {"method": "bu-tf-adapted"},
        {"method": "bu-tf-reencode"},
        {"method": "rgbd"},
    ],
    ids=lambda values: "-".join(map(str, values.values())),
)
def test_what_a_step_does_depends_on_no_number_that_only_the_gpu_knows(values: dict[str, object]) -> None:
    config = TrainConfig.from_dict(values)
    assert replayable(config)
    recipe = build_recipe(config, outputs=9 if config.modality == "semantics" else 1).to("meta")  # shapes, no numbers
    recipe.measure_gradients = True
    for number, phase in enumerate(recipe.phases):
        trained = nn.ModuleList(recipe.trained(phase)).requires_grad_(True).train()
        recipe.keep_early_stages()
        batch = batch_on("meta", extra=config.sees_extra and number > 0, guessed=recipe.guesses and number > 0)
        recipe.losses(phase, batch)["loss"].backward()
        norm = nn.utils.clip_grad_norm_(trained.parameters(), GRADIENT_NORM)
        assert norm.is_meta and norm.shape == ()


def test_a_weight_that_changes_from_step_to_step_is_not_replayed() -> None:
    assert not replayable(TrainConfig(transfer_schedule="rising"))
    assert not replayable(TrainConfig(transfer_schedule="falling"))


@gpu
def test_a_replayed_step_gives_the_terms_and_gradients_of_a_launched_one() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3)).cuda()
    parameters = list(network.parameters())

    def step(batch: Batch) -> dict[str, Tensor]:
        loss = network(batch.images).square().mean() * batch.positives.sum()
        loss.backward()
        return {"loss": loss.detach()}

    replay = Replay(step, parameters)
    for _ in range(8):
        batch = batch_on("cuda")
        found = replay(batch)["loss"]
        gradients = [parameter.grad.clone() for parameter in parameters]
        network.zero_grad(set_to_none=True)
        expected = step(batch)["loss"]
        assert torch.allclose(found, expected, rtol=1e-4)
        for gradient, parameter in zip(gradients, parameters, strict=True):
            assert torch.allclose(gradient, parameter.grad, rtol=1e-3, atol=1e-5)
        with torch.no_grad():
            for parameter in parameters:
                parameter -= 0.1 * parameter.grad  # the next replay must see it
    assert len(replay.recorded) == 1
    replay(batch_on("cuda", extra=True))
    assert len(replay.recorded) == 1  # another shape begins with steps of its own
    replay(batch, kind="another")
    assert len(replay.recorded) == 2


@gpu
@pytest.mark.parametrize("method", ["image-only", "bu-tf", "hallucination", "bu-tf-adapted"])
def test_a_training_replayed_learns_as_one_launched_step_by_step(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def losses(name: str) -> list[float]:
        values = {"method": method, "places": 3, "views": 2, "image_area": 64 * 64, "steps": 20, "extra_pictures": 3}
        config = TrainConfig.from_dict(values | {"data": str(tiny_dataset), "validate_every": 30, "device": "cuda"})
        run = Run.create(str(tmp_path / name), config.as_dict(), ["butf", "train"])
        trainer = Trainer(run, config, torch.device("cuda"))
        trainer.fit(StopFlag())
        assert (trainer.replay is not None) == (name == "replayed")
        if trainer.replay is not None:
            assert trainer.replay.recorded
        return [record["loss"] for record in run.metrics() if "loss" in record]

    replayed = losses("replayed")
    monkeypatch.setattr("butf.training.trainer.replayable", lambda config: False)
    launched = losses("launched")
    # The first ten steps, of which seven are replayed, before differences of bfloat16 have grown.
    assert np.isclose(replayed[0], launched[0], rtol=0.05) and np.allclose(replayed, launched, rtol=0.3)


def test_numbers_that_are_read_a_step_later_are_told_of_their_own_step(tiny_dataset: Path, tmp_path: Path) -> None:
    def records(name: str, later: bool) -> list[dict]:
        values = {"method": "image-only", "places": 3, "views": 2, "image_area": 64 * 64, "steps": 23}
        often = {"data": str(tiny_dataset), "validate_every": 20, "checkpoint_every": 30, "refresh_every": 5}
        config = TrainConfig.from_dict(values | often)
        run = Run.create(str(tmp_path / name), config.as_dict(), ["butf", "train"])
        trainer = Trainer(run, config, torch.device("cpu"))
        trainer.beside = (lambda draw: draw()) if later else None  # as on a GPU
        trainer.fit(StopFlag())
        timed = ("seconds", "images_per_s")
        return [{key: value for key, value in record.items() if key not in timed} for record in run.metrics()]

    at_once = records("at-once", later=False)
    assert [record["step"] for record in at_once if "loss" in record] == [10, 20, 23]
    assert records("later", later=True) == at_once


@gpu
def test_changes_replayed_beside_a_step_are_those_that_the_cpu_makes() -> None:
    beside, replayed = Beside(), Replayed(changed)
    pairs = torch.zeros(COUNT, COUNT, dtype=torch.bool, device="cuda")

    def draw(inputs: list[Tensor]) -> Batch:
        return Batch(*replayed(*inputs), pairs, pairs)

    for _ in range(7):
        pictures = torch.rand(COUNT, 3, 64, 64), torch.rand(COUNT, 1, 16, 16), torch.rand(COUNT, 1, 16, 16) > 0.1
        inputs = [*pictures, *Changes.drawn(COUNT, 3 * 64 * 64)]
        there = [part.pin_memory() for part in inputs]
        batch = beside(partial(draw, there))
        for found, expected in zip((batch.images, batch.side, batch.valid), changed(*inputs), strict=True):
            assert (found.cpu().float() - expected.float()).abs().mean() < 1e-3  # a pixel between two may be either
    assert len(replayed.recorded) == 1
