"""What Explore and Localize ask about: a query of the data set, or a photo of the user's own."""

import random
from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from butf import browse
from butf.browse import Choice
from butf.networks.zoo import Model
from pages import describing, naming, shared


def ask_query(choice: Choice, models: Sequence[Model], arrow_keys: bool = True) -> int | None:
    """Condition, filter and query; None when the filter leaves none. `arrow_keys` step through the queries."""
    frames = choice.frames
    by_condition = frames.queries(choice.split)
    condition = shared.pick("Condition", by_condition, "condition", 160, stay_at_place, args=(choice,))
    shown = browse.filters(models if describing.all_ready(choice, models) else [])
    show = shared.pick("Show", shown, "show", 215, put_photo_away, format_func=shown.get)
    rows = by_condition[condition]
    if show != "all":
        rows = browse.narrowed(describing.ready(choice, models)[1], rows, show, choice.rule)
    names = frames.frame[rows].tolist()
    if not names:
        return None
    chosen = naming.pick_frame(f"Query, of {len(names):,}", names, "query", 130, put_photo_away)
    step_buttons(names, names.index(chosen), arrow_keys)
    return int(rows[names.index(chosen)])


def step_buttons(names: list[str], at: int, arrow_keys: bool) -> None:
    """Previous, next (also by the arrow keys) and random."""
    alone = len(names) < 2
    for word, step, arrow in (("Previous", -1, "Left"), ("Next", 1, "Right")):
        name, icon = names[(at + step) % len(names)], f":material/chevron_{arrow.lower()}:"
        key = arrow if arrow_keys else None
        st.button(word, icon=icon, on_click=go_to, args=(name,), shortcut=key, disabled=alone)
    st.button("Random", icon=":material/shuffle:", on_click=lambda: go_to(random.choice(names)), disabled=alone)


def go_to(name: str) -> None:
    shared.choose(query=name)
    put_photo_away()


def put_photo_away() -> None:
    """Another query is asked: an uploader of another key is an empty one."""
    st.session_state["photos"] = st.session_state.get("photos", 0) + 1
    st.session_state["own-photo"] = None


def stay_at_place(choice: Choice) -> None:
    """Another condition shows the query nearest to the one before, so that the same place is seen in another light."""
    go_to(naming.at_same_place(choice))


def photo_file() -> UploadedFile | None:
    """The file of the photo that `ask_photo` gave, here or on another page."""
    return st.session_state.get("own-photo")


def keep_photo(key: str) -> None:
    """An uploader is empty on another page; the photo is asked about there too until it is put away."""
    st.session_state["own-photo"] = st.session_state[key]


def ask_photo() -> browse.Asked | None:
    """A photo of the user's own; None without one, or when it cannot be read, which is said."""
    key = f"photo-{st.session_state.get('photos', 0)}"
    with st.popover("Own photo", icon=":material/add_a_photo:"):
        shown = st.file_uploader(
            "A street photo, at most 20 MB (JPEG or PNG)", key=key, on_change=keep_photo, args=(key,),
            max_upload_size=20,
        )  # fmt: skip
        upload = photo_file()
        if upload is not None and shown is None:
            st.button(f"Put {upload.name} away", icon=":material/close:", on_click=put_photo_away)
        st.caption("It stays in the memory of this app and is forgotten with this tab.")
    if upload is not None:
        with shared.told_plainly():
            return browse.asked_photo(upload, upload.name, upload.file_id)
    return None
