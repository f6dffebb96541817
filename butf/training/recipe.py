"""The recipe of each method: its training steps, what each step trains, and the losses that it adds up."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from butf.losses import (
    batch_hard_loss,
    bottom_up_loss,
    direction_loss,
    diversification_loss,
    imitation_loss,
    transfer_loss,
)
from butf.networks.colours import colour_ramp
from butf.networks.description import Description, describe_parts
from butf.networks.methods import build_network
from butf.networks.pooling import GeM
from butf.networks.trunk import Trunk, build_trunk
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
    extra: "Extra | None" = None


@dataclass(frozen=True)
class Extra:
    """E pictures of unseen conditions with their side modality: nobody knows which place they show."""

    images: Tensor
    """(E, 3, H, W) RGB in 0..1, augmented."""
    side: Tensor
    """(E, 1, h, w) encoded to 0..1."""
    valid: Tensor
    """(E, 1, h, w) bool."""
    again: Tensor
    """(E, 3, H, W), the same pictures augmented in another way."""


class Recipe(nn.Module):
    """A method in training: the network to deploy and whatever else its training steps need."""

    phases: tuple[str, ...] = ("main",)
    """Names of the training steps, in order. The first is always image-only's: trunk and pooling, triplets."""

    def __init__(self, config: TrainConfig):
        super().__init__()
        self.config = config
        self.network = build_network(config.method, config.trunk)
        imagenet = build_trunk(config.trunk)
        self.imagenet = imagenet if config.sigma_keep and imagenet.pretrained else None
        self.measure_gradients = False
        """Whether the next losses also tell how equations 1 and 2 pull at the trunk, for part of a backward pass."""

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
        early = self.network.trunk.early(with_extra(batch, self.config.extra == "consistency"))
        maps = self.network.trunk.late(early)
        if phase == "main":
            main = self.triplet(self.network.pool(maps[-1]), batch)
            terms = {"loss": main, "main": main}
        else:
            terms = self.later_losses(phase, batch, early, maps)
        if self.imagenet is not None and phase != "depth":
            terms["keep"] = self.drift(early, maps)
            terms["loss"] = terms["loss"] + self.config.sigma_keep * terms["keep"]
        return terms

    def later_losses(self, phase: str, batch: Batch, early: list[Tensor], maps: list[Tensor]) -> dict[str, Tensor]:
        """The terms of a training step after the first, from what the image trunk makes of the batch's pictures."""
        raise RuntimeError(f"{self.config.method} has no training step {phase!r}")

    def drift(self, early: list[Tensor], maps: list[Tensor]) -> Tensor:
        """How far the image trunk's last map went from that of ImageNet's weights on the same pictures."""
        with torch.no_grad():
            start = self.imagenet.late([level.detach() for level in early])
        return direction_loss(maps[-1], start[-1])

    def triplet(self, descriptors: Tensor, batch: Batch) -> Tensor:
        """Equation 1 over the batch's hardest triplets."""
        return batch_hard_loss(
            descriptors, batch.positives, batch.negatives, self.config.margin, self.config.squared_distance
        )

    def add_up(self, description: Description, transfer: Tensor | None, batch: Batch) -> dict[str, Tensor]:
        """Equation 3, its last term left out where there is no `transfer`, and equation 4 where `lambda_div` is set."""
        config = self.config
        terms = {
            "main": self.triplet(description.main, batch),
            "side": self.triplet(description.side, batch),
            "full": self.triplet(F.normalize(description.descriptor, dim=1), batch),
        }
        if transfer is not None:
            terms["transfer"] = transfer
        sigmas = {f"sigma_{name}": getattr(config, f"sigma_{name}") for name in ("side", "full", "transfer")}
        loss = bottom_up_loss(**{"transfer": torch.zeros_like(terms["main"])} | terms, **sigmas)
        if config.lambda_div is not None:
            terms["div"] = diversification_loss(terms["full"], terms["main"], config.lambda_div)
            loss = loss + terms["div"]
        return {"loss": loss, **terms}


class ImageOnlyRecipe(Recipe):
    """One training step."""


class ImageOnlyWideRecipe(Recipe):
    """BU-TF's two training steps without a side modality: the control of its size and of its length.

    It may see the pictures of unseen conditions that `bu-tf-adapted` sees, without their depth: for the statistics of
    batch normalisation only, or so that two changes of one picture are described alike (`extra` of the configuration).
    """

    phases = ("main", "wide")

    def later_losses(self, phase: str, batch: Batch, early: list[Tensor], maps: list[Tensor]) -> dict[str, Tensor]:
        description, count = self.network.describe_maps(maps), len(batch.images)
        terms = self.add_up(first(description, count), None, batch)
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


