"""The hinge of the diversification loss (slide equation 4) over the full descriptor's triplet loss."""

import numpy as np
import plotly.graph_objects as go
import torch

from butf.figures.theme import RIGHT, WRONG, model_colour, style, translucent
from butf.losses import diversification_loss

MOST = 1.0


def hinge_figure(full: float, main: float, margin: float, height: int = 460) -> go.Figure:
    """Equation 4 as a curve, the demand as a green span, the main loss and the margin marked, and the present point."""
    at = torch.linspace(0, MOST, 201)
    curve = diversification_loss(at, torch.tensor(main), margin).numpy()
    value = float(diversification_loss(torch.tensor(full), torch.tensor(main), margin))
    colour = RIGHT if value == 0 else WRONG
    figure = go.Figure()
    figure.add_trace(go.Scatter(
        x=at.numpy(), y=curve, mode="lines", name="hinge", line={"color": model_colour("bu-tf"), "width": 4},
        hovertemplate="full %{x:.2f}: hinge %{y:.2f}<extra></extra>",
    ))  # fmt: skip
    figure.add_trace(go.Scatter(
        x=[full, full], y=[0, value], mode="lines+markers", name="now", hoverinfo="skip",
        line={"color": colour, "width": 3}, marker={"size": [0, 18], "opacity": 1, "color": colour},
    ))  # fmt: skip
    figure.add_annotation(
        x=full, y=value, text=f"<b>{value:.2f}</b>", showarrow=False, yshift=26, font={"size": 22, "color": colour}
    )
    if main > margin:
        figure.add_vrect(x0=0, x1=main - margin, fillcolor=translucent(RIGHT, 0.12), line_width=0, layer="below")
        figure.add_annotation(x=(main - margin) / 2, y=0.04, yref="paper", text="demand met", showarrow=False)
    _margin_mark(figure, main, margin)
    style(figure, height=height, legend=False)
    figure.update_layout(font={"size": 16}, margin={"t": 44})
    figure.update_xaxes(
        title="triplet loss of the full descriptor",
        range=[0, MOST],
        tickvals=np.arange(0, 1.01, 0.2),
        tickfont={"size": 15},
        title_font={"size": 16},
    )
    figure.update_yaxes(title="diversification loss", range=[0, 1.55], tickfont={"size": 15}, title_font={"size": 16})
    return figure


def _margin_mark(figure: go.Figure, main: float, margin: float) -> None:
    """The main descriptor's loss, and the margin below it as a span."""
    figure.add_vline(x=main, line={"width": 2, "dash": "dash", "color": "#808a94"})
    figure.add_annotation(
        x=main, y=1, yref="paper", yanchor="bottom", yshift=2, text=f"main {main:.2f}", showarrow=False
    )
    if margin > 0:
        figure.add_annotation(
            x=main, ax=max(0.0, main - margin), y=0.5, ay=0.5, xref="x", axref="x", yref="y", ayref="y",
            showarrow=True, arrowside="end+start", arrowhead=2, arrowwidth=2, text="",
        )  # fmt: skip
        figure.add_annotation(x=max(0.0, main - margin / 2), y=0.55, text="λ<sub>div</sub>", showarrow=False)
