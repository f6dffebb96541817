"""What an experiment trains; that of the talk's claim: methods, controls and ablations, each over several seeds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from butf.errors import BadInput
from butf.networks.trunk import alexnet_file
from butf.training.config import TrainConfig

FIRST = "image-only"
FIRST_ALEXNET = "image-only-alexnet"
SWEPT_LAMBDAS = (None, 0.0, 0.001, 0.05, 0.1, 0.2)
SWEPT_SIGMAS = (0.3, 3.0, 30.0)
Claim = tuple[str, str, str, float]
"""Who is expected to beat whom, where, and by how much in recall@1."""


MADE = ("trained", "statistics", "whitened", "shipped", "keypoints")
"""Trained; `after`'s model with its batch-norm statistics adapted, or whitened; the shipped model of its name; or no
network of ours at all but VLAD of keypoints' descriptors."""


@dataclass(frozen=True)
class Variant:
    """One row of the results: a method with some settings of its own."""

    name: str
    about: str
    method: str
    values: dict[str, Any] = field(default_factory=dict)
    """Fields of TrainConfig that differ from the plan's."""
    after: str | None = FIRST
    """The variant whose model it goes on from; None where it begins with the ImageNet weights."""
    made: str = "trained"
    """How its model comes about, see MADE."""
    core: bool = False
    """Trained over all seeds; the others over the first."""
    swept: bool = False
    """A point of the diversification sweep, which is shown as a curve and not among the methods."""


@dataclass(frozen=True)
class Trial:
    """One model of the experiment: a variant under one seed."""

    variant: Variant
    seed: int
    config: TrainConfig | None
    """None where nothing is trained."""

    @property
    def folder(self) -> str:
        """Where its run lies, below the experiment's folder; runs of one seed take turns on the device."""
        return f"seed-{self.seed}/{self.variant.name}"

    @property
    def needs(self) -> str | None:
        """The folder of the trial that must have been trained before."""
        return self.variant.after and f"seed-{self.seed}/{self.variant.after}"


@dataclass(frozen=True)
class Plan:
    """Everything that one command trains and evaluates."""

    data: str
    """The data set to train on."""
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    common: dict[str, Any] = field(default_factory=dict)
    """Fields of TrainConfig that all trials share."""
    adaptation_pictures: int = 1600
    """How many pictures batch-norm statistics are adapted on, or the words of keypoints learnt from."""
    claims: tuple[Claim, ...] = ()
    """Who is expected to beat whom."""

    def trials(self) -> list[Trial]:
        """All trials in the order of training: each seed's core variants, then the rest of the first seed's."""
        core = [self._trial(variant, seed) for seed in self.seeds for variant in self.variants if variant.core]
        return core + [self._trial(variant, self.seeds[0]) for variant in self.variants if not variant.core]

    def only(self, names: list[str] | None) -> Plan:
        """The plan of some variants, and of those that they start from; all of them without `names`."""
        if names is None:
            return self
        known = {variant.name: variant for variant in self.variants}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise BadInput(f"there is no variant {unknown[0]!r}; known are {', '.join(known)}")
        wanted: set[str] = set()
        for name in names:
            step: str | None = name
            while step is not None and step not in wanted:
                wanted.add(step)
                step = known[step].after
        return replace(self, variants=tuple(variant for variant in self.variants if variant.name in wanted))

    def _trial(self, variant: Variant, seed: int) -> Trial:
        if variant.made not in ("trained", "shipped"):
            return Trial(variant, seed, None)
        values = {"data": self.data, "seed": seed, **self.common, **variant.values}
        return Trial(variant, seed, TrainConfig(method=variant.method, **values))


VARIANTS = (
    Variant(FIRST, "trunk and pooling, triplets", "image-only", after=None, core=True),
    Variant("bu-tf", "decoder reconstructs depth; side descriptor from it", "bu-tf", core=True),
    Variant("image-only-wide", "control: bu-tf's size and length, no depth", "image-only-wide", core=True),
    Variant("hallucination", "a second trunk imitates a depth network", "hallucination", core=True),
    Variant(
        "bu-tf-adapted", "bu-tf that also learns from depth of unseen conditions: matches it, guesses places from it",
        "bu-tf-adapted", core=True,
    ),
    Variant(
        "image-only-wide-guesses", "control: the wide network learns from places guessed by its own descriptors",
        "image-only-wide", {"extra": "guesses"}, core=True,
    ),
    Variant(
        "image-only-wide-consistency", "control: the wide network describes two changes of each such picture alike",
        "image-only-wide", {"extra": "consistency"}, core=True,
    ),
    Variant(
        "image-only-wide-statistics", "control: the wide network, its batch-norm statistics from such pictures too",
        "image-only-wide", after="image-only-wide", made="statistics", core=True,
    ),
    Variant(
        "image-only-statistics", "control: image-only, its batch-norm statistics from such pictures too",
        "image-only", made="statistics", core=True,
    ),
    Variant(
        "bu-tf-adapted-depth", "as bu-tf-adapted, but no places are guessed",
        "bu-tf-adapted", {"guess_share": 0.0},
    ),
    Variant(
        "bu-tf-adapted-decoder", "the papers' way: that depth teaches the decoder alone",
        "bu-tf-adapted", {"guess_share": 0.0, "extra_reach": 0.0},
    ),
    Variant("bu-tf-detached", "the decoder's gradients do not reach the trunk", "bu-tf", {"decoder_reach": 0.0}),
    Variant("bu-tf-diversified", "with the diversification loss, margin 0.1", "bu-tf", {"lambda_div": 0.1}),
    Variant("bu-tf-reencode", "the follow-up papers' form: decoded depth through a second trunk", "bu-tf-reencode"),
    Variant("bu-tf-reflectance", "reflectance in place of depth", "bu-tf", {"modality": "reflectance"}),
    Variant("bu-tf-semantics", "semantics, learnt by cross-entropy", "bu-tf", {"modality": "semantics"}),
    Variant("rgbd", "upper bound: true depth at test time too", "rgbd"),
    Variant(
        "image-only-tuples", "mining as in the papers: anchors, each with its hardest of a few random pictures",
        "image-only", {"mining": "tuples"}, after=None,
    ),
)  # fmt: skip

