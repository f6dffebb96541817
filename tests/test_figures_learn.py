"""The figures of the lessons: what is drawn where, and that names are escaped."""

import base64
import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image, ImageColor
from test_figures_plots import of, share

from butf.figures.counting import squares_html
from butf.figures.depth import SHORT_TO_LONG
from butf.figures.diagram import Link, Node, diagram_html
from butf.figures.gallery import Card
from butf.figures.hinge import hinge_svg
from butf.figures.hover_map import HoverMap
from butf.figures.localization import Field, error_plan, ranked_html, way_html
from butf.figures.marks import Mark
from butf.figures.theme import RIGHT, model_colour
from butf.figures.words import assignment_map, matrix_map, word_colour


def drawings(html: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(html))


def test_a_diagram_is_drawn_lying_and_standing_and_says_each_state_in_words() -> None:
    nodes = {
        "a": Node(0, 0, "data", ("<picture>",)),
        "b": Node(1, 0, "module", ("trunk", "12"), "learns", ("equation 1",)),
        "c": Node(1, 1, "module", ("decoder",), "absent"),
    }
    html = diagram_html(nodes, [Link("a", "b"), Link("b", "c"), Link("a", "c", pull=True)], 'a "label"')
    wide, tall = drawings(html)
    for drawing in (wide, tall):
        assert drawing.get("aria-label") == 'a "label"'
        texts = [text.text for text in drawing.iter("text")]
        assert texts == ["<picture>", "trunk", "12", "equation 1", "learns", "decoder", "not used"]
        kinds = [path.get("class") for path in drawing.iter("path")]
        assert kinds == ["flow", "tip", "flow absent", "tip absent", "pull absent"]
    boxes = [[(float(r.get("x")), float(r.get("y"))) for r in d.iter("rect")] for d in (wide, tall)]
    assert boxes[0][0][1] == boxes[0][1][1] and boxes[0][0][0] < boxes[0][1][0]  # lying: along x
    assert boxes[1][0][0] == boxes[1][1][0] and boxes[1][0][1] < boxes[1][1][1]  # standing: along y
    width = float(tall.get("viewBox").split()[2])
    assert all(
        x >= 0 and x + float(r.get("width")) <= width for (x, _), r in zip(boxes[1], tall.iter("rect"), strict=True)
    )


def test_an_arrow_ends_at_the_front_of_its_box() -> None:
    nodes = {"a": Node(0, 0, "data", ("a",)), "b": Node(2, 1, "module", ("b",))}
    wide = drawings(diagram_html(nodes, [Link("a", "b")], "x"))[0]
    box = list(wide.iter("rect"))[1]
    tip = next(path for path in wide.iter("path") if path.get("class") == "tip").get("d")
    x, y = (float(part) for part in tip[1:].split("L")[0].split())
    assert x == float(box.get("x"))
    assert y == float(box.get("y")) + float(box.get("height")) / 2


def test_ranked_pictures_tell_right_from_wrong_by_border_and_words_and_pale_the_rest() -> None:
    cards = [Card("a/<1>", "data:,x", 1, 0.1, 3.2, True), Card("a/2", "data:,y", 2, 0.2, 140.0, False)]
    html = ranked_html(cards, 1)
    assert html.count('<li class="right"') == 1 and html.count('<li class="wrong beyond"') == 1
    assert "✓ 3.2 m" in html and "✗ 140 m" in html and "<1>" not in html
    assert "beyond" not in ranked_html(cards)
    assert "<b>" not in way_html("<b>", ("<b>",), "<b>").replace('<b aria-hidden="true">', "")


def plan_of(marks: list[Mark], query: tuple[float, float] = (0.0, 0.0), radius_m: float = 25.0) -> ElementTree.Element:
    return ElementTree.fromstring(
        error_plan(np.array([[-5.0, 0], [60, 0], [60, 80]]), query, radius_m, marks, "<plan>")
    )


def measured(plan: ElementTree.Element, x: str | float, y: str | float) -> tuple[float, float]:
    """What a place in a plot, in percent, is in metres (or what else is measured) by the gridlines and their words."""
    found = []
    for kind, axis, place in (("column", "x", x), ("row", "y", y)):
        words = [(float(t.text), share(t.get(axis))) for t in of(plan, kind)]
        (low, at_low), (high, at_high) = words[0], words[-1]
        found.append(low + (high - low) * (share(place) - at_low) / (at_high - at_low))
    return tuple(found)


