"""Localize: where the camera is, on the map or in a plan of metres; a click on the map moves the goal."""

import streamlit as st
from streamlit_folium import st_folium

from butf import browse, pose_views
from butf.browse import Choice
from butf.figures.map import base_map
from butf.pose.answer import Localization
from butf.pose.globe import off_globe
from butf.pose.scene import Scene, seen_at
from butf.views import has_map
from pages import loading, localize_overlay, localize_steps, shared
from pages.localize_ways import Way

MAP_HEIGHT = 372
QUIET = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}


def draw(choice: Choice, asked: browse.Asked, way: Way, answer: Localization, made: Scene | None) -> None:
    """The cameras and the goal on the map, or in a plan; a click there moves the goal."""
    frames, dark, truth = choice.frames, shared.is_dark(), pose_views.truth_of(choice.frames, asked)
    seen = localize_steps.cameras_of(choice, asked, answer, way)
    marks = pose_views.marks(frames, answer, way.model.name, truth)
    if not has_map(frames):
        plan = pose_views.plan(frames, choice.split, seen, marks, made, dark, MAP_HEIGHT)
        st.plotly_chart(plan, key="pose-plan", config=QUIET, alt="Plan of the cameras, in metres")
    else:
        view = pose_views.whereabouts(frames, answer, seen, marks, made, dark, (340, MAP_HEIGHT))
        st_folium(
            base_map(loading.ground_of(choice), view.centre, view.zoom, dark), key="where", height=MAP_HEIGHT,
            width=None, render=False, center=view.centre, zoom=view.zoom, feature_group_to_add=view.layer,
            returned_objects=["last_clicked"], on_change=lambda: move_goal(choice, answer),
        )  # fmt: skip
    st.html(pose_views.map_legend_html(seen, dark))


def move_goal(choice: Choice, answer: Localization) -> None:
    """The map was clicked: the goal stands there."""
    point = (st.session_state["where"] or {}).get("last_clicked")
    if point and answer.pose is not None and point != st.session_state.get("clicked"):
        st.session_state["clicked"] = point
        found = seen_at(answer.pose, off_globe(choice.frames, point["lat"], point["lng"]))
        for name, metres in zip(("ahead", "right"), found, strict=True):
            st.session_state[localize_overlay.goal_key(choice, name)] = round(metres, 1)
