"""All that determines a training run; saved with it as `config.json`."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from butf.dataset.modalities import LEARNABLE
from butf.errors import BadInput
from butf.networks.aggregation import CLUSTERS, POOLINGS, Aggregation
from butf.networks.methods import METHODS, TRAINING_STEPS
from butf.networks.trunk import TRUNKS
from butf.training.checks import check_choice, check_numbers

TRAINABLE = tuple(method for method in METHODS if TRAINING_STEPS[method] > 0)

LOSSES_OF_PLACES = ("triplet", "contrastive")

MINING = ("places", "tuples")

SCHEDULES = ("constant", "rising", "falling", "balanced")

EXTRA = ("none", "statistics", "consistency", "guesses")


BOTTOM_UP = ("bu-tf", "bu-tf-adapted")
TWO_DESCRIPTORS = tuple(method for method in TRAINABLE if method != "image-only")
READERS = {
    "sigma_match": ("bu-tf-adapted",),
    "side_share": ("bu-tf-adapted",),
    "extra": ("image-only-wide",),
    "decoder_reach": BOTTOM_UP,
    "transfer_schedule": BOTTOM_UP,
    "sigma_transfer": (*BOTTOM_UP, "bu-tf-reencode", "hallucination"),
    "modality": (*BOTTOM_UP, "bu-tf-reencode", "hallucination", "rgbd"),
    **{name: TWO_DESCRIPTORS for name in ("sigma_side", "sigma_full", "lambda_div", "start_from")},
}
"""The methods that make use of a field, where not all do."""

GROUPS = ("Length", "Losses of equation 3", "Aggregation", "Batches", "Pictures of unseen conditions", "Expert")
LENGTH, LOSSES, AGGREGATION, BATCHES, UNSEEN, EXPERT = GROUPS


def option(default: Any, about: str, group: str = "") -> Any:
    """A field with a default, what the command line and the Train page say of it, and its group on that page."""
    return field(default=default, metadata={"help": about, "group": group})


@dataclass(frozen=True)
class TrainConfig:
    """What is trained, on what, how long and with which weights. Distances are metres, angles degrees."""

    method: str = option("bu-tf", f"what is trained: {', '.join(TRAINABLE)}")
    data: str = option("town", "the data set's folder, or its name")
    trunk: str = option(
        "efficientnet-lite0", f"the convolutional network that all of a method is built on: {', '.join(TRUNKS)}", EXPERT
    )
    seed: int = option(
        0, "start of all random numbers: the same seed gives the same model, another shows what is chance", LENGTH
    )
    steps: int = option(
        500, "optimiser steps in each of the method's training steps (bu-tf has two); more learns more",
        LENGTH,
    )  # fmt: skip
    start_from: str | None = option(
        None, "an image-only model or run whose trunk is taken for the first training step instead of training it; "
        "for bu-tf-adapted also a bu-tf model, which is adapted in a further training step", LENGTH,
    )  # fmt: skip
    modality: str = option(
        "depth",
        "the side modality to learn from, where the data set has it: depth, lidar (depth as a lidar measured it), "
        "reflectance or semantics",
        LOSSES,
    )
    pooling: str = option(
        "gem",
        f"how the local features of a picture become one descriptor: {', '.join(POOLINGS)}; netvlad makes it many "
        "times longer",
        AGGREGATION,
    )
    clusters: int = option(
        CLUSTERS, "visual words of netvlad, learnt from training pictures before its first step; each makes the "
        "descriptor longer by as many numbers as a local feature has", AGGREGATION,
    )  # fmt: skip
    whiten: int | None = option(
        None, "to how many numbers each part of the descriptor is whitened when training ends, by the principal axes "
        "of training pictures; none leaves it as it is", AGGREGATION,
    )  # fmt: skip
    image_area: int = option(
        19200, "pixels of a picture as the network sees it (19200: 160 x 120); more shows finer detail, slower",
        BATCHES,
    )  # fmt: skip
    places: int = option(
        13, "places in a batch; more places bring harder negatives, and a step takes longer in proportion", BATCHES
    )
    views: int = option(
        3, "pictures of each place in a batch, from different traversals where there are some: its positives", BATCHES
    )
    learning_rate: float = option(
        5e-4, "highest learning rate of AdamW, reached after a tenth of the steps, from where it falls as a cosine; "
        "halve it when the loss jumps or ends as no number", EXPERT,
    )  # fmt: skip
    trunk_rate: float = option(
        1.0, "share of the learning rate at which the trunks' weights change; below 1 they keep closer to ImageNet's",
        EXPERT,
    )  # fmt: skip
    kept_stages: int = option(
        3, "first stages of the trunks, of six, that stay as ImageNet left them (of AlexNet one at most); fewer fits "
        "the data more closely and forgets more of other photographs", EXPERT,
    )  # fmt: skip
    weight_decay: float = option(
        1e-3, "how strongly AdamW pulls all weights towards zero; more holds against learning by heart", EXPERT
    )
    loss: str = option(
        "triplet",
        "what pulls places together and apart: triplet (slide equation 1) or contrastive (of pairs, Radenovic 2018)",
        LOSSES,
    )
    tau: float = option(
        0.7, "τ of the contrastive loss: from which distance of descriptors (0 to 2) two places are far enough apart",
        LOSSES,
    )  # fmt: skip
    margin: float = option(
        0.25, "λ of slide equation 1: by how much a negative must be farther than the positive, in distances of "
        "descriptors (0 to 2)", LOSSES,
    )  # fmt: skip
    squared_distance: bool = option(
        False, "whether equation 1 compares squared distances, as on the slide, or plain ones", LOSSES
    )
    positive_share: float = option(
        0.4, "a positive is nearer than this share of the data set's place radius (of 25 m: 10 m)", BATCHES
    )
    positive_deg: float = option(30.0, "and its heading differs by less than this, in degrees", BATCHES)
    negative_share: float = option(
        2.0, "a negative is farther than this multiple of the place radius (of 25 m: 50 m); between the two a picture "
        "is neither", BATCHES,
    )  # fmt: skip
    mining: str = option(
        "places",
        "what meets in a batch: places (in several views, many of them look-alikes), or tuples (anchors, "
        "each with the hardest of a few random positives and negatives, as in the papers; two to three times slower)",
        BATCHES,
    )
    hard_share: float = option(
        0.5, "share of a batch's places, 0 to 1, chosen because they look like another place in it: 0 is all chance",
        BATCHES,
    )  # fmt: skip
    refresh_every: int = option(
        100, "optimiser steps between two searches for places that look alike to the network as it then is", BATCHES
    )
    sigma_side: float = option(
        1.0, "σ_side of slide equation 3: weight of the side descriptor's triplet loss; 0 leaves it out", LOSSES
    )
    sigma_full: float = option(
        1.0, "σ_full of slide equation 3: weight of the triplet loss of both joined; 0 leaves it out", LOSSES
    )
    sigma_transfer: float = option(
        3.0, "σ_transfer of slide equation 3: weight of reconstructing (or imitating) the side modality; more makes "
        "the map sharper and can cost recall", LOSSES,
    )  # fmt: skip
    sigma_match: float = option(
        1.5, "weight of bu-tf-adapted's side descriptors matching those of the measured side modality; 0 leaves it out",
        UNSEEN,
    )  # fmt: skip
    side_share: float = option(
        0.1, "what the side descriptor's squared distances count in bu-tf-adapted's full descriptor while it trains, "
        "0 to 1", UNSEEN,
    )  # fmt: skip
    sigma_keep: float = option(
        0.3, "weight of keeping the last map of a trunk that sees pictures near that of ImageNet's weights: more keeps "
        "what it knows of real photographs, 0 lets it go", LOSSES,
    )  # fmt: skip
    lambda_div: float | None = option(
        None, "λ_div of slide equation 4: by how much both descriptors joined must beat the image's alone, in units of "
        "the loss (the talk: 0.1); none leaves the equation out", LOSSES,
    )  # fmt: skip
    decoder_reach: float = option(
        1.0, "share of the gradient that passes from bu-tf's decoder into the trunk: at 0 the trunk learns nothing "
        "from depth, as in the follow-up papers", EXPERT,
    )  # fmt: skip
    transfer_schedule: str = option(
        "constant",
        "how the weight of σ_transfer goes on: constant, rising (from 0 over the first quarter), falling (from twice "
        "to 0), or balanced (pulling as hard at the trunk as the triplets do)",
        EXPERT,
    )
    extra: str = option(
        "none",
        "what image-only-wide does with pictures of unseen conditions, their places and depth unknown: "
        "none, statistics (of batch normalisation), consistency (of two changes of a picture), guesses (of their "
        "places by its own descriptors); bu-tf-adapted always learns from their depth",
        UNSEEN,
    )
    extra_pictures: int = option(
        20, "pictures of unseen conditions in a batch, beside those of labelled places; more takes longer", UNSEEN
    )
    guess_share: float = option(
        0.5, "share of such pictures, the surest, that are taken to show the labelled place most like them: "
        "in measured depth for bu-tf-adapted, in its own descriptors for image-only-wide; 0 guesses none", UNSEEN,
    )  # fmt: skip
    extra_reach: float = option(
        1.0, "decoder_reach for these pictures; 0 adapts the decoder alone, as in the follow-up papers", UNSEEN
    )
    validate_every: int = option(
        100, "optimiser steps between two measurements of recall on the val areas, a few seconds each", LENGTH
    )
    final_queries: int = option(
        0, "val queries of each condition that are measured when training ends; 0: all, exact and slowest", LENGTH
    )
    checkpoint_every: int = option(
        50, "optimiser steps between two checkpoints: what a killed run loses at most", LENGTH
    )
    device: str = option("auto", "what it runs on: auto (a GPU where there is one), cpu or cuda", EXPERT)

    def __post_init__(self) -> None:
        check_choice("method", self.method, TRAINABLE)
        check_choice("trunk", self.trunk, TRUNKS)
        check_choice("modality", self.modality, LEARNABLE)
        check_choice("loss", self.loss, LOSSES_OF_PLACES)
        check_choice("mining", self.mining, MINING)
        check_choice("transfer_schedule", self.transfer_schedule, SCHEDULES)
        check_choice("extra", self.extra, EXTRA)
        if self.extra != "none" and self.method != "image-only-wide":
            raise BadInput(f"extra is {self.extra!r} for {self.method}; only image-only-wide has that choice")
        if self.mining == "tuples" and self.sees_extra:
            raise BadInput(f"mining is 'tuples' for {self.method} with pictures of unseen conditions; choose 'places'")
        if (self.method, self.modality) == ("bu-tf-reencode", "semantics"):
            raise BadInput("bu-tf-reencode sees its decoded map as a picture, and classes are none; use bu-tf")
        if (self.method, self.modality) == ("rgbd", "lidar"):
            raise BadInput("rgbd is given measured depth at test time too; train bu-tf or hallucination on lidar")
        check_choice("device", self.device, ("auto", "cpu", "cuda"))
        _ = self.aggregation
        if (self.method, self.pooling) == ("bu-tf-adapted", "netvlad"):
            raise BadInput(
                "bu-tf-adapted compares what it reconstructs with measured depth number by number, which words learnt "
                "apart do not allow; choose another pooling than netvlad"
            )
        check_numbers(self)

    @property
    def aggregation(self) -> Aggregation:
        """How each part of the finished network's descriptor is pooled."""
        return Aggregation(self.pooling, self.clusters, self.whiten)

    @property
    def sees_extra(self) -> bool:
        """Whether training shows the network pictures of conditions whose place labels it may not use."""
        return self.method == "bu-tf-adapted" or self.extra != "none"

    def reads(self, name: str) -> bool:
        """Whether the method makes use of a field at all."""
        if name in READERS:
            return self.method in READERS[name]
        return self.sees_extra or name not in ("extra_pictures", "extra_reach", "guess_share")

    def as_dict(self) -> dict[str, Any]:
        """Plain values by field name, as `config.json` holds them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """The configuration in `values`; BadInput names a field that is unknown or has a wrong value."""
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            listed = ", ".join(sorted(known))
            raise BadInput(f"the configuration has an unknown field {unknown[0]!r}; known are {listed}")
        return cls(**values)
