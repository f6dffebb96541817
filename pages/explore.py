"""Explore: one query, what each model retrieves for it and where that is, and the depth reconstructed on the way."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from butf import browse, views
from butf.figures import gallery
from butf.networks.zoo import Model
from butf.retrieval.explore import QueryResult, SplitSearch
from pages import answers, asking, closer, components, describing, loading, shared, waiting


def main() -> None:
    choice = shared.choice()
    if choice is not None:
        k = st.sidebar.slider("Candidates", 1, 20, 5, key="k", bind="query-params")
        draw_page(choice, k)


@shared.part
def draw_page(choice: shared.Choice, k: int) -> None:
    """All of the page: another query leaves the sidebar as it is."""
    models = loading.models_of(choice.models)
    st.html("<h1 class='unseen'>Explore</h1>")
    with st.container(horizontal=True, vertical_alignment="bottom", key="toolbar"):
        query = asking.ask_query(choice, models)
        photo = asking.ask_photo()
    if photo is None and query is None:
        st.info("This filter leaves no query: choose another one under Show.", icon=":material/filter_alt_off:")
        return
    asked = photo or browse.asked_frame(choice.frames, query)
    models, left_out = browse.able(asked, models)
    if left_out:
        st.info(left_out, icon=":material/info:")
    beside = draw_query(choice, asked)
    if models:
        with st.container():  # of their own, so that bars which show once do not move what comes after to other places
            able, searches = describing.ready(choice, models)
        if able:
            results = browse.answers(asked, able, searches, k, choice.rule)
            draw_found(choice, asked, able, searches, results, k)
        else:
            answers.draw_place(choice, asked, [])
    else:
        st.info(shared.NO_MODEL, icon=":material/model_training:")
    draw_side(choice, asked, models, beside)


@shared.part
def draw_found(
    choice: shared.Choice,
    asked: browse.Asked,
    models: list[Model],
    searches: list[SplitSearch],
    results: list[QueryResult],
    k: int,
) -> None:
    """What was retrieved, and one candidate more closely: all that another candidate or look changes."""
    above = st.container()
    query = {} if asked.query is None else browse.explore_address(choice.frames, asked.query)
    picked = closer.ask(models, k, query)
    with above:
        answers.draw(choice, asked, results, (picked.model, picked.rank))
    closer.draw(choice, asked, models, searches, results, picked)


def draw_query(choice: shared.Choice, asked: browse.Asked) -> list[DeltaGenerator]:
    """The picture, and three empty places beside it for `draw_side`."""
    columns = st.columns([1.3, 1, 1, 1], gap="small")
    with columns[0].container(gap="xxsmall", key="asked"):
        note = browse.note(choice.frames, asked)
        st.html(gallery.heading_html("Your photo" if asked.query is None else "Query", note))
        components.photo(asked.picture, f"The query picture, {asked.name}")
    return columns[1:]


def draw_side(choice: shared.Choice, asked: browse.Asked, models: list[Model], places: list[DeltaGenerator]) -> None:
    """The true and the reconstructed side map on one scale, and the error.

    Called last: the candidates are seen while the maps are made.
    """
    waiting.let_paint()
    panels = views.side_panels(choice.frames, loading.side_view_of(choice, asked, models))
    for place, panel in zip(places, panels, strict=False):
        with place:
            components.panel(panel)


shared.enter_app()
with shared.told_plainly():
    main()
