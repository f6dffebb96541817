"""Explore: what each model retrieved, as pictures and on the map; choosing one there chooses it here too."""

import streamlit as st
from streamlit_folium import st_folium

from butf import browse, views
from butf.figures import gallery
from butf.figures.map import answer_layer, base_map
from butf.figures.marks import Mark, marked
from butf.retrieval.explore import QueryResult
from pages import closer, components, loading, shared

MAP_HEIGHT = 440
QUIET = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}
TILES = "Asks openstreetmap.org for pictures of the map. While this is off, nothing leaves this machine."


def draw(choice: shared.Choice, asked: browse.Asked, results: list[QueryResult], chosen: tuple[str, int]) -> None:
    frames = choice.frames
    left, right = st.columns([2.5, 1], gap="medium")
    with left:
        columns = views.columns(frames, results, lambda i: loading.picture_of(choice, i))
        components.gallery(gallery.candidates_html(columns, chosen), "answers", pick_picture)
    with right.container(gap="xsmall"):
        draw_place(choice, asked, results, chosen)


def draw_place(
    choice: shared.Choice, asked: browse.Asked, results: list[QueryResult], chosen: tuple[str, int] | None = None
) -> None:
    """Where the query is, and the candidates: on the map, or on a plan in metres."""
    draw_on = draw_map if views.has_map(choice.frames) else draw_plan
    draw_on(choice, asked, views.marks(choice.frames, results), chosen)


def draw_map(choice: shared.Choice, asked: browse.Asked, marks: list[Mark], chosen: tuple[str, int] | None) -> None:
    dark, tiles = shared.is_dark(), st.session_state.get("tiles", False)
    view = views.map_view(choice.frames, choice.split, asked.query, marks, choice.rule.radius_m, MAP_HEIGHT)
    st_folium(
        base_map(loading.ground_of(choice), *view.home, dark), key="map", height=MAP_HEIGHT, width=None,
        render=False, center=view.centre, zoom=view.zoom, returned_objects=["last_object_clicked_tooltip"],
        feature_group_to_add=answer_layer(view.query, choice.rule.radius_m, marks, dark, chosen, tiles),
        on_change=lambda: pick_mark(marks, (st.session_state["map"] or {}).get("last_object_clicked_tooltip")),
    )  # fmt: skip
    st.toggle("OpenStreetMap tiles", key="tiles", help=TILES)


def draw_plan(choice: shared.Choice, asked: browse.Asked, marks: list[Mark], chosen: tuple[str, int] | None) -> None:
    plan = views.plan(choice.frames, choice.split, asked.query, marks, choice.rule.radius_m, MAP_HEIGHT, chosen)

    def pick() -> None:
        points = st.session_state["plan"]["selection"]["points"]
        pick_mark(marks, points[0].get("customdata") if points else None)

    alt = "Plan of the query and the candidates, in metres"
    st.plotly_chart(plan, key="plan", config=QUIET, alt=alt, on_select=pick, selection_mode="points")


def pick_picture(said: str) -> None:
    """A picture was pressed: its mark stands out."""
    closer.pick(*gallery.picked(said))


def pick_mark(marks: list[Mark], tooltip: str | None) -> None:
    """A mark was pressed: its picture is chosen."""
    mark = marked(marks, tooltip)
    if mark is not None:
        closer.pick(mark.model, mark.rank)
