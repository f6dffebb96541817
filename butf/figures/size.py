"""Size against recall: what a model's parameters buy, one mark a model."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from butf.figures.theme import model_colour, model_symbol, styled

BESIDE = 0.03
"""How far marks of equal size stand apart, in shares of the axis."""


@dataclass(frozen=True)
class Sized:
    """A model's size and its mean recall@1, a fraction, with the ends of the mean's 95 % interval."""

    model: str
    parameters: int
    size_ratio: float
    recall: float
    low: float
    high: float

    @property
    def text(self) -> str:
        return (
            f"{self.model}: {100 * self.recall:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f}), "
            f"{self.parameters:,} parameters, {self.size_ratio:.2f}x"
        )


def frontier(models: Sequence[Sized]) -> list[Sized]:
    """The models that none other beats: no other is as small and better, or as good and smaller; smallest first."""
    kept: list[Sized] = []
    for entry in sorted(models, key=lambda entry: (entry.parameters, -entry.recall)):
        if not kept or entry.recall > kept[-1].recall:
            kept.append(entry)
    return kept


def size_figure(models: Sequence[Sized], height: int = 330) -> go.Figure:
    """Mean recall@1 in percent over millions of parameters; the line is the best recall that a size reaches."""
    places = _places(models)
    return styled(
        [_steps(frontier(models), max(places.values()))] + [_mark(entry, places[entry.model]) for entry in models],
        height,
        margin={"l": 4, "r": 8, "t": 22, "b": 4},
        xaxis={"title": {"text": "million parameters", "font": {"size": 12}}, "tickformat": ".1f", "nticks": 6},
        yaxis={"ticksuffix": " %"},
    )


def _mark(entry: Sized, x: float) -> dict:
    colour = model_colour(entry.model)
    return {
        "type": "scatter", "x": [x], "y": [100 * entry.recall], "mode": "markers", "name": entry.model,
        "hoverinfo": "text", "hovertext": [entry.text],
        "marker": {"size": 12, "symbol": model_symbol(entry.model), "color": colour},
        "error_y": {
            "array": [100 * (entry.high - entry.recall)], "arrayminus": [100 * (entry.recall - entry.low)],
            "color": colour, "width": 0, "thickness": 1.6,
        },
    }  # fmt: skip


def _steps(best: Sequence[Sized], end: float) -> dict:
    x = [entry.parameters / 1e6 for entry in best] + [end]
    y = [100 * entry.recall for entry in best] + [100 * best[-1].recall]
    line = {"shape": "hv", "width": 1.5, "dash": "dot", "color": "#808a94"}
    look = {"mode": "lines", "line": line, "hoverinfo": "skip"}
    return {"type": "scatter", "x": x, "y": y, "name": "best for its size"} | look


def _places(models: Sequence[Sized]) -> dict[str, float]:
    """Where each model stands on the x axis: models of nearly equal size beside each other, none behind another."""
    millions = [entry.parameters / 1e6 for entry in models]
    step = BESIDE * (max(millions) - min(millions) or millions[0])
    places: dict[str, float] = {}
    for at, entry in sorted(zip(millions, models, strict=True), key=lambda pair: pair[0]):
        free = max(places.values(), default=-1.0) + step
        places[entry.model] = max(at, free)
    return places
