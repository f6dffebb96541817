"""Direct against indirect localization on a real query."""

import streamlit as st

from butf import browse, views
from butf.figures.gallery import heading_html, metres_text
from butf.figures.localization import error_plan, ranked_html, way_html
from butf.teaching import localization
from pages import components, loading
from pages.lessons.asking import ask_question

DIRECT = ("picture", "network", "pose")
DIRECT_TOLD = (
    "PoseNet and its kin: one answer at once, but only in the small area that the network learnt by heart. Ours, "
    "taught this very district, is tens of metres off (docs/localize.md)."
)
INDIRECT_TOLD = (
    "Any area with geo-referenced pictures will do. The answer is as exact as the database is dense; local features "
    "on the first k then refine it: that is the Localize page."
)


def draw() -> None:
    asked = ask_question()
    if asked is None:
        return
    k = asked.row.slider("Candidates k", 1, 10, 5, key="candidates", bind="query-params", width=260)
    frames, choice = asked.choice.frames, asked.choice
    searches = loading.searches_of(choice, [asked.model])
    result = browse.answers(browse.asked_frame(frames, asked.query), [asked.model], searches, k, choice.rule)[0]
    left, right = st.columns([1.5, 1], gap="large")
    with left:
        picture, ways = st.columns([1, 1.3], gap="medium", vertical_alignment="center")
        with picture.container(gap="xxsmall"):
            st.html(heading_html("Query", asked.name))
            components.photo(frames.image(asked.query), f"The query picture {asked.name}")
        indirect = ("picture", "descriptor f(q)", f"nearest of {len(searches[0].database)}", "its position")
        ways.html(way_html("Direct", DIRECT, DIRECT_TOLD) + way_html("Indirect", indirect, INDIRECT_TOLD))
        st.html(heading_html(f"The {len(result.candidates)} nearest descriptors", f"by {asked.model.name}"))
        cards = views.columns(frames, [result], lambda i: loading.picture_of(choice, i))[0].cards
        st.html(ranked_html(cards))
    with right:
        draw_plan(localization.plan(frames, choice.split, result), choice.rule.radius_m)


def draw_plan(plan: localization.Plan, radius_m: float) -> None:
    error = metres_text(plan.error_m)
    st.html(heading_html(f"Off by {error}", f"best of the first {len(plan.marks)}: {metres_text(plan.best_m)}"))
    alt = f"Plan in metres: the true place, the database, and the first candidate, {error} away"
    components.drawing(error_plan(plan.database, plan.query, radius_m, plan.marks, alt), "error plan")
