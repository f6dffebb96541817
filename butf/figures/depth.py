"""A side map to hover over, the true and the reconstructed one on the same scale, and the signed error between them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import ImageColor

from butf.dataset.colours import ramp
from butf.figures.hover_map import Bar, HoverMap

CELLS_WIDE = 160
HEIGHT = 206
BAR_STEPS = 17
# Blue to orange: told apart under every common colour-vision deficiency, unlike red to green.
SHORT_TO_LONG = ((0.0, "#1f5fa8"), (0.25, "#7fb0dc"), (0.5, "#f3f2ee"), (0.75, "#eeb067"), (1.0, "#b35a00"))
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)


@dataclass(frozen=True)
class Scale:
    """The range of values that maps share, in `unit`; `log` spreads the colours evenly over ratios."""

    low: float
    high: float
    unit: str = "m"
    log: bool = True

    def share(self, values: np.ndarray) -> np.ndarray:
        """Where values lie between `low` (0) and `high` (1), in the logarithm where `log` is set; NaN stays NaN."""
        inside = np.clip(values, self.low, self.high)
        if self.log:
            share: np.ndarray = np.log(inside / self.low) / np.log(self.high / self.low)
        else:
            share = (inside - self.low) / (self.high - self.low)
        return share

    def paint(self, shares: np.ndarray) -> np.ndarray:
        """Colours `(..., 3)` uint8 at shares `(...)` of the scale, near to far."""
        colours: np.ndarray = ramp()[np.rint(255 * shares).astype(int)]
        return colours

    def ticks(self) -> list[tuple[float, str]]:
        """Round values within the scale, each with its share of the way; the last one names the unit."""
        if self.log:
            values = [tick for tick in TICKS if self.low <= tick <= self.high]
        else:
            values = [round(float(value), 3) for value in np.linspace(self.low, self.high, 5)]
        texts = [f"{value:g}" for value in values]
        if texts and self.unit:
            texts[-1] += f" {self.unit}"
        return list(zip(self.share(np.array(values, float)).tolist(), texts, strict=True))


def map_figure(values: np.ndarray, valid: np.ndarray, scale: Scale, height: int = HEIGHT) -> HoverMap:
    """A side map `(H, W)` in the scale's unit; cells that are not `valid` are neutral and say nothing."""
    cells = coarse(values, valid)
    bar = Bar(scale.paint(np.linspace(0, 1, BAR_STEPS)), scale.ticks())
    return HoverMap.of_numbers(cells, _painted(cells, scale.share(cells), scale.paint), scale.unit, bar, height)


def error_figure(
    true: np.ndarray,
    predicted: np.ndarray,
    valid: np.ndarray,
    limit: float | None = None,
    height: int = HEIGHT,
    unit: str = "m",
) -> HoverMap:
    """Reconstructed minus true `(H, W)`: blue where it is too near, orange where too far, neutral where not known.

    `limit` is the error of full colour; by default the 95th percentile of the absolute errors.
    """
    error = np.where(valid, predicted - true, 0.0)
    limit = limit or error_limit(error, valid)
    cells = coarse(error, valid)
    texts = [f"{-limit:g}", f"{-limit / 2:g}", "0", f"+{limit / 2:g}", f"+{limit:g} {unit}"]
    bar = Bar(signed_colours(np.linspace(0, 1, BAR_STEPS)), list(zip((0.0, 0.25, 0.5, 0.75, 1.0), texts, strict=True)))
    pixels = _painted(cells, (cells / limit + 1) / 2, signed_colours)
    return HoverMap.of_numbers(cells, pixels, unit, bar, height, signed=True)


def error_limit(error: np.ndarray, valid: np.ndarray) -> float:
    """A round number (1, 2 or 5 times a power of ten) not under the 95th percentile of the absolute error."""
    known = np.abs(error[valid])
    wanted = float(np.percentile(known, 95)) if known.size else 1.0
    power = 10.0 ** np.floor(np.log10(max(wanted, 1e-3)))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= wanted * (1 - 1e-9)))


def coarse(values: np.ndarray, valid: np.ndarray, cells_wide: int = CELLS_WIDE) -> np.ndarray:
    """Every n-th cell of a map `(H, W)`, at most `cells_wide` across, as float32 with NaN where it is not valid.

    Cells are picked and not averaged: an average across a roof's edge is a depth that is nowhere in the scene.
    """
    step = _step(values.shape[1], cells_wide)
    picked = np.where(valid, values, np.nan)[step // 2 :: step, step // 2 :: step]
    return np.round(picked, 3).astype(np.float32)


def signed_colours(shares: np.ndarray) -> np.ndarray:
    """`SHORT_TO_LONG` at shares 0..1 of any shape `(...)`, as `(..., 3)` uint8."""
    stops = [stop for stop, _ in SHORT_TO_LONG]
    table = np.array([ImageColor.getrgb(colour) for _, colour in SHORT_TO_LONG], float)
    inside = np.clip(shares, 0, 1)
    mixed = np.stack([np.interp(inside, stops, table[:, part]) for part in range(3)], axis=-1)
    colours: np.ndarray = np.rint(mixed).astype(np.uint8)
    return colours


def _painted(cells: np.ndarray, shares: np.ndarray, paint: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Colours `(H, W, 4)` of cells `(H, W)` from their shares of the scale; NaN is see-through."""
    known = np.isfinite(cells)
    colours = paint(np.where(known, shares, 0.0))
    return np.concatenate([colours, np.where(known, 255, 0)[..., None].astype(np.uint8)], axis=2)


def _step(wide: int, cells_wide: int) -> int:
    return max(1, -(-wide // cells_wide))
