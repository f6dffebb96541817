"""The triplet loss by touch: three points to drag, the margin, and the steps that gradient descent makes of it."""

from pathlib import Path

import streamlit as st

from butf.figures.gallery import heading_html
from butf.figures.theme import RIGHT, WRONG
from butf.teaching.triplets import STARTS
from butf.training.config import TrainConfig

EQUATION = r"Loss_{triplet} = \max\left(\|f(q) - f(q^+)\|^2 - \|f(q) - f(q^-)\|^2 + \lambda,\ 0\right) \qquad (1)"
HERE = Path(__file__).parent
board = st.components.v2.component(
    "butf_triplets",
    html=(HERE / "triplets.html").read_text(encoding="utf-8"),
    js=(HERE / "triplets.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def draw() -> None:
    st.html(heading_html("Triplet loss", "drag the three descriptors, or move them with the arrow keys"))
    with st.container(key="formula"):
        st.latex(EQUATION)
    board(
        data={"starts": STARTS, "margin": TrainConfig.margin, "right": RIGHT, "wrong": WRONG},
        key="board",
    )
