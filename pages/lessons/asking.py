"""What several lessons ask: one of a few words, the query and the model that they show."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from butf import browse
from butf.networks import zoo
from pages import loading, shared


@dataclass(frozen=True)
class Question:
    """A query of the data set and the model that answers it."""

    choice: shared.Choice
    condition: str
    query: int
    model: zoo.Model


def one_of(label: str, options: Sequence[str], key: str, default: str | None = None) -> str:
    """A row of words to choose from, kept in the address; a word that is no longer offered gives way to the first."""
    if st.session_state.get(key, options[0]) not in options:
        st.session_state[key] = options[0]
    return st.segmented_control(
        label, options, default=default or options[0], required=True, key=key, bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip


def ask_question() -> Question | None:
    """Condition, query and model; None, and what to do about it, without a data set or a model."""
    choice = shared.choice()
    if choice is None:
        return None
    by_condition = choice.frames.queries(choice.split)
    with st.container(horizontal=True, vertical_alignment="bottom", key="question"):
        condition = shared.pick("Condition", by_condition, "condition", 150, stay_at_place, args=(choice,))
        rows = by_condition[condition]
        names = choice.frames.frame[rows].tolist()
        short = {name: name.split("/")[-1] for name in names}
        chosen = shared.pick(f"Query, of {len(names)}", names, "query", 130, _nothing, format_func=short.get)
        names_of_models = choice.models or (zoo.OFF_THE_SHELF,)
        model = shared.pick("Model", names_of_models, "by", 190, _nothing)
    loaded = loading.models_of([model])
    return Question(choice, condition, int(rows[names.index(chosen)]), loaded[0]) if loaded else None


def stay_at_place(choice: shared.Choice) -> None:
    """Another condition shows the query nearest to the one before."""
    before, condition = st.session_state.get("query"), st.session_state["condition"]
    st.session_state["query"] = browse.nearest_query(choice.frames, choice.split, condition, before)


def _nothing() -> None:
    """`shared.pick` wants to be told what follows from a choice; here nothing does."""
