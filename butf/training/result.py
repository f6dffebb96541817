"""What a run leaves behind: the network with its card, and on the way there the best measured so far."""

from dataclasses import dataclass, replace
from pathlib import Path

from butf.dataset.frames import Frames
from butf.files import write_atomic
from butf.networks import zoo
from butf.networks.card import Card, card_text
from butf.networks.description import Network
from butf.networks.weights import save_weights
from butf.training.config import TrainConfig
from butf.training.feed import Feed
from butf.training.folder import Run
from butf.training.provenance import commit, versions


@dataclass(frozen=True, eq=False)
class Result:
    """Writes the network of one run; `start` is the card of the model that it began from."""

    run: Run
    config: TrainConfig
    frames: Frames
    feed: Feed
    start: Card | None

    def card(self, network: Network, recall: dict[str, float], images: int, seconds: float) -> Card:
        """The card of the network as it is, after `images` pictures and `seconds` of this run's own training."""
        start = self.start
        card = zoo.describe_card(
            self.run.name,
            network,
            self.config.method,
            self.config.trunk,
            image_area=self.config.image_area,
            encoding=self.feed.encoding if hasattr(network, "decoder") or network.reads_side else None,
            data=self.frames.name,
            seen=self.feed.conditions,
            val_recall=recall,
            seed=self.config.seed,
            config=self.config.as_dict(),
            command=self.run.command,
            commit=commit(),
            versions=versions(),
            images_seen=images + (start.images_seen or 0 if start else 0),
            seconds=round(seconds + (start.seconds or 0 if start else 0), 1),
        )
        if start is not None and start.method != "image-only":
            card = replace(card, training_steps=start.training_steps + 1)
        return card

    def write(self, network: Network, card: Card) -> None:
        """The model with its card: the run is finished then."""
        write_model(self.run.weights_path, network, card)
        write_atomic(self.run.card_path, card_text(card))
        self.run.best_path.unlink(missing_ok=True)

    def write_best(self, network: Network, card: Card) -> None:
        """The best network so far, its card inside: what can be taken from a run that is not finished."""
        write_model(self.run.best_path, network, card)


def write_model(path: Path, network: Network, card: Card) -> None:
    """A network's weights with its card inside the file."""
    save_weights(path, network.state_dict(), {"card": card_text(card)})
