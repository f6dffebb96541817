"""One's own data: where they are, a check with a preview and all that is wrong, and only then the import.

Part of the Data page. Another way in is one more `Way` in `WAYS`: what it asks for, and how that is staged.
"""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from butf import own_data
from butf.dataset.manifest import PlaceRule
from butf.importers.rgbd import PLACE
from butf.own_data import Incoming, Progress
from butf.training import runs
from pages import data_format, data_preview, shared
from pages.waiting import shown_progress

LOOK = "Look at it"
UPLOAD_MB = 500
OFF = "Importing and deleting data is switched off here (BUTF_NO_TRAINING). Everything else works."
FORMAT = "A data set in our format; the README has all of it under *Your own data*."
Stage = Callable[[Progress], Incoming]


@dataclass(frozen=True)
class Way:
    """A way in: `first` is what happens first; `ask` draws its fields and gives what stages the data, or None until
    they are filled in."""

    label: str
    about: str
    first: str
    ask: Callable[[], Stage | None]


def ask_zip() -> Stage | None:
    most = min(UPLOAD_MB, st.get_option("server.maxUploadSize"))
    label = f"A .zip of the folder, at most {most} MB"
    upload = st.file_uploader(label, type="zip", key="zip", max_upload_size=most, on_change=forget)
    return upload and (lambda progress: own_data.from_zip(upload, upload.name, progress))


def ask_folder() -> Stage | None:
    path = ask_path("/home/me/my-drive")
    return path and (lambda progress: own_data.from_folder(path, progress))


def ask_rgbd() -> Stage | None:
    path = ask_path("/home/me/7scenes/office/seq-01")
    fields = st.columns(4, vertical_alignment="bottom")
    test = fields[0].number_input("Test share", 0.05, 0.9, 0.3, 0.05, on_change=forget)
    val = fields[1].number_input("Val share", 0.05, 0.9, 0.15, 0.05, on_change=forget)
    radius = fields[2].number_input(
        "Same place within, m", 0.01, 100.0, PLACE.radius_m, 0.05, key="rgbd-radius", on_change=forget
    )
    angle = fields[3].number_input("and turned by at most, °", 1.0, 180.0, PLACE.angle_deg, 5.0, on_change=forget)
    place = PlaceRule(radius, angle)
    return path and (lambda progress: own_data.from_rgbd(path, test, val, place, progress))


def ask_path(example: str) -> str:
    return st.text_input("Full path of the folder on this machine", placeholder=example, on_change=forget).strip()


WAYS = (
    Way("Upload a .zip", FORMAT, "Unpacking", ask_zip),
    Way("Folder on this machine", f"{FORMAT} The folder is copied and stays as it is.", "Reading", ask_folder),
    Way(
        "RGB-D recording",
        "A folder on this machine as in 7-Scenes: `frame-000000.color.jpg`, `.depth.png` (16-bit millimetres), "
        "`.pose.txt` for each frame, and `camera-intrinsics.txt`. It is converted into our format; the frames are "
        "split by pose.",
        "Converting the recording, a minute or two for a thousand frames",
        ask_rgbd,
    ),
)


def draw() -> None:
    """The form, and below it what was found in the data that were checked last."""
    if not runs.training_allowed():
        st.info(OFF, icon=":material/block:")
        return
    left, right = st.columns([1.35, 1], gap="large")
    with left.container(border=True, key="import-form"):
        ask()
    incoming = st.session_state.get("incoming")
    if incoming is None:
        with right, st.expander("What a data set looks like", expanded=True, icon=":material/folder_open:"):
            data_format.draw()
        return
    with right:
        data_preview.draw_verdict(incoming)
        if incoming.inspection.fine:
            ask_import(incoming)
    data_preview.draw(incoming)


def ask() -> None:
    """Where the data are, and the button that checks them."""
    labels = [way.label for way in WAYS]
    label = st.segmented_control(
        "Where your data are", labels, default=labels[0], required=True, key="way", on_change=forget
    )
    way = WAYS[labels.index(label)]
    st.caption(way.about)
    stage = way.ask()
    pressed = st.button("Check it", icon=":material/fact_check:", disabled=not stage, type="primary")
    st.caption("Nothing is imported before you have seen what was found.")
    if pressed and stage:
        forget()
        with shared.told_plainly(), shown_progress(way.first) as progress:
            st.session_state["incoming"] = stage(progress)


def ask_import(incoming: Incoming) -> None:
    """A name, and the button that does it."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="import-bar"):
        name = st.text_input(
            "Name of the data set", own_data.slug(incoming.inspection.frames.name), width=320, key="import-name",
            help=f"Its folder's name: {own_data.ALLOWED}.",
        )  # fmt: skip
        st.button("Import", icon=":material/download_done:", on_click=take_in, args=(incoming, name), type="primary")


def take_in(incoming: Incoming, name: str) -> None:
    """In a callback, so that the sidebar, which is drawn before the page, shows the new data set at once."""
    with shared.told_plainly(), shown_progress("Importing") as progress:
        own_data.take_in(incoming, name.strip(), progress)
        forget()
        shared.go_to_data(name.strip())
        st.session_state["view"] = LOOK
        st.toast(f"{name} was imported.", icon=":material/check_circle:")


def forget() -> None:
    """Put away what was checked; what was unpacked for it goes too."""
    incoming = st.session_state.pop("incoming", None)
    st.session_state.pop("import-name", None)
    if incoming is not None:
        incoming.discard()
