"""The sidebar, the same on every page: data set, models and radius. `shared.choice` tells the pages what it says."""

from html import escape
from typing import Any

import streamlit as st

from butf import browse
from butf.dataset.frames import PlaceRule, find_datasets
from butf.errors import BadInput
from butf.networks import zoo
from pages import shared
from pages.loading import frames_of

GONE = "{} left the choice: there is no such model any more, or its card is broken. Train lists the runs there are."
INDOOR_M = 5.0


def draw() -> None:
    """Data set, models and radius. Drawn by app.py, so that the choice is kept from page to page."""
    chosen = _lost() | st.session_state.pop("go-on-with", {})
    st.session_state.update(chosen)
    folders = find_datasets()
    if "data" in chosen:
        _start_anew()
    if not folders:
        return
    with st.sidebar:
        data = st.session_state["data-shown"] = shared.pick("Data set", folders, "data", "stretch", _start_anew)
        try:
            frames = frames_of(folders[data])
        except BadInput:
            return  # the page says what is wrong
        st.caption(f"{frames.licence} · {frames.source}")
        _ask_models()
        _ask_radius(frames.place)


def _lost() -> dict[str, Any]:
    """What was chosen last and is known neither to Streamlit nor to the address: pages left in a hurry may lose it."""
    state = st.session_state
    return {
        key: state[f"{key}-shown"]
        for key in ("data", "models", "radius")
        if key not in state and key not in st.query_params and f"{key}-shown" in state
    }


def _ask_models() -> None:
    cards = zoo.available()
    names, chosen = [card.name for card in cards], st.session_state.get("models", [])
    gone = dict.fromkeys(name for name in (*chosen, *st.query_params.get_all("models")) if name not in names)
    if gone:
        st.html(f"<p class='lede'>{escape(GONE.format(', '.join(gone)))}</p>")
    if any(name not in names for name in chosen):  # a run was deleted meanwhile
        st.session_state["models"] = [name for name in chosen if name in names]
    first = browse.default_models(cards)
    st.session_state["models-shown"] = st.multiselect(
        "Models", names, default=first, key="models", bind="query-params", placeholder="Choose models"
    )


def _ask_radius(own: PlaceRule) -> None:
    indoor = own.radius_m < INDOOR_M
    turned = f" and is turned by no more than {own.angle_deg:g}°" if own.angle_deg else ""
    st.session_state["radius-shown"] = st.number_input(
        "Same place within, m",
        min_value=0.01,
        max_value=10_000.0,
        value=float(own.radius_m),
        step=0.05 if indoor else 5.0,
        format="%.2f" if indoor else "%g",
        key="radius",
        bind="query-params",
        help=f"A candidate is right when it lies within this distance of the query{turned}.",
    )


def _start_anew() -> None:
    """Another data set begins with its own radius and its first query; the old ones would mean nothing in it."""
    if st.session_state.get("data-shown") == st.session_state["data"]:
        return  # a page left while it was being drawn gives its choice back, and Streamlit takes that for a change
    st.session_state.pop("radius-shown", None)
    try:
        frames = frames_of(find_datasets()[st.session_state["data"]])
        condition, queries = next(iter(frames.queries(browse.asked_split(frames)).items()))
    except BadInput:
        return  # the page says what is wrong
    first = str(frames.frame[queries[0]])
    fresh = {"radius": frames.place.radius_m, "condition": condition, "show": "all", "query": first}
    st.session_state.update({key: value for key, value in fresh.items() if key in st.session_state})
