"""Seeds, a section of the Compare page: what trainings over several seeds say, and the sweep of the diversification."""

from collections.abc import Sequence

import streamlit as st

from butf.experiment import summary
from butf.figures import sweep, tables
from butf.figures.gallery import heading_html
from butf.networks.zoo import Model
from pages import components, shared

VERDICTS = "Gains in recall@1, paired by query and seed. Clear means p < 0.01, from flips of whole squares of the map."
SWEEP = (
    "Equation 4 asks that the full descriptor's triplet loss lie below the main one's by the margin. Shorter trainings "
    "than those above, one seed; bars are 95 % intervals."
)
NO_SEEDS = (
    "No trainings over several seeds have been judged on the {} split of {}. `python -m butf experiment --help` says "
    "how to run them; the sections beside this one need none."
)


def draw(choice: shared.Choice, _: Sequence[Model]) -> None:
    """The experiment of the paper, where it was run on this data set: trainings over seeds, and the sweep."""
    results = summary.load(choice.frames.name, choice.split)
    if results is None:
        st.info(NO_SEEDS.format(choice.split, choice.frames.name), icon=":material/casino:")
        return
    st.subheader("Over training seeds, with controls", anchor=False)
    st.html(tables.table_html(summary.head(results), summary.body(results), summary.caption(results)))
    st.html(tables.table_html(summary.VERDICTS, summary.verdicts(results), VERDICTS))
    points = {group: summary.sweep(results, group) for group in ("seen", "unseen")}
    if not points["seen"]:
        return
    st.subheader("The diversification loss", anchor=False)
    for (group, own), column in zip(points.items(), st.columns(2, gap="medium"), strict=True):
        with column.container(gap="xxsmall"):
            st.html(heading_html(f"{group} conditions", "recall@1 of bu-tf"))
            alt = f"recall@1 of bu-tf over lambda_div and sigma_transfer, {group} conditions"
            components.drawing(sweep.sweep_plot(own, alt), f"sweep {group}")
    st.caption(SWEEP)
