"""A picture with a map of weights laid over it: bright and warm where much comes from, dim where nothing does."""

import numpy as np
from PIL import Image

from butf.dataset.colours import ramp

WIDTH = 320
DIM = 0.6
STRONGEST = 0.75


def overlay(picture: Image.Image, weights: np.ndarray, width: int = WIDTH) -> Image.Image:
    """The picture in grey, at most `width` wide, with weights `(h, w)` from 0 in colour; the strongest stands out most.

    Weights are spread smoothly between their cells, and negative ones count as none.
    """
    small = picture.convert("L")
    if small.width > width:
        small = small.resize((width, max(1, round(small.height * width / small.width))), Image.Resampling.LANCZOS)
    positive = np.clip(weights, 0, None).astype(np.float32)
    share = positive / max(float(positive.max()), 1e-12)
    smooth = np.asarray(Image.fromarray(share).resize(small.size, Image.Resampling.BICUBIC)).clip(0, 1)
    colours = ramp()[np.rint(255 * (1 - smooth)).astype(int)].astype(np.float32)
    alpha = STRONGEST * smooth[..., None]
    grey = np.asarray(small, np.float32)[..., None] * (DIM + (1 - DIM) * smooth[..., None])
    return Image.fromarray(np.rint((1 - alpha) * grey + alpha * colours).astype(np.uint8))
