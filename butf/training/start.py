"""Where a run starts from: its data, and the first training step, or all of them, of a model trained before."""

from pathlib import Path

from butf.dataset.frames import Frames, find_datasets
from butf.dataset.modalities import Encoding
from butf.errors import BadInput
from butf.files import user_path
from butf.networks import zoo
from butf.networks.card import Card
from butf.networks.description import Network
from butf.training.config import TrainConfig

ADAPTABLE = ("bu-tf", "bu-tf-adapted")


def find_data(name: str) -> Path:
    """The data set of that name, or the folder itself."""
    return find_datasets().get(name, user_path(name))


def start_from(name: str, config: TrainConfig, network: Network, encoding: Encoding) -> Card:
    """Give `network` the weights of a trained model and return that model's card.

    An image-only model gives the trunk and pooling, in place of the first training step. For bu-tf-adapted a bu-tf
    model gives everything: the run is then a further training step, which adapts it. Raises BadInput when it does not
    fit the configuration.
    """
    if config.method == "image-only":
        raise BadInput("start_from is for methods of two training steps or more; image-only has one")
    start = zoo.load(name)
    start.network.unwhiten()
    whole = config.method == "bu-tf-adapted" and start.card.method in ADAPTABLE
    _check(start.card, config, whole)
    if whole:
        if start.card.encoding != encoding:
            told, asked = (f"{e.modality} by {e.kind} of {e.near:g} to {e.far:g}" for e in (start.encoding, encoding))
            raise BadInput(f"{name} reconstructs {told}, this run {asked}; give both the same modality and range")
        network.load_state_dict(start.network.state_dict())
    else:
        network.trunk.load_state_dict(start.network.trunk.state_dict())
        network.pool.load_state_dict(start.network.pool.state_dict())
    return start.card


def _check(card: Card, config: TrainConfig, whole: bool) -> None:
    if not (whole or card.method == "image-only") or card.trunk != config.trunk:
        wanted = "image-only or bu-tf" if config.method == "bu-tf-adapted" else "image-only"
        raise BadInput(f"{card.name} is {card.method} on {card.trunk}; start_from needs {wanted} on {config.trunk}")
    if not card.aggregation.pools_as(config.aggregation):
        raise BadInput(
            f"{card.name} pools by {card.aggregation.words}, this run by {config.aggregation.words}; give both the same"
        )
    kept = card.config.get("kept_stages", 0)
    if kept != config.kept_stages:
        raise BadInput(
            f"{card.name} was trained with kept_stages {kept}, this run has {config.kept_stages}; give both the same"
        )


def adaptation_pictures(frames: Frames) -> dict[str, int]:
    """How many pictures of each unseen condition the train areas have: what bu-tf-adapted adapts to."""
    rows = frames.where(split="train")
    counts = {name: int((frames.condition[rows] == name).sum()) for name in frames.conditions if not frames.seen(name)}
    return {name: count for name, count in counts.items() if count}
