"""The hinge of the diversification loss (slide equation 4) over the full descriptor's triplet loss."""

import numpy as np
import plotly.graph_objects as go
import torch

from butf.figures.theme import RIGHT, WRONG, model_colour, note, styled, translucent, upright
from butf.losses import diversification_loss

MOST = 1.0


def hinge_figure(full: float, main: float, margin: float, height: int = 460) -> go.Figure:
    """Equation 4 as a curve, the demand as a green span, the main loss and the margin marked, and the present point."""
    at = torch.linspace(0, MOST, 201)
    value = float(diversification_loss(torch.tensor(full), torch.tensor(main), margin))
    colour = RIGHT if value == 0 else WRONG
    hinge = {
        "type": "scatter", "x": at.numpy(), "y": diversification_loss(at, torch.tensor(main), margin).numpy(),
        "mode": "lines", "name": "hinge", "line": {"color": model_colour("bu-tf"), "width": 4},
        "hovertemplate": "full %{x:.2f}: hinge %{y:.2f}<extra></extra>",
    }  # fmt: skip
    now = {
        "type": "scatter", "x": [full, full], "y": [0, value], "mode": "lines+markers", "name": "now",
        "hoverinfo": "skip", "line": {"color": colour, "width": 3},
        "marker": {"size": [0, 18], "opacity": 1, "color": colour},
    }  # fmt: skip
    told = note(full, value, f"<b>{value:.2f}</b>", yshift=26, font={"size": 22, "color": colour})
    across = {"range": [0, MOST], "tickvals": np.arange(0, 1.01, 0.2)}
    return styled(
        [hinge, now],
        height,
        font={"size": 16},
        margin={"t": 44},
        xaxis={"title": _title("triplet loss of the full descriptor"), "tickfont": {"size": 15}} | across,
        yaxis={"title": _title("diversification loss"), "tickfont": {"size": 15}, "range": [0, 1.55]},
        shapes=_spans(main, margin),
        annotations=[told, *_span_notes(main, margin)],
    )


def _title(text: str) -> dict:
    return {"text": text, "font": {"size": 16}}


def _spans(main: float, margin: float) -> list[dict]:
    """Where the demand is met, and the main descriptor's loss."""
    met = upright(0, {"width": 0}) | {"type": "rect", "x1": main - margin, "layer": "below"}
    met["fillcolor"] = translucent(RIGHT, 0.12)
    mark = upright(main, {"width": 2, "dash": "dash", "color": "#808a94"})
    return [met, mark] if main > margin else [mark]


def _span_notes(main: float, margin: float) -> list[dict]:
    """What `_spans` shows in words, and the margin below the main loss as an arrow with two ends."""
    notes = [note((main - margin) / 2, 0.04, "demand met", yref="paper")] if main > margin else []
    notes.append(note(main, 1, f"main {main:.2f}", yref="paper", yanchor="bottom", yshift=2))
    if margin > 0:
        ends = {"xref": "x", "axref": "x", "yref": "y", "ayref": "y", "ax": max(0.0, main - margin), "ay": 0.5}
        look = {"showarrow": True, "arrowside": "end+start", "arrowhead": 2, "arrowwidth": 2}
        notes += [note(main, 0.5, "", **ends, **look), note(max(0.0, main - margin / 2), 0.55, "λ<sub>div</sub>")]
    return notes
