"""The palette is measured, not believed: contrast (WCAG 2) and distance under simulated colour-vision deficiencies."""

from itertools import combinations

import numpy as np
import plotly.graph_objects as go
import pytest
from looking import looked_through

from butf.figures import theme

# Severity 1.0 matrices of Machado, Oliveira and Fernandes (2009), for linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ rgb / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(np.clip(xyz, 0, None)), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(a: str, b: str) -> float:
    low, high = sorted(float(np.dot([0.2126, 0.7152, 0.0722], linear(c))) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("background", ["#ffffff", "#12171d"])
@pytest.mark.parametrize("name", [*theme.MODEL_COLOURS, "right", "wrong"])
def test_every_colour_stands_out_on_light_and_dark(name, background):
    colour = {"right": theme.RIGHT, "wrong": theme.WRONG}.get(name) or theme.model_colour(name)
    assert contrast(colour, background) >= 3


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_the_methods_of_the_talk_stay_apart_for_the_colour_blind(deficiency):
    matrix = np.array(DEFICIENCIES[deficiency])
    methods = ("off-the-shelf", "image-only", "hallucination", "bu-tf")
    seen = {m: lab(np.clip(matrix @ linear(theme.model_colour(m)), 0, 1)) for m in methods}
    nearest = min(np.linalg.norm(seen[a] - seen[b]) for a, b in combinations(methods, 2))
    assert nearest >= 20  # a difference of 2.3 is just noticeable


def test_models_differ_in_mark_as_well_as_in_colour():
    assert len({theme.model_symbol(m) for m in theme.MODEL_COLOURS}) == len(theme.MODEL_COLOURS)


def test_a_run_keeps_its_colour_and_never_takes_that_of_a_method():
    for run in ("my run", "chess-bu-tf", "image-only-2026", "hallucination_b"):
        assert theme.model_colour(run) == theme.model_colour(run)
        assert theme.model_colour(run) not in {theme.MODEL_COLOURS[m] for m in ("image-only", "hallucination", "bu-tf")}


def test_a_run_has_the_mark_of_the_longest_method_in_its_name():
    assert theme.model_symbol("chess-bu-tf-adapted-1") == theme.MODEL_SYMBOLS["bu-tf-adapted"]
    assert theme.model_symbol("my run") not in theme.MODEL_SYMBOLS.values()


@pytest.mark.parametrize("colour", [*theme.RUN_COLOURS, *sum(theme.RUN_SHADES.values(), ())])
def test_colours_of_runs_stand_out_too(colour):
    assert min(contrast(colour, "#ffffff"), contrast(colour, "#12171d")) >= 3


def test_translucent_matches_plain_arithmetic():
    assert theme.translucent("#0a80ff", 0.25) == "rgba(10, 128, 255, 0.25)"


def test_the_look_leaves_the_ground_to_the_page():
    figure = looked_through(theme.styled([{"type": "scatter", "x": [0], "y": [0]}], 240))
    assert figure.layout.paper_bgcolor == "rgba(0, 0, 0, 0)"
    assert figure.layout.height == 240
    assert figure.layout.font.color is None  # the page knows whether it is light or dark


def test_what_a_figure_asks_for_is_added_to_the_look_and_stays_its_own():
    line, word = theme.upright(3, {"width": 1}), theme.note(3, 1, "three", yref="paper")
    own = {"xaxis": {"range": [0, 9]}, "margin": {"t": 4}, "shapes": [line], "annotations": [word]}
    figure = looked_through(theme.styled([{"type": "scatter", "x": [0], "y": [0]}], 240, with_legend=True, **own))
    figure.update_xaxes(gridcolor="red")
    figure.update_yaxes(gridcolor="red")
    plain = theme.styled([], 100)
    assert (figure.layout.xaxis.range, figure.layout.xaxis.automargin) == ((0, 9), True)
    assert (figure.layout.margin.t, figure.layout.margin.l) == (4, plain.layout.margin.l)
    assert (figure.layout.showlegend, plain.layout.showlegend) == (True, False)
    assert plain.layout.xaxis.gridcolor == plain.layout.yaxis.gridcolor == theme.GRID
    assert plain.layout.xaxis.range is None


def test_an_upright_line_and_a_note_are_those_that_plotly_would_add():
    figure = looked_through(theme.styled([], 240, shapes=[theme.upright(3, {"width": 2})]))
    peer = go.Figure().add_vline(x=3, line={"width": 2})
    assert figure.layout.shapes[0].to_plotly_json() == peer.layout.shapes[0].to_plotly_json()
    noted = go.Figure().add_annotation(x=1, y=2, text="here", showarrow=False, opacity=0.5)
    assert noted.layout.annotations[0].to_plotly_json() == theme.note(1, 2, "here", opacity=0.5)
