"""A side map as a picture of three channels, for trunks that were trained on pictures."""

import torch
from torch import Tensor


def colour_ramp(side: Tensor, valid: Tensor | None = None) -> Tensor:
    """A side map `(B, 1, h, w)` in 0..1 as a picture `(B, 3, h, w)`: blue to green to red, black where not `valid`.

    Hallucination, the follow-up form of BU-TF and RGB-D need this encoding; BU-TF does not.
    """
    red, green, blue = (1.5 - (4 * side - peak).abs() for peak in (3, 2, 1))
    picture = torch.cat([red, green, blue], dim=1).clamp(0, 1)
    return picture if valid is None else picture * valid
