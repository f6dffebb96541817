"""The decoder of BU-TF: from the trunk's features back to the side modality."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def convolve(inputs: int, outputs: int, size: int = 3) -> nn.Sequential:
    """Convolution, batch normalisation and rectifier; the size of the map stays."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class FeatureLayers(nn.Module):
    """The trunk's maps brought together at an eighth of the picture's size: what a side descriptor is pooled from."""

    def __init__(self, channels: tuple[int, int, int], width: int):
        super().__init__()
        _, eighth, sixteenth = channels
        self.reduce = nn.Sequential(convolve(sixteenth, width, 1), convolve(width, width))
        self.lateral8 = nn.Conv2d(eighth, width, 1)
        self.refine8 = convolve(width, width)

    def features(self, maps: list[Tensor]) -> Tensor:
        """Features `(B, width, H/8, W/8)` from the trunk's `maps`."""
        _, eighth, sixteenth = maps
        features: Tensor = self.refine8(resize(self.reduce(sixteenth), eighth) + self.lateral8(eighth))
        return features


class FeatureDecoder(FeatureLayers):
    """Gives the features and no map."""

    def forward(self, maps: list[Tensor]) -> Tensor:
        return self.features(maps)


class Decoder(FeatureLayers):
    """Reconstructs the side modality at a quarter of the picture's size (slide equation 2, `M~`).

    Lighter than the talk's decoder, which alone doubles AlexNet: bilinear upsampling and thin 3x3 convolutions, with
    1x1 lateral connections from the trunk's maps at strides 8 and 4 that give the map its edges.
    """

    def __init__(self, channels: tuple[int, int, int], width: int, outputs: int = 1):
        super().__init__(channels, width)
        self.narrow = nn.Conv2d(width, width // 2, 1)
        self.lateral4 = nn.Conv2d(channels[0], width // 2, 1)
        self.refine4 = convolve(width // 2, width // 2)
        self.output = nn.Conv2d(width // 2, outputs, 3, padding=1)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Decode the trunk's `maps` of pictures of `size` (H, W).

        Returns the features at stride 8, `(B, width, H/8, W/8)`, and the side map `(B, 1, H/4, W/4)` in 0..1, or with
        several `outputs` the share of each class, `(B, outputs, H/4, W/4)`, which sum to 1.
        """
        features = self.features(maps)
        quarter = maps[0]
        fine = self.refine4(resize(self.narrow(features), quarter) + self.lateral4(quarter))
        logits = F.interpolate(self.output(fine), (size[0] // 4, size[1] // 4), mode="bilinear", align_corners=False)
        logits = logits.float()
        return features, torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, dim=1)


def resize(features: Tensor, like: Tensor) -> Tensor:
    """Resize `(B, C, h, w)` bilinearly to the height and width of `like`."""
    return F.interpolate(features, like.shape[-2:], mode="bilinear", align_corners=False)
