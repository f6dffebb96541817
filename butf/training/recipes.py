"""The recipes of the methods that learn from a side modality, and the list of all."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from butf import ranks
from butf.losses import class_loss, imitation_loss, matching_loss, transfer_loss
from butf.networks.bu_tf import SIDE_DIM, BottomUpTransfer, weighed
from butf.networks.colours import colour_ramp
from butf.networks.description import Description, describe_parts
from butf.networks.hallucination import Hallucination
from butf.networks.measured import MeasuredDescriber
from butf.networks.reencode import Reencoder
from butf.networks.rgbd import RGBD
from butf.networks.trunk import Maps, build_trunk
from butf.training.batch import Batch, Extra, all_sides, subsample
from butf.training.config import TrainConfig
from butf.training.recipe import ImageOnlyRecipe, ImageOnlyWideRecipe, Recipe, first

IMITATION = 0.1
"""Makes the imitation loss about as large as that of equation 2, so that one `sigma_transfer` serves both."""

MOST_GAIN = 100.0
"""Holds the balanced weight where reconstruction pulls at nothing, at the end or with the decoder detached."""


class BottomUpTransferRecipe(Recipe):
    """Two training steps: the image trunk alone, then trunk and decoder together under equation 3.

    The transfer loss reaches the trunk: with its gradient cut there, as in the follow-up papers, depth taught the
    trunk nothing.

    bu-tf-adapted also sees pictures of unseen conditions with their side modality, whose places nobody knows. A small
    describer of the *measured* side modality then learns places beside it, from nothing, and guesses where they were
    taken; side descriptors learn to agree with its own. It is not deployed. See docs/method.md.
    """

    phases = ("main", "transfer")
    network: BottomUpTransfer

    def __init__(self, config: TrainConfig, outputs: int = 1):
        super().__init__(config, outputs)
        told = config.sees_extra and (config.sigma_match > 0 or self.guesses)
        self.measured = MeasuredDescriber(SIDE_DIM) if told else None

    def trained(self, phase: str) -> list[nn.Module]:
        own = super().trained(phase)
        return own if phase == "main" or self.measured is None else [*own, self.measured]

    def later_losses(self, phase: str, batch: Batch, early: Maps, maps: list[Tensor]) -> dict[str, Tensor]:
        own = len(batch.images)
        main, side, decoded = self.network.parts(maps, self.towards_decoder(maps, own), batch.size)
        main, side = self.gathered(main, batch), self.gathered(side, batch)
        full = torch.cat([main, weighed(side, self.config.side_share if self.config.sees_extra else 1.0)], dim=1)
        transfer = reconstruction_loss(decoded[:own], batch)
        terms = self.add_up(first(Description(full, main, side), len(batch.positives)), transfer, batch)
        if batch.extra is not None:
            terms["extra"] = reconstruction_loss(decoded[own:], batch.extra)
            terms["loss"] = terms["loss"] + self.config.sigma_transfer * self.transfer_weight * terms["extra"]
        if self.measured is not None:
            terms |= self.matched(side, batch)
            match = terms.get("match", 0.0) + terms.get("match_extra", 0.0)
            terms["loss"] = terms["loss"] + terms["measured"] + self.config.sigma_match * match
        balanced = self.config.transfer_schedule == "balanced"
        if self.measure_gradients or balanced:
            pulls = self.pulls(terms, maps[-1], batch.parts(self.again))
            terms |= pulls if self.measure_gradients else {}
            if balanced:
                gain = (pulls["gradient_triplets"] / pulls["gradient_transfer"].clamp_min(1e-9)).clamp_max(MOST_GAIN)
                terms["loss"] = terms["loss"] + (gain - 1) * self.transfer_part(terms)
        return terms

    def transfer_part(self, terms: dict[str, Tensor]) -> Tensor:
        """What reconstruction adds to the loss, extra pictures included."""
        return self.config.sigma_transfer * self.transfer_weight * (terms["transfer"] + terms.get("extra", 0.0))

    @property
    def guesses(self) -> bool:
        return self.config.sees_extra and self.config.guess_share > 0

    def guide(self, images: Tensor, side: Tensor, valid: Tensor) -> Tensor:
        return self.by_measured(side, valid)

    def by_measured(self, side: Tensor, valid: Tensor) -> Tensor:
        """What the describer of the measured side makes of maps and masks `(B, 1, h, w)`; only where there is one."""
        assert self.measured is not None
        described: Tensor = self.measured(side, valid)
        return described

    def matched(self, side: Tensor, batch: Batch) -> dict[str, Tensor]:
        """How the describer of the measured side finds places, and side descriptors `(B + E, D)` its descriptors.

        An extra picture has one positive, its own measured side; those of all other pictures are its negatives.
        """
        count = batch.count
        measured = self.gathered(self.by_measured(*all_sides(batch)), batch)
        target, itself = measured.detach(), torch.eye(len(measured), dtype=torch.bool, device=measured.device)
        positives, negatives = (pairs[:count, :count] for pairs in (batch.positives, batch.negatives))
        terms = {"measured": matching_loss(measured[:count], measured[:count], positives, negatives)}
        if not self.config.sigma_match:
            return terms
        terms["match"] = matching_loss(side[:count], target[:count], positives | itself[:count, :count], negatives)
        if batch.extra is not None:
            terms["match_extra"] = matching_loss(side[count:], target, itself[count:], ~itself[count:])
        return terms

    def pulls(self, terms: dict[str, Tensor], features: Tensor, parts: tuple[int, ...] = ()) -> dict[str, Tensor]:
        """How triplets and transfer pull at the trunk's last map, where they meet: both gradients' norms, their cosine.

        A cosine below zero means that they fight. `features` are this rank's share of rows in these `parts`.
        """
        transfer = self.transfer_part(terms)
        triplets = terms["main"] + self.config.sigma_side * terms["side"] + self.config.sigma_full * terms["full"]
        by_triplets, by_transfer = (
            torch.autograd.grad(loss, features, retain_graph=True, materialize_grads=True)[0]
            for loss in (triplets, transfer)
        )
        # Each rank's rows have the gradient of as many equal losses as there are ranks.
        by_triplets, by_transfer = (
            (ranks.gather(pull, parts) / ranks.size()).flatten() for pull in (by_triplets, by_transfer)
        )
        return {
            "gradient_triplets": by_triplets.norm(),
            "gradient_transfer": by_transfer.norm(),
            "gradient_cosine": F.cosine_similarity(by_triplets, by_transfer, dim=0),
        }

    def towards_decoder(self, maps: list[Tensor], count: int) -> list[Tensor]:
        """The trunk's maps as the decoder reads them: their gradients scaled by `decoder_reach` and `extra_reach`."""
        share = maps[-1].new_full((len(maps[-1]), 1, 1, 1), self.config.decoder_reach)
        share[count:] = self.config.extra_reach
        return [level * share + level.detach() * (1 - share) for level in maps]


