"""What every page shares: what the sidebar says, errors told in one sentence, the way in through app.py."""

import runpy
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Literal, NoReturn, ParamSpec

import streamlit as st

from butf import browse
from butf.browse import Choice
from butf.dataset.frames import PlaceRule, find_datasets
from butf.errors import BadInput
from butf.files import REPO
from pages.loading import frames_of

Given = ParamSpec("Given")
NO_DATA = "No data set was found. Make one with `python -m butf town --out data/town`, then reload this page."
NO_MODEL = "Choose at least one model in the sidebar to see what it retrieves."
_run = threading.local()  # a visitor's script has a thread of its own


def enter_app() -> None:
    """Go through app.py where a fresh server was first asked for a page of its own address.

    Until app.py has run once, for whatever visitor, Streamlit takes every file in pages/ for a page and leaves app.py
    out. A rerun would also get there, but would forget which button was pressed.
    """
    if not getattr(_run, "through_app", False):
        runpy.run_path(str(REPO / "app.py"))
        st.stop()
    _run.through_app = False


@contextmanager
def told_plainly() -> Iterator[None]:
    """Show `BadInput` as the one sentence it is; what comes after goes on."""
    try:
        yield
    except BadInput as error:
        st.error(str(error), icon=":material/error:")


def part(draw: Callable[Given, None]) -> Callable[Given, None]:
    """A part of a page whose controls draw it alone anew, not the sidebar and the rest; what is wrong is told in it."""

    @st.fragment
    @wraps(draw)
    def drawn(*args: Given.args, **more: Given.kwargs) -> None:
        with told_plainly():
            draw(*args, **more)
        if st.session_state.pop("moved", False):
            # Streamlit (1.67) sends none that the browser had at its last click, though another may be on its way.
            st.query_params.update()

    return drawn


def choose(**chosen: Any) -> None:
    """Move controls of a part whose choice is in the address; for a callback, before they are drawn again."""
    st.session_state.update(chosen, moved=True)


def choice() -> Choice | None:
    """What the sidebar says; None, and what to do about it on the page, where there is no data set."""
    folders = find_datasets()
    if not folders:
        st.info(NO_DATA, icon=":material/folder_off:")
        return None
    folder = folders[st.session_state["data"]]
    frames = frames_of(folder)
    rule = PlaceRule(st.session_state["radius"], frames.place.angle_deg)
    return Choice(folder, frames, browse.asked_split(frames), tuple(st.session_state["models"]), rule)


def pick(
    label: str,
    options: Iterable[str],
    key: str,
    width: int | Literal["stretch"],
    on_change: Callable | None = None,
    **more: Any,
) -> str:
    """A select box whose choice is in the address; a choice that is no longer offered moves to the first that is."""
    offered = list(options)
    if offered and st.session_state.get(key, offered[0]) not in offered:
        st.session_state[key] = offered[0]
    return st.selectbox(label, offered, key=key, bind="query-params", width=width, on_change=on_change, **more)


def come_through_app() -> None:
    """Said by app.py's run of each page, for `enter_app`."""
    _run.through_app = True


def go_on_with(**chosen: str) -> NoReturn:
    """Draw the whole page anew with these choices: a control that is drawn takes another value only before the next."""
    st.session_state["go-on-with"] = chosen
    st.rerun()


def is_dark() -> bool:
    """Whether the page is shown on a dark ground."""
    return st.context.theme.type == "dark"
