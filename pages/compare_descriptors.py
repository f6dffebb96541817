"""Descriptors, a section of the Compare page: what lies near what for one or two models, drawn in the plane."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from butf.background import Job
from butf.figures.descriptor_map import Drawn, map_data
from butf.files import REPO
from butf.networks.zoo import Model
from butf.projection import METHODS, MOST_SHOWN, NEIGHBOURS, shown_rows
from butf.retrieval.explore import SplitSearch
from butf.shelf import Shelf
from pages import loading, shared
from pages.compare_gallery import explore_link
from pages.compare_pairs import ask_pair

FEW = 3
SOON_S = 0.5  # what is read from the cache is there by then
HTML = (
    "<div class='dmap'><div class='dmap-head'><ul class='dmap-legend' aria-label='What is drawn'></ul></div>"
    "<div class='dmap-panels'></div><div class='dmap-card' hidden></div><p class='unseen' aria-live='polite'></p></div>"
)
draw_map = st.components.v2.component(
    "descriptor_map", html=HTML, js=(REPO / "static" / "descriptor_map.js").read_text(), isolate_styles=False
)
MEANING = {
    "PCA": "PCA turns the descriptors so that two axes hold as much of their variance as two can: far apart here is "
    "far apart for the model, but what lies together here may be far apart along the axes that are not drawn.",
    "t-SNE": "t-SNE keeps neighbours together. Who lies beside whom means something; how far apart groups lie, how "
    "large and how dense they are does not, and another perplexity would arrange them otherwise.",
}
KEPT = f"Neighbours kept: how many of a descriptor's {NEIGHBOURS} nearest are among its {NEIGHBOURS} nearest here."
WAITING = (
    "t-SNE of {count:,} descriptors is being computed, {seconds:.0f} s so far; it takes some ten seconds of an idle "
    "processor for each model and is kept. The other sections can be used meanwhile."
)


def draw(choice: shared.Choice, models: Sequence[Model]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="drawing"):
        pair = ask_pair(models)
        method = st.segmented_control(
            "Drawn by", list(METHODS), default="PCA", required=True, key="by", bind="query-params"
        )
        colour = st.segmented_control(
            "Coloured by", ["condition", "place"], default="condition", required=True, key="colour", bind="query-params"
        )
    searches = loading.searches_of(choice, pair)
    every = searches[0].pictures
    rows = every[shown_rows(len(every), MOST_SHOWN)]
    if len(rows) < FEW:
        st.info("This split has too few pictures to draw their descriptors.", icon=":material/scatter_plot:")
        return
    jobs = [job_of(choice, model, search, rows, method) for model, search in zip(pair, searches, strict=True)]
    if not all(job.done for job in jobs):
        wait(jobs, len(rows))
        return
    drawn = [Drawn(model.name, job.result()) for model, job in zip(pair, jobs, strict=True)]
    data = map_data(
        choice.frames, rows, searches[0].queries, drawn, loading.sprite_of(choice, rows.tolist()), explore_link(choice)
    )
    draw_map(data=data | {"colour": colour, "method": method}, key="descriptors")
    st.caption(f"{shown_text(len(rows), len(every), choice.split)} {MEANING[method]} {KEPT}")


def shown_text(shown: int, every: int, split: str) -> str:
    if shown == every:
        return f"All {every:,} pictures of the {split} split are drawn."
    return f"{shown:,} of the {every:,} pictures of the {split} split are drawn, spread evenly over its table."


def job_of(choice: shared.Choice, model: Model, search: SplitSearch, rows: np.ndarray, method: str) -> Job:
    """The projection of a model's descriptors of some frames; PCA is waited for, t-SNE takes its time."""

    def make() -> Job:
        job = Job(lambda: METHODS[method](search.descriptors_of(rows)))
        job.wait(SOON_S)
        return job

    key = (choice.folder, choice.stamp, choice.split, model.name, model.digest, method)
    job = _jobs().get(key, make)
    if method == "PCA":
        job.result()
    return job


@st.fragment(run_every=1.0)
def wait(jobs: Sequence[Job], count: int) -> None:
    """Look every second whether the jobs are done, and draw the page again when they are."""
    if all(job.done for job in jobs):
        st.rerun()
    waited = max(job.seconds for job in jobs)
    st.info(WAITING.format(count=count, seconds=waited), icon=":material/hourglass_top:")


@st.cache_resource
def _jobs() -> Shelf:
    return Shelf(16)
