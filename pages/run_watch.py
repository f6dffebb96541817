"""A training run as it learns: progress, curves, reconstructions and log. Part of the Train page."""

from pathlib import Path

import streamlit as st

from butf import run_views
from butf.dataset.frames import Frames
from butf.figures.gallery import heading_html
from butf.figures.training import keypoint_figure, loss_figure, pull_figure, recall_figure
from butf.training.folder import Run
from butf.training.pace import duration, pace
from butf.training.previews import preview_files
from butf.training.runs import KEYPOINTS
from butf.training.start import find_data
from butf.training.state import RunState
from pages import loading, run_actions, shared

QUIET = {"displayModeBar": False}
EQUATION = (
    "Slide equation 3: total = main + σ_side · side + σ_full · full + σ_transfer · transfer, and what "
    "the method adds to it. Each term is drawn before its weight; point at a line to read which it is. Where places of "
    "unlabelled pictures begin to be guessed, their triplets are added to main, side and full, which jump. A dotted "
    "upright line marks where a training step begins."
)
PULLS = (
    "The cosine between the gradients of the triplets and of the transfer loss at the trunk's last map. Below 0 they "
    "pull against each other, near 0 they leave each other alone, above 0 one helps the other."
)
POINTS = (
    "Descriptor, orientation and detector are learnt one after the other, then all three under one cost. Each loss is "
    "drawn before its weight. Below: keypoints of val pictures that are found again, matched, and matched rightly."
)
SHARPER = "two val pictures that the network never learns from"


def draw_learnt(run: Run) -> None:
    """Its curves, what it reconstructs, and its log."""
    state, records = run.state(), run.metrics()
    if records:
        others = run_actions.compared(run)
        loss = loss_figure(records, others=others)
        st.plotly_chart(loss, key="loss", config=QUIET, alt="The loss and its terms over the training steps")
        if state.method == KEYPOINTS:
            found = keypoint_figure(records)
            st.plotly_chart(found, key="recall", config=QUIET, alt="Keypoints on val pairs over the training steps")
        else:
            recall = recall_figure(records, state.method, others=others)
            st.plotly_chart(recall, key="recall", config=QUIET, alt="Recall on the val areas over the training steps")
    draw_previews(run, state)
    with st.expander("What the lines mean", icon=":material/help:"):
        st.write(POINTS if state.method == KEYPOINTS else EQUATION)
    pulls = pull_figure(records)
    if pulls is not None:
        with st.expander("Do the losses fight?", icon=":material/compare_arrows:"):
            st.plotly_chart(pulls, key="pulls", alt="Cosine of the gradients of triplets and transfer at the trunk")
            st.caption(PULLS)
    with st.expander("Log", icon=":material/notes:", expanded=state.state == "failed"):
        st.code(run.log_tail() or "Nothing was written yet.", None, wrap_lines=True, height=260)


def draw_progress(run: Run) -> None:
    """How far it is, how fast, and how good."""
    state, records = run.state(), run.metrics()
    if state.explanation:
        tell = st.error if state.state == "failed" else st.caption
        tell(state.explanation)
    going = pace(records)
    time, seconds = ("Time left", going.left_s) if state.active else ("Trained for", going.spent_s)
    recalls = [record["val_recall_mean"] for record in records if record.get("val_recall_mean") is not None]
    if state.steps:
        st.progress(min(1.0, state.step / state.steps), progress_text(state, records))
    if not records:
        return
    with st.container(horizontal=True, gap="large", key="pace"):
        rate = going.images_per_s
        st.metric("Images a second", "–" if rate is None else f"{rate:.0f}", width="content")
        st.metric(time, "–" if seconds is None else duration(seconds), width="content")
        if state.method != KEYPOINTS:
            st.metric("Val recall@1, mean", f"{recalls[-1]:.1%}" if recalls else "–", width="content")


def progress_text(state: RunState, records: list[dict]) -> str:
    """Where a run stands, in optimiser steps and in the method's training steps."""
    last = records[-1] if records else {}
    part = (
        f", training step {last['phase_index']} of {last['phases']}" if {"phase_index", "phases"} <= set(last) else ""
    )
    return f"Optimiser step {state.step} of {state.steps}{part}" + (f": {state.phase}" if state.phase else "")


def draw_previews(run: Run, state: RunState) -> None:
    """The reconstruction of two val pictures over the steps, or why there is none."""
    stamp = tuple(path.stat().st_mtime_ns for path in preview_files(run.previews_path).values())
    if not stamp:
        st.caption(run_views.why_no_previews(state))
        return
    with shared.told_plainly():
        frames = loading.frames_of(find_data(run.config["data"]))
        st.html(heading_html("Growing sharper", SHARPER))
        st.html(shown_previews(str(run.path), stamp, frames))


@st.cache_data(max_entries=64, show_spinner=False)
def shown_previews(folder: str, stamp: tuple[int, ...], _frames: Frames) -> str:
    """The strips, made once for all sessions until another preview is there."""
    return run_views.preview_html(Run(Path(folder)), _frames)
