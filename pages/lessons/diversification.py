"""The diversification loss: three sliders, the hinge, what it demands, and what came of it here."""

import streamlit as st

from butf.experiment import summary
from butf.figures.gallery import heading_html
from butf.figures.hinge import hinge_svg
from butf.teaching.diversification import demand, hinge, outcome
from pages import components

EQUATION = r"Loss_{div} = \max\left(Loss_{triplet}^{full} - Loss_{triplet}^{main} + \lambda_{div},\ 0\right) \qquad (4)"
WHY = (
    "The full descriptor is main and side together. If the side part only repeats the main one, both have the same "
    "triplet loss; equation 4 asks that the full one be better by a margin, so the side part must add something."
)
CANCELS = (
    "With equation 3 (σ = 1) in force as well, the slope −1 cancels the main descriptor's own +1 wherever the hinge is "
    "active: the main loss then counts nothing, and the full one twice."
)


def draw() -> None:
    with st.container(key="formula"):
        st.latex(EQUATION)
    left, right = st.columns([1, 1.7], gap="large")
    with left:
        st.html(heading_html("Diversification loss", "move the losses and the margin"))
        main = st.slider("Triplet loss of the main descriptor", 0.0, 1.0, 0.5, 0.01, key="main", bind="query-params")
        full = st.slider("Triplet loss of the full descriptor", 0.0, 1.0, 0.45, 0.01, key="full", bind="query-params")
        margin = st.slider(r"Margin $\lambda_{div}$", 0.0, 0.5, 0.1, 0.01, key="margin", bind="query-params")
        now = hinge(full, main, margin)
        st.html(
            f'<p class="said"><b>{now.value:.2f}</b></p><p class="said">{demand(full, main, margin)}</p>'
            f"<p>Slope in the full loss {slope(now.slope_full)}, in the main loss {slope(now.slope_main)}.</p>"
        )
    with right:
        alt = f"The hinge over the full descriptor's loss: {now.value:.2f} at {full:.2f}"
        components.drawing(hinge_svg(full, main, margin, alt), "hinge")
        st.html(f'<p class="told">{WHY} {CANCELS}</p>')
        came = outcome(summary.load("town", "test"))
        if came:
            st.html(f'<p class="told"><b>Here</b>, recall@1 of bu-tf with it against without: {"; ".join(came)}.</p>')


def slope(value: float) -> str:
    return f"{value:+.0f}".replace("-", "−") if value else "0"
