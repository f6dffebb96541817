"""What the experiment on aggregation trains: ways of pooling, the loss of pairs, whitening, and VLAD of keypoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from butf.experiment.plan import Claim, Plan, Variant

FIRST, FIRST_NETVLAD = "image-only", "image-only-netvlad"
WHITENED, WHITENED_NETVLAD = 64, 128
"""To how many numbers each part of a descriptor is whitened."""

POOLED = (
    Variant(
        FIRST_NETVLAD, "NetVLAD, words learnt from training pictures", "image-only", {"pooling": "netvlad"}, None,
        core=True,
    ),
    Variant(
        "bu-tf-netvlad", "bu-tf with NetVLAD for both parts of its descriptor", "bu-tf", {"pooling": "netvlad"},
        FIRST_NETVLAD, core=True,
    ),
    Variant("image-only-mac", "the maximum of each channel, as in the talk", "image-only", {"pooling": "mac"}, None),
    Variant("image-only-spoc", "the sum of each channel", "image-only", {"pooling": "spoc"}, None),
    Variant("image-only-rmac", "maxima of regions at three scales", "image-only", {"pooling": "rmac"}, None),
    Variant(
        "image-only-contrastive", "GeM; the lecture's loss of pairs in place of the triplets'", "image-only",
        {"loss": "contrastive"}, None,
    ),
)  # fmt: skip

DERIVED = (
    Variant(
        "image-only-whitened", "image-only, its GeM vector whitened", "image-only", {"whiten": WHITENED}, FIRST,
        made="whitened",
    ),
    Variant(
        "bu-tf-whitened", "bu-tf, both of its GeM vectors whitened", "bu-tf", {"whiten": WHITENED}, "bu-tf",
        made="whitened",
    ),
    Variant(
        "image-only-netvlad-whitened", "image-only-netvlad, its vector whitened", "image-only",
        {"whiten": WHITENED_NETVLAD}, FIRST_NETVLAD, made="whitened",
    ),
    Variant(
        "bu-tf-netvlad-whitened", "bu-tf-netvlad, both of its vectors whitened", "bu-tf",
        {"whiten": WHITENED_NETVLAD}, "bu-tf-netvlad", made="whitened",
    ),
    Variant(
        "keypoint-vlad", "the classical way: VLAD of keypoints' descriptors", "off-the-shelf", after=None,
        made="keypoints",
    ),
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (
    (FIRST_NETVLAD, FIRST, "seen", 0.0),
    (FIRST_NETVLAD, FIRST, "unseen", 0.0),
    ("bu-tf-netvlad", "bu-tf", "seen", 0.0),
    ("bu-tf-netvlad", "bu-tf", "unseen", 0.0),
    ("bu-tf-netvlad", FIRST_NETVLAD, "seen", 0.03),
    ("bu-tf-netvlad", FIRST_NETVLAD, "unseen", 0.0),
    (FIRST, "image-only-mac", "seen", 0.0),
    (FIRST, "image-only-mac", "unseen", 0.0),
    (FIRST, "image-only-spoc", "seen", 0.0),
    (FIRST, "image-only-spoc", "unseen", 0.0),
    (FIRST, "image-only-rmac", "seen", 0.0),
    (FIRST, "image-only-rmac", "unseen", 0.0),
    (FIRST, "image-only-contrastive", "seen", 0.0),
    (FIRST, "image-only-contrastive", "unseen", 0.0),
    ("image-only-whitened", FIRST, "seen", 0.0),
    ("image-only-whitened", FIRST, "unseen", 0.0),
    ("bu-tf-whitened", "bu-tf", "seen", 0.0),
    ("bu-tf-whitened", "bu-tf", "unseen", 0.0),
    ("image-only-netvlad-whitened", FIRST_NETVLAD, "seen", 0.0),
    ("image-only-netvlad-whitened", FIRST_NETVLAD, "unseen", 0.0),
    ("bu-tf-netvlad-whitened", "bu-tf-netvlad", "seen", 0.0),
    ("bu-tf-netvlad-whitened", "bu-tf-netvlad", "unseen", 0.0),
    (FIRST, "keypoint-vlad", "seen", 0.0),
    (FIRST, "keypoint-vlad", "unseen", 0.0),
)


def aggregation(data: str, seeds: tuple[int, ...], steps: int, quick: bool, shipped: bool = False) -> Plan:
    """The experiment on aggregation; `shipped` takes the rows with GeM from the shipped models, whatever trained them.

    `quick` walks the whole path with next to no training, and whitens to few numbers, as few pictures can teach.
    """
    made, word = ("shipped", ", the shipped model") if shipped else ("trained", "")
    first = (
        Variant(FIRST, f"GeM, triplets{word}", "image-only", {}, None, made, core=True),
        Variant("bu-tf", f"bu-tf with GeM for both parts of its descriptor{word}", "bu-tf", {}, FIRST, made, core=True),
    )
    common: dict[str, Any] = {"steps": steps, "validate_every": steps, "final_queries": 60}
    variants: tuple[Variant, ...] = first + POOLED + DERIVED
    if quick:
        common |= {"places": 6, "final_queries": 5, "clusters": 4}
        variants = tuple(_small(variant) for variant in variants)
    return Plan(data, variants, seeds, common, 24 if quick else 400, CLAIMS)


def _small(variant: Variant) -> Variant:
    return replace(variant, values=variant.values | ({"whiten": 8} if "whiten" in variant.values else {}))
