"""recall@1 as bars, condition by condition, with the model's mark and the 95 % interval at the top of each bar."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from butf.figures.theme import model_colour, model_symbol, note, styled, translucent

FILL = 0.42
GROUP = 0.84
"""Share of a condition's room that its bars take."""
GAP = 0.35
"""Room between the seen conditions and the unseen ones, in conditions."""


@dataclass(frozen=True)
class Bar:
    """recall@1 of a model under a condition, a fraction, with the ends of its 95 % interval."""

    model: str
    condition: str
    seen: bool
    recall: float
    low: float
    high: float
    queries: int

    @property
    def text(self) -> str:
        return (
            f"{self.model}, {self.condition}: {100 * self.recall:.1f} % "
            f"({100 * self.low:.1f} to {100 * self.high:.1f}) of {self.queries} queries"
        )


def bars_figure(bars: Sequence[Bar], height: int = 330) -> go.Figure:
    """recall@1 in percent, one group of bars a condition in the order given, one bar a model."""
    places = condition_places(bars)
    models = list(dict.fromkeys(bar.model for bar in bars))
    width = GROUP / len(models)
    traces, notes = [], []
    for number, model in enumerate(models):
        own = [bar for bar in bars if bar.model == model]
        x = [places[bar.condition] + width * (number - (len(models) - 1) / 2) for bar in own]
        traces += _bars(model, own, x, width)
    for seen, word in ((True, "seen in training"), (False, "unseen in training")):
        found = [places[bar.condition] for bar in bars if bar.seen is seen]
        if found:
            look = {"yref": "paper", "yanchor": "bottom", "font": {"size": 12}, "opacity": 0.75}
            notes.append(note((min(found) + max(found)) / 2, 1, word, **look))
    ends = [min(places.values()) - 0.5, max(places.values()) + 0.5]
    return styled(
        traces,
        height,
        margin={"l": 4, "r": 4, "t": 22, "b": 4},
        xaxis={"tickvals": list(places.values()), "ticktext": list(places), "range": ends, "showgrid": False},
        yaxis={"range": [0, 102], "tickvals": [0, 25, 50, 75, 100], "ticktext": ["0", "25", "50", "75", "100 %"]},
        annotations=notes,
    )


def condition_places(bars: Sequence[Bar]) -> dict[str, float]:
    """Where on the x axis each condition stands: one apart, with a gap where seen ones end and unseen ones begin."""
    found = dict.fromkeys((bar.condition, bar.seen) for bar in bars)
    places, before, at = {}, None, 0.0
    for condition, seen in found:
        at += 0.0 if before is None else 1.0 + GAP * (before is not seen)
        places[condition], before = at, seen
    return places


def _bars(model: str, own: Sequence[Bar], x: Sequence[float], width: float) -> list[dict]:
    """A model's bars, and its marks with their intervals."""
    colour, tops = model_colour(model), [100 * bar.recall for bar in own]
    body = {
        "type": "bar", "x": x, "y": tops, "width": 0.88 * width, "name": model,
        "hoverinfo": "text", "hovertext": [bar.text for bar in own],
        "marker": {"color": translucent(colour, FILL), "line": {"width": 0}},
    }  # fmt: skip
    top = {
        "type": "scatter", "x": x, "y": tops, "mode": "markers", "name": model, "hoverinfo": "skip",
        "marker": {"size": 8, "symbol": model_symbol(model), "color": colour},
        "error_y": {
            "array": [100 * (bar.high - bar.recall) for bar in own],
            "arrayminus": [100 * (bar.recall - bar.low) for bar in own],
            "color": colour, "width": 0, "thickness": 1.6,
        },
    }  # fmt: skip
    return [body, top]
