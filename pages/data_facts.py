"""What a data set is, in numbers and words, and the button that deletes it. Part of the Data page."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

import streamlit as st

from butf import data_reports, own_data
from butf.dataset.frames import Frames, find_datasets
from butf.dataset.summary import counts, place_text
from butf.errors import BadInput
from butf.figures.histogram import depth_figure, depth_words
from butf.training import runs
from pages import data_loading, loading, shared

QUIET = {"displayModeBar": False}
OWN_TITLE = "<h1 class='page your-own'>Data: your own</h1>"


def title_html(name: str) -> str:
    return f"<h1 class='page'>Data: {escape(name)}</h1>"


def line_html(frames: Frames) -> str:
    """The data set in one line."""
    sides = ", ".join(frames.modalities) or "pictures alone"
    count = len(set(frames.traversal.tolist()))
    drives = "1 traversal" if count == 1 else f"{count} traversals"
    words = f"{len(frames):,} frames in {drives}, with {sides}. Same place: {place_text(frames.place)}."
    return f"<p class='lede'>{escape(words)}</p>"


def facts_html(facts: Mapping[str, str]) -> str:
    """Names and values, one beneath the other."""
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())
    return f'<dl class="facts">{rows}</dl>'


def draw(frames: Frames) -> None:
    """Counts, cameras, depth, licence."""
    st.subheader("What is in it", anchor=False)
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        st.html(data_reports.counts_html(counts(frames), frames.splits))
        if frames.cameras:
            st.html(data_reports.cameras_html(frames))
        else:
            st.caption("dataset.json names no camera, so its intrinsics and field of view are not known.")
    with right, shared.told_plainly():
        draw_depth(frames)
        st.html(
            facts_html(
                {
                    "Licence": frames.licence,
                    "Source": frames.source,
                    "Same place": place_text(frames.place),
                    "Folder": str(frames.root),
                }
            )
        )


def draw_depth(frames: Frames) -> None:
    histogram = data_loading.histogram_of(frames.root)
    if histogram is None:
        st.caption("This data set has no depth.")
        return
    st.html("<h3 class='panel'>How far away things are</h3>")
    alt = "Histogram of the measured depth in metres on a log axis"
    st.plotly_chart(depth_figure(histogram), key="histogram", config=QUIET, alt=alt, width="stretch")
    st.caption(depth_words(histogram))


def offer_delete(name: str, folder: Path) -> None:
    """Delete for an imported data set, after a question that says what goes."""
    if not own_data.is_own(folder) or not runs.training_allowed():
        return
    with st.popover("Delete", icon=":material/delete:"):
        st.write(what_goes(name, folder))
        if st.button("Delete it", icon=":material/delete_forever:", type="primary", key="delete"):
            delete(name)


def what_goes(name: str, folder: Path) -> str:
    try:
        frames = loading.frames_of(folder)
    except BadInput:
        return f"Delete {name} with all that is in `{folder}`? This cannot be undone."
    sides = "".join(f", {modality}" for modality in frames.modalities)
    return (
        f"Delete {name} with its {len(frames):,} pictures{sides} and tables from `{folder}`? Models trained on it "
        "stay. This cannot be undone."
    )


def delete(name: str) -> None:
    """Delete it and show the first data set that is left."""
    with shared.told_plainly():
        own_data.delete(name)
        st.toast(f"{name} was deleted.", icon=":material/delete:")
        left = next(iter(find_datasets()), None)
        shared.go_on_with(**({} if left is None else {"data": left}))
