"""Visual words on real pictures: local features of a trunk, k-means over a database, soft and hard assignment."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from butf.dataset.frames import Frames
from butf.networks.netvlad import hard_assignment, residual_sums, soft_assignment, visual_words
from butf.networks.zoo import Model, network_size

MOST_PIXELS = 320 * 240
PICTURES = 48

__all__ = ["assignment", "database_features", "local_features", "visual_words", "vlad_matrix"]


@torch.inference_mode()
def local_features(model: Model, picture: Image.Image) -> Tensor:
    """Unit features `(h, w, D)` of a picture at stride 16, from the trunk of a model, on the CPU.

    The picture is seen at its own size, or at about 320 x 240 pixels where it is larger.
    """
    width, height = network_size(*picture.size, min(picture.width * picture.height, MOST_PIXELS))
    pixels = np.array(picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float().to(model.device) / 255
    return F.normalize(model.network.trunk(images)[-1][0].permute(1, 2, 0).cpu(), dim=-1)


def database_features(frames: Frames, split: str, model: Model, count: int = PICTURES) -> Tensor:
    """Features `(N, D)` of `count` pictures that lie evenly in a split's database: what the words are learnt from."""
    database = frames.database(split)
    chosen = database[np.unique(np.linspace(0, len(database) - 1, min(count, len(database))).astype(int))]
    return torch.cat([local_features(model, frames.image(i)).flatten(0, 1) for i in chosen])


def assignment(features: Tensor, centres: Tensor, alpha: float) -> Tensor:
    """NetVLAD's soft assignment `(h, w, K)` of features `(h, w, D)`; VLAD's hard one for an infinite `alpha`."""
    flat = features.flatten(0, 1)
    shares = hard_assignment(flat, centres) if math.isinf(alpha) else soft_assignment(flat, centres, alpha)
    assigned: Tensor = shares.unflatten(0, features.shape[:2])
    return assigned


def vlad_matrix(features: Tensor, centres: Tensor, shares: Tensor) -> Tensor:
    """VLAD's residual sums `(K, D)` of features `(h, w, D)` under their assignment `(h, w, K)`, not normalised."""
    return residual_sums(features.flatten(0, 1), centres, shares.flatten(0, 1))
