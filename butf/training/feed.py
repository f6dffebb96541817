"""The feed of a training run: its pictures, decoded once, drawn and changed batch by batch."""

import math
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from butf import ranks
from butf.dataset.frames import Frames
from butf.dataset.modalities import Encoding
from butf.dataset.samples import Samples
from butf.device import sent
from butf.errors import BadInput
from butf.networks import zoo
from butf.networks.description import Network
from butf.ranks import Share
from butf.training.augmentation import Changes, changed
from butf.training.batch import Batch, Extra, in_unit
from butf.training.config import TrainConfig
from butf.training.guesses import UNKNOWN, guess_places
from butf.training.mining import PlaceBatches
from butf.training.replay import Replayed
from butf.training.tuples import LENGTH, TupleBatches, tuples_of
from butf.training.validation import Describer, describe_by, describe_samples, evenly

SIDELESS = ("image-only", "image-only-wide")
LABELLED = 3000
"""Most labelled pictures among which the places of others are guessed."""


class Feed:
    """The train areas of a data set as one configuration sees them."""

    def __init__(self, frames: Frames, config: TrainConfig, encoding: Encoding, decoded: dict[object, Samples]) -> None:
        """`decoded` keeps pictures for the next run of the process. BadInput where the data are not what is needed."""
        self.frames, self.config, self.encoding = frames, config, encoding
        self._decoded = decoded
        rows = self._labelled_rows()
        self.size = zoo.network_size(*frames.image(int(rows[0])).size, config.image_area)
        needs_side = config.method not in SIDELESS
        if needs_side and frames.modality_path(int(rows[0]), config.modality) is None:
            raise BadInput(
                f"{frames.root} has no {config.modality} for frame {frames.frame[rows[0]]}; "
                f"{config.method} learns from it, image-only does not need it"
            )
        read = encoding if needs_side else None
        self.samples = self._samples(rows, read)
        self.extra = self._samples(self._extra_rows(), read) if config.sees_extra else None
        self.row_of = {int(frame): row for row, frame in enumerate(rows)}
        self.places = PlaceBatches(frames, rows, config)
        pictures = config.places * config.views
        self.tuples = TupleBatches(self.places.geometry, rows, pictures) if config.mining == "tuples" else None
        self.guessed: Tensor | None = None
        """(E,) the labelled frame at whose place an extra picture seems to be taken, or UNKNOWN (see checkpoints)."""

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions whose place labels are used."""
        return tuple(sorted(set(self.frames.condition[self.places.indices].tolist())))

    def batch(self, rng: np.random.Generator, device: torch.device, with_extra: bool) -> Batch:
        """The next batch, on `device`; with pictures of unseen conditions where asked and where the run sees some."""
        frames = self.places.draw(rng)
        share = ranks.own(len(frames))
        images, side, valid = self._changed(self.samples, self._rows(frames[share.rows]), share, device)
        if not with_extra or self.extra is None:
            positives, negatives = sent(torch.stack(self.places.pairs(frames)), device)
            return Batch(images, side, valid, positives, negatives, share=share)
        rows = self._draw_extra(self.extra, frames, rng)
        guessed = None if self.guessed is None else self.guessed[rows].numpy()
        positives, negatives = sent(torch.stack(self.places.pairs(frames, guessed)), device)
        return Batch(images, side, valid, positives, negatives, self._changed_extra(self.extra, rows, device), share)

    def seek_look_alikes(self, network: Network, part: str, rng: np.random.Generator) -> None:
        """Seek anew the places that look alike to the present network: the hard negatives of the next batches."""
        frames = self.places.searched(rng)
        self.places.find_look_alikes(frames, describe_samples(network, self.samples, self._rows(frames), part))

    def guess_places(self, guide: Describer, device: torch.device) -> float:
        """Guess anew where the extra pictures were taken, by descriptors of `guide`; the surest guesses are used.

        Returns the share of these that are right, which training does not know: it is for the log.
        """
        assert self.extra is not None
        rows = evenly(np.arange(len(self.samples)), LABELLED)
        frames, position = self.samples.indices[rows], self.places.geometry.position
        guessed = guess_places(
            describe_by(guide, self.extra, np.arange(len(self.extra)), device),
            describe_by(guide, self.samples, rows, device),
            position[frames],
            self.frames.traversal[self.extra.indices],
            self.places.geometry.negative_m,
            self.config.guess_share,
        )
        told = guessed != UNKNOWN
        self.guessed = torch.from_numpy(np.where(told, frames[guessed], UNKNOWN))
        metres = np.linalg.norm(position[self.extra.indices[told]] - position[frames[guessed[told]]], axis=1)
        return float((metres <= self.frames.place.radius_m).mean())

    def tuple_batch(self, rng: np.random.Generator, device: torch.device, network: Network, part: str) -> Batch:
        """The next batch of tuples, their hardest members found by one part of the network's descriptions."""

        def describe(frames: np.ndarray) -> np.ndarray:
            return describe_samples(network, self.samples, self._rows(frames), part)

        assert self.tuples is not None
        rows = self._rows(self.tuples.draw(rng, describe))
        share = ranks.own(len(rows))
        images, side, valid = self._changed(self.samples, rows[share.rows], share, device)
        positives, negatives = sent(torch.stack(self.tuples.pairs()), device)
        return Batch(images, side, valid, positives, negatives, share=share)

    def _rows(self, frames: np.ndarray) -> np.ndarray:
        return np.array([self.row_of[int(frame)] for frame in frames])

    def _draw_extra(self, extra: Samples, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Rows of `extra`, evenly by condition: those guessed to show the batch's places, where places are guessed."""
        conditions, wanted = self.frames.condition[extra.indices], self.config.extra_pictures
        fitting = np.zeros(len(conditions), bool)
        if self.guessed is not None:
            told = np.flatnonzero(self.guessed.numpy() != UNKNOWN)
            fitting[told] = self.places.geometry.near(self.guessed.numpy()[told], frames).any(axis=1)
        drawn: list[np.ndarray] = []
        for rows in (np.flatnonzero(fitting), np.flatnonzero(~fitting)):
            drawn.append(rows[evenly_drawn(conditions[rows], wanted - sum(map(len, drawn)), rng)])
        return np.concatenate(drawn)

    def _changed_extra(self, extra: Samples, rows: np.ndarray, device: torch.device) -> Extra:
        share = ranks.own(len(rows))
        again, _, _ = self._changed(extra, rows[share.rows], share, device)
        return Extra(*self._changed(extra, rows[share.rows], share, device), again, share)

    def _changed(
        self, samples: Samples, rows: np.ndarray, share: Share, device: torch.device
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rows of `samples`, a share of a batch, changed: pictures, side maps and masks.

        Changes are drawn for the whole batch, so that each picture is changed alike whoever has it.
        """
        on_gpu = device.type == "cuda"
        pictures = samples.gathered(rows, pinned=on_gpu)
        changes = Changes.drawn(share.count, 3 * math.prod(self.size)).of(share)
        if not on_gpu:
            return _bytes_changed(*pictures, *changes)
        images, side, valid = self._replayed(*pictures, *(part.pin_memory() for part in changes))
        return images, side, valid

    @cached_property
    def _replayed(self) -> Replayed:
        return Replayed(_bytes_changed)

    def _labelled_rows(self) -> np.ndarray:
        frames = self.frames
        usable = [name for name in frames.conditions if frames.seen(name)]
        rows = frames.where(split="train")
        rows = rows[np.isin(frames.condition[rows], usable)]
        if len(rows) < self.config.places:
            raise BadInput(
                f"{frames.root} has {len(rows)} frames to train on; expected at least {self.config.places}, "
                "with split train and a condition whose labels may be used"
            )
        return rows

    def _extra_rows(self) -> np.ndarray:
        """Pictures of train areas in conditions whose place labels training may not use."""
        frames = self.frames
        rows = frames.where(split="train")
        rows = rows[[not frames.seen(name) for name in frames.condition[rows]]]
        if not len(rows):
            raise BadInput(
                f"{frames.root} has no frame of split train in an unseen condition (labels false in dataset.json); "
                f"{self.config.method} with extra {self.config.extra!r} needs some, say of night"
            )
        return rows

    def _samples(self, rows: np.ndarray, encoding: Encoding | None) -> Samples:
        key = (self.frames.root, rows.tobytes(), self.size, encoding, self.config.modality)
        return self._decoded.setdefault(key, Samples(self.frames, rows, self.size, encoding, self.config.modality))


def _bytes_changed(images: Tensor, *others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return changed(in_unit(images), *others)


def pictures_in_batch(config: TrainConfig) -> int:
    """How many labelled pictures meet in a batch."""
    pictures = config.places * config.views
    return LENGTH * tuples_of(pictures) if config.mining == "tuples" else pictures


def evenly_drawn(conditions: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """At most `count` of the rows `(N,)`, no row twice, as many of each condition as there are."""
    order = rng.permutation(len(conditions))
    turn = np.empty(len(order), np.int64)
    for condition in np.unique(conditions):
        own = np.flatnonzero(conditions[order] == condition)
        turn[own] = np.arange(len(own))
    # Whose turn it is first is drawn too, so that a remainder favours none.
    return order[np.argsort(turn, kind="stable")][:count]
