"""What a recipe is: a method's training steps, what each trains, and the losses it adds up; those without a side."""

import math
from dataclasses import replace
from functools import cached_property, partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from butf import ranks
from butf.losses import (
    all_pairs_loss,
    all_triplets_loss,
    batch_hard_loss,
    bottom_up_loss,
    direction_loss,
    diversification_loss,
    hardest_pairs_loss,
)
from butf.networks.description import Description
from butf.networks.image_only_wide import ImageOnlyWide
from butf.networks.methods import build_network
from butf.networks.trunk import Maps, Trunk, build_trunk
from butf.networks.unchanging import Unchanging
from butf.training.batch import Batch, with_extra
from butf.training.config import TrainConfig


class Recipe(nn.Module):
    """A method in training: the network to deploy and whatever else its training steps need."""

    phases: tuple[str, ...] = ("main",)
    """Names of the training steps, in order. The first is always image-only's: trunk and pooling, triplets."""

    def __init__(self, config: TrainConfig, outputs: int = 1):
        """`outputs`: numbers that a decoder reconstructs for a pixel (`Encoding.channels`)."""
        super().__init__()
        self.config = config
        # Whitening is learnt when all else is (`butf.training.whitening`).
        self.aggregation = replace(config.aggregation, whiten=None)
        self.network = build_network(config.method, config.trunk, outputs=outputs, aggregation=self.aggregation)
        imagenet = build_trunk(config.trunk)
        self.imagenet = imagenet if config.sigma_keep and imagenet.pretrained else None
        self.progress = 0.0
        """The share of the present training step that is done, 0 to 1."""
        self.measure_gradients = False
        """Whether the next losses also tell how equations 1 and 2 pull at the trunk, for part of a backward pass."""

    @cached_property
    def kept(self) -> Unchanging:
        """The image trunk for its kept stages alone.

        Made when first asked for, once the weights to start from are there; no part of the recipe's own weights.
        """
        return Unchanging(self.network.trunk)

    @cached_property
    def start(self) -> Unchanging:
        """ImageNet's trunk, likewise."""
        assert self.imagenet is not None
        return Unchanging(self.imagenet)

    def keep_early_stages(self) -> None:
        """Keep the first stages of all trunks as they are."""
        for module in self.modules():
            if isinstance(module, Trunk):
                module.keep_stages(self.config.kept_stages)

    def begin(self, phase: str) -> None:
        """Prepare the modules for a training step; called once, when the step starts."""

    def trained(self, phase: str) -> list[nn.Module]:
        """The modules whose parameters a training step changes, but for the trunks' kept stages."""
        return [self.network.trunk, self.network.pool] if phase == "main" else [self.network]

    def losses(self, phase: str, batch: Batch) -> dict[str, Tensor]:
        """The loss terms of a batch by name; `loss` is the one to descend."""
        early = self.kept.early(with_extra(batch, self.again))
        maps = self.network.trunk.late(early)
        if phase == "main":
            main = self.triplet(self.gathered(self.network.pool(maps[-1]), batch), batch)
            terms = {"loss": main, "main": main}
        else:
            terms = self.later_losses(phase, batch, early, maps)
        if self.imagenet is not None and phase != "depth":
            terms["keep"] = self.drift(early, maps[-1])
            terms["loss"] = terms["loss"] + self.config.sigma_keep * terms["keep"]
        return terms

    def later_losses(self, phase: str, batch: Batch, early: Maps, maps: list[Tensor]) -> dict[str, Tensor]:
        """The terms of a training step after the first, from what the image trunk makes of the batch's pictures."""
        raise RuntimeError(f"{self.config.method} has no training step {phase!r}")

    @property
    def again(self) -> bool:
        """Whether extra pictures go through the network in both their changes."""
        return self.config.extra == "consistency"

    def gathered(self, rows: Tensor, batch: Batch) -> Tensor:
        """What the networks of all ranks made of the batch's pictures and the extra ones, from this rank's rows.

        Losses that compare pictures so see those of all ranks; the others are means over each rank's own.
        """
        return ranks.gather(rows, batch.parts(self.again))

    def gathered_parts(self, description: Description, batch: Batch) -> Description:
        """`gathered` for the descriptors of a description; it has no side map then."""
        descriptors = description._replace(side_map=None)
        return Description._make(None if part is None else self.gathered(part, batch) for part in descriptors)

    @property
    def guesses(self) -> bool:
        """Whether places of extra pictures are guessed in the training steps after the first."""
        return False

    def guide(self, images: Tensor, side: Tensor, valid: Tensor) -> Tensor:
        """The descriptors `(B, D)` by which they are guessed."""
        raise RuntimeError(f"{self.config.method} guesses no places")

    @property
    def transfer_weight(self) -> float:
        """What `sigma_transfer` is multiplied by at this moment; over a training step its mean is near 1."""
        if self.config.transfer_schedule == "rising":
            return min(1.0, 4 * self.progress)
        return 1 + math.cos(math.pi * self.progress) if self.config.transfer_schedule == "falling" else 1.0

    def drift(self, early: Maps, features: Tensor) -> Tensor:
        """How far a trunk's last map went from that of ImageNet's weights on the same pictures."""
        return ranks.mean(direction_loss(features, self.start.last(early)), len(features))

    def triplet(self, descriptors: Tensor, batch: Batch) -> Tensor:
        """Equation 1 over the batch's pictures: their hardest triplets, or as `mining` has it.

        With `loss` contrastive it is that of pairs in its place, over the same pictures: the pairs of these triplets.

        Extra pictures whose places were guessed are anchors too, behind the others in `descriptors` `(B + E, D)`. What
        they should be like and unlike is taken as it is: they come to the labelled pictures, not these to them.
        """
        count, config = batch.count, self.config
        hardest = partial(batch_hard_loss, margin=config.margin, squared=config.squared_distance)
        every = partial(all_triplets_loss, margin=config.margin, squared=config.squared_distance)
        if config.loss == "contrastive":
            hardest, every = partial(hardest_pairs_loss, tau=config.tau), partial(all_pairs_loss, tau=config.tau)
        labelled, guessed = descriptors[:count], descriptors[count:]
        known = batch.positives[:count, :count], batch.negatives[:count, :count]
        if config.mining == "tuples":
            return every(labelled, *known)
        loss = hardest(labelled, *known)
        if not len(guessed):
            return loss
        pairs = (part[count:, :count] for part in (batch.positives, batch.negatives))
        return loss + hardest(guessed, *pairs, others=labelled.detach())

    def add_up(self, description: Description, transfer: Tensor | None, batch: Batch) -> dict[str, Tensor]:
        """Equation 3, its last term left out where there is no `transfer`, and equation 4 where `lambda_div` is set."""
        config = self.config
        assert description.side is not None
        terms = {
            "main": self.triplet(description.main, batch),
            "side": self.triplet(description.side, batch),
            "full": self.triplet(F.normalize(description.descriptor, dim=1), batch),
        }
        if transfer is not None:
            terms["transfer"] = transfer
        sigmas = config.sigma_side, config.sigma_full, config.sigma_transfer * self.transfer_weight
        nothing = torch.zeros_like(terms["main"])
        loss = bottom_up_loss(terms["main"], terms["side"], terms["full"], terms.get("transfer", nothing), *sigmas)
        if config.lambda_div is not None:
            terms["div"] = diversification_loss(terms["full"], terms["main"], config.lambda_div)
            loss = loss + terms["div"]
        return {"loss": loss, **terms}


