"""Curves of a training run: the terms of equation 3 one by one, and recall on the val areas; beside those of others."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import plotly.graph_objects as go

from butf.figures.theme import model_colour, note, styled, translucent, upright

Record = Mapping[str, Any]
Others = Mapping[str, Sequence[Record]]
"""The records of other runs by their names, to compare with."""

# What is logged under each name, in the order of the slide and then what it does not have.
TERMS = {
    "main": ("main: triplets of the image descriptor", "#3a86d0", "solid"),
    "side": ("side: triplets of the side descriptor", "#c98500", "dash"),
    "full": ("full: triplets of both together", "#2f9a94", "dashdot"),
    "transfer": ("transfer: side map or features against the true ones", "#b03a86", "solid"),
    "div": ("div: both together beat the image alone", "#8456e8", "dot"),
    "extra": ("extra: the same of pictures of unseen conditions", "#b03a86", "dot"),
    "consistency": ("consistency: two changes of a picture alike", "#b63424", "dashdot"),
    "measured": ("measured: a describer of the true side map", "#5c6ac4", "dashdot"),
    "match": ("match: the side descriptor against that one's", "#5c6ac4", "solid"),
    "match_extra": ("match_extra: the same of pictures of unseen conditions", "#5c6ac4", "dot"),
    "keep": ("keep: how far the trunk went from ImageNet's", "#7d8c6c", "dash"),
    "detector": ("detector: windows with and without a keypoint", "#3a86d0", "solid"),
    "place": ("place: squared pixels between the points of both pictures", "#c98500", "dash"),
    "orientation": ("orientation: descriptors of patches that it turned", "#8456e8", "dashdot"),
    "descriptor": ("descriptor: patches of the same point against others", "#2f9a94", "solid"),
}
TOTAL = ("loss", "total: the weighted sum of the terms", "#7d8590")
CONDITION_COLOURS = ("#8456e8", "#2f9a94", "#c98500", "#3a86d0", "#b63424", "#7d8c6c", "#5c6ac4", "#8a6d3b")
LINE = "rgba(128, 138, 148, 0.8)"
KEYPOINT_SCORES = ("repeatability", "matching_score", "precision", "average_precision")
MOST_POINTS = 240
FEW, ROW = 5, 10
"""Legend entries that fit beside each other, and the pixels that each further one adds."""


def loss_figure(records: Sequence[Record], height: int = 240, others: Others | None = None) -> go.Figure:
    """The loss and each of its terms over the steps of all phases; of other runs the loss alone, dashed.

    `records` are the lines of a run's metrics.jsonl. Long runs are drawn as means over equal stretches of steps.
    """
    lines = []
    name, label, colour = TOTAL
    for index, (steps, values) in enumerate(_by_phase(records, name)):
        lines.append(_line(label, steps, values, colour, width=4, opacity=0.45, showlegend=index == 0))
    for term, (label, colour, dash) in TERMS.items():
        for index, (steps, values) in enumerate(_by_phase(records, term)):
            lines.append(_line(label, steps, values, colour, dash=dash, showlegend=index == 0))
    for run, told in (others or {}).items():
        for index, (steps, values) in enumerate(_by_phase(told, name)):
            lines.append(_other(f"total of {run}", run, steps, values, showlegend=index == 0))
    return _curves(lines, height, "loss", {"rangemode": "tozero"}, **_phases(records))


def recall_figure(records: Sequence[Record], method: str, height: int = 215, others: Others | None = None) -> go.Figure:
    """recall@1 on the val areas over the steps, in percent: the mean in the method's colour, each condition thinner.

    Of other runs the mean alone, dashed, each in its own colour.
    """
    measured = [record for record in records if isinstance(record.get("val_recall"), Mapping) and record["val_recall"]]
    lines = []
    conditions = {name: None for record in measured for name in record["val_recall"] if name != "mean"}
    for index, condition in enumerate(conditions):
        steps, values = _series(measured, lambda record, name=condition: record["val_recall"].get(name))
        colour = CONDITION_COLOURS[index % len(CONDITION_COLOURS)]
        lines.append(_line(condition, steps, 100 * values, colour, mode="lines+markers", width=1.5, unit=" %"))
    steps, values = _series(measured, lambda record: record.get("val_recall_mean"))
    if len(steps):
        line = _line("mean", steps, 100 * values, model_colour(method), mode="lines+markers", width=4, unit=" %")
        lines.append(line | {"marker": {"size": 9}})
    for run, told in (others or {}).items():
        steps, values = _series(told, lambda record: record.get("val_recall_mean"))
        if len(steps):
            lines.append(_other(f"mean of {run}", run, steps, 100 * values, mode="lines+markers", unit=" %"))
    return _curves(lines, height, "val recall@1, %", {"range": [0, 102]}, **_phases(records))


def keypoint_figure(records: Sequence[Record], height: int = 215) -> go.Figure:
    """Repeatability, matching score and precision of keypoints on val pairs over the steps, in percent."""
    lines = []
    for colour, name in zip(CONDITION_COLOURS, KEYPOINT_SCORES, strict=False):
        steps, values = _series(
            records, lambda record, name=name: (record.get("val_keypoints") or {}).get("mean", {}).get(name)
        )
        if len(steps):
            label = name.replace("_", " ")
            lines.append(_line(label, steps, 100 * values, colour, mode="lines+markers", unit=" %"))
    return _curves(lines, height, "val pairs, %", {"range": [0, 102]}, **_phases(records))


def pull_figure(records: Sequence[Record], height: int = 220) -> go.Figure | None:
    """Whether triplets and transfer fight: the cosine of their gradients at the trunk's last map, -1 to 1.

    None for a run that did not measure it.
    """
    steps, values = _series(records, lambda record: record.get("gradient_cosine"))
    if not len(steps):
        return None
    line = _line("cosine", *thin(steps, values), TERMS["transfer"][1], showlegend=False)
    zero = {"type": "line", "x0": 0, "x1": 1, "xref": "x domain", "y0": 0, "y1": 0, "yref": "y"}
    zero |= {"line": {"width": 1, "color": LINE}}
    return _curves([line], height, "cosine", {"range": [-1.02, 1.02]}, shapes=[zero])


def thin(steps: np.ndarray, values: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` points `(M,)` of a curve `(N,)`: the mean step and the mean value of equal stretches."""
    if len(steps) <= most:
        return steps, values
    stretches = np.array_split(np.arange(len(steps)), most)
    return (np.array([steps[part].mean() for part in stretches]), np.array([values[part].mean() for part in stretches]))


