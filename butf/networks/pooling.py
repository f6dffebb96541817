"""From a feature map `(B, C, h, w)` to one unit vector: by sums, maxima, powers of responses, or over regions."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-6
SCALES = 3
OVERLAP = 0.4
"""How much two neighbouring regions of R-MAC share, about (Tolias 2016)."""


class Pooling(nn.Module):
    """A way of pooling; `forward` takes `(B, C, h, w)` to unit vectors `(B, D)`."""

    dim: int = 0
    """D, once it is known for how many channels this is (`butf.networks.aggregation`)."""

    def contributions(self, features: Tensor) -> Tensor:
        """What each position adds to the pooled vector: `(B, D, h, w)`, which sum to `forward(features)`."""
        pooled: Tensor = self(features)
        return pooled[:, :, None, None] * self.shares(features)

    def shares(self, features: Tensor) -> Tensor:
        """How much of each number of the vector comes from each position: `(B, D, h, w)`, 1 in all for a number."""
        raise RuntimeError(f"{type(self).__name__} does not say where its numbers come from")


class GeM(Pooling):
    """Generalized-mean pooling (Radenovic 2018), then L2: `(mean_x max(f(x), eps)^p)^(1/p)`, p learnt.

    p = 1 is the average, p -> infinity the maximum. Negative responses count as none.
    """

    def __init__(self, power: float = 3.0):
        super().__init__()
        self.power = nn.Parameter(torch.tensor(power))

    def forward(self, features: Tensor) -> Tensor:
        # In single precision under bf16 autocast: powers of small numbers vanish there.
        responses = features.float().clamp(min=EPSILON)
        pooled = responses.pow(self.power).mean(dim=(2, 3)).pow(1.0 / self.power)
        return F.normalize(pooled, dim=1)

    def shares(self, features: Tensor) -> Tensor:
        """How much of each channel's response comes from each position: `(B, C, h, w)`, 1 in all for a channel."""
        powers = features.float().clamp(min=EPSILON).pow(self.power)
        return powers / powers.sum(dim=(2, 3), keepdim=True)


class MAC(Pooling):
    """Maximum activation of convolutions, then L2: the pooling of the talk."""

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(features.float().amax(dim=(2, 3)), dim=1)

    def shares(self, features: Tensor) -> Tensor:
        """Where each channel has its maximum: `(B, C, h, w)`, 1 at the first such position and 0 elsewhere."""
        flat = features.flatten(2)
        return F.one_hot(flat.argmax(dim=2), flat.shape[2]).float().reshape(features.shape)


class SPoC(Pooling):
    """Sum pooling of convolutions (Babenko 2015), then L2: `sum_x max(f(x), eps)`.

    The paper's maps are rectified and our trunks' last ones are not: negative responses count as none, as in GeM.
    Its centre prior and whitening are left out; for the latter see `butf.networks.whitening`.
    """

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(features.float().clamp(min=EPSILON).sum(dim=(2, 3)), dim=1)

    def shares(self, features: Tensor) -> Tensor:
        responses = features.float().clamp(min=EPSILON)
        return responses / responses.sum(dim=(2, 3), keepdim=True)


class RMAC(Pooling):
    """Regional maxima (Tolias 2016): the sum over `regions` of each one's maximum of unit length, then L2.

    The paper whitens each region's vector before the sum; here the whole may be whitened (`butf.networks.whitening`).
    Negative responses count as none, as in GeM.
    """

    def __init__(self, scales: int = SCALES):
        super().__init__()
        self.scales = scales

    def forward(self, features: Tensor) -> Tensor:
        responses = features.float().clamp(min=EPSILON)
        vectors = [F.normalize(part.amax(dim=(2, 3)), dim=1) for _, _, part in self._parts(responses)]
        return F.normalize(torch.stack(vectors).sum(dim=0), dim=1)

    def shares(self, features: Tensor) -> Tensor:
        responses = features.float().clamp(min=EPSILON)
        sums = torch.zeros_like(responses)
        for rows, columns, part in self._parts(responses):
            flat = part.flatten(2)
            vector = F.normalize(flat.amax(dim=2), dim=1)
            peaks = F.one_hot(flat.argmax(dim=2), flat.shape[2]).reshape(part.shape)
            sums[:, :, rows, columns] += peaks * vector[:, :, None, None]
        return sums / sums.sum(dim=(2, 3), keepdim=True)

    def _parts(self, responses: Tensor) -> list[tuple[slice, slice, Tensor]]:
        parts = []
        for top, left, side in regions(responses.shape[-2], responses.shape[-1], self.scales):
            rows, columns = slice(top, top + side), slice(left, left + side)
            parts.append((rows, columns, responses[:, :, rows, columns]))
        return parts


def regions(height: int, width: int, scales: int = SCALES) -> list[tuple[int, int, int]]:
    """The square regions of R-MAC on a map of this size: `(top, left, side)` of each (Tolias 2016, section 3.2).

    At scale l their side is `2 min(h, w) / (l + 1)`; l of them lie along the shorter side of the map and l + m along
    the longer one, at even distances, with m chosen once, at scale 1, so that neighbours overlap by 40 % as nearly as
    can be. Sides and corners are rounded down to whole positions, and no side is below one.
    """
    short, long = min(height, width), max(height, width)
    more = _along(short, long) - 1
    found = []
    for scale in range(1, scales + 1):
        side = max(1, 2 * short // (scale + 1))
        tops = _corners(height, side, scale + (more if height > width else 0))
        lefts = _corners(width, side, scale + (more if width > height else 0))
        found += [(top, left, side) for top in tops for left in lefts]
    return found


def _along(short: int, long: int) -> int:
    """How many squares of side `short` lie along `long` at scale 1: two to seven, their overlap nearest to 40 %."""
    return min(range(2, 8), key=lambda count: abs(1 - (long - short) / (count - 1) / short - OVERLAP))


def _corners(length: int, side: int, count: int) -> list[int]:
    """Where `count` squares of this side begin along a length, at even distances, the last one at its end."""
    if count == 1:
        return [(length - side) // 2]
    return [(length - side) * number // (count - 1) for number in range(count)]
