"""The recipe of each method: its training steps, what each step trains, and the losses that it adds up."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from butf.losses import batch_hard_loss, bottom_up_loss, diversification_loss, imitation_loss, transfer_loss
from butf.networks.description import Description
from butf.networks.methods import build_network
from butf.networks.pooling import GeM
from butf.networks.trunk import build_trunk
from butf.training.config import TrainConfig


@dataclass(frozen=True)
class Batch:
    """B augmented pictures with their side modality, and who is whose positive and negative."""

    images: Tensor
    """(B, 3, H, W) RGB in 0..1."""
    side: Tensor
    """(B, 1, h, w) encoded to 0..1."""
    valid: Tensor
    """(B, 1, h, w) bool, where the side modality was measured."""
    positives: Tensor
    """(B, B) bool."""
    negatives: Tensor
    """(B, B) bool."""


class Recipe(nn.Module):
    """A method in training: the network to deploy and whatever else its training steps need."""

    phases: tuple[str, ...] = ("main",)
    """Names of the training steps, in order. The first is always image-only's: trunk and pooling, triplets."""

    def __init__(self, config: TrainConfig):
        super().__init__()
        self.config = config
        self.network = build_network(config.method, config.trunk)

    def begin(self, phase: str) -> None:
        """Prepare the modules for a training step; called once, when the step starts."""

    def trained(self, phase: str) -> list[nn.Module]:
        """The modules whose parameters a training step changes."""
        return [self.network.trunk, self.network.pool] if phase == "main" else [self.network]

    def losses(self, phase: str, batch: Batch) -> dict[str, Tensor]:
        """The loss terms of a batch by name; `loss` is the one to descend."""
        main = self.triplet(self.network.pool(self.network.trunk(batch.images)[-1]), batch)
        return {"loss": main, "main": main}

    def triplet(self, descriptors: Tensor, batch: Batch) -> Tensor:
        """Equation 1 over the batch's hardest triplets."""
        return batch_hard_loss(
            descriptors, batch.positives, batch.negatives, self.config.margin, self.config.squared_distance
        )

    def add_up(self, description: Description, transfer: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Equation 3, and equation 4 where `lambda_div` is set."""
        config = self.config
        terms = {
            "main": self.triplet(description.main, batch),
            "side": self.triplet(description.side, batch),
            "full": self.triplet(F.normalize(description.descriptor, dim=1), batch),
            "transfer": transfer,
        }
        loss = bottom_up_loss(
            **terms, sigma_side=config.sigma_side, sigma_full=config.sigma_full, sigma_transfer=config.sigma_transfer
        )
        if config.lambda_div is not None:
            terms["div"] = diversification_loss(terms["full"], terms["main"], config.lambda_div)
            loss = loss + terms["div"]
        return {"loss": loss, **terms}


class ImageOnlyRecipe(Recipe):
    """One training step."""


class BottomUpTransferRecipe(Recipe):
    """Two training steps: the image trunk alone, then trunk and decoder together under equation 3.

    The transfer loss reaches the trunk: with its gradient cut there, as in the follow-up papers, depth taught the
    trunk nothing. See docs/method.md.
    """

    phases = ("main", "transfer")

    def losses(self, phase: str, batch: Batch) -> dict[str, Tensor]:
        if phase == "main":
            return super().losses(phase, batch)
        description = self.network.describe(batch.images)
        side, valid = subsample(batch, description.side_map.shape[-2:])
        return self.add_up(description, transfer_loss(description.side_map, side, valid), batch)


class HallucinationRecipe(Recipe):
    """Three training steps: the image trunk, a depth network, and the hallucination of the depth network's features.

    The hallucination trunk starts from the depth network (Hoffman 2016), which stays frozen in the last step.
    """

    phases = ("main", "depth", "joint")

    def __init__(self, config: TrainConfig):
        super().__init__(config)
        self.depth_trunk = build_trunk(config.trunk)
        self.depth_pool = GeM()

    def begin(self, phase: str) -> None:
        if phase == "joint":
            self.network.side_trunk.load_state_dict(self.depth_trunk.state_dict())
            self.network.side_pool.load_state_dict(self.depth_pool.state_dict())

    def trained(self, phase: str) -> list[nn.Module]:
        return [self.depth_trunk, self.depth_pool] if phase == "depth" else super().trained(phase)

    def losses(self, phase: str, batch: Batch) -> dict[str, Tensor]:
        if phase == "main":
            return super().losses(phase, batch)
        if phase == "depth":
            side = self.triplet(self.depth_pool(self.depth_features(batch)), batch)
            return {"loss": side, "side": side}
        with torch.no_grad():
            depth = self.depth_features(batch)
        description, hallucinated = self.network.describe_features(batch.images)
        return self.add_up(description, imitation_loss(hallucinated, depth), batch)

    def depth_features(self, batch: Batch) -> Tensor:
        """The depth network's features of the true side modality, which it is fed as a picture of three channels."""
        picture = colour_ramp(batch.side, batch.valid)
        size = batch.images.shape[-2:]
        return self.depth_trunk(F.interpolate(picture, size, mode="bilinear", align_corners=False))[-1]


RECIPES: dict[str, type[Recipe]] = {
    "image-only": ImageOnlyRecipe,
    "hallucination": HallucinationRecipe,
    "bu-tf": BottomUpTransferRecipe,
}


def build_recipe(config: TrainConfig) -> Recipe:
    """The recipe of a configuration, its trunks at their ImageNet weights."""
    return RECIPES[config.method](config)


def subsample(batch: Batch, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The batch's side maps and masks at `size` (h, w), nearest pixels: depths must not mix across an edge."""
    side = F.interpolate(batch.side, size, mode="nearest-exact")
    return side, F.interpolate(batch.valid.float(), size, mode="nearest-exact") > 0.5


def colour_ramp(side: Tensor, valid: Tensor) -> Tensor:
    """A side map `(B, 1, h, w)` in 0..1 as a picture `(B, 3, h, w)`: blue to green to red, black where unmeasured.

    An ImageNet trunk takes three channels; hallucination needs this encoding of the side modality, BU-TF does not.
    """
    red, green, blue = (1.5 - (4 * side - peak).abs() for peak in (3, 2, 1))
    return torch.cat([red, green, blue], dim=1).clamp(0, 1) * valid
