"""The bar that says what is being done, and how far it is, while a page waits for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st


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