class ReencodeRecipe(Recipe):
    """Two training steps: the image trunk alone, then the decoder under L1 and both trunks under triplets."""

    phases = ("main", "transfer")
    network: Reencoder

    def later_losses(self, phase: str, batch: Batch, early: Maps, maps: list[Tensor]) -> dict[str, Tensor]:
        description = self.network.describe_maps(maps, batch.size)
        assert description.side_map is not None
        transfer = reconstruction_loss(description.side_map, batch)
        return self.add_up(self.gathered_parts(description, batch), transfer, batch)


class RGBDRecipe(Recipe):
    """Two training steps: the image trunk alone, then both trunks under triplets."""

    phases = ("main", "rgbd")
    network: RGBD

    def later_losses(self, phase: str, batch: Batch, early: Maps, maps: list[Tensor]) -> dict[str, Tensor]:
        main = self.network.pool(maps[-1])
        side = self.network.side(batch.side, batch.valid, batch.size)
        return self.add_up(self.gathered_parts(describe_parts(main, side), batch), None, batch)


class HallucinationRecipe(Recipe):
    """Three training steps: the image trunk, a depth network, and the hallucination of the depth network's features.

    The hallucination trunk starts from the depth network (Hoffman 2016), which stays frozen in the last step.
    """

    phases = ("main", "depth", "joint")
    network: Hallucination

    def __init__(self, config: TrainConfig, outputs: int = 1):
        super().__init__(config, outputs)
        self.depth_trunk = build_trunk(config.trunk)
        self.depth_pool = self.aggregation.build(self.depth_trunk.channels[-1])

    def begin(self, phase: str) -> None:
        if phase == "joint":
            self.network.side_trunk.load_state_dict(self.depth_trunk.state_dict())
            self.network.side_pool.load_state_dict(self.depth_pool.state_dict())

    def trained(self, phase: str) -> list[nn.Module]:
        return [self.depth_trunk, self.depth_pool] if phase == "depth" else super().trained(phase)

    def losses(self, phase: str, batch: Batch) -> dict[str, Tensor]:
        if phase != "depth":
            return super().losses(phase, batch)
        side = self.triplet(self.gathered(self.depth_pool(self.depth_features(batch)), batch), batch)
        return {"loss": side, "side": side}

    def later_losses(self, phase: str, batch: Batch, early: Maps, maps: list[Tensor]) -> dict[str, Tensor]:
        with torch.no_grad():
            depth = self.depth_features(batch)
        # Both trunks kept the same first stages.
        hallucinated = self.network.side_trunk.late(early)[-1]
        description = describe_parts(self.network.pool(maps[-1]), self.network.side_pool(hallucinated))
        imitation = ranks.mean(imitation_loss(hallucinated, depth), depth.square().sum())
        terms = self.add_up(self.gathered_parts(description, batch), IMITATION * imitation, batch)
        if self.imagenet is not None:
            terms["keep_side"] = self.drift(early, hallucinated)
            terms["loss"] = terms["loss"] + self.config.sigma_keep * terms["keep_side"]
        return terms

    def depth_features(self, batch: Batch) -> Tensor:
        """The depth network's features of the true side modality, which it is fed as a picture of three channels."""
        picture = colour_ramp(batch.side, batch.valid)
        maps: list[Tensor] = self.depth_trunk(F.interpolate(picture, batch.size, mode="bilinear", align_corners=False))
        return maps[-1]


