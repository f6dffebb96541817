"""Pairs, a section of the Compare page: two models on the same queries in counts and words; and who is asked about."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from butf import comparison
from butf.figures import pairs, recall, tables
from butf.figures.gallery import heading_html
from butf.networks.zoo import Model
from butf.retrieval.pairs import AREA_RADII, by_condition, overall
from pages import components, loading, shared

ONE_MODEL = "Choose a second model in the sidebar: this section sets two side by side on the same queries."
WIDTH = 200
TEST = (
    "p is that of a paired permutation test, two-sided: the results of all queries in one square of the map, {side:g} "
    "m wide, change sides together, since neighbouring queries are no independent witnesses. Below 0.05 a difference "
    "counts as clear, else as within the noise. Only queries with a match in the database are counted."
)
ALL = "The same test of every model against {over}: filled marks are clear, hollow ones within the noise."


def ask_pair(models: Sequence[Model]) -> list[Model]:
    """The model in question and the one to set it against; one model alone where no second one is chosen."""
    first = {model.name: model for model in sorted(models, key=lambda model: model.card.method != "bu-tf")}
    name = shared.pick("Model", first, "model", WIDTH)
    rest = sorted(
        (model for model in models if model.name != name), key=lambda model: model.card.method != comparison.BASELINE
    )
    if not rest:
        return [first[name]]
    second = {model.name: model for model in rest}
    return [first[name], second[shared.pick("Against", second, "against", WIDTH)]]


def draw(choice: shared.Choice, models: Sequence[Model]) -> None:
    if len(models) < 2:
        st.info(ONE_MODEL, icon=":material/compare_arrows:")
        return
    draw_pair(choice, models)
    draw_gains(loading.evaluation_of(choice, models))


@shared.part
def draw_pair(choice: shared.Choice, models: Sequence[Model]) -> None:
    """Two models that are asked for here; another pair draws nothing else anew."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="pair"):
        pair = ask_pair(models)
    searches = loading.searches_of(choice, pair)
    found = by_condition(*searches, choice.rule)
    st.html(pairs.lead_html(overall(*searches, choice.rule)))
    left, right = st.columns([1, 1.15], gap="large")
    with left.container(gap="xxsmall"):
        st.html(heading_html("Where only one of them is right", "queries, by condition"))
        alt = f"Queries that only {pair[1].name} or only {pair[0].name} gets right, by condition"
        components.drawing(pairs.pairs_plot(found, alt), "pairs")
    right.html(pairs.pairs_html(found))
    st.caption(TEST.format(side=AREA_RADII * choice.rule.radius_m))


def draw_gains(evaluation: dict[str, Any]) -> None:
    """Every model against image-only, where it is among them."""
    names = [condition.name for condition in comparison.conditions(evaluation)]
    over = comparison.baseline(evaluation)
    gains = comparison.gains(evaluation, over)
    if not gains:
        return
    st.subheader("Is the difference more than noise?", anchor=False)
    st.html(tables.legend_html(list(dict.fromkeys(gain.model for gain in gains))))
    left, right = st.columns([1.1, 1], gap="medium")
    with left:
        alt = f"Gain in recall@1 of each model over {over}, by condition"
        components.drawing(recall.gains_svg(gains, names, alt), "gains")
    right.html(tables.differences_html(comparison.differences(evaluation, names)))
    st.caption(ALL.format(over=over))
