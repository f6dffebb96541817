"""Matches as lines: that they end where the keypoints are, and that what is drawn and what is said agree."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from butf.figures.matches import INLIER, OUTLIER, UNJUDGED, Side, legend_html, matches_svg, matches_words, shown

QUERY = Side("data:image/jpeg;base64,QQ==", (640, 480), "The <query>")
CANDIDATE = Side("data:image/jpeg;base64,Qg==", (90, 120), 'a & "b"')
TALL, GAP = 300, 10  # the drawing's own units, see the viewBox


def some(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels in the query and in the candidate, and which of them agree (about a third)."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0, QUERY.size, (count, 2)), rng.uniform(0, CANDIDATE.size, (count, 2)), rng.random(count) < 0.35


def by_colour(svg: str) -> dict[str, list[ElementTree.Element]]:
    """The paths of a drawing by the colour of their group: lines first, then what is at their ends."""
    return {group.get("stroke"): group.findall("path") for group in ElementTree.fromstring(svg).iter("g")}


def numbers(path: ElementTree.Element, form: str) -> np.ndarray:
    """All that fits a form in which # stands for a number, (N, numbers in the form)."""
    return np.array(re.findall(form.replace("#", r"(-?[\d.]+)"), path.get("d")), float)


def test_a_line_ends_at_the_two_keypoints_of_its_match():
    query, candidate, agree = some(30)
    groups = by_colour(matches_svg(QUERY, CANDIDATE, query, candidate, agree))
    assert set(groups) == {INLIER, OUTLIER}
    for colour, rows in ((INLIER, np.flatnonzero(agree)), (OUTLIER, np.flatnonzero(~agree))):
        lines = numbers(groups[colour][0], "M# #L# #")
        assert len(lines) == len(rows) > 0
        for line, row in zip(lines, rows, strict=True):
            there = 400 + GAP + candidate[row, 0] / 120 * TALL  # the query is 400 wide at this height
            wanted = (query[row, 0] / 480 * TALL, query[row, 1] / 480 * TALL, there, candidate[row, 1] / 120 * TALL)
            assert line == pytest.approx(wanted, abs=0.051)


def test_agreeing_matches_are_solid_with_dots_and_the_others_dashed_with_crosses():
    groups = by_colour(matches_svg(QUERY, CANDIDATE, *some(30)))
    line, *dots = groups[INLIER]
    ends = numbers(line, "M# #L# #").reshape(-1, 2)
    assert line.get("stroke-dasharray") is None
    assert all(numbers(dot, "M# #h0") == pytest.approx(ends) for dot in dots) and dots
    line, cross = groups[OUTLIER]
    ends = numbers(line, "M# #L# #").reshape(-1, 2)
    assert line.get("stroke-dasharray")
    x, y, *strokes = numbers(cross, "M# #l# #m# #l# #").T
    assert np.stack([x, y], axis=1) + 2.2 == pytest.approx(ends, abs=0.11)
    assert {tuple(stroke) for stroke in np.array(strokes).T} == {(4.4, 4.4, 0.0, -4.4, -4.4, 4.4)}


def test_both_pictures_are_as_tall_as_the_drawing_side_by_side_and_described():
    svg = ElementTree.fromstring(matches_svg(QUERY, CANDIDATE, *some(3)))
    assert svg.get("viewBox") == "0 0 635.0 300"
    places = [(float(one.get("x")), float(one.get("width")), float(one.get("height"))) for one in svg.findall("image")]
    assert places == [(0, 400, TALL), (400 + GAP, 225, TALL)]
    assert [one.get("href") for one in svg.findall("image")] == [QUERY.uri, CANDIDATE.uri]
    assert svg.get("aria-label").startswith('The <query> and a & "b", ')


def test_matches_that_are_not_judged_yet_are_of_one_kind():
    query, candidate, _ = some(7)
    svg = matches_svg(QUERY, CANDIDATE, query, candidate, None)
    groups = by_colour(svg)
    assert set(groups) == {UNJUDGED} and len(numbers(groups[UNJUDGED][0], "M# #L# #")) == 7
    assert "7 matches, not judged yet" in svg and "7 not judged yet" in legend_html(7, None)


def test_nothing_is_drawn_where_nothing_matches():
    for agree in (None, np.zeros(0, bool)):
        assert by_colour(matches_svg(QUERY, CANDIDATE, np.zeros((0, 2)), np.zeros((0, 2)), agree)) == {}


@pytest.mark.parametrize("count", [1, 40, 41, 121, 200, 5000])
@pytest.mark.parametrize("value", [True, False, None])
def test_of_many_matches_some_are_drawn_evenly_from_first_to_last(count, value):
    agree = np.random.default_rng(count).random(count) < 0.5
    own = [row for row in range(count) if value is None or agree[row] == value]
    found = shown(count, None if value is None else agree, value).tolist()
    assert len(found) == min(len(own), 40 if value is False else 120)
    places = [own.index(row) for row in found]  # raises where one of the other kind is drawn
    assert places == sorted(set(places))
    if places:
        assert (places[0], places[-1]) == (0, len(own) - 1)
    assert not places[1:] or np.ptp(np.diff(places)) <= 1


def test_the_legend_says_how_many_there_are_and_how_many_of_them_are_drawn():
    query, candidate, agree = some(1500)
    groups = by_colour(matches_svg(QUERY, CANDIDATE, query, candidate, agree))
    items = ["".join(item.itertext()) for item in ElementTree.fromstring(legend_html(1500, agree))]
    right, drawn = int(agree.sum()), [len(numbers(groups[colour][0], "M# #L# #")) for colour in (INLIER, OUTLIER)]
    assert items == [f"{right:,} agree with the pose ({drawn[0]} drawn)", f"{1500 - right:,} do not ({drawn[1]} drawn)"]
    assert matches_words(1500, agree) == f"{right:,} of 1,500 matches agree with the pose"
    few = ["".join(item.itertext()) for item in ElementTree.fromstring(legend_html(3, np.array([True, False, True])))]
    assert few == ["2 agree with the pose", "1 do not"]


def test_the_legend_has_one_kind_alone_where_nothing_agrees():
    item, *more = ElementTree.fromstring(legend_html(5, np.zeros(5, bool)))
    assert not more and "".join(item.itertext()) == "5 matches, none of which agrees with a pose"
    assert item.find("svg/g").get("stroke") == OUTLIER
