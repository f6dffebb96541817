"""Waiting: the bar that says what is being done and how far it is, the moment that a browser needs, and how often
one asks for news."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

PAINT_S, PICTURE_S = 0.5, 0.15
MOST_PATIENT = 4.0


@contextmanager
def shown_progress(first: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar under `first` words that is moved by (words, done, total), and goes when the block ends."""
    place = st.empty()
    place.progress(0.0, text=first)

    def progress(words: str, done: int, total: int) -> None:
        if done % 8 == 0 or done == total:
            place.progress(done / total, text=f"{words}: {done:,} of {total:,}")

    try:
        yield progress
    finally:
        place.empty()


def let_paint() -> None:
    """Once a session, before the first chart: what was sent so far gets its moment in the browser.

    A browser that has never seen the app stops for a second or two to start Plotly, and would show nothing before.
    """
    if "painted" not in st.session_state:
        st.session_state["painted"] = True
        time.sleep(PAINT_S)


def let_picture_paint() -> None:
    """What a browser is sent together is shown together: a picture of a scene would only come with the scene."""
    time.sleep(PICTURE_S)


def patience() -> float:
    """How many times longer one waits for news where more wants to run than there are processors, windows that watch
    among it: 1 to `MOST_PATIENT`."""
    try:
        wanted = os.getloadavg()[0]
    except (AttributeError, OSError):  # not every system tells
        return 1.0
    return min(max(1.0, wanted / (os.cpu_count() or 1)), MOST_PATIENT)
