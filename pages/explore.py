"""Explore: one query, what each model retrieves for it and where that is, and the depth reconstructed on the way."""

import random

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from butf import browse, views
from butf.figures import gallery
from butf.networks.zoo import Model
from butf.retrieval.explore import QueryResult, SplitSearch
from pages import answers, closer, loading, shared, waiting

QUIET = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}


def main() -> None:
    choice = shared.choice()
    if choice is None:
        return
    k = st.sidebar.slider("Candidates", 1, 20, 5, key="k", bind="query-params")
    models = loading.models_of(choice.models)
    st.html("<h1 class='unseen'>Explore</h1>")
    with st.container(horizontal=True, vertical_alignment="bottom", key="toolbar"):
        query = ask_query(choice, models)
        photo = ask_photo()
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
            searches = loading.searches_of(choice, models)
        results = browse.answers(asked, models, searches, k, choice.rule)
        draw_found(choice, asked, models, searches, results, k)
    else:
        st.info(shared.NO_MODEL, icon=":material/model_training:")
    draw_side(choice, asked, models, beside)


@st.fragment
def draw_found(
    choice: shared.Choice,
    asked: browse.Asked,
    models: list[Model],
    searches: list[SplitSearch],
    results: list[QueryResult],
    k: int,
) -> None:
    """What was retrieved, and one candidate more closely: all that another candidate or look changes."""
    with shared.told_plainly():
        above = st.container()
        picked = closer.ask(models, k)
        with above:
            answers.draw(choice, asked, results, (picked.model, picked.rank))
        closer.draw(choice, asked, models, searches, results, picked)


def ask_query(choice: shared.Choice, models: list[Model]) -> int | None:
    """Condition, filter and query; None when the filter leaves none."""
    frames = choice.frames
    by_condition = frames.queries(choice.split)
    condition = shared.pick("Condition", by_condition, "condition", 160, stay_at_place, args=(choice,))
    shown = browse.filters(models)
    show = shared.pick("Show", shown, "show", 215, put_photo_away, format_func=shown.get)
    rows = by_condition[condition]
    if show != "all":
        rows = browse.narrowed(loading.searches_of(choice, models), rows, show, choice.rule)
    names = frames.frame[rows].tolist()
    if not names:
        return None
    short = {name: name.split("/")[-1] for name in names}
    chosen = shared.pick(f"Query, of {len(names)}", names, "query", 130, put_photo_away, format_func=short.get)
    step_buttons(names, names.index(chosen))
    return int(rows[names.index(chosen)])


def step_buttons(names: list[str], at: int) -> None:
    """Previous, next (also by the arrow keys) and random."""
    alone = len(names) < 2
    for word, step, arrow in (("Previous", -1, "Left"), ("Next", 1, "Right")):
        name, icon = names[(at + step) % len(names)], f":material/chevron_{arrow.lower()}:"
        st.button(word, icon=icon, on_click=go_to, args=(name,), shortcut=arrow, disabled=alone)
    st.button("Random", icon=":material/shuffle:", on_click=lambda: go_to(random.choice(names)), disabled=alone)


def go_to(name: str) -> None:
    st.session_state["query"] = name
    put_photo_away()


def put_photo_away() -> None:
    """Another query is asked: an uploader of another key is an empty one."""
    st.session_state["photos"] = st.session_state.get("photos", 0) + 1


def stay_at_place(choice: shared.Choice) -> None:
    """Another condition shows the query nearest to the one before, so that the same place is seen in another light."""
    before, condition = st.session_state.get("query"), st.session_state["condition"]
    go_to(browse.nearest_query(choice.frames, choice.split, condition, before))


def ask_photo() -> browse.Asked | None:
    """A photo of the user's own; None without one, or when it cannot be read, which is said."""
    with st.popover("Own photo", icon=":material/add_a_photo:"):
        upload = st.file_uploader(
            "A street photo, at most 20 MB (JPEG or PNG)",
            key=f"photo-{st.session_state.get('photos', 0)}",
            max_upload_size=20,
        )
        st.caption("It stays in the memory of this app and is forgotten with the page.")
    if upload is not None:
        with shared.told_plainly():
            return browse.asked_photo(upload, upload.name, upload.file_id)
    return None


def draw_query(choice: shared.Choice, asked: browse.Asked) -> list[DeltaGenerator]:
    """The picture, and three empty places beside it for `draw_side`."""
    columns = st.columns([1.3, 1, 1, 1], gap="small")
    with columns[0].container(gap="xxsmall", key="asked"):
        note = browse.note(choice.frames, asked)
        st.html(gallery.heading_html("Your photo" if asked.query is None else "Query", note))
        st.image(asked.picture, width="stretch", alt=f"The query picture, {asked.name}")
    return columns[1:]


def draw_side(choice: shared.Choice, asked: browse.Asked, models: list[Model], places: list[DeltaGenerator]) -> None:
    """The true and the reconstructed side map on one scale, and the error.

    Called last: the pictures are seen while a browser starts the library of the charts.
    """
    waiting.let_paint()
    panels = views.side_panels(choice.frames, loading.side_view_of(choice, asked, models))
    for place, panel in zip(places, panels, strict=False):
        with place.container(gap="xxsmall"):
            st.html(gallery.heading_html(panel.title, panel.note))
            st.plotly_chart(panel.figure, key=panel.key, config=QUIET, alt=panel.alt)
            if panel.foot:
                st.html(panel.foot)


shared.enter_app()
with shared.told_plainly():
    main()
