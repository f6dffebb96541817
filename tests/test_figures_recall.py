"""Gains in recall: what is plotted is what was measured."""

import pytest
from looking import looked_through

from butf.figures.recall import Gain, gains_figure, p_text


def test_a_clear_gain_is_filled_and_one_within_the_noise_is_hollow():
    gains = [Gain("bu-tf", "image-only", "night", 7.0, 0.01), Gain("bu-tf", "image-only", "snow", 1.0, 0.4)]
    trace = gains_figure(gains, ["night", "snow"]).data[0]
    assert list(trace.marker.symbol) == ["diamond", "diamond-open"]
    assert list(trace.x) == [7.0, 1.0]
    assert "within the noise" in trace.hovertext[1]
    assert "within the noise" not in trace.hovertext[0]


def test_each_condition_has_a_lane_of_its_own():
    gains = [Gain(m, "image-only", c, 0.0, 1.0) for m in ("hallucination", "bu-tf") for c in ("night", "snow", "rain")]
    figure = looked_through(gains_figure(gains, ["rain", "night", "snow"]))
    for trace in figure.data:
        assert [round(y) for y in trace.y] == [1, 2, 0]
    assert figure.data[0].y != figure.data[1].y


@pytest.mark.parametrize(("p", "text"), [(0.0004, "< 0.001"), (0.0032, "= 0.003"), (0.05, "= 0.050"), (0.6, "= 0.60")])
def test_p_in_words(p, text):
    assert p_text(p) == text


def test_noise_begins_at_a_p_of_a_twentieth():
    assert Gain("a", "b", "c", 1.0, 0.049).clear
    assert not Gain("a", "b", "c", 1.0, 0.05).clear
