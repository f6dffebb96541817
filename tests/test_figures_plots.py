"""Plots as SVG, recall curves and ranks: what is drawn where, and that each mark says its numbers."""

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from butf.figures.counting import marked_curve
from butf.figures.curves import Panel, curves_html, curves_svg
from butf.figures.plots import linear_scale, round_step, ticks
from butf.figures.ranks import Path, ranks_svg
from butf.figures.recall import Curve
from butf.figures.shapes import SHAPES, model_shape
from butf.figures.theme import MODEL_SYMBOLS, model_symbol

CURVE = Curve("bu-tf", [1, 5, 10], [0.5, 0.7, 0.9], [0.4, 0.6, 0.8], [0.6, 0.8, 1.0])
COLOURS = ("#1a8754", "#cc4b37", "#808a94")  # right, wrong, not known
OTHER = Curve("image-only", [1, 5, 10], [0.2, 0.3, 0.4], [0.1, 0.2, 0.3], [0.3, 0.4, 0.5])


def drawing(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def of(svg: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [element for element in svg.iter() if kind in (element.get("class") or "").split()]


def share(value: str | float) -> float:
    """A place in percent; numbers are such in the part of a plot that is stretched."""
    if isinstance(value, str):
        assert value.endswith("%")
        return float(value[:-1])
    return value


def corners(element: ElementTree.Element) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in element.get("points").split()]


def scale(svg: ElementTree.Element) -> dict[int, float]:
    """Where the gridline of each recall runs, in percent from the top."""
    lines = [share(line.get("y1")) for line in of(svg, "grid") if line.get("y1") == line.get("y2")]
    words = [int(text.text.removesuffix(" %")) for text in of(svg, "row")]
    return dict(zip(words, lines, strict=True))


def test_marks_lines_and_bands_stand_at_their_numbers_between_the_gridlines():
    svg = drawing(curves_svg([CURVE], "candidates N", "curves"))
    rows = scale(svg)
    ticks = {text.text: share(text.get("x")) for text in of(svg, "column")}
    assert list(rows) == [0, 25, 50, 75, 100] and list(ticks) == ["1", "5", "10"]

    def recall(y: float) -> float:
        return 100 * (rows[0] - y) / (rows[0] - rows[100])

    marks = of(svg, "point")
    assert [recall(share(mark.get("y"))) for mark in marks] == pytest.approx([50, 70, 90], abs=0.05)
    assert [share(mark.get("x")) for mark in marks] == list(ticks.values())
    (line,), (band,) = of(svg, "line"), of(svg, "band")
    assert [recall(y) for _, y in corners(line)] == pytest.approx([50, 70, 90], abs=0.05)
    assert [recall(y) for _, y in corners(band)] == pytest.approx([60, 80, 100, 80, 60, 40], abs=0.05)
    assert [x for x, _ in corners(band)] == [*ticks.values(), *reversed(ticks.values())]
    assert rows[50] == pytest.approx(share(marks[0].get("y")))


def test_ranks_stand_at_their_logarithms_within_the_drawing():
    svg = drawing(curves_svg([CURVE], "N", "curves"))
    first, second, third = (share(mark.get("x")) for mark in of(svg, "point"))
    assert 0 < first < third < 100
    assert (second - first) / (third - first) == pytest.approx(math.log(5) / math.log(10), abs=1e-3)


def test_a_mark_says_its_numbers_and_names_are_escaped():
    odd = Curve("<i>&", CURVE.x, CURVE.y, CURVE.low, CURVE.high)
    svg = drawing(curves_svg([odd], "N", 'a "label" <b>'))
    said = [mark.find("title").text for mark in of(svg, "point")]
    assert said[1] == "<i>&: 70.0 % (60.0 to 80.0) at 5" and len(said) == 3
    assert (svg.get("role"), svg.get("aria-label")) == ("img", 'a "label" <b>')


def test_models_are_told_apart_by_colour_dash_and_mark_and_bands_lie_behind_all_lines():
    svg = drawing(curves_svg([OTHER, CURVE], "N", "curves"))
    blue, purple = of(svg, "line")
    assert (blue.get("stroke"), purple.get("stroke")) == ("#3a86d0", "#b03a86")
    assert blue.get("stroke-dasharray") and not purple.get("stroke-dasharray")
    assert [(band.get("fill")) for band in of(svg, "band")] == ["#3a86d0", "#b03a86"]
    classes = ((element.get("class") or "").strip() for element in svg.iter())
    kinds = [kind for kind in classes if kind in ("band", "line", "point")]
    assert kinds == ["band"] * 2 + ["line"] * 2 + ["point"] * 6
    shapes = [mark.find("g")[0].tag for mark in of(svg, "point")]
    assert shapes == ["circle"] * 3 + ["path"] * 3


def test_one_point_alone_stands_in_the_middle_and_none_leave_the_grid():
    one = drawing(curves_svg([Curve("bu-tf", [5], [0.5], [0.4], [0.6])], "N", "one"))
    assert [share(mark.get("x")) for mark in of(one, "point")] == [50]
    none = drawing(curves_svg([Curve("bu-tf", [], [], [], [])], "N", "none"))
    assert of(none, "point") == of(none, "column") == [] and len(of(none, "grid")) == 5


def test_each_panel_has_its_heading_and_its_words_for_the_blind():
    html = curves_html([Panel("night", "unseen", "recall@N under night", [CURVE]), Panel("<b>", "", "", [])], "N")
    first, second = ElementTree.fromstring(html)
    assert "".join(first.find("h3").itertext()) == "night unseen"
    assert first.find("svg").get("aria-label") == "recall@N under night"
    assert "".join(second.find("h3").itertext()).strip() == "<b>"


def test_the_curve_marks_n_and_the_rank_of_the_query():
    curve = Curve("bu-tf", [1, 2, 3, 4, 5], [0.1, 0.2, 0.5, 0.6, 0.7], [0.0] * 5, [1.0] * 5)
    svg = drawing(marked_curve(curve, 3, 5, "marked"))
    places = [share(mark.get("x")) for mark in of(svg, "point")]
    line, words = of(svg, "n")
    assert share(line.get("x1")) == share(line.get("x2")) == places[2]
    assert words.text == "50 %" and share(words.get("y")) == scale(svg)[50]
    own, from_rank = of(svg, "own")
    assert share(own.get("x1")) == places[4] and from_rank.text == "this query, from 5"
    assert [text.text for text in of(svg, "column")] == ["1", "2", "5"]
    for never in (0, 60, None):
        assert of(drawing(marked_curve(curve, 3, never, "marked")), "own") == []


def test_ranks_stand_at_their_logarithms_below_their_orderings_with_1_on_top():
    paths = [Path("a/<1>", [1, 10, 100], True, chosen=True), Path("b", [3, 1, 2], False), Path("c", [2, 4, 4], None)]
    svg = drawing(ranks_svg(("main", "both", "side"), paths, "ranks"))
    heads = [share(head.get("x")) for head in of(svg, "column")]
    lines = {line.get("stroke"): line for line in of(svg, "line")}
    assert {tuple(x for x, _ in corners(line)) for line in lines.values()} == {tuple(heads)}
    first, second, third = (y for _, y in corners(lines["#1a8754"]))
    assert 0 < first < second < third < 100 and third - second == pytest.approx(second - first, abs=0.02)
    assert corners(lines["#cc4b37"])[1][1] == first
    words = [text.text for text in of(svg, "row")]
    assert words == ["1", "2", "5", "10", "20", "50", "100", "rank"]


def test_a_wrong_place_is_hollow_and_dotted_and_the_chosen_one_thick_and_on_top():
    paths = [Path("a/<1>", [1, 2], True, chosen=True), Path("b", [3, 1], False), Path("c", [2, 4], None)]
    svg = drawing(ranks_svg(("main", "both"), paths, "ranks"))
    lines = {line.get("stroke"): line for line in of(svg, "line")}
    right, wrong, unknown = (lines[colour] for colour in COLOURS)
    assert wrong.get("stroke-dasharray") and not right.get("stroke-dasharray") and not unknown.get("stroke-dasharray")
    assert "chosen" in right.get("class") and of(svg, "line")[-1] is right
    marks = {mark.find("title").text: mark for mark in of(svg, "point")}
    assert "a/<1>, right: rank 1 by main" in marks and "c: rank 4 by both" in marks
    assert marks["b, wrong: rank 3 by main"].find("g")[0].get("fill") != COLOURS[1]
    assert marks["a/<1>, right: rank 1 by main"].find("g")[0].get("fill") == COLOURS[0]


def test_every_method_has_a_shape_of_its_own_and_so_has_a_run():
    assert {model_symbol("my-run"), *MODEL_SYMBOLS.values()} <= set(SHAPES)
    drawn = {model_shape(name, "") for name in (*MODEL_SYMBOLS, "my-run")}
    assert len(drawn) == len(MODEL_SYMBOLS) + 1


@pytest.mark.parametrize("symbol", [name for name, shape in SHAPES.items() if "<path" in shape])
def test_shapes_stay_within_their_field(symbol):
    """Followed step by step, as a browser does."""
    path = re.search(r' d="([^"]+)"', SHAPES[symbol])[1]
    x = y = 0.0
    for command, rest in re.findall(r"([MLlHhVvZz]?)([^MLlHhVvZz]*)", path):
        numbers = [float(number) for number in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", rest)]
        steps = list(zip(numbers[::2], numbers[1::2], strict=False))
        if command in set("HhVv"):
            steps = [(number, None) if command in "Hh" else (None, number) for number in numbers]
        for dx, dy in steps:
            own = command.islower()
            x = x if dx is None else dx + x * own
            y = y if dy is None else dy + y * own
            assert 0 <= x <= 24 and 0 <= y <= 24


@pytest.mark.parametrize(("span", "step"), [(1.0, 0.2), (600, 100), (601, 200), (0.031, 0.01), (7, 2), (2500, 500)])
def test_a_step_is_round_and_the_least_that_is_not_too_small(span, step):
    assert round_step(span, 6) == pytest.approx(step) and span / step <= 6


def test_ticks_are_the_multiples_within_their_ends():
    assert ticks(-0.15, 0.5, 0.1) == pytest.approx([-0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert ticks(101, 199, 100) == []


def test_a_linear_scale_goes_on_beyond_its_ends():
    place = linear_scale(10, 20, 100, 0)
    assert [place(value) for value in (10, 15, 20, 25)] == [100, 50, 0, -50]
