"""NetVLAD's soft assignment on a real picture: which part belongs to which visual word, and what is summed."""

import math
from collections.abc import Hashable

import streamlit as st
import torch

from butf.figures.gallery import heading_html
from butf.figures.words import assignment_map, matrix_map
from butf.teaching import words
from pages import components
from pages.lessons.asking import Question, ask_question, one_of

ALPHAS = {str(alpha): float(alpha) for alpha in (1, 2, 5, 10, 20, 50, 100, 200, 500)} | {"∞ (VLAD)": math.inf}
ALL = "all words"
SOFT = r"\bar{a}_k(x_i) = \frac{e^{-\alpha \|x_i - c_k\|^2}}{\sum_{k'} e^{-\alpha \|x_i - c_{k'}\|^2}}"
SUM = r"V(j,k) = \sum_i \bar{a}_k(x_i)\,\big(x_i(j) - c_k(j)\big)"
LECTURE = (
    "The lecture writes the exponent as $\\mathbf{w}_k^T \\mathbf{x}_i + b_k$: the same for $\\mathbf{w}_k = 2\\alpha "
    "c_k$, $b_k = -\\alpha \\|c_k\\|^2$. NetVLAD learns all three; here the centres come from k-means."
)


def draw() -> None:
    asked = ask_question()
    if asked is None:
        return
    count = asked.row.slider("Words K", 2, 16, 8, key="words", bind="query-params", width=180)
    alpha = asked.row.select_slider("Sharpness α", list(ALPHAS), "20", key="alpha", bind="query-params", width=260)
    centres = centres_of(asked, count)
    picture = asked.choice.frames.image(asked.query)
    features = features_of(asked)
    shares = words.assignment(features, centres, ALPHAS[alpha])
    chosen = one_of("Word", [ALL, *(str(k + 1) for k in range(count))], "word")
    word = None if chosen == ALL else int(chosen) - 1
    left, right = st.columns([1, 1.1], gap="large")
    with left.container(gap="xxsmall"):
        sure = f"{shares.max(dim=2).values.mean():.0%} sure on average"
        st.html(heading_html("The picture's features x, in the colour of their word", sure))
        alt = f"{asked.name} with each cell in the colour of its visual word"
        components.hover_map(assignment_map(picture, shares.numpy(), word), "assignment", alt)
        st.latex(SOFT)
    with right.container(gap="xxsmall"):
        matrix = words.vlad_matrix(features, centres, shares)
        size = f"{matrix.shape[0]} × {matrix.shape[1]} numbers; rows, then the whole, are brought to length 1"
        st.html(heading_html("What is summed: V", size))
        components.hover_map(matrix_map(matrix.numpy(), word), "matrix", "The matrix V, a row a word")
        st.latex(SUM)
    st.caption(LECTURE)


def centres_of(asked: Question, count: int) -> torch.Tensor:
    """The visual words of a model on the shown data set; learnt once."""
    key = (asked.choice.folder, asked.choice.stamp, asked.choice.split, asked.model.digest)
    return _centres(key, count, asked)


def features_of(asked: Question) -> torch.Tensor:
    """The local features of the shown query; computed once."""
    return _query_features((asked.choice.folder, asked.choice.stamp, asked.query, asked.model.digest), asked)


@st.cache_resource(max_entries=32, show_spinner=False)
def _query_features(key: tuple[Hashable, ...], _asked: Question) -> torch.Tensor:
    return words.local_features(_asked.model, _asked.choice.frames.image(_asked.query))


@st.cache_resource(max_entries=8, show_spinner="Describing pictures of the database; this happens once")
def _features(key: tuple[Hashable, ...], _asked: Question) -> torch.Tensor:
    return words.database_features(_asked.choice.frames, _asked.choice.split, _asked.model)


@st.cache_resource(max_entries=64, show_spinner=False)
def _centres(key: tuple[Hashable, ...], count: int, _asked: Question) -> torch.Tensor:
    return words.visual_words(_features(key, _asked), count)
