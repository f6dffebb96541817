"""Compare: recall of the chosen models by condition with its uncertainty, and the talk's table with measured values."""

from typing import Any

import streamlit as st

from butf import comparison
from butf.experiment import summary
from butf.figures import recall, sweep, tables
from butf.figures.gallery import heading_html, model_html
from pages import loading, shared

HEAD = (
    "Method", "Gain, seen conditions", "Gain, unseen conditions", "Size", "Training steps", "Pictures in training",
    "Parameters", "Time a picture", "Depth AbsRel", "Depth δ < 1.25",
)  # fmt: skip
AXES = {"recall@N": "candidates N", "recall@D": "metres D"}
A_ROW = 3
READING = (
    "Bands are 95 % Wilson intervals. recall@N: a right one is among the first N. recall@D: the first one lies within "
    "D metres. Queries without a match in the database are not counted."
)
PAIRED = (
    "Paired on the same queries. The p flips whole blocks of a street together, since neighbouring queries are no "
    "independent witnesses; a p of 0.05 or more counts as within the noise."
)

VERDICTS = "Gains in recall@1, paired by query and seed. Clear means p < 0.01, from flips of whole squares of the map."
SWEEP = (
    "Equation 4 asks that the full descriptor's triplet loss lie below the main one's by the margin. Shorter trainings "
    "than those above, one seed; bars are 95 % intervals."
)


def main() -> None:
    choice = shared.choice()
    if choice is None:
        return
    st.html("<h1 class='unseen'>Compare</h1>")
    models = loading.models_of(choice.models)
    if not models:
        st.info("Choose at least one model in the sidebar to measure it.", icon=":material/model_training:")
        return
    evaluation = loading.evaluation_of(choice, models)
    found = comparison.conditions(evaluation)
    draw_table(evaluation, found)
    draw_curves(evaluation, found)
    draw_differences(evaluation, found)
    draw_experiment(evaluation)


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


def draw_curves(evaluation: dict[str, Any], found: list[comparison.Condition]) -> None:
    st.subheader("Recall by condition", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        kind = st.segmented_control(
            "Recall by", list(AXES), default="recall@N", required=True, key="curves", bind="query-params",
            label_visibility="collapsed",
        )  # fmt: skip
        st.html(tables.legend_html([entry["name"] for entry in evaluation["models"]]))
    for start in range(0, len(found), A_ROW):
        row = found[start : start + A_ROW]
        for condition, column in zip(row, st.columns(min(A_ROW, len(found)), gap="medium"), strict=False):
            with column.container(gap="xxsmall"):
                st.html(heading_html(condition.name, condition.text))
                curves = comparison.recall_curves(evaluation, condition.name, kind == "recall@D")
                alt = f"{kind} of each model under {condition.name} with 95 % intervals"
                st.plotly_chart(recall.curves_figure(curves, AXES[kind]), key=f"{kind} {condition.name}", alt=alt)
    body = [
        [model_html(row.model), *(tables.percent_html(*row.recall1[condition.name]) for condition in found)]
        for row in comparison.rows(evaluation)
    ]
    st.html(tables.table_html(["recall@1, %", *(condition.name for condition in found)], body, READING))


def draw_differences(evaluation: dict[str, Any], found: list[comparison.Condition]) -> None:
    over = comparison.baseline(evaluation)
    gains = comparison.gains(evaluation, over)
    if not gains:
        return
    st.subheader("Is the difference more than noise?", anchor=False)
    left, right = st.columns([1.1, 1], gap="medium")
    figure = recall.gains_figure(gains, [condition.name for condition in found])
    left.plotly_chart(figure, key="gains", alt=f"Gain in recall@1 of each model over {over}, by condition")
    with right:
        st.html(tables.differences_html(comparison.differences(evaluation, [condition.name for condition in found])))
        st.caption(PAIRED)


def draw_experiment(evaluation: dict[str, Any]) -> None:
    results = summary.load(evaluation["dataset"], evaluation["split"])
    if results is None:
        return
    st.subheader("Over training seeds, with controls", anchor=False)
    st.html(tables.table_html(summary.head(results), summary.body(results), summary.caption(results)))
    st.html(tables.table_html(summary.VERDICTS, summary.verdicts(results), VERDICTS))
    draw_sweep(results)


def draw_sweep(results: dict[str, Any]) -> None:
    points = {group: summary.sweep(results, group) for group in ("seen", "unseen")}
    if not points["seen"]:
        return
    st.subheader("The diversification loss", anchor=False)
    for (group, own), column in zip(points.items(), st.columns(2, gap="medium"), strict=True):
        with column.container(gap="xxsmall"):
            st.html(heading_html(f"{group} conditions", "recall@1 of bu-tf"))
            alt = f"recall@1 of bu-tf over lambda_div and sigma_transfer, {group} conditions"
            st.plotly_chart(sweep.sweep_figure(own), key=f"sweep {group}", alt=alt)
    st.caption(SWEEP)


shared.enter_app()
with shared.told_plainly():
    main()
