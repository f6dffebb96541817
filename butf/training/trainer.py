"""The training loop: draws batches, descends the recipe's loss, measures, saves, stops when asked, resumes."""

import time
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from butf import ranks
from butf.dataset.frames import Frames
from butf.dataset.modalities import default_encoding
from butf.dataset.samples import Samples
from butf.networks.card import Card
from butf.training.batch import Batch
from butf.training.checkpoint import (
    Progress,
    parse_checkpoint,
    random_states,
    read_checkpoint,
    restore_random_states,
    save_checkpoint,
)
from butf.training.config import TrainConfig
from butf.training.feed import Feed
from butf.training.folder import Run
from butf.training.optimiser import parameter_groups
from butf.training.previews import Previews, due
from butf.training.provenance import fingerprint
from butf.training.recipes import build_recipe
from butf.training.replay import Beside, Replay, replayable
from butf.training.reports import LOG_EVERY, Reports, Standing
from butf.training.result import Result
from butf.training.session import StopFlag, StopRequested
from butf.training.shared_norm import share_statistics
from butf.training.start import find_data, start_from
from butf.training.validation import Validation
from butf.training.words import check_whitens, learn_whitening, learn_words

VAL_QUERIES = 60
GRADIENT_NORM = 5.0


class Trainer:
    """One run at work. The public methods are called once each, in order."""

    def __init__(
        self, run: Run, config: TrainConfig, device: torch.device, decoded: dict[object, Samples] | None = None
    ):
        self.run, self.config, self.device = run, config, device
        torch.manual_seed(config.seed)
        self.rng = np.random.default_rng(config.seed)
        self.frames = Frames.load(find_data(config.data))
        ranks.check_same("device and data set", device.type.encode() + fingerprint(self.frames))
        encoding = default_encoding(self.frames, config.modality)
        self.recipe = build_recipe(config, encoding.channels).to(device)
        self.progress = Progress(phase=0)
        self.feed = Feed(self.frames, config, encoding, {} if decoded is None else decoded)
        if config.whiten is not None:
            check_whitens(self.recipe.network, config.whiten, self.feed.samples)
        self.start = self._start_from(config.start_from) if config.start_from else None
        self.first_phase = self.progress.phase
        self.beside = Beside() if device.type == "cuda" else None
        self.reports = Reports(run, self._standing, told=ranks.first())
        self.validation = self._validation(VAL_QUERIES)
        self.previews = Previews(run.previews_path, self.frames, self.feed.size, encoding, config.seed)
        self.result = Result(run, config, self.frames, self.feed, self.start)
        if ranks.size() > 1:
            share_statistics(self.recipe)
        self._enter_phase()
        if checkpoint := ranks.told(lambda: read_checkpoint(run.checkpoint_path)):
            self._restore(checkpoint)
        else:
            self._learn_words()

    @property
    def phase(self) -> str:
        """Name of the present training step."""
        return self.recipe.phases[self.progress.phase]

    @property
    def total_steps(self) -> int:
        """Optimiser steps of all training steps of this run."""
        return self.config.steps * (len(self.recipe.phases) - self.first_phase)

    @property
    def global_step(self) -> int:
        """Optimiser steps done in this run."""
        return self.config.steps * (self.progress.phase - self.first_phase) + self.progress.step

    def fit(self, stop: StopFlag) -> None:
        """All training steps from where the run stands. Raises StopRequested once `stop` is set and all is saved."""
        self.reports.say_status()
        with self.reports.bar():
            while True:
                self._fit_phase(stop)
                if self.phase == self.recipe.phases[-1]:
                    return  # `finish` measures recall.
                self._validate()
                self.progress.phase, self.progress.step = self.progress.phase + 1, 0
                self._enter_phase()
                self.recipe.begin(self.phase)
                self._learn_words()
                self._save()

    def finish(self) -> None:
        """Measure recall on val and write the model with its card: the run is finished then."""
        network, progress = self.recipe.network.eval(), self.progress
        if self.config.whiten is not None:
            learn_whitening(network, self.config.whiten, self.feed.samples)
        recall = self._validation(self.config.final_queries or None).recall(network)
        self._preview()
        if ranks.first():
            self.result.write(network, self.result.card(network, recall, progress.images, progress.seconds))
        self.reports.log({"val_recall": recall, "val_recall_mean": recall.get("mean")})

    def _standing(self) -> Standing:
        of_all = self.phase, self.progress.phase + 1, len(self.recipe.phases)
        return Standing(self.global_step, self.total_steps, self.progress.seconds, *of_all)

    def _validation(self, queries: int | None = None) -> Validation:
        encoding = self.feed.encoding if self.recipe.network.reads_side else None
        return Validation(self.frames, self.feed.size, queries, encoding)

    def _start_from(self, name: str) -> Card:
        """Go on from a trained model: this run begins with its second training step."""
        card = start_from(name, self.config, self.recipe.network, self.feed.encoding)
        self.progress.phase = 1
        self.recipe.begin(self.phase)
        return card

    def _learn_words(self) -> None:
        learn_words(self.recipe, self.phase, self._draw)
        ranks.align(self.recipe)

    def _enter_phase(self) -> None:
        """Free the modules that this training step changes, freeze the rest, and begin a new optimiser."""
        self.recipe.requires_grad_(False).eval()
        self.trained = nn.ModuleList(self.recipe.trained(self.phase)).requires_grad_(True)
        self.recipe.keep_early_stages()
        groups = parameter_groups(self.trained, self.config)
        on_gpu = self.device.type == "cuda"
        self.optimizer = torch.optim.AdamW(groups, weight_decay=self.config.weight_decay, fused=on_gpu)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, [group["lr"] for group in groups], total_steps=self.config.steps + 1, pct_start=0.1
        )
        parameters = [parameter for group in groups for parameter in group["params"]]
        self.replay = Replay(self._pull, parameters) if on_gpu and replayable(self.config) else None

    def _fit_phase(self, stop: StopFlag) -> None:
        if self.progress.step == 0:
            self._preview()
        self.reports.begin()
        started = time.perf_counter()
        while self.progress.step < self.config.steps:
            if self.progress.step % self.config.refresh_every == 0:
                self._refresh()
            batch = self._draw()
            self.recipe.progress = self.progress.step / self.config.steps
            self.recipe.measure_gradients = (self.progress.step + 1) % LOG_EVERY == 0
            terms = self._descend(batch)
            seen = batch.count + (batch.extra.count if batch.extra else 0)
            now = time.perf_counter()
            self.progress.step += 1
            self.progress.images += seen
            self.progress.seconds += now - started
            started = now
            self.reports.add(terms, seen)
            self._after_step(stop)

    def _after_step(self, stop: StopFlag) -> None:
        """Tell, measure and save what is due. Raises StopRequested once `stop` is set and all is saved."""
        step, last = self.progress.step, self.progress.step == self.config.steps
        if step % LOG_EVERY == 0 or last:
            on_gpu = self.beside is not None
            self.reports.tell(float(self.scheduler.get_last_lr()[-1]), later=on_gpu and not last)
        if step % self.config.validate_every == 0 and not last:
            self.reports.settle()
            self._validate()
            self.reports.begin()
        elif due(step):
            self._preview()
        ending = ranks.most(stop.signal if stop else 0)  # once: between two looks a signal would end it unsaved
        if ending or step % self.config.checkpoint_every == 0:
            self.reports.settle()
            self._save()
        if ending:
            raise StopRequested(ending)

    def _draw(self) -> Batch:
        if self.feed.tuples is not None:
            return self.feed.tuple_batch(self.rng, self.device, self.recipe.network, self._mined_part)
        draw = partial(self.feed.batch, self.rng, self.device, with_extra=self.progress.phase > 0)
        return draw() if self.beside is None else self.beside(draw)

    @property
    def _mined_part(self) -> str:
        """The part of a description by which hard pictures are sought."""
        return "main" if self.phase in ("main", "depth") else "descriptor"

    def _descend(self, batch: Batch) -> dict[str, Tensor]:
        """One step; gives the terms of the loss, which are not read here: a GPU would idle until the next step."""
        if not all(module.training for module in self.trained):  # to tell hundreds of layers takes a while
            self.trained.train()
        if self.replay is None:
            self.optimizer.zero_grad(set_to_none=True)
            terms = self._pull(batch)
        else:
            terms = self.replay(batch, kind=self.recipe.measure_gradients)
        self.optimizer.step()
        self.scheduler.step()
        return terms

    def _pull(self, batch: Batch) -> dict[str, Tensor]:
        """The gradients of a batch, clipped, and the terms of its loss."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            terms = self.recipe.losses(self.phase, batch)
        terms["loss"].backward()
        ranks.average_gradients(self.trained.parameters())
        nn.utils.clip_grad_norm_(self.trained.parameters(), GRADIENT_NORM)
        return {name: value.detach() for name, value in terms.items()}

    def _refresh(self) -> None:
        if self.feed.tuples is None:
            self.feed.seek_look_alikes(self.recipe.network, self._mined_part, self.rng)
        if self.recipe.guesses and self.progress.phase > 0 and self.progress.step > 0:
            self.recipe.eval()
            right = self.feed.guess_places(self.recipe.guide, self.device)
            self.reports.log({"guesses_right": round(right, 4)})

    def _validate(self) -> None:
        network, progress = self.recipe.network, self.progress
        recall = self.validation.recall(network)
        self.reports.log({"val_recall": recall, "val_recall_mean": recall.get("mean")})
        self._preview()
        if self.phase == self.recipe.phases[-1] and recall.get("mean", -1.0) > progress.best:
            if ranks.first():
                self.result.write_best(network, self.result.card(network, recall, progress.images, progress.seconds))
            progress.best = recall["mean"]

    def _preview(self) -> None:
        """Keep what the decoder makes of two val pictures, once it is trained at all."""
        if self.progress.phase > 0 and ranks.first():
            self.previews.write(self.global_step, self.recipe.network)

    def _save(self) -> None:
        progress = {**vars(self.progress), "look_alikes": self.feed.places.look_alikes, "guessed": self.feed.guessed}
        if ranks.first():
            states, random = (self.recipe, self.optimizer, self.scheduler), random_states(self.rng)
            save_checkpoint(self.run.checkpoint_path, *states, progress, random)
        ranks.most(0)  # no rank ends while another writes: the launcher would hurry it
        self.reports.say_status()

    def _restore(self, checkpoint: bytes) -> None:
        saved = parse_checkpoint(checkpoint, self.run.checkpoint_path)
        progress = dict(saved["progress"])
        self.feed.places.look_alikes = progress.pop("look_alikes")
        self.feed.guessed = progress.pop("guessed", None)
        self.progress = Progress(**progress)
        self._enter_phase()
        self.recipe.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.scheduler.load_state_dict(saved["scheduler"])
        restore_random_states(saved["rng"], self.rng)
        if ranks.first():
            self.previews.forget_after(self.global_step)