def _by_phase(records: Sequence[Record], name: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """One curve a phase: the same term of two phases is not one quantity, so no line joins them."""
    phases = [list(group) for _, group in groupby(records, key=lambda record: record.get("phase_index"))]
    for phase in phases:
        steps, values = _series(phase, lambda record: record.get(name))
        if len(steps):
            yield thin(steps, values)


def _series(records: Sequence[Record], value: Any) -> tuple[np.ndarray, np.ndarray]:
    points = [(record["step"], value(record)) for record in records if _is_number(value(record))]
    steps, values = np.array(points, dtype=float).reshape(-1, 2).T
    return steps, values


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and bool(np.isfinite(value))


def _line(
    name: str,
    steps: np.ndarray,
    values: np.ndarray,
    colour: str,
    *,
    dash: str = "solid",
    width: float = 2,
    opacity: float = 1.0,
    mode: str = "lines",
    unit: str = "",
    showlegend: bool = True,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": steps,
        "y": values,
        "name": name.split(":")[0],
        "legendgroup": name,
        "showlegend": showlegend,
        "mode": "lines+markers" if len(steps) == 1 else mode,
        "line": {"color": translucent(colour, opacity), "width": width, "dash": dash},
        "hovertemplate": f"{name}<br>step %{{x:.0f}}: %{{y:.3g}}{unit}<extra></extra>",
    }


def _other(name: str, run: str, steps: np.ndarray, values: np.ndarray, **look: Any) -> dict[str, Any]:
    """A line of another run: dashed, in that run's own colour."""
    return _line(name, steps, values, model_colour(run), dash="dash", width=2.5, **look)


def _phases(records: Sequence[Record]) -> dict[str, list[dict[str, Any]]]:
    """A line with the name of each training step where it begins, where there is more than one."""
    begins: dict[str, float] = {}
    reached = 0.0
    for record in records:
        if record.get("phase") and _is_number(record.get("step")):
            begins.setdefault(str(record["phase"]), reached)
            reached = float(record["step"])
    if len(begins) < 2:
        return {}
    look = {"yref": "paper", "xanchor": "left", "yanchor": "top", "font": {"size": 11}}
    return {
        "shapes": [upright(step, {"width": 1, "dash": "dot", "color": LINE}) for step in begins.values()],
        "annotations": [note(step, 1, phase, **look) for phase, step in begins.items()],
    }


def _curves(
    lines: list[dict[str, Any]], height: int, title: str, up: dict[str, Any], **marks: list[dict[str, Any]]
) -> go.Figure:
    """Lines over the steps, with more height where the legend is long: on a telephone it takes several rows."""
    entries = sum(line["showlegend"] for line in lines)
    return styled(
        lines,
        height + ROW * max(0, entries - FEW),
        with_legend=True,
        legend={"font": {"size": 11}},
        uirevision="run",  # the zoom of whoever is looking stays when the next points arrive
        xaxis={"title": {"text": "optimiser step"}, "rangemode": "tozero"},
        yaxis=up | {"title": {"text": title}},
        **marks,
    )
