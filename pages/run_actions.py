"""What can be done with a training run: stop, resume, delete, adapt, take it to Explore. Part of the Train page."""

from collections.abc import Callable
from html import escape
from urllib.parse import urlencode

import streamlit as st

from butf.browse import default_models
from butf.dataset.frames import find_datasets
from butf.networks import zoo
from butf.training import runs
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


def offer(run: Run) -> None:
    """The name of a run, its state, and what can be done with it."""
    state = run.state()
    icon, colour = LOOKS[state.state]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(state.name, anchor=False, width="content")
        st.badge(state.state, icon=icon, color=colour)
        st.space("stretch")
        if state.active:
            act("Stop", ":material/stop:", runs.stop, run, help="It saves a checkpoint before it ends.")
        if state.resumable and runs.training_allowed():
            act("Resume", ":material/resume:", runs.resume, run, type="primary")
        if state.state == "finished":
            st.html(link_to_explore(state), width="content")
            if state.method in ADAPTABLE and runs.training_allowed():
                with st.popover("Adapt", icon=":material/routine:"), shared.told_plainly():
                    ask_for_adaptation(run)
        if not state.active:
            with st.popover("Delete", icon=":material/delete:"):
                st.write(f"Delete {run.name} with its checkpoint, its curves and its model? This cannot be undone.")
                act("Delete it", ":material/delete_forever:", runs.delete, run, type="primary")


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
