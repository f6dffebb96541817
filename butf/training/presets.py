"""How long and how hard to train, in plain words: the choices of the Train page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    """Values that replace the defaults of TrainConfig; `custom` leaves all of them to the user."""

    label: str
    about: str
    details: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    custom: bool = False

    def values_for(self, method: str) -> dict[str, Any]:
        """The values that a method can have."""
        return {name: value for name, value in self.values.items() if (method, name) not in UNFIT}


UNFIT = {("bu-tf-adapted", "mining"), ("image-only", "start_from")}
"""Pictures of unknown places cannot come in tuples, and image-only is itself what the others start from."""

PRESETS = (
    Preset(
        "Try it in 5 minutes",
        "About four minutes for bu-tf on the demo town, on two idle processor cores: enough to watch the losses fall, "
        "the depth grow sharper, and a first model find places.",
        "image-only takes half as long, hallucination and bu-tf-adapted up to twice.",
        {"steps": 250, "validate_every": 50, "checkpoint_every": 50, "final_queries": 60},
    ),
    Preset(
        "In class",
        "About seven minutes for bu-tf on the demo town, on two idle cores: it begins with the shipped image-only "
        "network and teaches it depth, so that there is a model worth asking before the lesson ends.",
        "The first training step is taken from the shipped image-only model. Large batches, places that look alike and "
        "gentle rates, chosen on val; up to 3 GB of memory. hallucination and bu-tf-adapted take longer; image-only "
        "itself starts from ImageNet, as ever.",
        {
            "steps": 400,
            "start_from": "image-only",
            "places": 24,
            "views": 4,
            "hard_share": 1.0,
            "margin": 0.1,
            "trunk_rate": 0.3,
            "weight_decay": 0.03,
        },
    ),
    Preset(
        "As in the talk",
        "The losses and the batches of the 2018 talk, on our trunk and for as many steps as the shipped models: a "
        "quarter of an hour for bu-tf on the demo town, on two idle cores.",
        "From the slides: all σ are 1, squared distances, equation 4, and no hold on ImageNet's weights. From the "
        "authors' code: λ = 0.25, λ_div = 0.1, weight decay, and five anchors a batch, each with the hardest 2 of 4 "
        "positives (within 10 m of 25 m, and 10°) and the hardest 5 of 20 negatives. Not theirs: the trunk "
        "(EfficientNet-Lite0 for AlexNet), the decoder, AdamW for SGD, and negatives from two place radii on, since "
        "their 500 m would leave a town of 150 m none. bu-tf-adapted, which the talk does not have, keeps batches "
        "of places.",
        {
            "steps": 400,
            "sigma_transfer": 1.0,
            "lambda_div": 0.1,
            "squared_distance": True,
            "sigma_keep": 0.0,
            "kept_stages": 0,
            "mining": "tuples",
            "positive_deg": 10.0,
        },
    ),
    Preset(
        "As shipped",
        "The settings of the models that come with the app: about six minutes for bu-tf on the demo town, on two idle "
        "cores.",
        "The shipped ones were trained on town-paper, a larger data set than the demo's. hallucination and "
        "bu-tf-adapted take longer.",
        {"steps": 400},
    ),
    Preset("Custom", "Every setting is yours; the question marks explain them.", custom=True),
)
