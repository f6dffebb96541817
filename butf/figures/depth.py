"""A side map to hover over, the true and the reconstructed one on the same scale, and the signed error between them."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from butf.dataset.colours import ramp
from butf.figures.theme import base_layout, drawn

CELLS_WIDE = 160
HEIGHT = 226
BELOW = 20
WIDE = 2.0
HIDDEN = {"visible": False, "zeroline": False, "showgrid": False}
NEUTRAL = "rgba(128, 138, 148, 0.28)"
# Blue to orange: told apart under every common colour-vision deficiency, unlike red to green.
SHORT_TO_LONG = [[0.0, "#1f5fa8"], [0.25, "#7fb0dc"], [0.5, "#f3f2ee"], [0.75, "#eeb067"], [1.0, "#b35a00"]]
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)


@dataclass(frozen=True)
class Scale:
    """The range of values that maps share, in `unit`; `log` spreads the colours evenly over ratios."""

    low: float
    high: float
    unit: str = "m"
    log: bool = True

    def colours(self, steps: int = 33) -> list[list]:
        """A Plotly colour scale over low..high which is even in the logarithm where `log` is set."""
        shares = np.linspace(0, 1, steps)
        places = shares
        if self.log:
            values = self.low * (self.high / self.low) ** shares
            places = (values - self.low) / (self.high - self.low)
        places[0], places[-1] = 0.0, 1.0
        near_to_far = ramp()[np.rint(255 * shares).astype(int)]
        return [[float(at), f"rgb({r}, {g}, {b})"] for at, (r, g, b) in zip(places, near_to_far.tolist(), strict=True)]

    def ticks(self) -> list[float]:
        if self.log:
            return [tick for tick in TICKS if self.low <= tick <= self.high]
        return [round(float(value), 3) for value in np.linspace(self.low, self.high, 5)]


def map_figure(values: np.ndarray, valid: np.ndarray, scale: Scale, height: int = HEIGHT) -> go.Figure:
    """A side map `(H, W)` in the scale's unit; cells that are not `valid` stay a neutral grey and say nothing.

    The colour bar beneath is drawn as a map of its own, so that a logarithmic scale has readable ticks.
    """
    unit = f" {scale.unit}" if scale.unit else ""
    look = {"colorscale": scale.colours(), "zmin": scale.low, "zmax": scale.high, "showscale": False}
    look["hovertemplate"] = f"%{{z:.3~g}}{unit}<extra></extra>"
    steps = (np.geomspace if scale.log else np.linspace)(scale.low, scale.high, 129)
    axis = _bar_axis(scale.ticks(), scale.high, scale.unit, "log" if scale.log else "linear")
    return _picture(coarse(values, valid), steps, look, axis, height)


def error_figure(
    true: np.ndarray,
    predicted: np.ndarray,
    valid: np.ndarray,
    limit: float | None = None,
    height: int = HEIGHT,
    unit: str = "m",
) -> go.Figure:
    """Reconstructed minus true `(H, W)`: blue where it is too near, orange where too far, grey where nothing is known.

    `limit` is the error of full colour; by default the 95th percentile of the absolute errors.
    """
    error = np.where(valid, predicted - true, 0.0)
    limit = limit or error_limit(error, valid)
    look = {"colorscale": SHORT_TO_LONG, "zmin": -limit, "zmax": limit, "showscale": False}
    look["hovertemplate"] = f"%{{z:+.3~g}} {unit}<extra></extra>"
    axis = _bar_axis([-limit, -limit / 2, 0, limit / 2, limit], limit, unit, "linear", signed=True)
    return _picture(coarse(error, valid), np.linspace(-limit, limit, 129), look, axis, height)


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


def picture_figure(cells: np.ndarray, look: dict, height: int) -> go.Figure:
    """Cells `(H, W)` in their own proportions, without a bar beneath; `look` is what a Plotly heatmap understands."""
    picture = {"type": "heatmap", "z": cells, "xaxis": "x", "yaxis": "y"} | look
    layout = _picture_layout(cells.shape, height) | {"margin": {"l": 0, "r": 0, "t": 0, "b": 0}}
    layout["yaxis"] |= {"domain": [0.0, 1.0]}
    return drawn([picture], layout)


def _step(wide: int, cells_wide: int) -> int:
    return max(1, -(-wide // cells_wide))


def _picture(cells: np.ndarray, bar: np.ndarray, look: dict, bar_axis: dict, height: int) -> go.Figure:
    """Cells `(H, W)` in their own proportions over a thin bar of values `(V,)`."""
    layout = _picture_layout(cells.shape, height)
    layout["xaxis2"] = bar_axis | {"anchor": "y2"}
    layout["yaxis2"] = HIDDEN | {"domain": [0.0, 0.043], "range": [-0.5, 0.5], "fixedrange": True, "anchor": "x2"}
    picture = {"type": "heatmap", "z": cells, "xaxis": "x", "yaxis": "y"} | look
    below = {"type": "heatmap", "x": bar, "y": [0], "z": bar[None], "xaxis": "x2", "yaxis": "y2"} | look
    return drawn([picture, below], layout)


def _picture_layout(shape: tuple[int, int], height: int) -> dict:
    """Axes for a picture of `shape` (H, W) in its own proportions, with room for a bar beneath.

    A picture more than `WIDE` times as wide as tall gets less height, lest there be a gap above the bar.
    """
    tall, wide = shape
    height = round(BELOW + (height - BELOW) * min(1, WIDE * tall / wide))
    ground = {"type": "rect", "x0": -0.5, "x1": wide - 0.5, "y0": -0.5, "y1": tall - 0.5, "layer": "below"}
    return base_layout(height) | {
        "margin": {"l": 0, "r": 0, "t": 0, "b": BELOW},
        "dragmode": "pan",
        "shapes": [ground | {"fillcolor": NEUTRAL, "line": {"width": 0}}],
        "xaxis": HIDDEN | {"range": [-0.5, wide - 0.5], "constrain": "domain", "anchor": "y"},
        "yaxis": HIDDEN
        | {"range": [tall - 0.5, -0.5], "scaleanchor": "x", "constrain": "domain", "constraintoward": "top"}
        | {"domain": [0.08, 1.0], "anchor": "x"},
    }


def _bar_axis(ticks: list[float], end: float, unit: str, kind: str, signed: bool = False) -> dict:
    words = [f"{tick:+g}" if signed and tick else f"{tick:g}" for tick in ticks]
    if words and unit:
        at_end = len(words) > 1 and ticks[-1] >= 0.95 * end
        words[-2 if at_end else -1] += f" {unit}"  # a label at the very end is not drawn
    ticked = {"tickvals": ticks, "ticktext": words, "ticks": "", "tickfont": {"size": 11}, "tickangle": 0}
    return ticked | {"type": kind, "showgrid": False, "zeroline": False, "fixedrange": True}
