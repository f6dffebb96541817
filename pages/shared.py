"""What every page needs: the sidebar, what is loaded once for all sessions, and errors told in one sentence."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from butf import browse, comparison, views
from butf.dataset.areas import Areas
from butf.dataset.frames import Frames, PlaceRule, find_datasets
from butf.errors import BadInput
from butf.networks import zoo
from butf.retrieval.evaluate import evaluate
from butf.retrieval.explore import SplitSearch, split_search

NO_DATA = "No data set was found. Make one with `python -m butf town --out data/town`, then reload this page."
NO_MODEL = "Choose at least one model in the sidebar to see what it retrieves."


@dataclass(frozen=True)
class Choice:
    """What the sidebar says: the data set, the names of the models, what counts as the same place, and how many
    candidates to look at (0 on pages that do not ask)."""

    folder: Path
    frames: Frames
    split: str
    models: tuple[str, ...]
    rule: PlaceRule
    k: int


def enter_app() -> None:
    """Hand over to app.py where a fresh server was first asked for a page of its own address.

    Until app.py has run once, Streamlit takes every file in pages/ for a page and leaves app.py out.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


@contextmanager
def told_plainly() -> Iterator[None]:
    """Show `BadInput` as the one sentence it is; what comes after goes on."""
    try:
        yield
    except BadInput as error:
        st.error(str(error), icon=":material/error:")


def sidebar(ask_k: bool = False) -> Choice | None:
    """Data set, models and radius, the same on all pages and kept between them; None, and what to do, without data."""
    folders = find_datasets()
    if not folders:
        st.info(NO_DATA, icon=":material/folder_off:")
        return None
    with st.sidebar:
        keep_within("data", list(folders))
        data = st.selectbox("Data set", list(folders), key="data", bind="query-params", on_change=_start_anew)
        frames = frames_of(folders[data])
        split = browse.asked_split(frames)
        models = _models()
        rule = _place_rule(frames)
        k = st.slider("Candidates", 1, 20, 5, key="k", bind="query-params") if ask_k else 0
        st.caption(f"{frames.licence} · {frames.source}")
    return Choice(folders[data], frames, split, models, rule, k)


def _models() -> tuple[str, ...]:
    cards = zoo.available()
    names = [card.name for card in cards]
    first = browse.default_models(cards)
    if any(name not in names for name in st.session_state.get("models", ())):  # a run was deleted meanwhile
        st.session_state["models"] = [name for name in st.session_state["models"] if name in names]
    chosen = st.multiselect(
        "Models", names, default=first, key="models", bind="query-params", placeholder="Choose models"
    )
    return tuple(chosen)


def _place_rule(frames: Frames) -> PlaceRule:
    own = frames.place
    indoor = own.radius_m < 5
    radius = st.number_input(
        "Same place within, m", min_value=0.01, max_value=10_000.0, value=float(own.radius_m),
        step=0.05 if indoor else 5.0, format="%.2f" if indoor else "%g", key="radius", bind="query-params",
        help="A candidate is right when it lies within this distance of the query"
        + (f" and is turned by no more than {own.angle_deg:g}°." if own.angle_deg else "."),
    )  # fmt: skip
    return PlaceRule(radius, own.angle_deg)


def _start_anew() -> None:
    """Another data set begins with its own radius and its first query; the old ones would mean nothing in it."""
    with told_plainly():
        frames = frames_of(find_datasets()[st.session_state["data"]])
        condition, queries = next(iter(frames.queries(browse.asked_split(frames)).items()))
        fresh = {
            "radius": frames.place.radius_m,
            "condition": condition,
            "show": "all",
            "query": frames.frame[queries[0]],
        }
        st.session_state.update({key: value for key, value in fresh.items() if key in st.session_state})


def keep_within(key: str, options: Sequence[str]) -> None:
    """Move a choice that is no longer offered to the first that is, before its widget is drawn."""
    if options and key in st.session_state and st.session_state[key] not in options:
        st.session_state[key] = options[0]


def frames_of(folder: Path) -> Frames:
    return _frames(folder, browse.stamp(folder))


def ground_of(folder: Path) -> Areas | None:
    return _ground(folder, browse.stamp(folder))


def models_of(names: Sequence[str]) -> list[zoo.Model]:
    """The models that can be loaded; what is wrong with another is said and the rest go on."""
    loaded = []
    for name in names:
        with told_plainly():
            loaded.append(shelf("models").get((name, browse.model_stamp(name)), lambda name=name: zoo.load(name)))
    return loaded


def searches_of(choice: Choice, models: Sequence[zoo.Model]) -> list[SplitSearch]:
    """Each model's ranking of the split; where the pictures must first be described a bar shows how far it is."""
    return [_search(choice, model) for model in models]


def _search(choice: Choice, model: zoo.Model) -> SplitSearch:
    key = (choice.folder, browse.stamp(choice.folder), choice.split, model.digest)
    with _bar() as progress:
        return shelf("searches").get(key, lambda: split_search(choice.frames, choice.split, model, progress=progress))


def side_view_of(choice: Choice, asked: browse.Asked, models: Sequence[zoo.Model]) -> views.SideView | None:
    """The side modality of a picture; another k or radius asks for it again and gets the same one."""
    key = (choice.folder, browse.stamp(choice.folder), asked.key, tuple(model.digest for model in models))
    return shelf("sides").get(key, lambda: views.side_view(choice.frames, asked, models))


def evaluation_of(choice: Choice, models: Sequence[zoo.Model]) -> dict:
    """The shipped evaluation where it covers what is chosen, else one made here and now, with a bar."""
    names = [model.name for model in models]
    ready = comparison.shipped(choice.folder.name, choice.split, names, choice.rule)
    if ready is not None:
        return ready
    key = (
        choice.folder,
        browse.stamp(choice.folder),
        choice.split,
        choice.rule,
        tuple(model.digest for model in models),
    )
    with _bar() as progress:
        return shelf("evaluations").get(
            key, lambda: evaluate(choice.frames, choice.split, models, progress, choice.rule)
        )


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """A progress callback for long work on the page; the bar shows after the first call and goes at the end."""
    place = st.empty()

    def progress(done: int, total: int) -> None:
        if done % 8 == 0 or done == total:
            place.progress(done / total, text=f"Describing pictures, once for each model: {done} of {total}")

    try:
        yield progress
    finally:
        place.empty()


@st.cache_data(max_entries=4000, show_spinner=False)
def _picture(folder: Path, stamp: tuple[int, ...], i: int, width: int) -> str:
    return views.picture_uri(_frames(folder, stamp), i, width)


def picture_of(choice: Choice, i: int, width: int = 240) -> str:
    """A frame's picture as a small JPEG in a data URI."""
    return _picture(choice.folder, browse.stamp(choice.folder), i, width)


def is_dark() -> bool:
    """Whether the page is shown on a dark ground."""
    return st.context.theme.type == "dark"


@st.cache_resource(max_entries=8, show_spinner="Reading the data set")
def _frames(folder: Path, stamp: tuple[int, ...]) -> Frames:
    return Frames.load(folder)


@st.cache_resource(max_entries=8, show_spinner=False)
def _ground(folder: Path, stamp: tuple[int, ...]) -> Areas | None:
    return browse.ground(folder)


@st.cache_resource
def shelf(kind: str) -> browse.Shelf:
    """The app's models or rankings, shared by all sessions."""
    return browse.Shelf({"models": 6, "searches": 16, "sides": 64, "evaluations": 16}[kind])
