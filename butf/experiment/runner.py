"""Trains the trials of a plan one after the other; what is finished is left alone, what was stopped goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from butf.dataset.frames import Frames
from butf.dataset.samples import Samples
from butf.errors import BadInput
from butf.experiment.plan import Plan, Trial
from butf.files import write_atomic
from butf.keypoints.zoo import load_keypoints
from butf.networks import zoo
from butf.networks.card import Card, card_text
from butf.networks.description import Network
from butf.networks.weights import save_weights
from butf.retrieval import keypoint_vlad
from butf.training.adaptation import adapt_statistics
from butf.training.config import TrainConfig
from butf.training.folder import Run
from butf.training.job import train
from butf.training.runs import train_command
from butf.training.start import find_data
from butf.training.validation import Validation, evenly
from butf.training.words import learn_whitening

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
        if trial.variant.made == "trained":
            assert trial.config is not None
            train(_run(trial, trial.config, folder), decoded)
        elif trial.variant.made == "shipped":
            _take(trial, folder)
        elif trial.variant.made == "keypoints":
            _learn_keypoints(trial, folder, plan, say)
        else:
            _derive(trial, folder, plan)


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


def _derive(trial: Trial, folder: Path, plan: Plan) -> None:
    """The model that a trial goes on from, its batch-norm statistics adapted or its descriptors whitened."""
    model = zoo.load(str(folder / str(trial.needs)))
    frames = Frames.load(find_data(plan.data))
    rows = frames.where(split="train")
    size = model.size(*frames.image(int(rows[0])).size)
    network = model.network
    changed: dict[str, Any] = {}
    if trial.variant.made == "statistics":
        adapt_statistics(network, frames, size, plan.adaptation_pictures, trial.seed)
    else:
        known = rows[[frames.seen(name) for name in frames.condition[rows]]]
        learn_whitening(network, trial.variant.values["whiten"], Samples(frames, known, size))
        changed = {"descriptor_dim": network.descriptor_dim, "aggregation": network.aggregation}
    recall = Validation(frames, size, plan.common.get("final_queries")).recall(network)
    _write(trial, folder, network, replace(model.card, name=trial.variant.name, val_recall=recall, **changed))


def _take(trial: Trial, folder: Path) -> None:
    """The shipped model of the variant's name, byte by byte, so that what is known of it stays known."""
    for name in ("model.safetensors", "card.json"):
        write_atomic(_made(trial, folder) / name, (zoo.MODELS / trial.variant.name / name).read_bytes())


def _learn_keypoints(trial: Trial, folder: Path, plan: Plan, say: Say) -> None:
    """The words of VLAD from keypoints of train pictures; left out, and missing, where no keypoints are shipped."""
    try:
        extractor = load_keypoints()
    except BadInput as error:
        say(f"left out: {error}")
        return
    frames = Frames.load(find_data(plan.data))
    rows = frames.where(split="train")
    known = rows[[frames.seen(name) for name in frames.condition[rows]]]
    images = (frames.image(int(row)) for row in evenly(known, plan.adaptation_pictures))
    keypoint_vlad.learn(extractor, images).save(_made(trial, folder) / "model.safetensors")


def _write(trial: Trial, folder: Path, network: Network, card: Card) -> None:
    path, text = _made(trial, folder), card_text(card)
    write_atomic(path / "card.json", text)
    save_weights(path / "model.safetensors", network.state_dict(), {"card": text})


def _made(trial: Trial, folder: Path) -> Path:
    """The trial's folder, which is there now."""
    path = folder / trial.folder
    path.mkdir(parents=True, exist_ok=True)
    return path
