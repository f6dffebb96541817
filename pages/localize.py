"""Localize: from a photo to its camera's pose, step by step, and virtual things drawn into the photo."""

import streamlit as st

from butf import browse, export, pose_views, pose_words
from butf.pose.answer import Localization
from butf.pose.scene import Scene
from pages import asking, components, loading, localize_overlay, localize_steps, localize_ways, localize_where, shared

LOOKS = ("Augmented reality", "In 3-D", "In numbers")
SPACE_HEIGHT = 560
NO_POSE = "Without a pose nothing can be drawn at its place. More candidates, another model or other depth may help."


@shared.part
def main() -> None:
    """All of the page: another query leaves the sidebar as it is."""
    choice = shared.choice()
    if choice is None:
        return
    st.html("<h1 class='unseen'>Localize</h1>")
    models = loading.models_of(choice.models)
    with st.container(horizontal=True, vertical_alignment="bottom", key="toolbar"):
        query = asking.ask_query(choice, models, arrow_keys=False)
        photo = asking.ask_photo()
    if photo is None and query is None:
        st.info("This filter leaves no query: choose another one under Show.", icon=":material/filter_alt_off:")
        return
    asked = photo or browse.asked_frame(choice.frames, query)
    models, left_out = browse.able(asked, models)
    for words in filter(None, (left_out, "" if models else shared.NO_MODEL)):
        st.info(words, icon=":material/info:")
    lacks = localize_ways.lacking(choice.frames, models) if models else ""
    if lacks:
        st.info(lacks, icon=":material/info:")
    if not models or lacks:
        draw_picture(asked)
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="ways-to-localize"):
        way = localize_ways.ask(choice.frames, models)
        question = localize_ways.ask_camera(choice.frames, asked)
    answer = None
    with shared.told_plainly():
        answer = localize_steps.answer_of(choice, asked, question, way)
    if answer is None:
        draw_picture(asked)
    else:
        draw(choice, asked, way, answer)


def draw_picture(asked: browse.Asked) -> None:
    """All there is to show where no pose can be computed."""
    components.photo(asked.picture, f"The query picture, {asked.name}", 480)


@shared.part
def draw(choice: shared.Choice, asked: browse.Asked, way: localize_ways.Way, answer: Localization) -> None:
    """The answer: the verdict, matches and map, and one closer look. All of it follows the controls of that look."""
    truth = pose_views.truth_of(choice.frames, asked)
    st.html(pose_words.verdict_html(answer, truth))
    with st.container(key="found"):
        left, right = st.columns([2.1, 1], gap="medium")
    with left:
        draw_matches(choice, asked, way, answer)
    look = st.segmented_control(
        "Look closer", LOOKS, default=LOOKS[0], required=True, key="pose-look", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    made = draw_scene = None
    if look == "In numbers":
        draw_numbers(choice, asked, way, answer)
    elif look == "In 3-D":
        figure, words = localize_steps.space_of(choice, asked, answer, way, SPACE_HEIGHT)
        draw_scene = components.scene(figure, "space", f"Cameras among {words}")
        st.caption(words)
    elif answer.pose is None:
        st.info(NO_POSE, icon=":material/location_off:")
    else:
        made = draw_reality(choice, asked, way, answer)
    with right.container(gap="xsmall"):
        localize_where.draw(choice, asked, way, answer, made)
    if draw_scene:
        draw_scene()


def draw_matches(choice: shared.Choice, asked: browse.Asked, way: localize_ways.Way, answer: Localization) -> None:
    """The candidates as pictures, one of them beside the query with the matches as lines."""
    matches = answer.matches
    if matches:
        name = f"matched-{asked.key}"
        at = min(st.session_state.get(name, pose_views.best(matches)), len(matches) - 1)
        strip = pose_views.strip_html(choice.frames, matches, lambda i: localize_steps.picture_of(choice, i), at)
        components.gallery(strip, "candidates", lambda said: st.session_state.update({name: int(said)}))
        components.drawing(localize_steps.matches_of(choice, asked, answer, way, at), "matches")


def draw_reality(choice: shared.Choice, asked: browse.Asked, way: localize_ways.Way, answer: Localization) -> Scene:
    models = [way.model, *loading.models_of(choice.models)]
    maps = localize_overlay.hiding(choice, asked, localize_ways.decoders(models))
    left, right = st.columns([1.9, 1], gap="medium")
    with right.container(key="things"):
        plan = localize_overlay.ask(choice, answer, list(maps))
    ground = next(iter(maps.values()), None)
    made = pose_views.wished(choice.frames, choice.split, answer, plan.wish, plan.goal, ground)
    with left:
        localize_overlay.draw(choice, asked, way, answer, plan, made, maps.get(plan.hides))
    return made


def draw_numbers(choice: shared.Choice, asked: browse.Asked, way: localize_ways.Way, answer: Localization) -> None:
    truth = pose_views.truth_of(choice.frames, asked)
    st.html(pose_words.facts_html(answer, truth))
    record = pose_words.record(choice.frames, answer, truth, way.model.name)
    name = export.file_name(choice.frames, asked, "-pose.json")
    st.download_button("Pose, JSON", record, name, "application/json", icon=":material/download:", on_click="ignore")


shared.enter_app()
main()