class ImageOnlyRecipe(Recipe):
    """One training step."""


class ImageOnlyWideRecipe(Recipe):
    """BU-TF's two training steps without a side modality: the control of its size and of its length.

    It may see the pictures of unseen conditions that `bu-tf-adapted` sees, without their depth (`extra` of the
    configuration): for the statistics of batch normalisation only, so that two changes of one picture are described
    alike, or with places guessed by its own descriptors.
    """

    phases = ("main", "wide")
    network: ImageOnlyWide

    @property
    def guesses(self) -> bool:
        return self.config.extra == "guesses"

    def guide(self, images: Tensor, side: Tensor, valid: Tensor) -> Tensor:
        return F.normalize(self.network.describe(images).descriptor, dim=1)

    def later_losses(self, phase: str, batch: Batch, early: Maps, maps: list[Tensor]) -> dict[str, Tensor]:
        description, count = self.gathered_parts(self.network.describe_maps(maps), batch), batch.count
        terms = self.add_up(first(description, len(batch.positives)), None, batch)
        if self.config.extra == "consistency":
            terms["consistency"] = self.consistency(description.descriptor[count:])
            terms["loss"] = terms["loss"] + terms["consistency"]
        return terms

    def consistency(self, descriptors: Tensor) -> Tensor:
        """Equation 1 on two changes of each of E pictures, `(2 E, D)`: its other change is its only positive."""
        itself = torch.eye(len(descriptors), dtype=torch.bool, device=descriptors.device)
        same = itself | itself.roll(len(descriptors) // 2, dims=1)
        return batch_hard_loss(
            F.normalize(descriptors, dim=1), same & ~itself, ~same, self.config.margin, self.config.squared_distance
        )


def first(description: Description, count: int) -> Description:
    """The description of the first `count` pictures."""
    return Description._make(None if part is None else part[:count] for part in description)
