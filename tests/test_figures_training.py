"""Curves of a run: every term where it was logged, thinned by plain means, phases apart; and the pace."""

import numpy as np
import plotly.graph_objects as go
import pytest
from looking import looked_through

from butf.figures.theme import model_colour
from butf.figures.training import loss_figure, pull_figure, recall_figure, thin
from butf.training.pace import Pace, duration, pace


def records(count: int = 8) -> list[dict]:
    """Two phases of `count` records, ten steps apart; recall is measured at every second one."""
    found = []
    for index in range(2 * count):
        late = index >= count
        place = {"step": 10 * (index + 1), "phase": ("main", "transfer")[late], "phase_index": 1 + late}
        terms = {"loss": 4.0, "main": 1.0, **({"side": 0.5, "full": 0.7, "transfer": 0.6} if late else {})}
        pace = {"steps": 20 * count, "images_per_s": 20.0 + 10 * late, "seconds": 5.0 * (index + 1)}
        found.append({**place, **terms, **pace})
        if index % 2:
            found.append({**place, "val_recall": {"overcast": 0.5, "mean": index / 20}, "val_recall_mean": index / 20})
    return found


def lines(figure: go.Figure, name: str) -> list[go.Scatter]:
    return [line for line in figure.data if line.name == name]


def test_every_term_has_a_curve_in_the_phases_that_log_it():
    figure = looked_through(loss_figure(records()))
    assert {line.name for line in figure.data} == {"total", "main", "side", "full", "transfer"}
    assert [list(line.x) for line in lines(figure, "main")] == [list(range(10, 90, 10)), list(range(90, 170, 10))]
    assert [list(line.y) for line in lines(figure, "side")] == [[0.5] * 8]
    assert [line.showlegend for line in lines(figure, "total")] == [True, False]
    assert [note.text for note in figure.layout.annotations] == ["main", "transfer"]
    assert [shape.x0 for shape in figure.layout.shapes] == [0, 80], "a phase begins where the one before ended"


def test_one_phase_is_not_marked():
    figure = loss_figure([record for record in records() if record["phase"] == "main"])
    assert not figure.layout.annotations
    assert {line.name for line in figure.data} == {"total", "main"}


def test_pulls_are_drawn_between_minus_one_and_one_where_they_were_measured():
    assert pull_figure(records()) is None
    figure = pull_figure([{**record, "gradient_cosine": -0.25} for record in records() if "side" in record])
    looked_through(figure)
    (line,) = figure.data
    assert list(line.x) == list(range(90, 170, 10)) and set(line.y) == {-0.25}
    assert figure.layout.yaxis.range == (-1.02, 1.02) and [shape.y0 for shape in figure.layout.shapes] == [0]


def test_recall_is_in_percent_and_the_mean_in_the_colour_of_the_method():
    figure = looked_through(recall_figure(records(), "bu-tf"))
    (mean,), (overcast,) = lines(figure, "mean"), lines(figure, "overcast")
    assert list(mean.x) == [20, 40, 60, 80, 100, 120, 140, 160]
    assert np.allclose(mean.y, 100 * np.arange(1, 16, 2) / 20)
    assert set(overcast.y) == {50.0}
    red, green, blue = (int(model_colour("bu-tf")[i : i + 2], 16) for i in (1, 3, 5))
    assert mean.line.color == f"rgba({red}, {green}, {blue}, 1)"
    assert mean.line.width > overcast.line.width


def test_other_runs_are_dashed_in_their_own_colours_and_named():
    others = {"bu-tf-7": records(), "<b>sly</b>": records(3), "empty": []}
    loss, recall = loss_figure(records(), others=others), recall_figure(records(), "bu-tf", others=others)
    for figure, what in ((loss, "total of"), (recall, "mean of")):
        found = {name: lines(figure, f"{what} {name}") for name in others}
        assert not found["empty"]
        for name in ("bu-tf-7", "<b>sly</b>"):
            assert {line.line.dash for line in found[name]} == {"dash"}
            red, green, blue = (int(model_colour(name)[i : i + 2], 16) for i in (1, 3, 5))
            assert {line.line.color for line in found[name]} == {f"rgba({red}, {green}, {blue}, 1)"}
            assert sum(line.showlegend is not False for line in found[name]) == 1
    assert [list(line.y) for line in lines(loss, "total of bu-tf-7")] == [[4.0] * 8, [4.0] * 8], "a phase each"
    assert np.allclose(lines(recall, "mean of bu-tf-7")[0].y, 100 * np.arange(1, 16, 2) / 20)


@pytest.mark.parametrize("build", [loss_figure, lambda found: recall_figure(found, "bu-tf")])
@pytest.mark.parametrize(
    "found", [[], [{}], [{"step": 1}], [{"step": 3, "phase_index": 1, "loss": float("nan"), "val_recall": {}}]]
)
def test_nothing_logged_yet_gives_an_empty_figure(build, found):
    assert not [line for line in looked_through(build(found)).data if line.x is not None and len(line.x)]


def test_long_runs_are_thinned_by_means_of_equal_stretches():
    steps, values = np.arange(1000.0), np.random.default_rng(0).normal(size=1000)
    few, means = thin(steps, values, most=10)
    assert np.allclose(few, [steps[k : k + 100].sum() / 100 for k in range(0, 1000, 100)])
    assert np.allclose(means, [values[k : k + 100].sum() / 100 for k in range(0, 1000, 100)])
    assert thin(steps, values, most=1000)[1] is values


def test_pace_is_that_of_the_present_phase():
    found = records()
    assert pace([]) == Pace(None, None, None)
    assert pace(found[:1]) == Pace(20.0, 75.0, 5.0), "15 stretches of 10 steps to go, 5 s each"
    slower = [*found, {"step": 165, "phase": "third", "steps": 200, "images_per_s": 4.0, "seconds": 100.0}]
    assert pace(slower) == Pace(4.0, 35 * 20.0 / 5, 100.0)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7512, "2 h 05 min")]
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words
