"""A candidate to draw on a map or a plan, and the plan in local metres for data sets without latitude and longitude."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from butf.figures.gallery import metres_text
from butf.figures.theme import model_colour, model_symbol, style

NEUTRAL = "#808a94"
DASH = 1 / 120
"""Length of a database point's dash, as a share of the extent: about as long as it is thick."""


@dataclass(frozen=True)
class Mark:
    """A candidate to draw: `x`, `y` are longitude and latitude in degrees, or easting and northing in metres."""

    model: str
    frame: str
    x: float
    y: float
    rank: int
    metres: float | None = None
    correct: bool | None = None

    @property
    def text(self) -> str:
        word = {True: ", right", False: ", wrong", None: ""}[self.correct]
        far = "" if self.metres is None else f", {metres_text(self.metres)} away"
        return f"{self.model}: candidate {self.rank}{far}{word}"

    @property
    def tooltip(self) -> str:
        """What tells a mark from every other one, and what a click on the map gives back."""
        return f"{self.text} ({self.frame})"


def marked(marks: Sequence[Mark], tooltip: str | None) -> Mark | None:
    """The mark of that tooltip; None where it is none of these."""
    return next((mark for mark in marks if mark.tooltip == tooltip), None)


def plan_figure(
    database: np.ndarray,
    query: tuple[float, float] | None,
    radius_m: float,
    marks: Sequence[Mark],
    height: int = 440,
    chosen: tuple[str, int] | None = None,
) -> go.Figure:
    """Query, radius and candidates in metres; the database `(D, 2)` as small grey points. Wrong ones are hollow.

    The `chosen` one, (model, rank), has a ring; `customdata` of a candidate is its tooltip.
    """
    figure = go.Figure(_points(database))
    figure.add_traces([_ring(mark) for mark in marks if chosen == (mark.model, mark.rank)])
    figure.add_traces(list(_candidates(marks)))
    if query is not None:
        x, y = query
        ends = {"x0": x - radius_m, "x1": x + radius_m, "y0": y - radius_m, "y1": y + radius_m}
        figure.add_shape(type="circle", line={"dash": "dash", "width": 1.5, "color": NEUTRAL}, **ends)
        figure.add_trace(_query(x, y))
    style(figure, height=height, legend=False)
    figure.update_xaxes(title="easting, m", constrain="domain")
    figure.update_yaxes(title="northing, m", scaleanchor="x")
    return figure


def _points(database: np.ndarray) -> go.Scatter:
    """All points as one broken line of short dashes: a browser draws it at once, and a mark for each only slowly."""
    half = np.ptp(database, axis=0).max(initial=0.0) * DASH / 2
    x = np.stack([database[:, 0] - half, database[:, 0] + half, np.full(len(database), np.nan)], axis=1)
    y = np.stack([database[:, 1], database[:, 1], np.full(len(database), np.nan)], axis=1)
    look = {"width": 4, "color": NEUTRAL}
    return go.Scatter(
        x=x.ravel(), y=y.ravel(), mode="lines", name="database", hoverinfo="skip", line=look, opacity=0.6
    )  # fmt: skip


def _candidates(marks: Sequence[Mark]) -> Iterator[go.Scatter]:
    """One trace a model; later ones are smaller, so that several at one place show as rings."""
    for number, model in enumerate(dict.fromkeys(mark.model for mark in marks)):
        own = [mark for mark in marks if mark.model == model]
        symbol, colour = model_symbol(model), model_colour(model)
        shapes = [f"{symbol}-open" if mark.correct is False else symbol for mark in own]
        look = {
            "size": max(7, 16 - 4 * number),
            "symbol": shapes,
            "color": colour,
            "line": {"width": 2, "color": colour},
        }
        yield go.Scatter(
            x=[mark.x for mark in own],
            y=[mark.y for mark in own],
            mode="markers",
            name=model,
            customdata=[mark.tooltip for mark in own],
            hovertext=[mark.tooltip for mark in own],
            hoverinfo="text",
            marker=look,
        )


def _ring(mark: Mark) -> go.Scatter:
    look = {"size": 28, "symbol": "circle-open", "color": NEUTRAL, "line": {"width": 2.5}}
    return go.Scatter(x=[mark.x], y=[mark.y], mode="markers", name="chosen", hoverinfo="skip", marker=look)


def _query(x: float, y: float) -> go.Scatter:
    look = {"size": 16, "symbol": "circle-cross-open", "color": NEUTRAL, "line": {"width": 2.5}}
    return go.Scatter(x=[x], y=[y], mode="markers", name="query", hovertext="the query", hoverinfo="text", marker=look)
