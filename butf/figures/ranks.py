"""How the side part of a descriptor moves the ranking: one line a candidate, from main alone to side alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from butf.figures.theme import AXIS, RIGHT, WRONG, base_layout, drawn

NEUTRAL = "#808a94"
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


@dataclass(frozen=True)
class Path:
    """The ranks of one candidate under each ordering; `correct` None where the truth is not known."""

    frame: str
    ranks: Sequence[int]
    correct: bool | None
    chosen: bool = False


def ranks_figure(orderings: Sequence[str], paths: Sequence[Path], height: int = 300) -> go.Figure:
    """Ranks, 1 on top and logarithmic; right places filled and green, wrong ones hollow, the chosen one thick."""
    last = max((max(path.ranks) for path in paths), default=1)
    ticks = [tick for tick in TICKS if tick <= last] or [1]
    across = {"side": "top", "showgrid": True, "range": [-0.15, len(orderings) - 0.85]}
    down = {"type": "log", "autorange": "reversed", "title": {"text": "rank"}, "tickvals": ticks}
    layout = base_layout(height) | {
        "margin": {"l": 8, "r": 8, "t": 26, "b": 8},
        "xaxis": AXIS | across,
        "yaxis": AXIS | down | {"ticktext": [f"{tick:,}" for tick in ticks]},
    }
    return drawn([_line(orderings, path) for path in paths], layout)


def _line(orderings: Sequence[str], path: Path) -> dict:
    colour = {True: RIGHT, False: WRONG, None: NEUTRAL}[path.correct]
    word = {True: ", right", False: ", wrong", None: ""}[path.correct]
    return dict(
        type="scatter",
        x=list(orderings),
        y=list(path.ranks),
        mode="lines+markers",
        name=path.frame,
        opacity=1.0 if path.chosen else 0.6,
        line={"color": colour, "width": 4 if path.chosen else 1.5, "dash": "dot" if path.correct is False else "solid"},
        marker={"size": 9, "symbol": "circle-open" if path.correct is False else "circle", "line": {"width": 2}},
        hovertemplate=f"{path.frame}{word}<br>rank %{{y}} by %{{x}}<extra></extra>",
    )