ON_ALEXNET = (
    Variant(FIRST_ALEXNET, "the same on AlexNet", "image-only", {"trunk": "alexnet"}, after=None),
    Variant("hallucination-alexnet", "the same on AlexNet", "hallucination", {"trunk": "alexnet"}, FIRST_ALEXNET),
    Variant("bu-tf-alexnet", "the same on AlexNet", "bu-tf", {"trunk": "alexnet"}, FIRST_ALEXNET),
)
"""Planned only where the ImageNet weights are at hand: from random weights AlexNet learns nothing in these steps."""


CLAIMS = (
    ("bu-tf", "image-only", "seen", 0.03),
    ("bu-tf", "image-only", "unseen", 0.0),
    ("bu-tf", "image-only-wide", "seen", 0.0),
    ("bu-tf", "image-only-wide", "unseen", 0.0),
    ("bu-tf", "hallucination", "seen", 0.0),
    ("bu-tf", "hallucination", "unseen", 0.0),
    ("bu-tf-adapted", "image-only", "night", 0.15),
    ("bu-tf-adapted", "image-only-wide", "night", 0.05),
    ("bu-tf-adapted", "image-only-wide-guesses", "night", 0.05),
    ("bu-tf-adapted", "image-only-wide-guesses", "unseen", 0.0),
    ("bu-tf-adapted", "image-only-wide-guesses", "seen", 0.0),
    ("bu-tf-adapted", "hallucination", "unseen", 0.0),
    ("bu-tf-adapted", "hallucination", "seen", 0.0),
    ("bu-tf-adapted", "image-only-statistics", "night", 0.05),
    ("bu-tf-adapted", "image-only-wide-statistics", "night", 0.05),
    ("bu-tf-adapted", "image-only-wide-consistency", "night", 0.05),
    ("bu-tf-adapted", "bu-tf", "night", 0.0),
    ("bu-tf-adapted", "bu-tf", "unseen", 0.0),
    ("bu-tf-adapted", "bu-tf", "seen", -0.01),
    ("bu-tf-adapted", "bu-tf-adapted-depth", "unseen", 0.0),
    ("bu-tf-adapted-depth", "bu-tf-adapted-decoder", "unseen", 0.0),
    ("bu-tf-adapted-depth", "bu-tf-adapted-decoder", "night", 0.0),
    ("bu-tf", "bu-tf-detached", "seen", 0.0),
    ("bu-tf-diversified", "bu-tf", "seen", 0.0),
    ("bu-tf", "bu-tf-reencode", "seen", 0.0),
    ("image-only", "image-only-tuples", "seen", 0.0),
    ("bu-tf-alexnet", "image-only-alexnet", "seen", 0.03),
    ("bu-tf-alexnet", "hallucination-alexnet", "seen", 0.0),
)
"""Who is expected to beat whom, where, and by how much in recall@1."""


def sweep(steps: int) -> tuple[Variant, ...]:
    """bu-tf over the margin of equation 4 and the weight of equation 2, a quarter of `steps` each."""
    return tuple(
        Variant(
            f"bu-tf-div-{'none' if margin is None else f'{margin:g}'}-sigma-{sigma:g}",
            "a point of the diversification sweep",
            "bu-tf",
            {"lambda_div": margin, "sigma_transfer": sigma, "steps": max(1, steps // 4), "final_queries": 60},
            swept=True,
        )
        for sigma in SWEPT_SIGMAS
        for margin in SWEPT_LAMBDAS
    )


def paper(data: str, seeds: tuple[int, ...], steps: int, quick: bool) -> Plan:
    """The experiment of the talk's claim; `quick` walks the whole path with next to no training."""
    common: dict[str, Any] = {"steps": steps, "validate_every": steps}
    variants = VARIANTS + (ON_ALEXNET if alexnet_file() else ())
    if quick:
        common |= {"places": 6, "extra_pictures": 6, "final_queries": 5}
        return Plan(data, variants + sweep(steps)[:2], seeds, common, 96, CLAIMS)
    return Plan(data, variants + sweep(steps), seeds, common, claims=CLAIMS)
