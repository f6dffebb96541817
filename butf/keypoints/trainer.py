"""The training of keypoints: the phases one after the other, measured, saved, stopped when asked, resumed."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from butf.dataset.frames import Frames
from butf.device import choose_device
from butf.errors import BadInput
from butf.files import write_atomic
from butf.keypoints.card import KeypointCard
from butf.keypoints.config import PHASES, KeypointConfig
from butf.keypoints.feed import KeypointFeed
from butf.keypoints.recipe import KeypointRecipe
from butf.keypoints.validation import KeypointValidation
from butf.keypoints.zoo import write_keypoints
from butf.networks.methods import count_parameters
from butf.training.checkpoint import load_checkpoint, random_states, restore_random_states, save_checkpoint
from butf.training.folder import Run
from butf.training.provenance import commit, versions
from butf.training.session import StopFlag, StopRequested, session
from butf.training.start import find_data
from butf.training.trainer import GRADIENT_NORM, LOG_EVERY

JOINT_RATE = 0.25
"""The learning rate of the last phase relative to the others': its networks know their trade."""


def train_keypoints(run: Run) -> None:
    """Train the run's configuration to its end, from its checkpoint where it has one.

    Raises StopRequested after SIGTERM or Ctrl-C, once the checkpoint is saved, and BadInput for data, a configuration
    or a checkpoint that cannot be used.
    """
    config = KeypointConfig.from_dict(run.config)
    device = choose_device(config.device)
    if device != "cpu":
        raise BadInput("keypoints are trained on the CPU for now, so that a resumed run is exact; give --device cpu")
    with session(run, device) as stop:
        trainer = KeypointTrainer(run, config)
        trainer.fit(stop)
        trainer.finish()


@dataclass
class Progress:
    """Where training stands."""

    phase: int = 0
    """Index in `PHASES`."""
    step: int = 0
    """Optimiser steps done in it."""
    images: int = 0
    seconds: float = 0.0


