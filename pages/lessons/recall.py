"""Recall@N, first on one query and then on all of its condition."""

import streamlit as st

from butf import browse, views
from butf.figures.counting import marked_curve, squares_html
from butf.figures.gallery import heading_html
from butf.figures.localization import ranked_html
from butf.teaching.recall import Count, count
from pages import components, loading
from pages.lessons.asking import Question, ask_question

MOST = 20
FRACTION = (
    r"recall@{n} = \frac{{\text{{queries right among the first {n}}}}}{{\text{{queries}}}}"
    r" = \frac{{{found}}}{{{total}}} = {percent:.0f}\,\%"
)
INTERVAL = (
    "The band is the 95 % interval (Wilson): were the measurement repeated with other queries of this kind, about 95 "
    "of 100 such intervals would hold the true recall."
)


def draw() -> None:
    asked = ask_question()
    if asked is None:
        return
    n = asked.row.slider("First N", 1, MOST, 5, key="n", bind="query-params", width=340)
    choice = asked.choice
    searches = loading.searches_of(choice, [asked.model])
    tally = count(searches[0], choice.frames.queries(choice.split)[asked.condition], choice.rule)
    left, right = st.columns([1.1, 1], gap="large")
    with left:
        draw_query(asked, searches, n, tally.rank(asked.query))
    with right:
        draw_all(asked, tally, n)


def draw_query(asked: Question, searches: list, n: int, rank: int | None) -> None:
    """The candidates of the chosen query, and whether a right one is among the first N."""
    choice, frames = asked.choice, asked.choice.frames
    result = browse.answers(browse.asked_frame(frames, asked.query), [asked.model], searches, MOST, choice.rule)[0]
    picture, words = st.columns([1, 2.4], gap="medium", vertical_alignment="center")
    with picture:
        components.photo(frames.image(asked.query), f"The query picture {asked.name}")
    with words.container(gap="xsmall"):
        st.html(heading_html(f"Is a right one among the first {n}?", f"right: within {choice.rule.radius_m:g} m"))
        st.html(f'<p class="said">{answer(rank, n, searches[0].retrieval.ids.shape[1])}</p>')
    cards = views.columns(frames, [result], lambda i: loading.picture_of(choice, i, 160))[0].cards
    st.html(ranked_html(cards, n))


def answer(rank: int | None, n: int, searched: int) -> str:
    """The answer for one query in words, as HTML; `searched` candidates were judged."""
    if rank is None:
        return "The database has no true match for this query: it is not counted."
    if rank == 0:
        return f"<b>No</b>, and not among the first {searched} either."
    return f"<b>{'Yes' if rank <= n else 'No'}</b>: the first right one is number {rank}."


def draw_all(asked: Question, tally: Count, n: int) -> None:
    """All queries of the condition: squares, the share of them that count, and the curve over N."""
    total = len(tally.queries)
    if not total:
        st.info("No query of this condition has a true match: widen the radius.", icon=":material/filter_alt_off:")
        return
    found = tally.found(n)
    lost = f"; {tally.unmatched} without a match left out" if tally.unmatched else ""
    st.html(heading_html(f"All {total} queries: {asked.condition}", f"a square each, this one ringed{lost}"))
    own = [i for i, query in enumerate(tally.queries.tolist()) if query == asked.query]
    st.html(squares_html(tally.first.tolist(), n, own[0] if own else None))
    with st.container(key="formula"):
        st.latex(FRACTION.format(n=n, found=found, total=total, percent=100 * found / total))
    curve = tally.curve(range(1, MOST + 1))
    label = f"recall@N of {asked.model.name} under {asked.condition} with its 95 % interval; {found / total:.0%} at {n}"
    components.drawing(marked_curve(curve, n, tally.rank(asked.query), label), "recall curve")
    st.caption(INTERVAL)
