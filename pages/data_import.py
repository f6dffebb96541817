"""One's own data: where they are, a check with a preview and all that is wrong, and only then the import.

Part of the Data page. The ways in are listed in `data_ways`.
"""

import streamlit as st

from butf import own_data
from butf.own_data import Incoming
from butf.training import runs
from pages import data_format, data_preview, shared
from pages.data_ways import WAYS, Way, forget
from pages.waiting import shown_progress

LOOK = "Look at it"
OFF = "Importing and deleting data is switched off here (BUTF_NO_TRAINING). Everything else works."


@shared.part
def draw() -> None:
    """The form, and below it what was found in the data that were checked last."""
    if not runs.training_allowed():
        st.info(OFF, icon=":material/block:")
        return
    left, right = st.columns([1.35, 1], gap="large")
    with left.container(border=True, key="import-form"):
        way = ask()
    incoming = st.session_state.get("incoming")
    if incoming is None:
        with right:
            data_format.draw(way.label)
        return
    with right:
        data_preview.draw_verdict(incoming)
        if incoming.inspection.fine:
            ask_import(incoming)
    data_preview.draw(incoming)


def ask() -> Way:
    """Where the data are, and the button that checks them; gives the way that was chosen."""
    way = ask_way()
    st.caption(way.about)
    stage = way.ask()
    pressed = st.button("Check it", icon=":material/fact_check:", disabled=not stage, type="primary")
    st.caption("Nothing is imported before you have seen what was found.")
    if pressed and stage:
        forget()
        with shared.told_plainly(), shown_progress(way.first) as progress:
            st.session_state["incoming"] = stage(progress)
    return way


def ask_way() -> Way:
    """Whether the data are in our format, and then what they are or where."""
    groups = list(dict.fromkeys(way.group for way in WAYS))
    group = st.segmented_control(
        "Your data are", groups, default=groups[0], required=True, key="group", on_change=forget
    )
    ways = {way.label: way for way in WAYS if way.group == group}
    labels = list(ways)
    label = st.pills(
        "Which", labels, default=labels[0], required=True, key=f"way-{group}", on_change=forget,
        label_visibility="collapsed",
    )  # fmt: skip
    return ways[label]


def ask_import(incoming: Incoming) -> None:
    """A name, and the button that does it."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="import-bar"):
        name = st.text_input(
            "Name of the data set", own_data.slug(incoming.inspection.frames.name), width=320, key="import-name",
            help=f"Its folder's name: {own_data.ALLOWED}.",
        )  # fmt: skip
        pressed = st.button("Import", icon=":material/download_done:", type="primary")
    if pressed:
        take_in(incoming, name.strip())


def take_in(incoming: Incoming, name: str) -> None:
    """Import it under this name and show it."""
    with shared.told_plainly():
        with shown_progress("Importing") as progress:
            own_data.take_in(incoming, name, progress)
        forget()
        st.toast(f"{name} was imported.", icon=":material/check_circle:")
        shared.go_on_with(data=name, view=LOOK)
