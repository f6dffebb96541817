"""What is loaded or computed once for all sessions of the app; where that takes long, under a bar."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from butf import browse, closeup, comparison, views
from butf.browse import Choice
from butf.dataset.areas import Areas
from butf.dataset.frames import Frames
from butf.errors import BadInput
from butf.figures.sprite import Sprite, sprite_sheet
from butf.networks import zoo
from butf.retrieval.agreement import Look, look
from butf.retrieval.bank import Progress
from butf.retrieval.evaluate import evaluate
from butf.retrieval.explore import SplitSearch, split_search
from butf.shelf import Shelf
from pages.waiting import shown_progress

SHELVES = {"models": 6, "searches": 16, "sides": 64, "overlays": 64, "looks": 64, "evaluations": 16, "sprites": 4}
WORDS = {
    "searches": "Describing the pictures with {}; this happens once",
    "evaluations": "Measuring {}; this happens once",
    "sprites": "Making small pictures of {}; this happens once",
}


def frames_of(folder: Path) -> Frames:
    """The data set in a folder, read again when its tables change."""
    return _frames(folder, browse.stamp(folder))


def ground_of(choice: Choice) -> Areas | None:
    """The streets and buildings to draw beneath the map."""
    return _ground(choice.folder, choice.stamp, choice.split)


def models_of(names: Sequence[str]) -> list[zoo.Model]:
    """The models that can be loaded; what is wrong with another is said and the rest go on."""
    loaded = []
    for name in names:
        try:
            key = (name, browse.model_stamp(name))
            loaded.append(_shelf("models").get(key, lambda name=name: browse.load_model(name)))
        except BadInput as error:
            st.error(str(error), icon=":material/error:")
    return loaded


def searches_of(choice: Choice, models: Sequence[zoo.Model]) -> list[SplitSearch]:
    """Each model's ranking of the split; where the pictures must first be described a bar shows how far it is."""

    def search(model: zoo.Model) -> SplitSearch:
        def make(progress: Progress) -> SplitSearch:
            return split_search(choice.frames, choice.split, model, progress=progress)

        return _made("searches", question(choice, [model]), model.name, make)

    return [search(model) for model in models]


def evaluation_of(choice: Choice, models: Sequence[zoo.Model]) -> dict[str, Any]:
    """The shipped evaluation where it covers what is chosen, else one made here and now."""
    names = [model.name for model in models]
    ready = comparison.shipped(choice.folder.name, choice.split, names, choice.rule)
    if ready is not None:
        return ready
    return _made(
        "evaluations",
        (*question(choice, models), choice.rule),
        ", ".join(names),
        lambda progress: evaluate(choice.frames, choice.split, models, progress, choice.rule),
    )


def side_view_of(choice: Choice, asked: browse.Asked, models: Sequence[zoo.Model]) -> views.SideView | None:
    """The side modality of a picture; another k or radius asks for it again and gets the same one."""
    key = (*question(choice, models), asked.key)
    made = partial(views.side_view, choice.frames, asked, models, lambda m: look_of(choice, asked, m).description)
    return _shelf("sides").get(key, made)


def overlays_of(choice: Choice, asked: browse.Asked, model: zoo.Model, found: int) -> list[closeup.Overlay]:
    """Where a model finds a picture and a candidate alike."""

    def make() -> list[closeup.Overlay]:
        pair = (asked, browse.asked_frame(choice.frames, found))
        return closeup.overlays(*pair, *(look_of(choice, one, model) for one in pair))

    return _shelf("overlays").get((*question(choice, [model]), asked.key, found), make)


def look_of(choice: Choice, asked: browse.Asked, model: zoo.Model) -> Look:
    """All that a model says of one picture, asked once for its side map and for where it looks."""
    return _shelf("looks").get((*question(choice, [model]), asked.key), lambda: look(model, asked.picture))


def sprite_of(choice: Choice, rows: Sequence[int]) -> Sprite:
    """Small pictures of some frames of the split on one sheet."""
    key = (choice.folder, choice.stamp, choice.split, tuple(rows))
    return _made("sprites", key, choice.frames.name, lambda progress: sprite_sheet(choice.frames, rows, progress))


def picture_of(choice: Choice, i: int, width: int = 240) -> str:
    """A frame's picture as a small JPEG in a data URI."""
    return _picture(choice.folder, choice.stamp, i, width)


def question(choice: Choice, models: Sequence[zoo.Model]) -> tuple[Hashable, ...]:
    """What an answer depends on: the data as they are now, and the models by name and weights."""
    weights = tuple((model.name, model.digest) for model in models)
    return (choice.folder, choice.stamp, choice.split, weights)


def _made(kind: str, key: Hashable, names: str, make: Callable[[Progress], Any]) -> Any:
    """A thing from its shelf, or made now under a bar."""
    ready = _shelf(kind).peek(key)
    if ready is not None:
        return ready
    words = WORDS[kind].format(names)
    with shown_progress(words) as progress:
        return _shelf(kind).get(key, lambda: make(partial(progress, words)))


@st.cache_data(max_entries=4000, show_spinner=False)
def _picture(folder: Path, stamp: tuple[int, ...], i: int, width: int) -> str:
    return views.picture_uri(_frames(folder, stamp), i, width)


@st.cache_resource(max_entries=8, show_spinner="Reading the data set")
def _frames(folder: Path, stamp: tuple[int, ...]) -> Frames:
    return Frames.load(folder)


@st.cache_resource(max_entries=8, show_spinner=False)
def _ground(folder: Path, stamp: tuple[int, ...], split: str) -> Areas | None:
    return browse.ground(_frames(folder, stamp), split)


@st.cache_resource
def _shelf(kind: str) -> Shelf:
    return Shelf(SHELVES[kind])
