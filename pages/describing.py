"""Answers on a split that is too large to be described while one waits: those there are, and the way to the others."""

from collections.abc import Sequence

import streamlit as st

from butf import browse
from butf.browse import Choice
from butf.describing import Describing
from butf.networks.zoo import Model
from butf.retrieval.explore import SplitSearch
from butf.shelf import Shelf
from butf.training.runs import training_allowed
from pages import loading, shared

SHELF = 16
LOOKED_S, DESCRIBED_S = 0.25, 1.0
LOOKING = "Looking which of the {total:,} pictures of this split are described by {model} already."
MISSING = (
    "{models}: {missing:,} of the {total:,} pictures of this split are not described yet, so there is nothing to "
    "search in. That takes a while, is done once and is kept; in a terminal it is"
)
AT_WORK = "Describing the pictures with {model}: {done:,} of {total:,}{left}"
QUEUED = "{model} comes next."


def ready(choice: Choice, models: Sequence[Model]) -> tuple[list[Model], list[SplitSearch]]:
    """The models that can answer now, with their searches; what the others wait for is said on the page.

    A split of usual size is described here and now, see `loading.searches_of`.
    """
    if not choice.large:
        return list(models), loading.searches_of(choice, models)
    works = [_work(choice, model) for model in models]
    if not all(work.ready for work in works):
        seen = _state(works)
        st.fragment(_wait, run_every=_patience(works))(choice, works, seen)
    able = [(model, work.result()) for model, work in zip(models, works, strict=True) if work.ready]
    return [model for model, _ in able], [search for _, search in able]


def all_ready(choice: Choice, models: Sequence[Model]) -> bool:
    """Whether every model can answer at once."""
    return not choice.large or all(_work(choice, model).ready for model in models)


def _state(works: Sequence[Describing]) -> list[tuple[bool, bool]]:
    return [(work.busy, work.ready) for work in works]


def _patience(works: Sequence[Describing]) -> float | None:
    """Seconds until the next look at what is at work: to see what is there takes moments, to describe minutes."""
    busy = [work for work in works if work.busy]
    if not busy:
        return None
    return DESCRIBED_S if any(work.missing for work in busy) else LOOKED_S


def _wait(choice: Choice, works: Sequence[Describing], seen: list[tuple[bool, bool]]) -> None:
    """What is being done or could be; looked at again and again, and the page drawn anew when it changes."""
    if _state(works) != seen:
        st.rerun()
    idle = [work for work in works if not work.ready and not work.busy]
    for work in works:
        if work.busy:
            _tell(work)
        elif work.failed:
            with shared.told_plainly():
                work.result()
    if idle:
        _offer(choice, idle)


def _tell(work: Describing) -> None:
    if not work.missing:
        st.info(LOOKING.format(total=work.total, model=work.model_name), icon=":material/hourglass_top:")
    elif not work.done:
        st.info(QUEUED.format(model=work.model_name), icon=":material/hourglass_top:")
    else:
        seconds = work.seconds_left
        left = "" if seconds is None else f", about {max(1, round(seconds / 60)):,} minutes left"
        words = AT_WORK.format(model=work.model_name, done=work.done, total=work.total, left=left)
        st.progress(work.done / work.total, text=words)


def _offer(choice: Choice, idle: Sequence[Describing]) -> None:
    names = [work.model_name for work in idle]
    missing = max(work.missing for work in idle)
    with st.container(border=True, key="undescribed"):
        st.markdown(MISSING.format(models=", ".join(names), missing=missing, total=idle[0].total))
        st.code(browse.describe_command(choice, names), language=None, wrap_lines=True)
        with st.container(horizontal=True):
            if training_allowed():
                st.button("Describe them here", icon=":material/play_arrow:", on_click=_each, args=(idle, "start"))
            st.button("Look again", icon=":material/refresh:", on_click=_each, args=(idle, "look"))


def _each(works: Sequence[Describing], what: str) -> None:
    for work in works:
        getattr(work, what)()


def _work(choice: Choice, model: Model) -> Describing:
    key = loading.question(choice, [model])
    return _shelf().get(key, lambda: Describing(choice.frames, choice.split, model))


@st.cache_resource
def _shelf() -> Shelf:
    return Shelf(SHELF)
