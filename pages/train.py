"""Train: choose a method and data, start it in the background, watch it learn, and take the result to Explore."""

from pathlib import Path

import streamlit as st

from butf.figures.training import loss_figure, pull_figure, recall_figure
from butf.training import runs
from butf.training.folder import Run
from butf.training.pace import duration, pace
from butf.training.state import RunState
from pages import run_actions, shared, training_form

POLL_S = 2.0
EQUATION = (
    "Slide equation 3: total = main + σ_side · side + σ_full · full + σ_transfer · transfer, and what "
    "the method adds to it. Each term is drawn before its weight; where places of unlabelled "
    "pictures begin to be guessed, their triplets are added to main, side and full, which jump."
)
PULLS = (
    "The cosine between the gradients of the triplets and of the transfer loss at the trunk's last map. Below 0 they "
    "pull against each other, near 0 they leave each other alone, above 0 one helps the other."
)


def main() -> None:
    left, right = st.columns([1, 2.3], gap="large")
    with left:
        st.html("<h1 class='page'>Train</h1>")
        with st.container(border=True), shared.told_plainly():
            training_form.ask_for_run()
        states = runs.list_runs()
        if states:
            names, captions = [state.name for state in states], [caption(state) for state in states]
            name = st.radio("Runs, the newest first", names, captions=captions, key="run", bind="query-params")
    with right:
        if not states:
            st.info("No run yet. Start one here, or with the command from a terminal.", icon=":material/info:")
            return
        with shared.told_plainly():
            run_actions.offer(Run.open(name))
        words = {state.name: state.state for state in states}
        every = POLL_S if any(state.active for state in states) else None
        st.fragment(watch, run_every=every)(name, words)


def caption(state: RunState) -> str:
    return f"{run_actions.LOOKS[state.state][0]} {state.state} · {state.method} on {Path(state.data).name}"


def watch(name: str, words: dict[str, str]) -> None:
    """Progress, curves and log of a run; the page is drawn anew once a run's state is not what the page says."""
    if {state.name: state.state for state in runs.list_runs()} != words:
        st.rerun()
    with shared.told_plainly():
        run = Run.open(name)
        state, records = run.state(), run.metrics()
        draw_progress(state, records)
        if records:
            st.plotly_chart(loss_figure(records), key="loss", alt="The loss and its terms over the training steps")
            st.caption(EQUATION)
            recall = recall_figure(records, state.method)
            st.plotly_chart(recall, key="recall", alt="Recall on the val areas over the training steps")
        pulls = pull_figure(records)
        if pulls is not None:
            with st.expander("Do the losses fight?", icon=":material/compare_arrows:"):
                st.plotly_chart(pulls, key="pulls", alt="Cosine of the gradients of triplets and transfer at the trunk")
                st.caption(PULLS)
        with st.expander("Log", icon=":material/notes:", expanded=state.state == "failed"):
            st.code(run.log_tail() or "Nothing was written yet.", None, wrap_lines=True, height=260)


def draw_progress(state: RunState, records: list[dict]) -> None:
    if state.explanation:
        tell = st.error if state.state == "failed" else st.caption
        tell(state.explanation)
    going = pace(records)
    time, seconds = ("Time left", going.left_s) if state.active else ("Trained for", going.spent_s)
    recalls = [record["val_recall_mean"] for record in records if record.get("val_recall_mean") is not None]
    if state.steps:
        st.progress(min(1.0, state.step / state.steps), f"Step {state.step} of {state.steps}, phase {state.phase}")
    if not records:
        return
    with st.container(horizontal=True, gap="large"):
        rate = going.images_per_s
        st.metric("Images a second", "–" if rate is None else f"{rate:.0f}", width="content")
        st.metric(time, "–" if seconds is None else duration(seconds), width="content")
        st.metric("Val recall@1, mean", f"{recalls[-1]:.1%}" if recalls else "–", width="content")


shared.enter_app()
with shared.told_plainly():
    main()
