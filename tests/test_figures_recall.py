"""Gains in recall: what is plotted is what was measured."""

from xml.etree import ElementTree

import pytest
from test_figures_plots import of, share

from butf.figures.recall import Gain, gains_svg, p_text


def drawn(gains: list[Gain], conditions: list[str]) -> ElementTree.Element:
    return ElementTree.fromstring(gains_svg(gains, conditions, "<gains>"))


def points(svg: ElementTree.Element) -> list[float]:
    """The points of recall at which each mark stands, by the gridlines and their words."""
    words = [(float(text.text.replace("−", "-")), share(text.get("x"))) for text in of(svg, "column")]
    (low, at_low), (high, at_high) = words[0], words[-1]
    step = (high - low) / (at_high - at_low)
    return [low + step * (share(mark.get("x")) - at_low) for mark in of(svg, "point")]


def test_a_clear_gain_is_filled_and_one_within_the_noise_is_hollow():
    gains = [Gain("bu-tf", "image-only", "night", 7.0, 0.01), Gain("bu-tf", "image-only", "<snow>", -31.0, 0.4)]
    svg = drawn(gains, ["night", "<snow>"])
    night, snow = of(svg, "point")
    assert points(svg) == pytest.approx([7, -31], abs=0.05)
    assert [mark.find("g")[0].get("fill") for mark in (night, snow)] == ["#b03a86", "none"]
    assert snow.find("title").text == "bu-tf over image-only, <snow>: −31.0 points (p = 0.40, within the noise)"
    assert "within the noise" not in night.find("title").text
    zero = share(of(svg, "zero")[0].get("x1"))
    assert share(snow.get("x")) < zero < share(night.get("x")) and svg.get("aria-label") == "<gains>"


@pytest.mark.parametrize("count", [2, 6])
def test_each_condition_has_a_lane_of_its_own_with_a_place_for_each_model(count):
    gains = [Gain(f"m{k}", "image-only", c, 1.0, 1.0) for k in range(count) for c in ("night", "snow", "rain")]
    svg = drawn(gains, ["rain", "night", "snow"])
    lanes = {text.text: share(text.get("y")) for text in of(svg, "row")}
    half = (lanes["night"] - lanes["rain"]) / 2
    heights = [share(mark.get("y")) for mark in of(svg, "point")]
    for gain, height in zip(gains, heights, strict=True):
        assert abs(height - lanes[gain.condition]) < half
    assert len(set(heights)) == 3 * count and 0 < min(heights) < max(heights) < 100


def test_no_gain_at_all_stands_at_zero():
    svg = drawn([Gain("bu-tf", "image-only", "night", 0.0, 1.0)], ["night"])
    assert share(of(svg, "point")[0].get("x")) == share(of(svg, "zero")[0].get("x1")) == 50


@pytest.mark.parametrize(("p", "text"), [(0.0004, "< 0.001"), (0.0032, "= 0.003"), (0.05, "= 0.050"), (0.6, "= 0.60")])
def test_p_in_words(p, text):
    assert p_text(p) == text


def test_noise_begins_at_a_p_of_a_twentieth():
    assert Gain("a", "b", "c", 1.0, 0.049).clear
    assert not Gain("a", "b", "c", 1.0, 0.05).clear
