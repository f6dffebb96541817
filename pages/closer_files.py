"""Explore, a closer look: the view and the side maps as files."""

from collections.abc import Sequence

import streamlit as st

from butf import browse, closeup, export
from butf.figures.gallery import heading_html
from butf.retrieval.explore import QueryResult
from butf.views import SideView
from pages import shared


def draw(choice: shared.Choice, asked: browse.Asked, results: Sequence[QueryResult], side: SideView | None) -> None:
    def save(label: str, data, rest: str, mime: str) -> None:
        name = export.file_name(choice.frames, asked, rest)
        st.download_button(label, data, name, mime, icon=":material/download:", key=rest, on_click="ignore")

    frames, k = choice.frames, max(len(result.candidates) for result in results)
    st.html(heading_html("This view"))
    with st.container(horizontal=True):
        save("Picture, PNG", lambda: export.view_png(frames, asked, results, side, k), ".png", "image/png")
        record = export.view_json(frames, choice.split, asked, results, side, choice.rule)
        save("Answers, JSON", record, ".json", "application/json")
    for title, entry in side.named_maps if side else ():
        kind = "true" if entry is side.true else "reconstructed"
        st.html(heading_html(title))
        with st.container(horizontal=True):
            save("PNG", closeup.raw_png(entry), f"-{kind}.png", "image/png")
            save("NPY", closeup.raw_npy(entry), f"-{kind}.npy", "application/octet-stream")
    if side:
        st.caption(closeup.raw_forms(side.modality))
