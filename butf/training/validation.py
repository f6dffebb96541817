"""recall@1 on the val areas while training goes on."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from butf import ranks
from butf.dataset.frames import Frames
from butf.dataset.modalities import Encoding
from butf.dataset.samples import Samples
from butf.networks.description import Network
from butf.retrieval.recall import ranking, recall_at
from butf.training.batch import taken

BATCH = 32
LAUNCHED = 256
"""Pictures a batch on a GPU, which describes them faster than their layers are launched."""
Describer = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Descriptors `(B, D)` of pictures `(B, 3, H, W)` in 0..1 with side maps and masks `(B, 1, h, w)`."""


class Validation:
    """Measures recall@1 of a network on the val split, by condition."""

    def __init__(
        self,
        frames: Frames,
        size: tuple[int, int],
        queries_per_condition: int | None = None,
        encoding: Encoding | None = None,
    ):
        """`size` is the (W, H) of the pictures; of each condition's queries an evenly spaced part may be taken.

        `encoding` is needed for networks that read the measured side modality only.
        """
        self.frames = frames
        present = "val" in frames.splits
        self.database = frames.database("val") if present else np.empty(0, np.int64)
        self.queries = {
            condition: evenly(rows, queries_per_condition)
            for condition, rows in (frames.queries("val") if present else {}).items()
        }
        rows = np.unique(np.concatenate([self.database, *self.queries.values()]))
        self.samples = Samples(frames, rows, size, encoding)

    def recall(self, network: Network) -> dict[str, float]:
        """recall@1 by condition and their `mean`; empty when the data set has no val queries."""
        if not self.queries or not len(self.database):
            return {}
        descriptors = describe_samples(network, self.samples)
        of = {int(frame): row for row, frame in enumerate(self.samples.indices)}
        database = descriptors[[of[int(frame)] for frame in self.database]]
        found: dict[str, float] = {}
        for condition, queries in self.queries.items():
            asked = descriptors[[of[int(frame)] for frame in queries]]
            hits, matched = ranking(self.frames, queries, self.database, asked, database, 1).judge()
            if matched.any():
                found[condition] = round(float(recall_at(hits, matched, 1)), 4)
        if found:
            found["mean"] = round(float(np.mean(list(found.values()))), 4)
        return found


def describe_samples(
    network: Network, samples: Samples, rows: np.ndarray | None = None, part: str = "descriptor"
) -> np.ndarray:
    """One part of the descriptions `(N, D)` float32 of some samples; the network is left in the mode it was in.

    To be called on all ranks: see `describe_by`.
    """

    def describe(images: Tensor, side: Tensor, valid: Tensor) -> Tensor:
        measured = network.reads_side
        described = network.describe_measured(images, side, valid) if measured else network.describe_briefly(images)
        named: Tensor = getattr(described, part)
        return named

    was_training = network.training
    network.eval()
    rows = np.arange(len(samples)) if rows is None else rows
    found = describe_by(describe, samples, rows, next(network.parameters()).device)
    network.train(was_training)
    return found if len(rows) else np.empty((0, network.descriptor_dim), np.float32)


@torch.inference_mode()
def describe_by(describe: Describer, samples: Samples, rows: np.ndarray, device: torch.device) -> np.ndarray:
    """What `describe` makes of some samples, `(N, D)` float32; `(0,)` of none.

    Ranks share the batches and all get the whole; the batches are those of one process, so its numbers are too.
    """
    batch = BATCH if device.type == "cpu" else LAUNCHED
    starts = range(0, len(rows), batch)
    parts = [
        describe(*taken(samples, rows[start : start + batch], device)).float()
        for start in starts[ranks.own(len(starts)).rows]
    ]
    joined = ranks.join(torch.cat(parts) if parts else torch.empty(0, device=device))
    described: np.ndarray = joined.cpu().numpy()
    return described


def evenly(rows: np.ndarray, most: int | None) -> np.ndarray:
    """At most `most` of `rows`, evenly spaced."""
    if most is None or len(rows) <= most:
        return rows
    chosen: np.ndarray = rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
    return chosen
