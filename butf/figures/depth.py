"""A side map to hover over, the true and the reconstructed one on the same scale, and the signed error between them."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from butf.dataset.colours import ramp
from butf.figures.theme import style

CELLS_WIDE = 160
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


def map_figure(values: np.ndarray, valid: np.ndarray, scale: Scale, height: int = 226) -> go.Figure:
    """A side map `(H, W)` in the scale's unit; cells that are not `valid` stay a neutral grey and say nothing.

    The colour bar beneath is drawn as a map of its own, so that a logarithmic scale has readable ticks.
    """
    figure = _frame(values.shape, height)
    colours = scale.colours()
    shared = {"colorscale": colours, "zmin": scale.low, "zmax": scale.high, "showscale": False}
    unit = f" {scale.unit}" if scale.unit else ""
    hover = f"%{{z:.3~g}}{unit}<extra></extra>"
    figure.add_trace(go.Heatmap(z=coarse(values, valid), hovertemplate=hover, **shared), row=1, col=1)
    steps = np.geomspace(scale.low, scale.high, 129) if scale.log else np.linspace(scale.low, scale.high, 129)
    figure.add_trace(go.Heatmap(x=steps, y=[0], z=steps[None], hovertemplate=hover, **shared), row=2, col=1)
    return _bar_axis(figure, scale.ticks(), scale.unit, "log" if scale.log else "linear")


def error_figure(
    true: np.ndarray,
    predicted: np.ndarray,
    valid: np.ndarray,
    limit: float | None = None,
    height: int = 226,
    unit: str = "m",
) -> go.Figure:
    """Reconstructed minus true `(H, W)`: blue where it is too near, orange where too far, grey where nothing is known.

    `limit` is the error of full colour; by default the 95th percentile of the absolute errors.
    """
    error = np.where(valid, predicted - true, 0.0)
    limit = limit or error_limit(error, valid)
    figure = _frame(error.shape, height)
    shared = {"colorscale": SHORT_TO_LONG, "zmin": -limit, "zmax": limit, "showscale": False}
    hover = f"%{{z:+.3~g}} {unit}<extra></extra>"
    figure.add_trace(go.Heatmap(z=coarse(error, valid), hovertemplate=hover, **shared), row=1, col=1)
    steps = np.linspace(-limit, limit, 129)
    figure.add_trace(go.Heatmap(x=steps, y=[0], z=steps[None], hovertemplate=hover, **shared), row=2, col=1)
    return _bar_axis(figure, [-limit, -limit / 2, 0, limit / 2, limit], unit, "linear", signed=True)


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


def coarse_shape(shape: tuple[int, int], cells_wide: int = CELLS_WIDE) -> tuple[int, int]:
    """The shape of `coarse(...)` for a map of `shape` (H, W)."""
    step = _step(shape[1], cells_wide)
    return tuple(len(range(step // 2, size, step)) for size in shape)


def _step(wide: int, cells_wide: int) -> int:
    return max(1, -(-wide // cells_wide))


def _frame(shape: tuple[int, int], height: int) -> go.Figure:
    """An empty picture of the proportions of `shape` (H, W), with a thin bar beneath it."""
    figure = make_subplots(rows=2, cols=1, row_heights=[0.955, 0.045], vertical_spacing=0.035)
    style(figure, height=height, legend=False)
    figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 20}, dragmode="pan")
    tall, wide = coarse_shape(shape)
    ground = {"x0": -0.5, "x1": wide - 0.5, "y0": -0.5, "y1": tall - 0.5, "layer": "below"}
    figure.add_shape(type="rect", fillcolor=NEUTRAL, line={"width": 0}, row=1, col=1, **ground)
    figure.update_xaxes(visible=False, range=[-0.5, wide - 0.5], constrain="domain", row=1, col=1)
    figure.update_yaxes(visible=False, range=[tall - 0.5, -0.5], scaleanchor="x", constrain="domain", row=1, col=1)
    figure.update_yaxes(constraintoward="top", row=1, col=1)
    figure.update_yaxes(visible=False, fixedrange=True, range=[-0.5, 0.5], row=2, col=1)
    return figure


def _bar_axis(figure: go.Figure, ticks: list[float], unit: str, kind: str, signed: bool = False) -> go.Figure:
    words = [f"{tick:+g}" if signed and tick else f"{tick:g}" for tick in ticks]
    if words and unit:
        words[-1] += f" {unit}"
    figure.update_xaxes(
        type=kind,
        tickvals=ticks,
        ticktext=words,
        ticks="",
        showgrid=False,
        fixedrange=True,
        automargin=False,
        tickfont={"size": 11},
        tickangle=0,
        row=2,
        col=1,
    )
    return figure
