"""Home: what this is, on one screen, with a query that is answered while you look."""

import random
from typing import Any

import streamlit as st

from butf import browse, comparison, views
from butf.closeup import painted
from butf.figures import gallery, story, tables
from butf.networks.zoo import Model
from butf.retrieval.explore import SplitSearch
from pages import describing, loading, shared

TITLE = "Find the place, having learnt its depth"
OPENING = (
    "Where was this photograph taken? Find the most similar picture of a known place. That fails where night or snow "
    "changes what is seen, so while they train the networks here also see a <b>side modality</b>, such as depth, which "
    "stays as it is. In use the photograph is all they get."
)
WAYS = {
    "explore": ("travel_explore", "One query, all models: what each retrieves, where that lies, and why."),
    "compare": ("monitoring", "Recall with its uncertainty, by condition, and where the models fail."),
    "localize": ("pin_drop", "From a photo to its camera's pose, and virtual things drawn into it."),
    "learn": ("school", "The method by touch: triplets, training steps, NetVLAD, recall."),
    "train": ("model_training", "Start a training in the background and watch it learn."),
    "data": ("database", "What a data set holds, on the map; bring your own."),
}
ALONE = "No picture of the database was taken within {:g} m of this one, so no answer can be right."
SCORES = (
    "With 95 % intervals. Seen and unseen: conditions with and without place labels in training. Size as parameters "
    "over those of image-only; steps of training."
)


def main() -> None:
    st.html(f"<h1 class='title'>{TITLE}</h1><p class='opening'>{OPENING}</p>")
    choice = shared.choice()
    if choice is not None:
        models = loading.models_of(choice.models)
        if models:
            draw_example(choice, models)
        else:
            st.info(shared.NO_MODEL, icon=":material/model_training:")
    evaluation = choice and comparison.shipped(choice.folder.name, choice.split, choice.models, choice.rule)
    if evaluation and evaluation["models"]:
        left, right = st.columns([1.15, 1], gap="large")
        with left:
            draw_scores(evaluation)
        with right:
            draw_ways()
    else:
        draw_ways()


def draw_example(choice: shared.Choice, models: list[Model]) -> None:
    models, searches = describing.ready(choice, models)
    if not models:
        return
    query = st.session_state.get("example")
    if query not in searches[0].queries:
        best = browse.explained_first(models)
        query = searches[0].queries[0] if choice.large else browse.telling_query(searches, choice.rule, best)
    asked = browse.asked_frame(choice.frames, query)
    side = loading.side_view_of(choice, asked, models)
    shown = None if side is None or side.predicted is None else side.predicted
    results = browse.answers(asked, models, searches, 1, choice.rule)
    picture = gallery.data_uri(gallery.thumbnail(asked.picture, 480))
    st.html(
        story.story_html(
            picture,
            browse.note(choice.frames, asked),
            None if shown is None else gallery.data_uri(gallery.thumbnail(painted(choice.frames, shown), 480)),
            "" if shown is None else f"{shown.name} by {side.model}, from the photograph alone",
            views.columns(choice.frames, results, lambda i: loading.picture_of(choice, i)),
        )
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Another query", icon=":material/shuffle:", on_click=lambda: draw_lot(searches[0]))
        link = browse.explore_address(choice.frames, query)
        st.page_link("pages/explore.py", label="Look closer", icon=":material/zoom_in:", query_params=link)
        if not results[0].matched:
            st.caption(ALONE.format(choice.rule.radius_m))
        elif "example" not in st.session_state and len({result.first_correct == 1 for result in results}) > 1:
            st.caption(f"Shown first because the models differ; Another draws from all {len(searches[0].queries):,}.")


def draw_lot(search: SplitSearch) -> None:
    st.session_state["example"] = int(random.choice(search.queries))


def draw_scores(evaluation: dict[str, Any]) -> None:
    found = comparison.conditions(evaluation)
    groups = {word: names for word, names in comparison.groups(found).items() if word != "all"}
    scores = {word: comparison.sizes(evaluation, names) for word, names in groups.items()}
    body = [
        [
            gallery.model_html(row.model),
            *(tables.percent_html(own[at].recall, (own[at].low, own[at].high)) for own in scores.values()),
            f"{row.size_ratio:.2f}x",
            str(row.training_steps),
        ]
        for at, row in enumerate(comparison.rows(evaluation))
    ]
    queries = sum(condition.queries for condition in found)
    st.html(gallery.heading_html("How often the first place is right", f"recall@1, %, of {queries} queries"))
    st.html(tables.table_html(("", *groups, "size", "steps"), body, SCORES))


def draw_ways() -> None:
    with st.container(key="ways", gap="medium"):
        for name, (icon, words) in WAYS.items():
            with st.container(gap=None):
                st.page_link(f"pages/{name}.py", label=f"**{name.capitalize()}**", icon=f":material/{icon}:")
                st.caption(words)


shared.enter_app()
with shared.told_plainly():
    main()
