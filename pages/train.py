"""Train: choose a method and data, start it in the background, watch it learn, and take the result to Explore."""

from pathlib import Path

import streamlit as st

from butf.training import runs, turns
from butf.training.folder import Run
from butf.training.state import RunState
from pages import run_actions, run_watch, shared, training_form, waiting

POLL_S, IDLE_POLL_S = 2.0, 10.0
CURVES_S = 6.0  # a browser draws two charts for them, and every window that watches does
NO_RUN = "No run yet. Start one here, or with the command from a terminal."


def main() -> None:
    left, right = st.columns([1, 2.5], gap="large")
    with left:
        st.html("<h1 class='page'>Train</h1>")
        with st.container(border=True, gap="small", key="new-run"), shared.told_plainly():
            training_form.ask_for_run()
        states = runs.list_runs()
        name = choose_run(states) if states else None
    words = told(states)
    with right:
        if name is None:
            st.info(NO_RUN, icon=":material/info:")
        else:
            with shared.told_plainly():
                run_actions.offer(Run.open(name), states)
        every, patience = (POLL_S if any(state.active for state in states) else IDLE_POLL_S), waiting.patience()
        st.fragment(watch, run_every=patience * every)(name, words)
        if name is not None:
            st.fragment(show_learnt, run_every=patience * max(every, CURVES_S))(name)


def choose_run(states: list[RunState]) -> str:
    """Every run with its state; of those that wait their place in the queue, too."""
    names, captions = [state.name for state in states], [caption(state, states) for state in states]
    return st.radio("Runs, the newest first", names, captions=captions, key="run", bind="query-params")


def caption(state: RunState, states: list[RunState]) -> str:
    words = turns.in_words(state, states)
    return f"{run_actions.LOOKS[state.state][0]} {words} · {state.method} on {Path(state.data).name}"


def told(states: list[RunState]) -> dict[str, str]:
    """What the page says of each run."""
    return {state.name: turns.in_words(state, states) for state in states}


def watch(name: str | None, words: dict[str, str]) -> None:
    """A run's progress; the page is drawn anew once a run's state is not what it says, whoever changed it."""
    if told(runs.list_runs()) != words:
        st.rerun()
    if name is not None:
        with st.container(key="watch"), shared.told_plainly():
            run_watch.draw_progress(Run.open(name))


def show_learnt(name: str) -> None:
    """What a run has learnt so far."""
    with st.container(key="learnt"), shared.told_plainly():
        run_watch.draw_learnt(Run.open(name))


shared.enter_app()
with shared.told_plainly():
    main()
