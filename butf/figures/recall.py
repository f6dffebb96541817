"""Recall with 95 % intervals, and gains over image-only with whether they stand out from the noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from butf.figures.theme import model_colour, model_symbol, styled, upright


@dataclass(frozen=True)
class Curve:
    """Recall of one model: `x` ranks or metres, `y` fractions with the ends of their 95 % intervals."""

    model: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class Gain:
    """Recall@1 of a model minus that of another under a condition, in points of a hundred, with its p."""

    model: str
    over: str
    condition: str
    points: float
    p: float

    @property
    def clear(self) -> bool:
        """Whether the difference is more than chance would often give (p < 0.05)."""
        return self.p < 0.05

    @property
    def text(self) -> str:
        word = "" if self.clear else ", within the noise"
        return f"{points_text(self.points)} (p {p_text(self.p)}{word})"


def points_text(points: float) -> str:
    """A difference in points of a hundred, signed: `+7.0 points`."""
    return f"{points:+.1f} points".replace("-", "−")


def p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def gains_figure(gains: Sequence[Gain], conditions: Sequence[str], height: int | None = None) -> go.Figure:
    """Gain in recall@1 by condition, one mark a model: filled where it is clear, hollow where within the noise."""
    traces = []
    models = list(dict.fromkeys(gain.model for gain in gains))
    for number, model in enumerate(models):
        own = [gain for gain in gains if gain.model == model]
        colour, symbol = model_colour(model), model_symbol(model)
        lanes = [conditions.index(gain.condition) + 0.22 * (number - (len(models) - 1) / 2) for gain in own]
        traces.append({
            "type": "scatter", "x": [gain.points for gain in own], "y": lanes, "mode": "markers", "name": model,
            "hoverinfo": "text",
            "hovertext": [f"{gain.model} over {gain.over}, {gain.condition}: {gain.text}" for gain in own],
            "marker": {
                "size": 12, "color": colour, "symbol": [symbol if gain.clear else f"{symbol}-open" for gain in own],
                "line": {"width": 2, "color": colour},
            },
        })  # fmt: skip
    lanes = list(range(len(conditions)))
    return styled(
        traces,
        height or 90 + 46 * len(conditions),
        xaxis={"title": {"text": f"points of recall@1 gained over {gains[0].over}"}, "ticks": ""},
        yaxis={"tickvals": lanes, "ticktext": list(conditions), "range": [len(conditions) - 0.5, -0.5]},
        shapes=[upright(0, {"width": 1.5, "color": "#808a94"})],
    )
