"""The three networks of the lecture's pipeline (LIFT): detector, orientation, descriptor. Small and convolutional.

The detector sees whole pictures of a scale space; orientation and descriptor see patches of the keypoints alone. All
see brightness only, relative to its surroundings, so that exposure and contrast do not matter.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from butf.keypoints.patches import PATCH

DIMENSIONS = 128
SURROUNDINGS = 17
"""Pixels, each way, of the surroundings whose mean and contrast the detector measures brightness by."""
FAINT = 0.02
"""A contrast (standard deviation of brightness in 0..1) that counts as noise: below it little is amplified."""
REACH = 5
"""Pixels from a picture's border within which the detector sees beyond it."""


class Hinges(nn.Module):
    """A sum of signed maxima of linear functions, `sum_n d_n max_m (w_nm x + b_nm)` with d_n = +1, -1, +1, ...

    The generalised hinging hyperplanes that are TILDE's and LIFT's detector and LIFT's orientation, as a convolution.
    """

    signs: Tensor

    def __init__(self, channels: int, outputs: int, kernel: int, padding: int = 0, sums: int = 4, maxima: int = 4):
        super().__init__()
        self.shape = (outputs, sums, maxima)
        self.linear = nn.Conv2d(channels, outputs * sums * maxima, kernel, padding=padding)
        signs = torch.tensor([1.0 if n % 2 == 0 else -1.0 for n in range(sums)])
        self.register_buffer("signs", signs, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """`(B, channels, H, W)` -> `(B, outputs, H', W')`."""
        planes: Tensor = self.linear(features)
        summed: Tensor = (planes.unflatten(1, self.shape).amax(dim=3) * self.signs[:, None, None]).sum(dim=2)
        return summed


class Detector(nn.Module):
    """How much each pixel looks like a keypoint: keypoints are trained to have +1 and more, others -1 and less."""

    def __init__(self, width: int = 16):
        super().__init__()
        self.features = nn.Sequential(_block(1, width, 5), _block(width, width, 3))
        self.hinges = Hinges(width, 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Brightness `(B, 1, H, W)` in 0..1 -> scores `(B, 1, H, W)`."""
        scores: Tensor = self.hinges(self.features(local_contrast(images)))
        return scores


class Orientation(nn.Module):
    """How a patch is turned: two outputs and their arctan2, as in LIFT."""

    def __init__(self, width: int = 16):
        super().__init__()
        self.features = nn.Sequential(_block(1, width, 5, 2), _block(width, 2 * width, 3, 2))
        self.hinges = Hinges(2 * width, 2, PATCH // 8)

    def forward(self, patches: Tensor) -> Tensor:
        """Patches `(N, 1, 32, 32)` -> angles `(N,)` in radians."""
        return self._arrows(patches).angle()

    def voted(self, patches: Tensor) -> Tensor:
        """As `forward`, by the sum of what the patches show in four positions, a quarter turn apart.

        A patch that is turned by quarters gets exactly the angle that is turned with it, and others a steadier one.
        """
        turned = [self._arrows(torch.rot90(patches, quarter, (-2, -1))) * 1j**quarter for quarter in range(4)]
        return torch.stack(turned).sum(dim=0).angle()

    def _arrows(self, patches: Tensor) -> Tensor:
        """The two outputs, cosine and sine, as complex numbers `(N,)`."""
        small = F.avg_pool2d(standardised(patches), 2)
        return torch.view_as_complex(self.hinges(self.features(small)).flatten(1).float().contiguous())


class Descriptor(nn.Module):
    """What a turned and scaled patch looks like: 128 numbers of unit length."""

    def __init__(self, widths: tuple[int, int, int, int] = (16, 32, 48, 96)):
        super().__init__()
        first, second, third, fourth = widths
        self.layers = nn.Sequential(
            _block(1, first, 5, 2), _block(first, second, 3), _block(second, third, 3, 2), _block(third, third, 3),
            _block(third, fourth, 3, 2), nn.Conv2d(fourth, DIMENSIONS, PATCH // 8),
        )  # fmt: skip

    def forward(self, patches: Tensor) -> Tensor:
        """Patches `(N, 1, 32, 32)` -> `(N, 128)` of unit length."""
        return F.normalize(self.layers(standardised(patches)).flatten(1), dim=1)


class KeypointNetwork(nn.Module):
    """All three."""

    def __init__(self) -> None:
        super().__init__()
        self.detector, self.orientation, self.descriptor = Detector(), Orientation(), Descriptor()


def local_contrast(images: Tensor) -> Tensor:
    """Brightness `(B, 1, H, W)` less the mean of its surroundings, in units of their contrast."""
    mean, square = local_mean(torch.cat([images, images.square()], dim=1)).chunk(2, dim=1)
    return (images - mean) / ((square - mean.square()).clamp(min=0) + FAINT**2).sqrt()


def local_mean(maps: Tensor, size: int = SURROUNDINGS) -> Tensor:
    """The mean of each pixel's surroundings, a square of odd `size`, the border going on; `(B, C, H, W)` both.

    By running sums: a pooling layer takes time in proportion to `size`.
    """
    reach = size // 2
    for dim, pad in ((-1, (reach + 1, reach, 0, 0)), (-2, (0, 0, reach + 1, reach))):
        sums = F.pad(maps, pad, mode="replicate").cumsum(dim)
        count = sums.shape[dim] - size
        maps = (sums.narrow(dim, size, count) - sums.narrow(dim, 0, count)) / size
    return maps


def standardised(patches: Tensor) -> Tensor:
    """Patches `(N, 1, h, w)` of mean 0 and standard deviation 1; flat ones stay near 0."""
    deviation = patches.std(dim=(-2, -1), keepdim=True, correction=0)
    return (patches - patches.mean(dim=(-2, -1), keepdim=True)) / (deviation + 1e-3)


def _block(channels: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(channels, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
