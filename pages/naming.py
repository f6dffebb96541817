"""Choosing a frame by its name: from a list, or by typing where a list would be too long to send and to read."""

from collections.abc import Callable, Sequence

import streamlit as st

from butf import browse
from butf.browse import Choice
from pages import shared

MANY = 2_000
"""Names from which on they are typed: a browser takes seconds over a list of tens of thousands."""
HELP = "The frame's number, or how it begins."


def pick_frame(
    label: str, names: Sequence[str], key: str, width: int, on_change: Callable[[], None] | None = None
) -> str:
    """One of the frames `names`, told by the part after the slash; the choice is in the address."""
    short = {name: name.split("/")[-1] for name in names}
    if len(names) < MANY:
        chosen = shared.pick(label, names, key, width, on_change, format_func=short.get)
    else:
        typed = st.text_input(
            label, short[names[0]], key=key, bind="query-params", width=width, on_change=on_change, help=HELP
        )
        chosen = meant(typed, names)
    st.session_state[f"{key}-picked"] = chosen
    return chosen


def picked(key: str) -> str | None:
    """The full name of what `pick_frame` gave last; for a callback, before it is asked anew."""
    return st.session_state.get(f"{key}-picked", st.session_state.get(key))


def at_same_place(choice: Choice) -> str:
    """The query nearest to the one before; for a callback, when another condition was chosen."""
    return browse.nearest_query(choice.frames, choice.split, st.session_state["condition"], picked("query"))


def meant(typed: str | None, names: Sequence[str]) -> str:
    """The frame of that name, the first whose name begins or ends so, else the first."""
    word = (typed or "").strip()
    if "/" in word:
        return word if word in names else meant(word.split("/")[-1], names)
    tails = (lambda tail: tail == word, lambda tail: tail.startswith(word), lambda tail: tail.endswith(word))
    for fits in tails:
        for name in names:
            if fits(name.split("/")[-1]):
                return name
    return names[0]
