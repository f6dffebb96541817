"""Depth figures: what is drawn is the map itself, on one scale, with nothing said where nothing was measured."""

import base64
import io

import numpy as np
import plotly.colors
import pytest
from PIL import Image

from butf.dataset.colours import ramp
from butf.figures.depth import (
    CELLS_WIDE,
    SHORT_TO_LONG,
    Scale,
    coarse,
    error_figure,
    error_limit,
    map_figure,
    signed_colours,
)

SCALE = Scale(1.0, 100.0)


@pytest.fixture
def depth() -> tuple[np.ndarray, np.ndarray]:
    values = np.random.default_rng(0).uniform(1, 100, (48, 64)).astype(np.float32)
    valid = np.ones(values.shape, bool)
    valid[:10, 5:20] = False
    return values, valid


def test_a_cell_says_the_metres_of_the_map_and_a_hole_says_nothing(depth):
    values, valid = depth
    said = map_figure(values, valid, SCALE).values
    assert said.shape == values.shape
    assert np.isnan(said[~valid]).all()
    np.testing.assert_allclose(said[valid], values[valid], atol=2e-3)


def test_what_the_page_is_given_decodes_to_the_same_metres_and_colours(depth):
    values, valid = depth
    sent = map_figure(values, valid, SCALE).payload("Depth of <a street>")
    codes = np.frombuffer(base64.b64decode(sent["codes"]), "<u2").reshape(-1, sent["columns"])
    assert np.array_equal(codes == sent["nothing"], ~valid)
    np.testing.assert_allclose((sent["low"] + sent["step"] * codes)[valid], values[valid], atol=2e-3)
    png = sent["html"].partition("base64,")[2].partition('"')[0]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))
    assert np.array_equal(pixels[..., 3] > 0, valid)
    assert "Depth of &lt;a street&gt;" in sent["html"]


def test_true_and_reconstructed_map_share_colours_and_range():
    values, everywhere = np.array([[1.0, 10.0, 100.0, 1000.0]]), np.ones((1, 4), bool)
    one, other = (map_figure(v, everywhere, SCALE) for v in (values, values / 10))
    assert np.array_equal(one.pixels[0, 1], other.pixels[0, 2])
    assert np.array_equal(one.pixels[0, :3, :3], ramp()[[0, 128, 255]])
    assert np.array_equal(one.pixels[0, 3], one.pixels[0, 2]), "beyond the scale is its end"
    assert np.array_equal(one.bar.colours, other.bar.colours)


def test_colours_of_a_log_scale_are_even_in_ratios_and_of_a_linear_one_in_differences():
    np.testing.assert_allclose(SCALE.share(np.array([1, 10**0.5, 10, 10**1.5, 100])), [0, 0.25, 0.5, 0.75, 1])
    linear = Scale(0, 2, "", log=False)
    np.testing.assert_allclose(linear.share(np.array([0, 0.5, 1, 2, 3])), [0, 0.25, 0.5, 1, 1])


def test_ticks_lie_within_the_scale_where_their_values_are_and_the_last_names_the_unit():
    assert [text for _, text in SCALE.ticks()] == ["1", "2", "5", "10", "20", "50", "100 m"]
    assert [text for _, text in Scale(0.3, 6.0).ticks()] == ["0.5", "1", "2", "5 m"]
    assert dict((text, share) for share, text in SCALE.ticks())["10"] == pytest.approx(0.5)
    assert [text for _, text in Scale(0, 1, "", log=False).ticks()] == ["0", "0.25", "0.5", "0.75", "1"]


def test_error_is_reconstructed_minus_true_and_symmetric_about_white(depth):
    values, valid = depth
    near, far = (error_figure(values, values + by, valid) for by in (-2, 2))
    np.testing.assert_allclose(far.values[valid], 2, atol=1e-3)
    assert [text for _, text in far.bar.ticks] == ["-2", "-1", "0", "+1", "+2 m"]
    blue, orange = (view.pixels[20, 30, :3] for view in (near, far))
    assert blue[2] > blue[0] and orange[0] > orange[2]


def test_signed_colours_are_those_that_plotly_would_give():
    shares = np.linspace(0, 1, 41)
    stops = [f"rgb{plotly.colors.hex_to_rgb(colour)}" for _, colour in SHORT_TO_LONG]  # evenly apart
    peer = plotly.colors.sample_colorscale(stops, shares)
    np.testing.assert_allclose(signed_colours(shares), [plotly.colors.unlabel_rgb(shade) for shade in peer], atol=1.01)


@pytest.mark.parametrize(("spread", "limit"), [(0.9, 1), (1.2, 2), (4.0, 5), (7.0, 10), (0.04, 0.05), (1.0, 1)])
def test_error_limit_is_the_next_round_number(spread, limit):
    assert error_limit(np.full((4, 4), -spread), np.ones((4, 4), bool)) == pytest.approx(limit)


def test_error_limit_looks_at_measured_cells_only():
    error, valid = np.array([[1.0, 500.0]]), np.array([[True, False]])
    assert error_limit(error, valid) == 1
    assert error_limit(error, np.zeros((1, 2), bool)) == 1


@pytest.mark.parametrize("shape", [(480, 640), (192, 256), (37, 161), (5, 3)])
def test_large_maps_are_thinned_by_picking_cells_and_never_by_averaging(shape):
    values = np.random.default_rng(1).uniform(1, 100, shape).astype(np.float32).round(3)
    small = coarse(values, np.ones(shape, bool))
    assert small.shape[1] <= CELLS_WIDE
    assert np.isin(small, values).all()


def test_pictures_keep_their_proportions(depth):
    assert "--ratio: 1.3333;" in map_figure(*depth, SCALE).payload("")["html"]
