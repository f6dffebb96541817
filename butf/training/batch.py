"""What a training step is given: pictures, their side modality, and who is whose positive and negative."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from butf.dataset.samples import Samples
from butf.ranks import Share


@dataclass(frozen=True)
class Batch:
    """B augmented pictures with their side modality, and who is whose positive and negative.

    Where several ranks share the work, pictures and sides are this rank's share alone, b of B rows; the masks are of
    all.
    """

    images: Tensor
    """(B, 3, H, W) RGB in 0..1."""
    side: Tensor
    """(B, 1, h, w) encoded to 0..1."""
    valid: Tensor
    """(B, 1, h, w) bool, where the side modality was measured."""
    positives: Tensor
    """(B, B) bool, or (B + E, B + E) where places of the E extra pictures were guessed."""
    negatives: Tensor
    """As `positives`."""
    extra: "Extra | None" = None
    share: Share | None = None
    """Which rows of all B pictures are here; None where all are."""

    @property
    def count(self) -> int:
        """B, the pictures of all ranks."""
        return self.share.count if self.share else len(self.images)

    def parts(self, again: bool = False) -> tuple[int, ...]:
        """How many rows of each kind `with_extra` puts one behind the other, those of all ranks counted."""
        return (self.count,) if self.extra is None else (self.count, *[self.extra.count] * (1 + again))

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the pictures."""
        return self.images.shape[-2], self.images.shape[-1]


@dataclass(frozen=True)
class Extra:
    """E pictures of unseen conditions with their side modality: nobody labelled which place they show."""

    images: Tensor
    """(E, 3, H, W) RGB in 0..1, augmented."""
    side: Tensor
    """(E, 1, h, w) encoded to 0..1."""
    valid: Tensor
    """(E, 1, h, w) bool."""
    again: Tensor
    """(E, 3, H, W), the same pictures augmented in another way."""
    share: Share | None = None
    """As that of a `Batch`."""

    @property
    def count(self) -> int:
        """E, the pictures of all ranks."""
        return self.share.count if self.share else len(self.images)


def with_extra(batch: Batch, again: bool) -> Tensor:
    """The batch's pictures and behind them the extra ones, `(B + E, 3, H, W)`; `again`: those in both their changes.

    All go through the network together, so that batch normalisation learns the statistics of both.
    """
    if batch.extra is None:
        return batch.images
    return torch.cat([batch.images, batch.extra.images, *([batch.extra.again] if again else [])])


def all_sides(batch: Batch) -> tuple[Tensor, Tensor]:
    """Side maps and masks of the batch's pictures and behind them of the extra ones, `(B + E, 1, h, w)` each."""
    parts: list[Batch | Extra] = [batch] if batch.extra is None else [batch, batch.extra]
    return torch.cat([part.side for part in parts]), torch.cat([part.valid for part in parts])


def subsample(batch: Batch | Extra, like: Tensor) -> tuple[Tensor, Tensor]:
    """Side maps and masks at the height and width of `like`, nearest pixels: depths must not mix across an edge."""
    size = like.shape[-2:]
    side = F.interpolate(batch.side, size, mode="nearest-exact")
    return side, F.interpolate(batch.valid.float(), size, mode="nearest-exact") > 0.5


def taken(samples: Samples, rows: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures `(B, 3, H, W)` in 0..1, side maps and their masks `(B, 1, h, w)` of some samples, on the device."""
    images, side, valid = (
        part.to(device, non_blocking=True) for part in samples.gathered(rows, pinned=device.type == "cuda")
    )
    return in_unit(images), side, valid


def in_unit(images: Tensor) -> Tensor:
    """Pictures of bytes as numbers in 0..1."""
    return images.float() / 255
