"""What several lessons ask: one of a few words, the query and the model that they show."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from butf.networks import zoo
from pages import loading, naming, shared


@dataclass(frozen=True)
class Question:
    """A query of the data set and the model that answers it."""

    choice: shared.Choice
    condition: str
    query: int
    model: zoo.Model
    row: DeltaGenerator
    """Where it was asked, and the lesson asks further."""

    @property
    def name(self) -> str:
        return str(self.choice.frames.frame[self.query])


def one_of(label: str, options: Sequence[str], key: str, default: str | None = None) -> str:
    """A row of words to choose from, kept in the address; a word that is no longer offered gives way to the first."""
    if st.session_state.get(key, options[0]) not in options:
        st.session_state[key] = options[0]
    return st.pills(
        label, options, default=default or options[0], required=True, key=key, bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip


def ask_question() -> Question | None:
    """Condition, query and model, in one row; None, and what to do about it, without a data set or a model."""
    row = st.container(horizontal=True, vertical_alignment="bottom", key="question")
    choice = shared.choice()
    if choice is None:
        return None
    by_condition = choice.frames.queries(choice.split)
    with row:
        condition = shared.pick("Condition", by_condition, "condition", 150, stay_at_place, args=(choice,))
        rows = by_condition[condition]
        names = choice.frames.frame[rows].tolist()
        chosen = naming.pick_frame(f"Query, of {len(names):,}", names, "query", 130)
        model = shared.pick("Model", choice.models or (zoo.OFF_THE_SHELF,), "by", 190)
    loaded = loading.models_of([model])
    return Question(choice, condition, int(rows[names.index(chosen)]), loaded[0], row) if loaded else None


def stay_at_place(choice: shared.Choice) -> None:
    """Another condition shows the query nearest to the one before."""
    shared.choose(query=naming.at_same_place(choice))
