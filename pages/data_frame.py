"""One frame with all that is known of it. Part of the Data page."""

from itertools import count

import streamlit as st

from butf import data_views
from butf.dataset.frames import Frames
from butf.dataset.modalities import known
from butf.dataset.summary import looks_text, when_text, where_text
from butf.figures.gallery import heading_html
from pages import components, data_facts, shared


def draw(frames: Frames, i: int) -> None:
    """The picture and every modality that the frame has, and where, when and which way it was taken."""
    name, absent = str(frames.frame[i]), []
    # Points are too sparse to be read as a map; `data_samples` shows them over the picture.
    dense = [modality for modality in frames.modalities if not known(modality).sparse]
    across = 2 if dense else 1
    places = (place for _ in count() for place in st.columns(across, gap="small"))
    with next(places).container(gap="xxsmall", key="chosen"), shared.told_plainly():
        st.html(heading_html("Picture", f"{name}, {frames.split[i]}"))
        components.photo(frames.image(i), f"The picture {name}")
    for modality in dense:
        with shared.told_plainly():
            panel = data_views.side_panel(frames, i, modality)
            if panel is None:
                absent.append(modality)
                continue
            with next(places):
                components.panel(panel)
    facts = {"Place": where_text(frames, i), "Looks": looks_text(frames, i), "Time": when_text(frames, i)}
    facts |= {"Not there": " and ".join(absent)}
    st.html(data_facts.facts_html({key: value for key, value in facts.items() if value}))
