"""From an evaluation's JSON to what Compare shows, on a small one written out by hand."""

import json

import pytest

from butf import comparison, files
from butf.dataset.frames import PlaceRule
from butf.errors import BadInput


def condition(name: str, seen: bool, recall: float, queries: int = 110, unmatched: int = 10) -> dict:
    return {
        "condition": name, "seen": seen, "queries": queries, "unmatched": unmatched,
        "recall": {"1": recall, "5": min(1.0, recall + 0.2)}, "interval95": {"1": [recall - 0.1, recall + 0.1]},
        "recall_at_distance": {"5": recall / 2, "25": recall},
    }  # fmt: skip


def entry(name: str, method: str, steps: int, night: float, rain: float) -> dict:
    return {
        "name": name, "method": method, "parameters": 700_000, "size_ratio": 1.0, "training_steps": steps,
        "images_seen": 100 * steps, "descriptor_dim": 112, "milliseconds_per_image": 9.0,
        "conditions": [condition("night", False, night), condition("rain", steps > 0, rain)],
    }  # fmt: skip


@pytest.fixture
def evaluation() -> dict:
    def pair(a: str, b: str, name: str, gain: float, p: float) -> dict:
        return {"a": a, "b": b, "condition": name, "gain": gain, "p": p / 2, "p_blocks": p}

    return {
        "dataset": "town", "split": "test", "radius_m": 25.0, "angle_deg": None,
        "database": {"condition": "reference", "frames": 600},
        "models": [
            entry("off-the-shelf", "off-the-shelf", 0, 0.1, 0.3), entry("plain", "image-only", 1, 0.3, 0.8),
            entry("bu-tf", "bu-tf", 2, 0.4, 0.79),
        ],
        "paired": [
            pair("bu-tf", "plain", "night", 0.10, 0.004), pair("bu-tf", "plain", "rain", -0.01, 0.7),
            pair("off-the-shelf", "plain", "night", -0.2, 0.001), pair("off-the-shelf", "plain", "rain", -0.5, 0.001),
        ],
    }  # fmt: skip


def test_seen_conditions_come_first_and_ignore_what_was_never_trained(evaluation):
    found = comparison.conditions(evaluation)
    assert [(c.name, c.seen) for c in found] == [("rain", True), ("night", False)]
    assert found[1].text == "unseen in training · 110 queries, 10 without a match"


def test_the_baseline_is_the_image_only_model_by_whatever_name(evaluation):
    assert comparison.baseline(evaluation) == "plain"
    assert comparison.baseline(comparison.only(evaluation, ["bu-tf"])) is None


def test_gains_take_the_p_of_dependent_neighbours(evaluation):
    gain = comparison.gains(evaluation, "plain")[0]
    assert (gain.points, gain.p, gain.clear) == (pytest.approx(10), 0.004, True)


def test_improvement_averages_and_says_what_is_noise(evaluation):
    off, plain, bu_tf = comparison.rows(evaluation)
    assert comparison.improvement(bu_tf, ["night"]) == ("+10.0 points", "clearly better in 1 of 1")
    assert comparison.improvement(bu_tf, ["rain"]) == ("−1.0 points", "within the noise")
    assert comparison.improvement(bu_tf, ["night", "rain"]) == ("+4.5 points", "clearly better in 1 of 2")
    assert comparison.improvement(off, ["night", "rain"]) == ("−35.0 points", "clearly worse in 2 of 2")
    assert comparison.improvement(plain, ["night"]) is None


def test_curves_hold_the_measured_values_with_intervals_of_the_matched_queries(evaluation):
    from scipy.stats import binomtest

    curve = comparison.recall_curves(evaluation, "night")[2]
    assert (curve.model, list(curve.x), list(curve.y)) == ("bu-tf", [1, 5], [0.4, pytest.approx(0.6)])
    peer = binomtest(40, 100).proportion_ci(method="wilson")
    assert (curve.low[0], curve.high[0]) == (pytest.approx(peer.low), pytest.approx(peer.high))
    assert list(comparison.recall_curves(evaluation, "night", by_distance=True)[2].x) == [5, 25]


def test_what_no_query_tells_is_left_out(evaluation):
    evaluation["models"][2]["conditions"][0]["recall"]["5"] = None
    assert list(comparison.recall_curves(evaluation, "night")[2].x) == [1]


def test_differences_are_ordered_by_pair_and_condition(evaluation):
    found = comparison.differences(evaluation, ["rain", "night"])
    assert list(found) == ["bu-tf against plain", "off-the-shelf against plain"]
    assert [gain.condition for gain in found["bu-tf against plain"]] == ["rain", "night"]


def test_shipped_results_are_used_for_the_same_question_only(evaluation, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ASSETS", tmp_path)
    rule = PlaceRule(25.0)
    assert comparison.shipped("town", "test", ["bu-tf"], rule) is None
    files.write_json(comparison.results_path("town", "test"), evaluation)
    found = comparison.shipped("town", "test", ["bu-tf", "plain"], rule)
    assert [model["name"] for model in found["models"]] == ["bu-tf", "plain"]
    assert {pair["a"] for pair in found["paired"]} == {"bu-tf"}
    assert comparison.shipped("town", "test", ["bu-tf", "another"], rule) is None
    assert comparison.shipped("town", "test", ["bu-tf"], PlaceRule(10.0)) is None
    assert comparison.shipped("town", "test", ["bu-tf"], PlaceRule(25.0, 20.0)) is None


@pytest.mark.parametrize("content", ["[]", '{"models": [{"name": "a"}]}', json.dumps({"models": []})])
def test_a_foreign_file_is_named(content, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ASSETS", tmp_path)
    files.write_atomic(comparison.results_path("town", "test"), content)
    with pytest.raises(BadInput, match=r"town-test\.json"):
        comparison.shipped("town", "test", ["bu-tf"], PlaceRule())
