"""Explore, further down: why a candidate was retrieved, the reconstruction from near, and everything as files."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from butf import browse, closeup
from butf.errors import BadInput
from butf.figures.gallery import heading_html
from butf.networks.zoo import Model
from butf.retrieval.explore import QueryResult, SplitSearch
from butf.views import SideView
from pages import closer_files, components, loading, shared

LOOKS = ("Why", "Swipe", "In 3-D", "Files")
CLOUD_HEIGHT = 480
WHY = (
    "Each descriptor is pooled over the positions of a map of features, so its dot product with another splits into "
    "what each position adds. Warm is where most comes from; the two maps of a row sum to the same similarity."
)
MOVES = "Ranks of the candidates by main part, both, and side part"
POSE = "Find the camera's pose"
NO_SIDE = "None of the chosen models reconstructs a side modality: choose bu-tf in the sidebar."


@dataclass(frozen=True)
class Pick:
    """What is looked at more closely: which look, and which candidate of which model."""

    look: str | None
    model: str
    rank: int


def ask(models: Sequence[Model], k: int, query: dict[str, str]) -> Pick:
    """The bar of choices; pictures and marks of the map move it too, see `pick`.

    `query` is what an address says to open at the query; nothing for a photo, which the tab keeps.
    """
    names = [model.name for model in models]
    first = browse.explained_first(models)
    for key, offered, usual in (("by", names, first), ("rank", range(1, k + 1), 1)):
        if st.session_state.get(key, usual) not in offered:
            st.session_state[key] = usual
    with st.container(horizontal=True, vertical_alignment="bottom", key="closer"):
        look = st.segmented_control(
            "Look closer", LOOKS, default="Why", key="look", bind="query-params", help="At the query and the candidate."
        )
        model = st.selectbox("Model", names, names.index(first), key="by", bind="query-params", width=190)
        rank = st.selectbox("Candidate", list(range(1, k + 1)), key="rank", bind="query-params", width=110)
        st.page_link("pages/localize.py", label=POSE, icon=":material/pin_drop:", query_params=query)
    return Pick(look, model, rank)


def pick(model: str, rank: int) -> None:
    """A candidate was pressed, in the gallery or on the map: for a callback, before the bar is drawn again."""
    shared.choose(by=model, rank=rank)


def draw(
    choice: shared.Choice,
    asked: browse.Asked,
    models: Sequence[Model],
    searches: Sequence[SplitSearch],
    results: Sequence[QueryResult],
    picked: Pick,
) -> None:
    if picked.look == "Why":
        at = [model.name for model in models].index(picked.model)
        if picked.rank <= len(results[at].candidates):
            draw_why(choice, asked, models[at], searches[at], results[at], picked.rank)
        return
    try:
        side = loading.side_view_of(choice, asked, models)
    except BadInput:
        return  # the page says what is wrong where it draws the side map itself
    if picked.look == "Files":
        closer_files.draw(choice, asked, results, side)
    elif side is None or side.predicted is None:
        if picked.look:
            st.info(NO_SIDE, icon=":material/model_training:")
    elif picked.look == "Swipe":
        draw_swipe(choice, asked, side)
    elif picked.look == "In 3-D":
        draw_cloud(choice, asked, side)


def draw_why(
    choice: shared.Choice, asked: browse.Asked, model: Model, search: SplitSearch, result: QueryResult, rank: int
) -> None:
    candidate = result.candidates[rank - 1].frame
    left, right = st.columns([1.25, 1], gap="medium")
    with left, shared.told_plainly():
        for part in loading.overlays_of(choice, asked, model, candidate):
            st.html(heading_html(f"{part.title[0].upper()}{part.title[1:]}", f"similarity {part.similarity:.3f}"))
            alt = f"Where the {part.title} of {model.name} looks in the"
            with st.container(horizontal=True, gap="small", key=f"pair {part.title}"):
                components.photo(part.query, f"{alt} query")
                components.photo(part.candidate, f"{alt} candidate")
        st.caption(WHY)
    with right:
        ranks = closeup.ranks_of(search, model, asked, choice.rule)
        st.html(heading_html("What the side descriptor does to the ranking", model.name))
        if len(ranks.ranks) > 1:
            components.drawing(closeup.moves_svg(choice.frames, ranks, result, candidate, MOVES), "moves")
        st.caption(closeup.moves_text(model.name, ranks))


def draw_swipe(choice: shared.Choice, asked: browse.Asked, side: SideView) -> None:
    views = closeup.swipes(choice.frames, asked, side.named_maps)
    for view, column in zip(views, st.columns(len(views), gap="medium"), strict=True):
        with column:
            st.html(heading_html(view.title, "drag, or use the arrow keys"))
            components.swipe(view, f"swipe {view.title}")


def draw_cloud(choice: shared.Choice, asked: browse.Asked, side: SideView) -> None:
    maps = side.named_maps
    if side.modality != "depth":
        st.info(f"Only depth can be shown in space; {side.model} reconstructs {side.modality}.", icon=":material/info:")
        return
    scenes = []
    for (title, entry), column in zip(maps, st.columns(len(maps), gap="medium"), strict=True):
        with column:
            cloud = closeup.cloud(choice.frames, asked, entry, CLOUD_HEIGHT)
            st.html(heading_html(title, "turn it with the mouse"))
            scenes.append(components.scene(cloud.figure, f"cloud {title}", f"{title} as points in space"))
            st.caption(cloud.note)
    for draw_scene in scenes:
        draw_scene()