def test_the_error_is_a_line_from_the_true_place_to_the_first_candidate() -> None:
    marks = [Mark("bu-tf", "f/1", 30.0, 40.0, 1, 50.0, False), Mark("bu-tf", "f/<2>", 1.0, 1.0, 2, 1.4, True)]
    plan = plan_of(marks)
    (line,), (badge,) = of(plan, "error"), of(plan, "badge")
    start, end = (measured(plan, *map(float, pair.split(","))) for pair in line.get("points").split())
    assert (start, end) == (pytest.approx((0, 0), abs=0.05), pytest.approx((30, 40), abs=0.05))
    assert badge.find("text").text == "50 m"
    assert measured(plan, badge.get("x"), badge.get("y")) == pytest.approx((15, 20), abs=0.05)
    second, first, query = of(plan, "point")
    assert measured(plan, first.get("x"), first.get("y")) == pytest.approx((30, 40), abs=0.05)
    assert measured(plan, second.get("x"), second.get("y")) == pytest.approx((1, 1), abs=0.05)
    assert measured(plan, query.get("x"), query.get("y")) == pytest.approx((0, 0), abs=0.05)
    assert second.find("title").text == marks[1].tooltip and plan.get("aria-label") == "<plan>"
    assert [mark.find("g")[0].get("fill") for mark in (first, second)] == ["none", model_colour("bu-tf")]


def test_a_plan_is_as_wide_as_high_for_a_metre_and_holds_the_whole_database() -> None:
    plan = plan_of([Mark("bu-tf", "f/1", 30.0, 40.0, 1, 50.0, False)])
    ratio = float(re.search(r"--ratio: ([\d.]+)", plan.get("style"))[1])
    (circle,) = of(plan, "radius")
    assert share(circle.get("rx")) * ratio == pytest.approx(share(circle.get("ry")), rel=2e-3)
    west, _ = measured(plan, share(circle.get("cx")) - share(circle.get("rx")), 0.0)
    assert west == pytest.approx(-25, abs=0.05)
    dots = [tuple(map(float, dot.split(","))) for dot in re.findall(r"M([\d.,]+)h0", of(plan, "dots")[0].get("d"))]
    np.testing.assert_allclose([measured(plan, *dot) for dot in dots], [[-5, 0], [60, 0], [60, 80]], atol=0.05)


@pytest.mark.parametrize(("extent", "ratio"), [((500.0, 3.0), 2.0), ((3.0, 500.0), 0.7), ((0.0, 0.0), 1.0)])
def test_a_plan_is_never_a_mere_strip(extent: tuple[float, float], ratio: float) -> None:
    points = np.array([[7.0, 7.0], [7.0 + extent[0], 7.0 + extent[1]]])
    field = Field.around(points, 2.0)
    assert field.wide / field.high == pytest.approx(ratio) and field.wide >= 0.2
    assert all(0 < field.x(x) < 100 and 0 < field.y(y) < 100 for x, y in points)


def test_words_at_the_upper_edge_stand_below_their_mark() -> None:
    downs = [float(of(plan_of([Mark("m", "f", 0.0, y, 1, y, True)], (0, y)), "badge")[0].find("rect").get("y")[:-2])
             for y in (0.0, 80.0)]  # fmt: skip
    assert downs[0] < 0 < downs[1]


def test_squares_fill_the_queries_found_and_ring_the_chosen_one() -> None:
    html = squares_html([3, 0, 1, 7], 3, 1)
    assert html.count('"hit"') == 2
    assert html.count('"miss"') == 1 and html.endswith('<i class="miss here"></i></div>')  # never found: last
    assert "2 of 4 queries have a right one among the first 3" in html


def pixels(source: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition("base64,")[2]))))


def figure_of(view: HoverMap) -> ElementTree.Element:
    """The HTML as XML; browsers close pictures by themselves."""
    html = view.payload("<alt>")["html"]
    return ElementTree.fromstring(re.sub(r"(<img [^>]*)>", r"\1/>", html))


def test_cells_have_the_colour_of_their_likeliest_word_and_one_word_its_shares() -> None:
    shares = np.array([[[0.9, 0.1], [0.4, 0.6]]])
    view = assignment_map(Image.new("RGB", (64, 32)), shares)
    of = [ImageColor.getrgb(word_colour(k)) for k in range(2)]
    cells = pixels(figure_of(view).find(".//img").get("src"))
    assert [tuple(cell[:3]) for cell in cells[0].tolist()] == of
    np.testing.assert_allclose(cells[0, :, 3], 255 * 0.82 * np.array([0.9, 0.6]), atol=0.5)
    assert view.said.tolist() == [["word 1: 0.90", "word 2: 0.60"]]
    alone = assignment_map(Image.new("RGB", (64, 32)), shares, 1)
    assert {tuple(cell[:3]) for cell in alone.pixels[0].tolist()} == {of[1]}
    assert alone.said.tolist() == [["word 2: 0.10", "word 2: 0.60"]]


