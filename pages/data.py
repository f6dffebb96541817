"""Data: where pictures were taken, each with all its modalities; and one's own data, checked and then imported."""

from pathlib import Path

import streamlit as st
from streamlit_folium import st_folium

from butf import data_views
from butf.dataset.frames import Frames, find_datasets
from butf.figures.areas_map import areas_map, frames_layer, splits_html
from butf.figures.areas_plan import areas_plan
from butf.views import has_map
from pages import data_facts, data_frame, data_import, data_loading, data_samples, loading, naming, shared
from pages.answers import TILES
from pages.data_import import LOOK

IMPORT = "Import your own"
MAP_HEIGHT = 520
QUIET = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}
CLICKED = ("last_object_clicked_tooltip", "last_object_clicked_count")
NO_DATA = "No data set was found. Import one below, or make one with `python -m butf town --out data/town`."


@shared.part
def main() -> None:
    """All of the page: another view leaves the sidebar as it is."""
    folders = find_datasets()
    if not folders:
        st.html("<h1 class='page'>Data</h1>")
        st.info(NO_DATA, icon=":material/folder_off:")
        data_import.draw()
        return
    name = st.session_state["data"]
    with st.container(horizontal=True, vertical_alignment="center", key="data-head"):
        title = st.empty()
        st.space("stretch")
        delete = st.container(width="content")
        view = st.segmented_control(
            "View", [LOOK, IMPORT], default=LOOK, required=True, key="view", bind="query-params",
            label_visibility="collapsed",
        )  # fmt: skip
    title.html(data_facts.title_html(name) if view == LOOK else data_facts.OWN_TITLE)
    with st.container():
        if view == IMPORT:
            data_import.draw()
        else:
            st.session_state["looked-at"] = name
            with delete:
                data_facts.offer_delete(name, folders[name])
    if st.session_state.get("looked-at") == name:
        # Beside the import it stays, out of sight (static/data.css): a map takes half a second to come back.
        with st.container(key="look"):
            frames = loading.frames_of(folders[name])
            look(folders[name])
            data_facts.draw(frames)


@shared.part
def look(folder: Path) -> None:
    """The map or plan, and the chosen frame beside it; another choice draws these alone anew."""
    frames = loading.frames_of(folder)
    st.html(data_facts.line_html(frames))
    with st.container(horizontal=True, vertical_alignment="bottom", key="data-bar"):
        i = ask_frame(frames)
        st.html(splits_html(frames.splits))
    left, right = st.columns([1, 1.25], gap="medium")
    with left.container(gap="xsmall"):
        draw_places(frames, i)
    with right:
        data_frame.draw(frames, i)
    data_samples.draw(frames, i)


def ask_frame(frames: Frames) -> int:
    """Traversal and frame, also by buttons and arrow keys; gives the frame's number."""
    names = list(dict.fromkeys(frames.traversal.tolist()))
    traversal = shared.pick("Traversal", names, "traversal", 160, stay_at_place, args=(frames,))
    own = frames.frame[frames.where(traversal=traversal)].tolist()
    chosen = naming.pick_frame(f"Frame, of {len(own):,}", own, "frame", 150)
    for word, step, arrow in (("Previous", -1, "Left"), ("Next", 1, "Right")):
        there, icon = own[(own.index(chosen) + step) % len(own)], f":material/chevron_{arrow.lower()}:"
        st.button(word, icon=icon, on_click=go_to, args=(there,), shortcut=arrow, disabled=len(own) < 2)
    return int((frames.frame == chosen).argmax())


def go_to(name: str) -> None:
    shared.choose(frame=name)


def stay_at_place(frames: Frames) -> None:
    """Another traversal shows the frame nearest to the one before: the same place in another light."""
    go_to(data_views.nearest(frames, st.session_state["traversal"], naming.picked("frame")))


def draw_places(frames: Frames, i: int) -> None:
    """All traversals as lines, the frames of the chosen one to click."""
    name = str(frames.traversal[i])
    dots, thinned = data_views.dots(frames, frames.where(traversal=name))
    own, here = data_views.tracks(frames, name), data_views.here(frames, i)
    if has_map(frames):
        areas, tracks = data_loading.ground_of(frames.root), data_loading.tracks_of(frames.root)
        tiles = st.session_state.get("data-tiles", False)
        view = areas_map(areas, tracks, *data_views.home(frames, areas), shared.is_dark())
        st_folium(
            view, key="places", height=MAP_HEIGHT, width=None, returned_objects=list(CLICKED), on_change=click_map,
            feature_group_to_add=frames_layer(own, dots, here, shared.is_dark(), tiles),
        )  # fmt: skip
        st.toggle("OpenStreetMap tiles", key="data-tiles", help=TILES)
    else:
        figure = areas_plan(data_loading.tracks_of(frames.root), own, dots, here, MAP_HEIGHT)
        alt = "Plan of the traversals in metres; the frames of the chosen one can be clicked"
        st.plotly_chart(
            figure, key="plan", config=QUIET, alt=alt, on_select=click_plan, selection_mode="points", width="stretch"
        )
    all_of_them = f"{thinned} The list above has them all." if thinned else ""
    st.caption(f"Click a dot of {name} to see its pictures. {all_of_them}")


def click_map() -> None:
    clicked = (st.session_state.get("places") or {}).get(CLICKED[0])
    if clicked:
        go_to(clicked)


def click_plan() -> None:
    """A second click on the same point takes Plotly's selection away; it means the same frame."""
    points = st.session_state["plan"]["selection"]["points"]
    if points:
        st.session_state["clicked"] = points[0]["customdata"][0]
    if st.session_state.get("clicked"):
        go_to(st.session_state["clicked"])


shared.enter_app()
main()
