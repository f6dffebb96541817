"""Waiting: the bar that says what is being done and how far it is, and the moment that a browser needs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

PAINT_S = 0.5


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
