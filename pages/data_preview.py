"""What was found in data that somebody wants to import. Part of the Data page."""

import numpy as np
import streamlit as st
from streamlit_folium import st_folium

from butf import data_reports, data_views
from butf.dataset.areas import read_areas
from butf.dataset.frames import Frames
from butf.dataset.inspection import Inspection
from butf.dataset.summary import counts
from butf.figures.areas_map import areas_map, frames_layer, splits_html
from butf.figures.areas_plan import areas_plan
from butf.own_data import Incoming
from butf.views import has_map
from pages import data_facts, shared

HEIGHT = 300
QUIET = {"displayModeBar": False}


def draw_verdict(incoming: Incoming) -> None:
    """Whether anything is wrong, and what else is worth knowing."""
    found = incoming.inspection
    st.subheader(f"What was found in {incoming.label}", anchor=False)
    if found.fine:
        st.success(f"Nothing is wrong. {data_reports.opened_text(found)}", icon=":material/check_circle:")
    else:
        faults = "1 fault" if found.count == 1 else f"{found.count:,} faults"
        words = f"{faults}: mend them, then check again. {data_reports.opened_text(found)}"
        st.error(words, icon=":material/error:")
    for note in (*incoming.notes, *found.notes):
        st.caption(f":material/info: {note}")


def draw(incoming: Incoming) -> None:
    """All that is wrong, then a preview as far as the data can be read."""
    found = incoming.inspection
    if not found.fine:
        st.html(data_reports.faults_html(found.faults, found.count))
        listed = data_reports.faults_csv(found.faults)
        st.download_button("The list as CSV", listed, "faults.csv", "text/csv", icon=":material/download:")
    if found.frames is not None:
        draw_preview(found, found.frames)


def draw_preview(found: Inspection, frames: Frames) -> None:
    st.html(data_reports.thumbnails_html(frames))
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        st.html(data_facts.facts_html(data_reports.preview_facts(found, frames)))
        if found.whole:
            st.html(data_reports.counts_html(counts(frames), frames.splits))
    with right:
        if found.whole:
            st.html(splits_html(frames.splits))
            draw_places(frames)
        else:
            st.caption("The map comes once frames.csv and dataset.json are in order.")


def draw_places(frames: Frames) -> None:
    """Where the frames are, without anything to click."""
    lines = data_views.thin_tracks(frames)
    dots, thinned = data_views.dots(frames, np.arange(len(frames)))
    if not has_map(frames):
        plan = areas_plan(lines, [], dots, None, HEIGHT)
        st.plotly_chart(plan, key="preview-plan", config=QUIET, alt="Plan of the frames in metres", width="stretch")
    else:
        path = frames.root / "areas.geojson"
        areas = data_views.ground(read_areas(path)) if path.exists() else None
        view = areas_map(areas, lines, *data_views.home(frames, areas), shared.is_dark())
        layer = frames_layer([], dots, None, shared.is_dark())
        st_folium(view, key="preview-map", height=HEIGHT, width=None, returned_objects=[], feature_group_to_add=layer)
    if thinned:
        st.caption(thinned)