class KeypointTrainer:
    """One run at work. The public methods are called once each, in order."""

    def __init__(self, run: Run, config: KeypointConfig) -> None:
        self.run, self.config, self.progress = run, config, Progress()
        torch.manual_seed(config.seed)
        self.rng = np.random.default_rng(config.seed)
        self.frames = Frames.load(find_data(config.data))
        self.also = Frames.load(find_data(config.also)) if config.also else None
        self.recipe = KeypointRecipe(config)
        self.feed = KeypointFeed(config, self.frames, self.also)
        self.validation = KeypointValidation(self.frames, config.val_pairs)
        self._enter_phase()
        if run.checkpoint_path.is_file():
            self._restore()

    @property
    def phase(self) -> str:
        """Name of the present phase."""
        return PHASES[self.progress.phase]

    @property
    def global_step(self) -> int:
        """Optimiser steps done in this run."""
        return sum(map(self.config.steps_of, PHASES[: self.progress.phase])) + self.progress.step

    def fit(self, stop: StopFlag) -> None:
        """All phases from where the run stands. Raises StopRequested once `stop` is set and all is saved."""
        self._say_status()
        with tqdm(total=self.config.total_steps, initial=self.global_step, unit="step", disable=None) as bar:
            while True:
                self._fit_phase(stop, bar)
                if self.progress.phase + 1 == len(PHASES):
                    return  # `finish` measures.
                self._validate()
                self.progress.phase, self.progress.step = self.progress.phase + 1, 0
                self._enter_phase()
                self._save()

    def finish(self) -> None:
        """Measure on val and write the networks with their card: the run is finished then."""
        val = self._validate()
        network, config = self.recipe.network.eval(), self.config
        card = KeypointCard(
            self.run.name, parameters=count_parameters(network), data=self.frames.name,
            also=self.also.name if self.also else None, val=val, seed=config.seed, config=config.as_dict(),
            command=self.run.command, commit=commit(), versions=versions(), images_seen=self.progress.images,
            seconds=round(self.progress.seconds, 1),
        )  # fmt: skip
        write_keypoints(self.run.weights_path, network, card)
        write_atomic(self.run.card_path, card.text())

    def _enter_phase(self) -> None:
        """Free the networks that this phase changes, freeze the rest, and begin a new optimiser."""
        self.recipe.requires_grad_(False).eval()
        self.trained = nn.ModuleList(self.recipe.trained(self.phase)).requires_grad_(True)
        rate = self.config.learning_rate * (JOINT_RATE if self.phase == "joint" else 1.0)
        self.optimizer = torch.optim.AdamW(self.trained.parameters(), rate, weight_decay=self.config.weight_decay)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, rate, total_steps=self.config.steps_of(self.phase) + 1, pct_start=0.1
        )

    def _fit_phase(self, stop: StopFlag, bar: tqdm[NoReturn]) -> None:
        terms_since: defaultdict[str, list[float]] = defaultdict(list)
        images, steps = 0, self.config.steps_of(self.phase)
        since = started = time.perf_counter()
        while self.progress.step < steps:
            for name, value in self._descend().items():
                terms_since[name].append(value)
            self.progress.step += 1
            self.progress.images += 2 * self.config.pairs
            images += 2 * self.config.pairs
            now = time.perf_counter()
            self.progress.seconds += now - started
            started = now
            bar.update()
            if self.progress.step % LOG_EVERY == 0 or self.progress.step == steps:
                self._report(terms_since, images / (now - since))
                terms_since.clear()
                images, since = 0, now
            if self.progress.step % self.config.validate_every == 0 and self.progress.step < steps:
                self._validate()
                since = started = time.perf_counter()
            ending = bool(stop)  # looked at once: a signal between two looks would end it without saving
            if ending or self.progress.step % self.config.checkpoint_every == 0:
                self._save()
            if ending:
                raise StopRequested(stop.signal)

    def _descend(self) -> dict[str, float]:
        pairs = self.feed.draw(self.rng, self.recipe.sees_turned(self.phase))
        self.trained.train()
        terms = self.recipe.losses(self.phase, pairs)
        loss = terms["loss"]
        if not torch.isfinite(loss):
            raise BadInput(f"the loss is {loss.item()} at step {self.global_step}; lower learning_rate and start again")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained.parameters(), GRADIENT_NORM)
        self.optimizer.step()
        self.scheduler.step()
        return {name: float(value.detach()) for name, value in terms.items()}

    def _validate(self) -> dict[str, dict[str, float]]:
        scores = self.validation.scores(self.recipe.network)
        mean = scores.get("mean", {})
        self._log({"val_keypoints": scores, "val_matching_score": mean.get("matching_score")})
        return scores

    def _report(self, terms: dict[str, list[float]], rate: float) -> None:
        means = {name: round(float(np.mean(values)), 6) for name, values in terms.items()}
        self._log({**means, "images_per_s": round(rate, 2), "lr": self.scheduler.get_last_lr()[-1]})
        self._say_status()

    def _log(self, record: dict[str, object]) -> None:
        place = {
            "step": self.global_step,
            "phase": self.phase,
            "phase_index": self.progress.phase + 1,
            "phases": len(PHASES),
            "steps": self.config.total_steps,
            "seconds": round(self.progress.seconds, 2),
        }
        self.run.log_metrics(place | record)

    def _say_status(self) -> None:
        self.run.write_status(state="running", step=self.global_step, steps=self.config.total_steps, phase=self.phase)

    def _save(self) -> None:
        rng = random_states(self.rng)
        save_checkpoint(self.run.checkpoint_path, self.recipe, self.optimizer, self.scheduler, vars(self.progress), rng)
        self._say_status()

    def _restore(self) -> None:
        saved = load_checkpoint(self.run.checkpoint_path)
        self.progress = Progress(**saved["progress"])
        self._enter_phase()
        self.recipe.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.scheduler.load_state_dict(saved["scheduler"])
        restore_random_states(saved["rng"], self.rng)
