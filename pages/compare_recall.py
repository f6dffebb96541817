"""Recall, a section of the Compare page: bars, size, the talk's table, and curves by rank and by distance."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from butf import comparison
from butf.figures import bars, curves, size, tables
from butf.figures.gallery import heading_html, model_html
from butf.networks.zoo import Model
from pages import components, loading, shared

HEAD = (
    "Method", "Gain, seen conditions", "Gain, unseen conditions", "Size", "Training steps", "Pictures in training",
    "Parameters", "Time a picture", "Depth AbsRel", "Depth δ < 1.25",
)  # fmt: skip
AXES = {"recall@N": "candidates N", "recall@D": "metres D"}
BARS = "Whiskers are 95 % intervals. A query is right when the first candidate is."
READING = (
    "Bands and intervals are 95 % Wilson intervals, which take queries as independent. recall@N: a right one is among "
    "the first N. recall@D: the first one lies within D metres. Queries without a match in the database do not count."
)


def draw(choice: shared.Choice, models: Sequence[Model]) -> None:
    evaluation = loading.evaluation_of(choice, models)
    found = comparison.conditions(evaluation)
    st.html(tables.legend_html([entry["name"] for entry in evaluation["models"]]))
    draw_overview(evaluation, found)
    draw_table(evaluation, found)
    draw_detail(evaluation, found)


def draw_overview(evaluation: dict[str, Any], found: list[comparison.Condition]) -> None:
    """Who is better, where, and at what size."""
    drawn = comparison.bars(evaluation)
    if not drawn:
        st.info(
            "No query has a match in the database within this radius: enlarge it in the sidebar.",
            icon=":material/radar:",
        )
        return
    left, right = st.columns([2, 1], gap="medium")
    with left.container(gap="xxsmall"):
        st.html(heading_html("recall@1 by condition", BARS))
        alt = f"recall@1 of each model under {len(found)} conditions with 95 % intervals"
        components.drawing(bars.bars_svg(drawn, alt), "bars")
    with right.container(gap="xxsmall"):
        draw_sizes(evaluation, comparison.groups(found))


@shared.part
def draw_sizes(evaluation: dict[str, Any], groups: dict[str, list[str]]) -> None:
    """Size against recall, meant over a group of conditions; another group draws nothing else anew."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="sizes"):
        st.html(heading_html("recall@1 by size", "mean over"))
        group = shared.pick("Mean over", groups, "mean", 110, label_visibility="collapsed")
    sized = comparison.sizes(evaluation, groups[group])
    alt = f"Mean recall@1 of each model over {group} conditions against its number of parameters"
    if sized:
        components.drawing(size.size_svg(sized, alt), "size")


def draw_table(evaluation: dict[str, Any], found: list[comparison.Condition]) -> None:
    st.subheader("The talk's table, measured", anchor=False)
    over = comparison.baseline(evaluation)
    body = [table_row(row, found, over) for row in comparison.rows(evaluation)]
    st.html(tables.table_html(HEAD, body, comparison.caption(evaluation)))


def table_row(row: comparison.Row, found: list[comparison.Condition], over: str | None) -> list[str]:
    names = [[condition.name for condition in found if condition.seen is seen] for seen in (True, False)]
    gains = [comparison.improvement(row, own) for own in names]
    side = row.side or {}
    return [
        model_html(row.model),
        *(
            ["the reference"] * 2
            if row.model == over
            else [tables.stacked_html(*gain) if gain else "–" for gain in gains]
        ),
        f"{row.size_ratio:.2f}x",
        str(row.training_steps),
        "–" if row.images_seen is None else f"{row.images_seen:,}",
        f"{row.parameters:,}",
        f"{row.milliseconds:.1f} ms",
        f"{side['abs_rel']:.2f}" if side else "–",
        f"{side['delta1']:.0%}" if side else "–",
    ]


def draw_detail(evaluation: dict[str, Any], found: list[comparison.Condition]) -> None:
    """The curves, and recall@1 under each condition in numbers."""
    st.subheader("Recall by rank and by distance", anchor=False)
    draw_curves(evaluation, found)
    body = [
        [model_html(row.model), *(tables.percent_html(*row.recall1[condition.name]) for condition in found)]
        for row in comparison.rows(evaluation)
    ]
    st.html(tables.table_html(["recall@1, %", *(condition.name for condition in found)], body, READING))


@shared.part
def draw_curves(evaluation: dict[str, Any], found: list[comparison.Condition]) -> None:
    """A small drawing for each condition; the other kind of recall draws nothing else anew."""
    kind = st.segmented_control(
        "Recall by", list(AXES), default="recall@N", required=True, key="curves", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    panels = [
        curves.Panel(
            condition.name,
            condition.text,
            f"{kind} of each model under {condition.name} with 95 % intervals",
            comparison.recall_curves(evaluation, condition.name, kind == "recall@D"),
        )
        for condition in found
    ]
    components.drawing(curves.curves_html(panels, AXES[kind]), "recall curves")