def test_the_picture_lies_beneath_its_cells_in_its_own_proportions() -> None:
    colour = (200, 30, 90)
    figure = figure_of(assignment_map(Image.new("RGB", (60, 20), colour), np.full((2, 2, 3), 1 / 3)))
    assert "--ratio: 3.0000;" in figure.get("style")
    beneath = re.fullmatch(r"background-image: url\((.*)\)", figure.find("div").get("style"))[1]
    assert pixels(beneath).shape == (20, 60, 3)
    np.testing.assert_allclose(pixels(beneath).mean((0, 1)), colour, atol=3)


def test_words_have_colours_of_their_own() -> None:
    assert len({word_colour(k) for k in range(16)}) == 16


def test_the_matrix_stands_beside_the_norms_of_its_rows() -> None:
    matrix = np.array([[3.0, -4.0], [0.0, 0.0], [1.2, 0.5]])
    view = matrix_map(matrix, 0)
    figure = figure_of(view)
    rows, bars = (figure.find(f"ol[@class='{kind}']") for kind in ("rows", "bars"))
    assert [row.text for row in rows] == ["1", "2", "3"] and [bar.find("span").text for bar in bars] == [
        "5.0", "0.0", "1.3"
    ]  # fmt: skip
    shares = [float(re.search(r"--share: ([\d.]+)", bar.get("style"))[1]) for bar in bars]
    assert shares == pytest.approx([1, 0, 1.3 / 5]) and bars[2].get("title").endswith("= 1.30")
    assert [bar.get("class") for bar in bars] == ["bright", "pale", "pale"]
    assert all(bar.get("class") == "bright" for bar in figure_of(matrix_map(matrix)).find("ol[@class='bars']"))
    np.testing.assert_allclose(view.values, matrix, atol=1e-3)
    assert view.payload("")["named"] == ["word", "dimension"]


def test_entries_are_coloured_from_minus_the_largest_to_the_largest() -> None:
    cells = pixels(figure_of(matrix_map(np.array([[3.0, -4.0], [0.0, 4.0]]))).find(".//img").get("src"))
    blue, white, orange = (ImageColor.getrgb(colour) for _, colour in SHORT_TO_LONG[::2])
    assert [tuple(cells[0, 1]), tuple(cells[1, 0]), tuple(cells[1, 1])] == [blue, white, orange]
    assert (matrix_map(np.zeros((2, 3))).pixels == white).all()


def hinge(full: float, main: float, margin: float) -> ElementTree.Element:
    return ElementTree.fromstring(hinge_svg(full, main, margin, "<hinge>"))


@pytest.mark.parametrize(("full", "value"), [(0.2, 0.0), (0.4, 0.0), (0.7, 0.3), (1.0, 0.6)])
def test_the_hinge_is_drawn_with_the_present_point_on_it(full: float, value: float) -> None:
    svg = hinge(full, 0.5, 0.1)
    (curve,), (point,) = of(svg, "hinged"), of(svg, "point")
    assert measured(svg, point.get("x"), point.get("y")) == pytest.approx((full, value), abs=0.001)
    (left, bend, right) = (measured(svg, *map(float, pair.split(","))) for pair in curve.get("points").split())
    assert [*left, *bend, *right] == pytest.approx([0, 0, 0.4, 0, 1, 0.6], abs=0.001)
    assert of(svg, "now")[0].text == f"{value:.2f}" and svg.get("aria-label") == "<hinge>"
    green = of(svg, "stem")[0].get("stroke") == RIGHT
    assert green == (value == 0)


def test_a_demand_that_cannot_be_met_has_no_span_and_no_bend() -> None:
    met, beyond = hinge(0.5, 0.5, 0.1), hinge(0.5, 0.05, 0.1)
    words = [[text.text for text in svg.iter("text")] for svg in (met, beyond)]
    assert "demand met" in words[0] and "demand met" not in words[1]
    assert [share(of(svg, "met")[0].get("width")) for svg in (met, beyond)] == [40, 0]
    curve = [measured(beyond, *map(float, pair.split(","))) for pair in of(beyond, "hinged")[0].get("points").split()]
    assert np.array(curve) == pytest.approx(np.array([[0, 0.05], [1, 1.05]]), abs=0.001)


def test_the_margin_reaches_from_the_main_loss_down_and_not_below_zero() -> None:
    for main, margin, low in ((0.5, 0.1, 0.4), (0.2, 0.3, 0.0)):
        svg = hinge(0.5, main, margin)
        (line,) = of(svg, "margin")[0].iter("line")
        assert [measured(svg, line.get(end), 0.0)[0] for end in ("x1", "x2")] == pytest.approx([low, main], abs=0.001)
        assert measured(svg, of(svg, "main")[0].get("x1"), 0.0)[0] == pytest.approx(main, abs=0.001)
    assert of(hinge(0.5, 0.5, 0.0), "margin") == of(hinge(0.5, 0.0, 0.5), "margin") == []