RECIPES: dict[str, type[Recipe]] = {
    "image-only": ImageOnlyRecipe,
    "image-only-wide": ImageOnlyWideRecipe,
    "hallucination": HallucinationRecipe,
    "bu-tf": BottomUpTransferRecipe,
    "bu-tf-adapted": BottomUpTransferRecipe,
    "bu-tf-reencode": ReencodeRecipe,
    "rgbd": RGBDRecipe,
}


def build_recipe(config: TrainConfig, outputs: int = 1) -> Recipe:
    """The recipe of a configuration, its trunks at their ImageNet weights; `outputs` is its encoding's `channels`."""
    return RECIPES[config.method](config, outputs)


def count_trained(config: TrainConfig) -> int:
    """How many parameters a configuration changes in all its training steps, those that are not deployed included."""
    recipe = build_recipe(config).requires_grad_(False)
    trained = nn.ModuleList(module for phase in recipe.phases for module in recipe.trained(phase)).requires_grad_(True)
    recipe.keep_early_stages()
    return sum(parameter.numel() for parameter in trained.parameters() if parameter.requires_grad)


def reconstruction_loss(decoded: Tensor, batch: Batch | Extra) -> Tensor:
    """Equation 2 for a decoded map `(B, 1, h, w)`; cross-entropy in place of L1 for shares of classes `(B, C, h, w)`.

    Class ids have no order in which a middle one would be nearly right, so their difference means nothing.
    """
    side, valid = subsample(batch, decoded)
    last = decoded.shape[1] - 1
    loss = class_loss(decoded, (side * last).round().long(), valid) if last else transfer_loss(decoded, side, valid)
    return ranks.mean(loss, valid.sum())
