"""Depth figures: what is drawn is the map itself, on one scale, with nothing said where nothing was measured."""

import numpy as np
import pytest
from looking import looked_through

from butf.figures.depth import CELLS_WIDE, Scale, coarse, error_figure, error_limit, map_figure

SCALE = Scale(1.0, 100.0)


@pytest.fixture
def depth() -> tuple[np.ndarray, np.ndarray]:
    values = np.random.default_rng(0).uniform(1, 100, (48, 64)).astype(np.float32)
    valid = np.ones(values.shape, bool)
    valid[:10, 5:20] = False
    return values, valid


def test_plotly_itself_finds_nothing_wrong_in_what_it_was_not_asked_to_look_through(depth):
    values, valid = depth
    for figure in (
        map_figure(values, valid, SCALE),
        map_figure(values, valid, Scale(0.0, 1.0, "", log=False)),
        error_figure(values, values + 1, valid),
    ):
        looked_through(figure)


def test_a_cell_shows_the_metres_of_the_map_and_a_hole_shows_nothing(depth):
    values, valid = depth
    shown = np.asarray(map_figure(values, valid, SCALE).data[0].z)
    assert shown.shape == values.shape
    assert np.isnan(shown[~valid]).all()
    np.testing.assert_allclose(shown[valid], values[valid], atol=1e-3)


def test_true_and_reconstructed_map_share_colours_and_range(depth):
    values, valid = depth
    one, other = (map_figure(v, valid, SCALE).data[0] for v in (values, values / 3))
    assert (
        (one.zmin, one.zmax, one.colorscale)
        == (other.zmin, other.zmax, other.colorscale)
        == (1.0, 100.0, one.colorscale)
    )


def test_colours_of_a_log_scale_are_even_in_ratios():
    places = np.array([place for place, _ in SCALE.colours(5)])
    np.testing.assert_allclose(places * 99 + 1, [1, 10**0.5, 10, 10**1.5, 100], rtol=1e-9)


def test_colours_of_a_linear_scale_are_even():
    np.testing.assert_allclose([place for place, _ in Scale(0, 1, "", log=False).colours(5)], [0, 0.25, 0.5, 0.75, 1])


def test_ticks_lie_within_the_scale():
    assert SCALE.ticks() == [1, 2, 5, 10, 20, 50, 100]
    assert Scale(0.3, 6.0).ticks() == [0.5, 1, 2, 5]


def test_the_bar_beneath_runs_over_the_whole_scale_and_names_its_unit(depth):
    figure = map_figure(*depth, SCALE)
    bar = np.asarray(figure.data[1].z)[0]
    assert (bar[0], bar[-1]) == pytest.approx((1, 100))
    assert figure.layout.xaxis2.type == "log"
    # the label at the very end, at 100, would be cut off and is not drawn by Plotly
    assert figure.layout.xaxis2.ticktext[-2:] == ("50 m", "100")
    assert map_figure(*depth, Scale(1.0, 80.0)).layout.xaxis2.ticktext[-1] == "50 m"


def test_error_is_reconstructed_minus_true_and_symmetric_about_white(depth):
    values, valid = depth
    trace = error_figure(values, values + 2, valid).data[0]
    np.testing.assert_allclose(np.asarray(trace.z)[valid], 2, atol=1e-3)
    assert -trace.zmin == trace.zmax == 2
    assert trace.colorscale[len(trace.colorscale) // 2][0] == 0.5


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
    layout = map_figure(*depth, SCALE).layout
    assert layout.yaxis.scaleanchor == "x"
    assert layout.yaxis.range[0] > layout.yaxis.range[1]  # row 0 is on top
