"""Localize: the steps as they finish, and what is kept of them for all sessions of the app."""

import copy
import dataclasses
from collections.abc import Hashable
from functools import partial
from typing import Any

import streamlit as st

from butf import browse, pose_views
from butf.browse import Choice
from butf.dataset.modalities import Map
from butf.figures.cameras import Seen
from butf.keypoints import zoo as keypoint_zoo
from butf.pose.answer import CandidateMatches, Candidates, Localization, Query
from butf.pose.lifting import MEASURED
from butf.pose.localizer import Localizer, Settings
from butf.shelf import Shelf
from pages import components, loading
from pages.localize_ways import Way
from pages.waiting import shown_progress

KEPT = {"localizers": 3, "prepared": 16, "keypoints": 2, "spaces": 16, "matches": 256, "drawn": 32}
USUALLY_KEPT = 64
STRIP_WIDTH = 160
DESCRIBING = "Describing the database with {}; this happens once"


def answer_of(choice: Choice, asked: browse.Asked, query: Query, way: Way) -> Localization:
    """The pose of a picture; where it is not known yet, candidates and matches are shown as they are found."""
    key = question(choice, asked, query, way)
    ready = shelf("answers").peek(key)
    if ready is not None:
        return ready
    place = st.empty()
    with place.container():
        localizer = _localizer(choice, way)
        made = shelf("answers").get(key, lambda: _run(choice, localizer, asked, query, way))
    place.empty()
    if not choice.large:  # once a database, whichever model retrieves
        shelf("prepared").get((*loading.question(choice, []), way.keypoints), localizer.prepare)
    return made


def depth_of(choice: Choice, way: Way, frame: int) -> Map | None:
    """A database picture's depth, from where the way says."""
    if way.depth_model is None:
        return measured(choice, frame)
    asked = browse.asked_frame(choice.frames, frame)
    said = loading.look_of(choice, asked, way.depth_model).description
    return way.depth_model.decode(said.side_map, asked.picture.size)


def measured(choice: Choice, frame: int | None) -> Map | None:
    """A frame's measured depth; None for a photo, or where there is none."""
    if frame is None:
        return None
    maps = (choice.frames.modality(frame, name) for name in MEASURED)
    return next((side for side in maps if side is not None), None)


def picture_of(choice: Choice, frame: int) -> str:
    return loading.picture_of(choice, frame, STRIP_WIDTH)


def cameras_of(choice: Choice, asked: browse.Asked, answer: Localization, way: Way) -> list[Seen]:
    """The cameras to draw."""
    truth = pose_views.truth_of(choice.frames, asked)
    return shelf("cameras").get(
        question(choice, asked, answer.query, way), lambda: pose_views.cameras(choice.frames, answer, truth)
    )


def space_of(choice: Choice, asked: browse.Asked, answer: Localization, way: Way, height: int) -> tuple[Any, str]:
    """The points and cameras in space."""

    def make() -> tuple[Any, str]:
        seen = cameras_of(choice, asked, answer, way)
        return pose_views.space(choice.frames, answer, seen, partial(depth_of, choice, way), height)

    return shelf("spaces").get(question(choice, asked, answer.query, way), make)


def matches_of(choice: Choice, asked: browse.Asked, answer: Localization, way: Way, at: int) -> str:
    """The matches with one of the candidates."""
    key = (*question(choice, asked, answer.query, way), at)
    return shelf("matches").get(key, lambda: pose_views.matches_html(choice.frames, answer.query, answer.matches[at]))


def question(choice: Choice, asked: browse.Asked, query: Query, way: Way) -> tuple[Hashable, ...]:
    """What an answer depends on."""
    return (*_key(choice, way), way.top, asked.key, query.camera)


def _run(choice: Choice, localizer: Localizer, asked: browse.Asked, query: Query, way: Way) -> Localization:
    """Every stage on the page as it comes."""
    done, found = 0, []
    bar, strip, lines = st.progress(0.0, "Looking for candidates"), st.empty(), st.empty()
    descriptor = None
    if asked.query is not None:
        descriptor = loading.searches_of(choice, [way.model])[0].descriptor(asked.query)
    for stage in localizer.stages(query, descriptor):
        if isinstance(stage, Candidates):
            found = [candidate.frame for candidate in stage.found]
            strip.html(pose_views.waiting_html(choice.frames, found, partial(picture_of, choice)))
        elif isinstance(stage, CandidateMatches):
            done += 1
            if done == 1:
                with lines.container(key="matching"):
                    drawing = pose_views.matches_html(choice.frames, query, stage, judged=False)
                    components.drawing(drawing, "first matches")
        else:
            return stage
        share = min(1.0, (1 + done) / (2 + len(found)))
        more = f"{done} of {len(found)}" if done <= len(found) else "what is near the first pose"
        bar.progress(share, f"{len(found)} candidates by {way.model.name}; matching keypoints: {more}")
    raise RuntimeError("the localizer ended without an answer")


def _localizer(choice: Choice, way: Way) -> Localizer:
    """The database ready to be localized in; for another number of candidates only that is changed."""

    def make() -> Localizer:
        words = DESCRIBING.format(way.model.name)
        parts = (way.model, _keypoints(way), Settings(depth=way.depth), way.depth_model)
        with shown_progress(words) as progress:
            return Localizer.open(choice.frames, choice.split, *parts, partial(progress, words))

    localizer = copy.copy(shelf("localizers").get(_key(choice, way), make))
    localizer.settings = dataclasses.replace(localizer.settings, top=way.top)
    return localizer


def _keypoints(way: Way) -> Any:
    key = (way.keypoints, keypoint_zoo.find(way.keypoints).stat().st_mtime_ns)
    return shelf("keypoints").get(key, lambda: keypoint_zoo.load_keypoints(way.keypoints))


def _key(choice: Choice, way: Way) -> tuple[Hashable, ...]:
    decoder = way.depth_model and way.depth_model.digest
    keypoints = (way.keypoints, keypoint_zoo.find(way.keypoints).stat().st_mtime_ns)
    return (choice.folder, choice.stamp, choice.split, way.model.name, way.model.digest, keypoints, way.depth, decoder)


@st.cache_resource
def shelf(kind: str) -> Shelf:
    """Large results that all sessions share."""
    return Shelf(KEPT.get(kind, USUALLY_KEPT))