class BottomUpTransferRecipe(Recipe):
    """Two training steps: the image trunk alone, then trunk and decoder together under equation 3.

    The transfer loss reaches the trunk: with its gradient cut there, as in the follow-up papers, depth taught the
    trunk nothing. See docs/method.md.
    """

    phases = ("main", "transfer")

    def later_losses(self, phase: str, batch: Batch, early: list[Tensor], maps: list[Tensor]) -> dict[str, Tensor]:
        count = len(batch.images)
        description = self.network.describe_maps(maps, batch.images.shape[-2:], self.towards_decoder(maps, count))
        decoded = description.side_map
        transfer = transfer_loss(decoded[:count], *subsample(batch, decoded))
        terms = self.add_up(first(description, count), transfer, batch)
        if batch.extra is not None:
            terms["extra"] = transfer_loss(decoded[count:], *subsample(batch.extra, decoded))
            terms["loss"] = terms["loss"] + self.config.sigma_transfer * terms["extra"]
        if self.measure_gradients:
            terms |= self.pulls(terms, maps[-1])
        return terms

    def pulls(self, terms: dict[str, Tensor], features: Tensor) -> dict[str, Tensor]:
        """How triplets and transfer pull at the trunk's last map, where they meet: both gradients' norms, their cosine.

        A cosine below zero means that they fight.
        """
        transfer = self.config.sigma_transfer * (terms["transfer"] + terms.get("extra", 0.0))
        triplets = terms["main"] + self.config.sigma_side * terms["side"] + self.config.sigma_full * terms["full"]
        pulls = [
            torch.autograd.grad(loss, features, retain_graph=True, materialize_grads=True)[0].flatten()
            for loss in (triplets, transfer)
        ]
        return {
            "gradient_triplets": pulls[0].norm(),
            "gradient_transfer": pulls[1].norm(),
            "gradient_cosine": F.cosine_similarity(*pulls, dim=0),
        }

    def towards_decoder(self, maps: list[Tensor], count: int) -> list[Tensor]:
        """The trunk's maps as the decoder reads them: their gradients scaled by `decoder_reach` and `extra_reach`."""
        share = maps[-1].new_full((len(maps[-1]), 1, 1, 1), self.config.decoder_reach)
        share[count:] = self.config.extra_reach
        return [level * share + level.detach() * (1 - share) for level in maps]


class ReencodeRecipe(Recipe):
    """Two training steps: the image trunk alone, then the decoder under L1 and both trunks under triplets."""

    phases = ("main", "transfer")

    def later_losses(self, phase: str, batch: Batch, early: list[Tensor], maps: list[Tensor]) -> dict[str, Tensor]:
        description = self.network.describe_maps(maps, batch.images.shape[-2:])
        return self.add_up(
            description, transfer_loss(description.side_map, *subsample(batch, description.side_map)), batch
        )


class RGBDRecipe(Recipe):
    """Two training steps: the image trunk alone, then both trunks under triplets."""

    phases = ("main", "rgbd")

    def later_losses(self, phase: str, batch: Batch, early: list[Tensor], maps: list[Tensor]) -> dict[str, Tensor]:
        main = self.network.pool(maps[-1])
        side = self.network.side(batch.side, batch.valid, batch.images.shape[-2:])
        return self.add_up(describe_parts(main, side), None, batch)


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
        if phase != "depth":
            return super().losses(phase, batch)
        side = self.triplet(self.depth_pool(self.depth_features(batch)), batch)
        return {"loss": side, "side": side}

    def later_losses(self, phase: str, batch: Batch, early: list[Tensor], maps: list[Tensor]) -> dict[str, Tensor]:
        with torch.no_grad():
            depth = self.depth_features(batch)
        # Both trunks kept the same first stages.
        hallucinated = self.network.side_trunk.late(early)[-1]
        description = describe_parts(self.network.pool(maps[-1]), self.network.side_pool(hallucinated))
        return self.add_up(description, imitation_loss(hallucinated, depth), batch)

    def depth_features(self, batch: Batch) -> Tensor:
        """The depth network's features of the true side modality, which it is fed as a picture of three channels."""
        picture = colour_ramp(batch.side, batch.valid)
        size = batch.images.shape[-2:]
        return self.depth_trunk(F.interpolate(picture, size, mode="bilinear", align_corners=False))[-1]


RECIPES: dict[str, type[Recipe]] = {
    "image-only": ImageOnlyRecipe,
    "image-only-wide": ImageOnlyWideRecipe,
    "hallucination": HallucinationRecipe,
    "bu-tf": BottomUpTransferRecipe,
    "bu-tf-adapted": BottomUpTransferRecipe,
    "bu-tf-reencode": ReencodeRecipe,
    "rgbd": RGBDRecipe,
}


def build_recipe(config: TrainConfig) -> Recipe:
    """The recipe of a configuration, its trunks at their ImageNet weights."""
    return RECIPES[config.method](config)


def with_extra(batch: Batch, again: bool) -> Tensor:
    """The batch's pictures and behind them the extra ones, `(B + E, 3, H, W)`; `again`: those in both their changes.

    All go through the network together, so that batch normalisation learns the statistics of both.
    """
    if batch.extra is None:
        return batch.images
    return torch.cat([batch.images, batch.extra.images, *([batch.extra.again] if again else [])])


def first(description: Description, count: int) -> Description:
    """The description of the first `count` pictures."""
    return Description(*(None if part is None else part[:count] for part in description))


def subsample(batch: Batch | Extra, like: Tensor) -> tuple[Tensor, Tensor]:
    """Side maps and masks at the height and width of `like`, nearest pixels: depths must not mix across an edge."""
    size = like.shape[-2:]
    side = F.interpolate(batch.side, size, mode="nearest-exact")
    return side, F.interpolate(batch.valid.float(), size, mode="nearest-exact") > 0.5
