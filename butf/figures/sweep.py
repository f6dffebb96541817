"""The diversification ablation as the talk draws it: recall over the margin of equation 4, a line for each weight."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from butf.figures.theme import model_colour, styled

LOOKS = (("#3a86d0", "circle", "dash"), (model_colour("bu-tf"), "diamond", "solid"), ("#c98500", "square", "dashdot"))


@dataclass(frozen=True)
class Point:
    """Recall of bu-tf, with the ends of its 95 % interval, at one margin (None: without equation 4) and one weight."""

    lambda_div: float | None
    sigma_transfer: float
    recall: float
    low: float
    high: float
    note: str
    """What a reader who points at it is told beside the recall."""


def sweep_figure(points: Sequence[Point], height: int = 300) -> go.Figure:
    """recall@1 in percent over lambda_div, one line a sigma_transfer; bars are the intervals."""
    margins = list(dict.fromkeys(point.lambda_div for point in points))
    sigmas = list(dict.fromkeys(point.sigma_transfer for point in points))
    traces = []
    for number, sigma in enumerate(sigmas):
        own = [point for point in points if point.sigma_transfer == sigma]
        colour, symbol, dash = LOOKS[number % len(LOOKS)]
        # Lines stand a little beside each other, so that their bars can be told apart.
        shift = 0.06 * (number - (len(sigmas) - 1) / 2)
        traces.append({
            "type": "scatter", "name": f"σ<sub>transfer</sub> {sigma:g}", "mode": "lines+markers",
            "x": [margins.index(point.lambda_div) + shift for point in own], "y": [100 * point.recall for point in own],
            "error_y": {
                "array": [100 * (point.high - point.recall) for point in own],
                "arrayminus": [100 * (point.recall - point.low) for point in own], "width": 3, "thickness": 1.2,
            },
            "hoverinfo": "text", "hovertext": [
                f"λ_div {_margin(point.lambda_div)}, σ_transfer {sigma:g}: {100 * point.recall:.1f} % "
                f"({100 * point.low:.0f} to {100 * point.high:.0f}){point.note}"
                for point in own
            ],
            "line": {"color": colour, "width": 2.2, "dash": dash},
            "marker": {"symbol": symbol, "size": 9, "color": colour},
        })  # fmt: skip
    across = {"tickvals": list(range(len(margins))), "ticktext": [_margin(margin) for margin in margins]}
    across |= {"title": {"text": "margin of the diversification loss, λ<sub>div</sub>"}}
    across |= {"range": [-0.3, len(margins) - 0.7]}
    return styled(traces, height, with_legend=True, xaxis=across, yaxis={"ticksuffix": " %"})


def _margin(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
