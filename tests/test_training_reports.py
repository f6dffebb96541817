"""What a run tells while it trains: what is told when, of which step, and that no step that failed is passed over."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from butf.errors import BadInput
from butf.training.folder import Run
from butf.training.reports import Reports, Standing


class Training:
    """A run that stands where it is put, and what it tells."""

    def __init__(self, folder: Path, told: bool = True) -> None:
        self.run = Run.create(str(folder / "run"), {"method": "bu-tf"}, ["butf", "train"])
        self.at = Standing(0, 40, 0.0, "main", 1, 2)
        self.reports = Reports(self.run, lambda: self.at, told)

    def step(self, loss: float = 1.0) -> None:
        """One more step, of five pictures and half a second."""
        self.at = replace(self.at, step=self.at.step + 1, seconds=self.at.seconds + 0.5)
        self.reports.add({"loss": torch.tensor(loss)}, 5)

    def lines(self) -> list[tuple[object, ...]]:
        """Step, seconds and loss of each line that was told."""
        return [(line["step"], line["seconds"], line["loss"]) for line in self.run.metrics()]


@pytest.fixture
def training(tmp_path: Path) -> Training:
    return Training(tmp_path)


def test_a_stretch_is_told_at_once_with_the_mean_of_its_terms(training: Training) -> None:
    for loss in (1.0, 2.0, 6.0):
        training.step(loss)
    training.reports.tell(0.01)
    training.step(5.0)
    training.reports.tell(0.02)
    assert training.lines() == [(3, 1.5, 3.0), (4, 2.0, 5.0)]
    first = training.run.metrics()[0]
    assert (first["phase"], first["phase_index"], first["phases"], first["lr"]) == ("main", 1, 2, 0.01)
    assert training.run.state().step == 4  # however soon one comes after the other


def test_told_later_it_is_told_at_the_next_step_and_of_where_the_run_stood(training: Training) -> None:
    training.step(1.0)
    training.reports.tell(0.01, later=True)
    assert training.lines() == []
    training.step(9.0)
    assert training.lines() == [(1, 0.5, 1.0)]


def test_what_is_untold_is_told_before_a_run_is_saved_and_only_once(training: Training) -> None:
    training.step(1.0)
    training.reports.tell(0.01, later=True)
    training.reports.settle()
    training.step(1.0)
    training.reports.settle()
    assert training.lines() == [(1, 0.5, 1.0)]


def test_told_later_the_status_does_not_wait_for_the_disk_at_each_line(training: Training) -> None:
    for _ in range(20):
        training.step()
        training.reports.tell(0.01, later=True)
    assert len(training.lines()) == 19 and training.run.state().step < 20
    training.step()
    training.reports.tell(0.01)
    assert training.run.state().step == 21


def test_no_step_without_a_finite_loss_is_saved(training: Training) -> None:
    for loss in (1.0, float("nan"), 1.0):
        training.step(loss)
    with pytest.raises(BadInput, match="the loss is nan at step 1; lower learning_rate"):
        training.reports.settle()
    with pytest.raises(BadInput, match="the loss is nan at step 1"):
        training.reports.tell(0.01)


def test_one_of_several_ranks_tells(tmp_path: Path) -> None:
    silent = Training(tmp_path, told=False)
    silent.reports.say_status()
    silent.step()
    silent.reports.tell(0.01)
    assert silent.run.metrics() == [] and not silent.run.status_path.exists()
