"""What every page shares: the sidebar and what it says, errors told in one sentence, the way in through app.py."""

import runpy
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from html import escape
from typing import Any, Literal, NoReturn, ParamSpec

import streamlit as st

from butf import browse
from butf.browse import Choice
from butf.dataset.frames import PlaceRule, find_datasets
from butf.errors import BadInput
from butf.files import REPO
from butf.networks import zoo
from pages.loading import frames_of

Given = ParamSpec("Given")
NO_DATA = "No data set was found. Make one with `python -m butf town --out data/town`, then reload this page."
NO_MODEL = "Choose at least one model in the sidebar to see what it retrieves."
GONE = "{} left the choice: there is no such model any more, or its card is broken. Train lists the runs there are."
INDOOR_M = 5.0
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

    return drawn


def draw_sidebar() -> None:
    """Data set, models and radius. Drawn by app.py, so that the choice is kept from page to page."""
    _run.through_app = True
    chosen = st.session_state.pop("go-on-with", {})
    st.session_state.update(chosen)
    folders = find_datasets()
    if "data" in chosen:
        _start_anew()
    if not folders:
        return
    with st.sidebar:
        data = st.session_state["data-shown"] = pick("Data set", folders, "data", "stretch", _start_anew)
        try:
            frames = frames_of(folders[data])
        except BadInput:
            return  # the page says what is wrong
        st.caption(f"{frames.licence} · {frames.source}")
        _ask_models()
        _ask_radius(frames.place)


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


def go_on_with(**chosen: str) -> NoReturn:
    """Draw the whole page anew with these choices: a control that is drawn takes another value only before the next."""
    st.session_state["go-on-with"] = chosen
    st.rerun()


def is_dark() -> bool:
    """Whether the page is shown on a dark ground."""
    return st.context.theme.type == "dark"


def _ask_models() -> None:
    cards = zoo.available()
    names, chosen = [card.name for card in cards], st.session_state.get("models", [])
    gone = dict.fromkeys(name for name in (*chosen, *st.query_params.get_all("models")) if name not in names)
    if gone:
        st.html(f"<p class='lede'>{escape(GONE.format(', '.join(gone)))}</p>")
    if any(name not in names for name in chosen):  # a run was deleted meanwhile
        st.session_state["models"] = [name for name in chosen if name in names]
    first = browse.default_models(cards)
    st.multiselect("Models", names, default=first, key="models", bind="query-params", placeholder="Choose models")


def _ask_radius(own: PlaceRule) -> None:
    indoor = own.radius_m < INDOOR_M
    turned = f" and is turned by no more than {own.angle_deg:g}°" if own.angle_deg else ""
    st.number_input(
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
    try:
        frames = frames_of(find_datasets()[st.session_state["data"]])
        condition, queries = next(iter(frames.queries(browse.asked_split(frames)).items()))
    except BadInput:
        return  # the page says what is wrong
    first = str(frames.frame[queries[0]])
    fresh = {"radius": frames.place.radius_m, "condition": condition, "show": "all", "query": first}
    st.session_state.update({key: value for key, value in fresh.items() if key in st.session_state})
