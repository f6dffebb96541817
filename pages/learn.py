"""Learn: the method taught by touching it, one lesson at a time."""

import streamlit as st

from butf.teaching.references import references_html
from pages import shared
from pages.lessons import diversification, localization, netvlad, recall, training, triplets
from pages.lessons.asking import one_of

LESSONS = {
    "Localization": localization.draw,
    "Triplets": triplets.draw,
    "Training": training.draw,
    "Diversification": diversification.draw,
    "NetVLAD": netvlad.draw,
    "Recall": recall.draw,
}


@shared.part
def main() -> None:
    """All of the page: another lesson leaves the sidebar as it is."""
    st.html("<h1 class='unseen'>Learn</h1>")
    with st.container(horizontal=True, vertical_alignment="center", key="lessons"):
        lesson = one_of("Lesson", list(LESSONS), "lesson")
        with st.popover("References", icon=":material/menu_book:"):
            st.html(references_html())
    draw_lesson(lesson)


@shared.part
def draw_lesson(lesson: str) -> None:
    """A lesson; what is moved in it draws nothing else anew."""
    LESSONS[lesson]()


shared.enter_app()
main()
