"""Trains the trials of a plan one after the other; what is finished is left alone, what was stopped goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from butf.dataset.frames import Frames
from butf.dataset.samples import Samples
from butf.errors import BadInput
from butf.experiment.plan import Plan, Trial
from butf.files import write_atomic
from butf.networks import zoo
from butf.networks.card import card_text
from butf.networks.weights import save_weights
from butf.training.adaptation import adapt_statistics
from butf.training.config import TrainConfig
from butf.training.folder import Run
from butf.training.runs import train_command
from butf.training.trainer import find_data, train
from butf.training.validation import Validation

Say = Callable[[str], None]


def train_plan(plan: Plan, folder: Path, say: Say) -> None:
    """Train every trial of `plan` that is not finished, in runs below `folder`.

    Raises StopRequested when asked to stop, once the present run is saved; calling it again goes on from there.
    """
    trials = plan.trials()
    # Pictures are decoded once for all trials.
    decoded: dict[object, Samples] = {}
    for number, trial in enumerate(trials, 1):
        if is_finished(trial, folder):
            continue
        say(f"{number} of {len(trials)}: {trial.folder}")
        if trial.config is None:
            _adapt(trial, folder, plan)
        else:
            train(_run(trial, trial.config, folder), decoded)


def is_finished(trial: Trial, folder: Path) -> bool:
    """Whether a trial's model is there."""
    return (folder / trial.folder / "model.safetensors").is_file()


def _run(trial: Trial, config: TrainConfig, folder: Path) -> Run:
    """The trial's run: the one that was begun, or a new one."""
    path = folder / trial.folder
    values = config.as_dict() | {"start_from": str(folder / trial.needs) if trial.needs else None}
    if not (path / "config.json").is_file():
        return Run.claim(path, values, train_command(values, path))
    run = Run.open(path)
    # What a run does not name has come up since it was begun; its default is how it was before.
    begun = TrainConfig.from_dict(run.config).as_dict()
    changed = sorted(name for name, value in values.items() if config.reads(name) and begun[name] != value)
    if changed:
        raise BadInput(
            f"{path} was begun with {changed[0]} {begun[changed[0]]!r}, the experiment now has "
            f"{values[changed[0]]!r}; choose another folder with --runs"
        )
    return run


def _adapt(trial: Trial, folder: Path, plan: Plan) -> None:
    model = zoo.load(str(folder / str(trial.needs)))
    frames = Frames.load(find_data(plan.data))
    size = model.size(*frames.image(int(frames.where(split="train")[0])).size)
    adapt_statistics(model.network, frames, size, plan.adaptation_pictures, trial.seed)
    recall = Validation(frames, size).recall(model.network)
    text = card_text(replace(model.card, name=trial.variant.name, val_recall=recall))
    path = folder / trial.folder
    path.mkdir(parents=True, exist_ok=True)
    write_atomic(path / "card.json", text)
    save_weights(path / "model.safetensors", model.network.state_dict(), {"card": text})
