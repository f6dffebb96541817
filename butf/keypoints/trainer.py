"""The training of keypoints: the phases one after the other, measured, saved, stopped when asked, resumed."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

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
from butf.training.reports import LOG_EVERY, Reports, Standing
from butf.training.session import StopFlag, StopRequested, session
from butf.training.start import find_data
from butf.training.trainer import GRADIENT_NORM

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
        self.reports = Reports(run, self._standing)
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
        self.reports.say_status()
        with self.reports.bar():
            while True:
                self._fit_phase(stop)
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

    def _standing(self) -> Standing:
        of_all = self.phase, self.progress.phase + 1, len(PHASES)
        return Standing(self.global_step, self.config.total_steps, self.progress.seconds, *of_all)

    def _enter_phase(self) -> None:
        """Free the networks that this phase changes, freeze the rest, and begin a new optimiser."""
        self.recipe.requires_grad_(False).eval()
        self.trained = nn.ModuleList(self.recipe.trained(self.phase)).requires_grad_(True)
        rate = self.config.learning_rate * (JOINT_RATE if self.phase == "joint" else 1.0)
        self.optimizer = torch.optim.AdamW(self.trained.parameters(), rate, weight_decay=self.config.weight_decay)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, rate, total_steps=self.config.steps_of(self.phase) + 1, pct_start=0.1
        )

    def _fit_phase(self, stop: StopFlag) -> None:
        self.reports.begin()
        started = time.perf_counter()
        while self.progress.step < self.config.steps_of(self.phase):
            terms = self._descend()
            now = time.perf_counter()
            self.progress.step += 1
            self.progress.images += 2 * self.config.pairs
            self.progress.seconds += now - started
            started = now
            self.reports.add(terms, 2 * self.config.pairs)
            self._after_step(stop)

    def _after_step(self, stop: StopFlag) -> None:
        """Tell, measure and save what is due. Raises StopRequested once `stop` is set and all is saved."""
        step, last = self.progress.step, self.progress.step == self.config.steps_of(self.phase)
        if step % LOG_EVERY == 0 or last:
            self.reports.tell(float(self.scheduler.get_last_lr()[-1]))
        if step % self.config.validate_every == 0 and not last:
            self._validate()
            self.reports.begin()
        ending = bool(stop)  # looked at once: a signal between two looks would end it without saving
        if ending or step % self.config.checkpoint_every == 0:
            self._save()
        if ending:
            raise StopRequested(stop.signal)

    def _descend(self) -> dict[str, Tensor]:
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
        return {name: value.detach() for name, value in terms.items()}

    def _validate(self) -> dict[str, dict[str, float]]:
        scores = self.validation.scores(self.recipe.network)
        mean = scores.get("mean", {})
        self.reports.log({"val_keypoints": scores, "val_matching_score": mean.get("matching_score")})
        return scores

    def _save(self) -> None:
        rng = random_states(self.rng)
        save_checkpoint(self.run.checkpoint_path, self.recipe, self.optimizer, self.scheduler, vars(self.progress), rng)
        self.reports.say_status()

    def _restore(self) -> None:
        saved = load_checkpoint(self.run.checkpoint_path)
        self.progress = Progress(**saved["progress"])
        self._enter_phase()
        self.recipe.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.scheduler.load_state_dict(saved["scheduler"])
        restore_random_states(saved["rng"], self.rng)
