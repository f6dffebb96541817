"""A candidate to draw on a map or a plan, and the plan in local metres for data sets without latitude and longitude."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from butf.figures.gallery import metres_text
from butf.figures.theme import model_colour, model_symbol, styled

NEUTRAL = "#808a94"
SQUARE = 1 / 110
"""Side of a database point's square, as a share of the extent: some four pixels."""


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
    traces, layout = plan_parts(database, query, radius_m, marks, chosen)
    return styled(traces, height, **layout)


def plan_parts(
    database: np.ndarray,
    query: tuple[float, float] | None,
    radius_m: float,
    marks: Sequence[Mark],
    chosen: tuple[str, int] | None = None,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The traces of `plan_figure` and its layout, to draw more upon it."""
    rings = [_ring(mark) for mark in marks if chosen == (mark.model, mark.rank)]
    traces = [_points(database), *rings, *_candidates(marks)]
    layout = {
        "xaxis": {"title": {"text": "easting, m"}, "constrain": "domain"},
        "yaxis": {"title": {"text": "northing, m"}, "scaleanchor": "x"},
    }
    if query is None:
        return traces, layout
    x, y = map(float, query)
    ends = {"x0": x - radius_m, "x1": x + radius_m, "y0": y - radius_m, "y1": y + radius_m}
    circle = {"type": "circle", "line": {"dash": "dash", "width": 1.5, "color": NEUTRAL}} | ends
    return [*traces, _query(x, y)], layout | {"shapes": [circle]}


def _points(database: np.ndarray) -> dict[str, Any]:
    """All points as one shape of small squares: a browser draws it at once, and marks or dashes one by one.

    Of points closer together than half a square one is drawn: no more fit on the plan, however many there are.
    """
    side = np.ptp(database, axis=0).max(initial=0.0) * SQUARE
    cells = np.floor((database - database.min(axis=0, initial=np.inf)) / (side / 2 or 1.0)).astype(np.int64)
    database = database[np.sort(np.unique(cells, axis=0, return_index=True)[1])]
    gap = np.full((len(database), 1), np.nan)
    x, y = (
        np.concatenate([database[:, [axis]] + side / 2 * np.array(corners), gap], axis=1)
        for axis, corners in ((0, (-1, 1, 1, -1, -1)), (1, (-1, -1, 1, 1, -1)))
    )
    look = {"mode": "none", "fill": "toself", "fillcolor": NEUTRAL, "opacity": 0.6, "hoverinfo": "skip"}
    return {"type": "scatter", "x": x.ravel(), "y": y.ravel(), "name": "database"} | look


def _candidates(marks: Sequence[Mark]) -> Iterator[dict[str, Any]]:
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
        yield {
            "type": "scatter",
            "x": [mark.x for mark in own],
            "y": [mark.y for mark in own],
            "mode": "markers",
            "name": model,
            "customdata": [mark.tooltip for mark in own],
            "hovertext": [mark.tooltip for mark in own],
            "hoverinfo": "text",
            "marker": look,
        }


def _ring(mark: Mark) -> dict[str, Any]:
    look = {"size": 28, "symbol": "circle-open", "color": NEUTRAL, "line": {"width": 2.5}}
    return _alone(mark.x, mark.y, "chosen", look) | {"hoverinfo": "skip"}


def _query(x: float, y: float) -> dict[str, Any]:
    look = {"size": 16, "symbol": "circle-cross-open", "color": NEUTRAL, "line": {"width": 2.5}}
    return _alone(x, y, "query", look) | {"hovertext": "the query", "hoverinfo": "text"}


def _alone(x: float, y: float, name: str, look: dict[str, Any]) -> dict[str, Any]:
    return {"type": "scatter", "x": [x], "y": [y], "mode": "markers", "name": name, "marker": look}
