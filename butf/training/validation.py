"""recall@1 on the val areas while training goes on."""

import numpy as np
import torch

from butf.dataset.frames import Frames
from butf.dataset.modalities import Encoding
from butf.dataset.samples import Samples
from butf.networks.description import Network
from butf.retrieval.recall import ranking, recall_at

BATCH = 32
_TENSORS = ("image", "side", "valid")


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


@torch.inference_mode()
def describe_samples(
    network: Network, samples: Samples, rows: np.ndarray | None = None, part: str = "descriptor"
) -> np.ndarray:
    """One part of the descriptions `(N, D)` float32 of some samples; the network is left in the mode it was in."""
    was_training, device = network.training, next(network.parameters()).device
    network.eval()
    rows = np.arange(len(samples)) if rows is None else rows
    parts = []
    for start in range(0, len(rows), BATCH):
        chosen = [samples[int(row)] for row in rows[start : start + BATCH]]
        images, side, valid = (torch.stack([item[key] for item in chosen]).to(device) for key in _TENSORS)
        pictures = images.float() / 255
        description = network.describe_measured(pictures, side, valid) if network.reads_side else network(pictures)
        parts.append(getattr(description, part).float().cpu().numpy())
    network.train(was_training)
    return np.concatenate(parts) if parts else np.empty((0, network.descriptor_dim), np.float32)


def evenly(rows: np.ndarray, most: int | None) -> np.ndarray:
    """At most `most` of `rows`, evenly spaced."""
    if most is None or len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
