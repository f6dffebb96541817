"""Failures, a section of the Compare page: the queries that a model gets wrong, and what it takes them for."""

import math
from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st

from butf.figures.failures import FailureCard, failures_html
from butf.networks.zoo import Model
from butf.retrieval.failures import RELATIONS, Failure, Wanted, failures
from pages import loading, shared
from pages.compare_pairs import ask_pair

A_PAGE = 12
EVERY = "all conditions"
NONE_LEFT = "These filters leave no failure of {}: choose another condition or model, or a smaller distance."


def draw(choice: shared.Choice, models: Sequence[Model]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        pair = ask_pair(models)
        wanted = ask_filters(choice, pair)
    searches = loading.searches_of(choice, pair)
    found = failures(searches[0], searches[1] if len(pair) > 1 else None, choice.rule, wanted)
    if not found:
        st.info(NONE_LEFT.format(pair[0].name), icon=":material/filter_alt_off:")
        return
    pages = math.ceil(len(found) / A_PAGE)
    if st.session_state.get("page", 1) > pages:
        st.session_state["page"] = pages
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="paging"):
        st.html(f"<p class='lede'>{counted(len(found), len(searches[0].queries))}, the farthest off first</p>")
        page = st.pagination(pages, key="page", bind="query-params")
    shown = found[A_PAGE * (page - 1) : A_PAGE * page]
    st.html(failures_html([card(choice, failure) for failure in shown], pair[0].name))


def ask_filters(choice: shared.Choice, pair: Sequence[Model]) -> Wanted:
    """Condition, what the other model does, and how far off."""
    conditions = [EVERY, *choice.frames.queries(choice.split)]
    condition = shared.pick("Under", conditions, "under", 150, first_page)
    relation = "any"
    if len(pair) > 1:
        words = {key: f"{pair[1].name} is {word}" for key, word in RELATIONS.items()}
        relation = shared.pick("Where", words, "where", 230, first_page, format_func=words.get)
    beyond = st.number_input(
        "Off by more than, m", min_value=0.0, max_value=100_000.0, value=0.0, step=25.0, format="%g", key="beyond",
        bind="query-params", width=150, on_change=first_page,
    )  # fmt: skip
    return Wanted(None if condition == EVERY else condition, relation, beyond)


def first_page() -> None:
    """Another filter begins at its first page."""
    shared.choose(page=1)


def counted(found: int, queries: int) -> str:
    return f"<b>{found:,}</b> of {queries:,} queries"


def card(choice: shared.Choice, failure: Failure) -> FailureCard:
    frames = choice.frames
    return FailureCard(
        query=str(frames.frame[failure.query]),
        candidate=str(frames.frame[failure.candidate]),
        query_picture=loading.picture_of(choice, failure.query),
        candidate_picture=loading.picture_of(choice, failure.candidate),
        metres=failure.metres,
        first_correct=failure.first_correct,
        link=explore_link(choice, failure.query),
    )


def explore_link(choice: shared.Choice, query: int | None = None) -> str:
    """The address of Explore with this choice, at a query where one is given."""
    asked = {"data": st.session_state["data"], "models": choice.models, "radius": f"{choice.rule.radius_m:g}"}
    if query is not None:
        name = str(choice.frames.frame[query]).split("/")[-1]
        asked |= {"condition": str(choice.frames.condition[query]), "query": name}
    return f"explore?{urlencode(asked, doseq=True)}"
