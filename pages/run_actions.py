"""What can be done with a training run: stop, resume, delete, compare, take its model. Part of the Train page."""

from collections.abc import Callable, Sequence
from html import escape
from urllib.parse import urlencode

import streamlit as st

from butf.browse import default_models
from butf.dataset.frames import find_datasets
from butf.networks import zoo
from butf.training import runs, turns
from butf.training.download import downloadable, model_archive
from butf.training.folder import Run
from butf.training.start import ADAPTABLE, adaptation_pictures
from butf.training.state import RunState
from butf.training.trainer import find_data
from pages import loading, shared

LOOKS = {
    "queued": (":material/hourglass_top:", "orange"),
    "running": (":material/directions_run:", "blue"),
    "finished": (":material/check_circle:", "green"),
    "stopped": (":material/pause_circle:", "gray"),
    "interrupted": (":material/power_off:", "orange"),
    "failed": (":material/error:", "red"),
}
ADAPT = (
    "Train this model further on pictures that have their {modality}, but no place labels: {pictures}. "
    "The result is a run of its own."
)
WAYS = {
    "Decoder and trunk": "Their places are guessed too, from what was measured. The default of bu-tf-adapted.",
    "Decoder alone": "As in the follow-up papers: the trunk learns nothing from them.",
}


def offer(run: Run, states: Sequence[RunState]) -> None:
    """The name of a run, its state, and what can be done with it."""
    state = run.state()
    icon, colour = LOOKS[state.state]
    with st.container(horizontal=True, vertical_alignment="center", key="run-head"):
        st.subheader(state.name, anchor=False, width="content")
        st.badge(turns.in_words(state, states), icon=icon, color=colour)
        st.space("stretch")
        if runs.training_allowed():
            offer_to_steer(run, state, states)
        offer_model(run, state)
        offer_to_compare(run, states)
        if not runs.training_allowed():
            return
        if state.state == "finished" and state.method in ADAPTABLE:
            with st.popover("Adapt", icon=":material/routine:"), shared.told_plainly():
                ask_for_adaptation(run)
        if not state.active:
            with st.popover("Delete", icon=":material/delete:"):
                st.write(f"Delete {run.name} with its checkpoint, its curves and its model? This cannot be undone.")
                act("Delete it", ":material/delete_forever:", runs.delete, run, type="primary")


def offer_to_steer(run: Run, state: RunState, states: Sequence[RunState]) -> None:
    """Stop, or leave or pass in the queue; resume."""
    if turns.can_move_up(state, states):
        act("Move up", ":material/arrow_upward:", turns.move_up, run, help="It passes the run before it in the queue.")
    if state.state == "queued" and turns.ahead(state, states):
        act("Cancel", ":material/close:", runs.stop, run, help="It leaves the queue; Resume puts it at the end again.")
    elif state.active:
        act("Stop", ":material/stop:", runs.stop, run, help="It saves a checkpoint before it ends.")
    elif state.resumable:
        act("Resume", ":material/resume:", runs.resume, run, type="primary")


def offer_model(run: Run, state: RunState) -> None:
    """Take the model to Explore, or away as a file: of an unfinished run the best one measured so far."""
    if state.state == "finished" and state.method != runs.KEYPOINTS:
        st.html(link_to_explore(state), width="content")
    if downloadable(run) is not None:
        label = "Download" if run.complete else "Download best"
        about = "model.safetensors and card.json in a zip file" + (
            "." if run.complete else ": the network of the best val recall so far."
        )
        st.download_button(
            label, lambda: model_archive(run), f"{run.name}.zip", "application/zip",
            icon=":material/download:", help=about, on_click="ignore", key=f"download {run.name}",
        )  # fmt: skip


def offer_to_compare(run: Run, states: Sequence[RunState]) -> None:
    """Choose other runs, whose curves are then drawn beside this one's."""
    names = [state.name for state in states]
    chosen = st.session_state.get("against", [])
    if any(name not in names for name in chosen):  # a run was deleted meanwhile
        st.session_state["against"] = [name for name in chosen if name in names]
    if len(names) > 1:
        with st.popover("Compare", icon=":material/stacked_line_chart:"):
            st.multiselect(
                "Draw the loss and the mean recall of", names, key="against", bind="query-params",
                placeholder="Choose runs", max_selections=5, help="Dashed, each in a colour of its own.",
            )  # fmt: skip


def compared(run: Run) -> dict[str, list[dict]]:
    """What the runs to compare with have logged, by name; the run itself and broken ones are left out."""
    found = {}
    for name in st.session_state.get("against", []):
        with shared.told_plainly():
            if name != run.name:
                found[name] = Run.open(name).metrics()
    return found


def ask_for_adaptation(run: Run) -> None:
    """A further training step: pictures of unseen conditions with their side modality, whose places nobody labelled."""
    frames = loading.frames_of(find_data(run.config["data"]))
    counts = adaptation_pictures(frames)
    if not counts:
        st.write(f"{frames.name} has no pictures of unseen conditions in its train areas to adapt to.")
        return
    pictures = ", ".join(f"{count} of {name}" for name, count in counts.items())
    st.write(ADAPT.format(modality=run.config.get("modality", "depth"), pictures=pictures))
    chosen = st.radio("What they teach", list(WAYS), captions=list(WAYS.values()), key=f"way {run.name}")
    config = runs.adaptation(run, decoder_alone=chosen == list(WAYS)[1])

    def begin(_: Run) -> None:
        st.session_state["run"] = runs.start(config).name

    act("Start adapting", ":material/play_arrow:", begin, run, type="primary")


def act(label: str, icon: str, action: Callable[[Run], None], run: Run, **looks: str) -> None:
    """A button that does something to a run, in a callback: a poll that comes between cannot make it forgotten."""

    def do() -> None:
        with shared.told_plainly():
            action(run)

    st.button(label, icon=icon, on_click=do, key=f"{label} {run.name}", **looks)


def link_to_explore(state: RunState) -> str:
    """A link to Explore with this run beside the shipped models, on the run's own data set.

    An address, since no page may change widgets that are bound to it, such as the sidebar's, once they are drawn.
    """
    own = zoo.name_of(Run(state.path).weights_path)
    asked = [("models", name) for name in dict.fromkeys([*default_models(zoo.available()), own])]
    asked += [("data", name) for name, folder in find_datasets().items() if state.data in (name, str(folder))]
    return f'<a class="go" href="./explore?{escape(urlencode(asked))}">Use it on Explore</a>'
