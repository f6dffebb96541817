"""Agreement of semantic classes against a confusion matrix counted pixel by pixel, and what its figures say."""

import numpy as np
import pytest

from butf.dataset.class_metrics import class_errors
from butf.dataset.colours import palette
from butf.dataset.modalities import Map
from butf.figures.classes import class_figure, legend_html, wrong_figure
from butf.figures.gallery import scores_html

NAMES = ("void", "road", "sky")


def semantic(values: np.ndarray, valid: np.ndarray | None = None) -> Map:
    return Map("semantics", values.astype(np.float32), np.ones(values.shape, bool) if valid is None else valid)


@pytest.fixture
def maps() -> tuple[Map, Map]:
    rng = np.random.default_rng(3)
    true = rng.integers(0, 3, (30, 40))
    found = np.where(rng.random(true.shape) < 0.7, true, rng.integers(0, 4, true.shape))
    return semantic(found), semantic(true, rng.random(true.shape) < 0.8)


def test_agreement_is_that_of_the_confusion_matrix(maps):
    found, true = maps
    confusion = np.zeros((4, 4), int)
    for f, t, known in zip(found.values.flat, true.values.flat, true.valid.flat, strict=True):
        if known:
            confusion[int(t), int(f)] += 1
    errors = class_errors(found, true)
    assert errors.pixels == confusion.sum()
    assert errors.right == pytest.approx(np.trace(confusion) / confusion.sum())
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - np.diag(confusion)
    assert errors.mean_iou == pytest.approx((np.diag(confusion) / union)[:3].mean())


def test_of_nothing_known_nothing_is_said(maps):
    found, true = maps
    errors = class_errors(found, semantic(true.values, np.zeros(true.values.shape, bool)))
    assert errors.pixels == 0 and np.isnan(errors.right) and np.isnan(errors.mean_iou)


def test_a_class_is_drawn_in_its_colour_and_named(maps):
    _, true = maps
    drawn = class_figure(true, NAMES)
    assert np.array_equal(drawn.pixels[..., 3] == 0, ~true.valid)
    skies = true.valid & (true.values == 2)
    assert (drawn.pixels[skies, :3] == palette()[2]).all()
    assert (drawn.said[true.valid] == np.array(NAMES)[true.values[true.valid].astype(int)]).all()
    assert (drawn.said[~true.valid] == "unknown").all()


def test_wrong_classes_say_what_they_were_taken_for(maps):
    found, true = maps
    drawn = wrong_figure(true, found, NAMES)
    wrong = true.valid & (found.values != true.values)
    assert np.array_equal(drawn.pixels[..., 3] > 0, wrong)
    row, column = np.argwhere(wrong)[0]
    names = (*NAMES, "class 3")
    expected = f"{names[int(true.values[row, column])]}, taken for {names[int(found.values[row, column])]}"
    assert drawn.said[row, column] == expected
    sent = drawn.payload("")
    assert sent["words"][int(drawn.codes[row, column])] == expected


def test_the_legend_names_the_largest_class_first():
    html = legend_html(semantic(np.array([[2, 2, 1], [2, 0, 1]])), NAMES)
    assert html.index("sky") < html.index("road") < html.index("void")


def test_scores_of_classes_are_shares(maps):
    html = scores_html(class_errors(*maps))
    assert "mean IoU" in html and "RMSE" not in html
