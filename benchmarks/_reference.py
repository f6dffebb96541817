"""What methods are compared with in speed: AlexNet or VGG16 with NetVLAD, as in Arandjelovic 2016 and pytorch-NetVlad.

The trunk up to its last convolution, without the rectifier and pooling behind it, and 64 visual words. Weights are
random, since speed does not depend on them; recall is not measured here.
"""

from __future__ import annotations

from typing import Any

import torch
import torchvision
from PIL import Image
from torch import Tensor, nn

from butf.networks.ahead import batches_ahead
from butf.networks.netvlad import NetVLAD
from butf.networks.zoo import IMAGE_AREA, Model, network_size

REFERENCES = {"alexnet-netvlad": ("alexnet", 256), "vgg16-netvlad": ("vgg16", 512)}
WORDS = 64


class Reference(nn.Module):
    """Answers to what the benchmark asks of a `Model` and of its network; pictures are prepared in the same way."""

    def __init__(self, name: str, device: str) -> None:
        super().__init__()
        trunk, channels = REFERENCES[name]
        self.name = name
        self.trunk = getattr(torchvision.models, trunk)(weights=None).features[:-2]
        self.pool = NetVLAD(channels, WORDS)
        self.to(device).eval().requires_grad_(False)

    @property
    def deployed(self) -> Any:
        return self

    @property
    def device(self) -> torch.device:
        return self.pool.centres.device

    def prepare(self, image: Image.Image) -> Tensor:
        return Model.prepare(self, image)  # type: ignore[arg-type]

    def _small(self, image: Image.Image) -> Any:
        return Model._small(self, image)  # type: ignore[arg-type]

    def size(self, width: int, height: int) -> tuple[int, int]:
        return network_size(width, height, IMAGE_AREA)

    def describe_tensor(self, images: Tensor) -> Tensor:
        return self.pool(self.trunk((images - 0.45) / 0.225))

    @torch.inference_mode()
    def describe(self, images: Any, batch: int = 16) -> Any:
        if isinstance(images, Tensor):
            return self.describe_tensor(images)
        small = batches_ahead(images, self._small, batch)
        return [self.describe_tensor(torch.from_numpy(one).permute(0, 3, 1, 2).float().to(self.device) / 255)
                for one in small]  # fmt: skip
