"""Compare: which of the chosen models finds more places, under which conditions, whether it is chance, and why."""

import streamlit as st

from butf import comparison
from pages import (
    compare_descriptors,
    compare_gallery,
    compare_pairs,
    compare_recall,
    compare_seeds,
    loading,
    shared,
)

SECTIONS = {
    "Recall": compare_recall.draw,
    "Pairs": compare_pairs.draw,
    "Descriptors": compare_descriptors.draw,
    "Failures": compare_gallery.draw,
    "Seeds": compare_seeds.draw,
}
ABOUT = {
    "Recall": "who is right how often",
    "Pairs": "two models on the same queries",
    "Descriptors": "what lies near what",
    "Failures": "what is taken for what",
    "Seeds": "trained anew several times",
}
NO_MODEL = "Choose at least one model in the sidebar to measure it."


@shared.part
def main() -> None:
    """All of the page: another section leaves the sidebar as it is."""
    choice = shared.choice()
    if choice is None:
        return
    st.html("<h1 class='unseen'>Compare</h1>")
    with st.container(horizontal=True, vertical_alignment="center", key="sections"):
        section = st.segmented_control(
            "Section", list(SECTIONS), default="Recall", required=True, key="section", bind="query-params",
            label_visibility="collapsed", wrap=True,
        )  # fmt: skip
        st.html(f"<p class='lede'>{ABOUT[section]}</p>")
    models = loading.models_of(choice.models)
    if not models:
        st.info(NO_MODEL, icon=":material/model_training:")
        return
    elsewhere = comparison.trained_elsewhere([model.card for model in models], choice.frames.name)
    if elsewhere:
        st.info(elsewhere, icon=":material/swap_horiz:")
    SECTIONS[section](choice, models)


shared.enter_app()
main()
