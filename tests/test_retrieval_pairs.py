"""Counts of pairs and lists of failures against plain loops over the queries."""

import json
import math
from collections import Counter

import numpy as np
import pytest
import torch

from butf import files
from butf.dataset.frames import Frames, PlaceRule
from butf.networks import zoo
from butf.networks.methods import build_network
from butf.retrieval.compare import mcnemar_exact
from butf.retrieval.evaluate import evaluate
from butf.retrieval.explore import SplitSearch, split_search
from butf.retrieval.failures import Wanted, failures
from butf.retrieval.pairs import by_condition, overall

RULE = PlaceRule(15.0)


@pytest.fixture
def models(tmp_path, monkeypatch) -> list[zoo.Model]:
    monkeypatch.setenv("BUTF_CACHE", str(tmp_path / "cache"))
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        network = build_network("image-only", "efficientnet-lite0", pretrained=False)
        card = zoo.describe_card(f"m{seed}", network, "image-only", "efficientnet-lite0", image_area=96 * 64)
        found.append(zoo.Model(f"m{seed}", card, network.eval(), f"digest {seed}"))
    return found


@pytest.fixture
def searches(tiny_frames: Frames, models) -> list[SplitSearch]:
    tiny_frames.position[tiny_frames.frame == "night/000011"] += 500.0  # without a match
    return [split_search(tiny_frames, "test", model) for model in models]


def outcome(search: SplitSearch, query: int) -> tuple[bool, bool, float, int]:
    """Of one query: matched, right at rank 1, metres to the first candidate, that candidate; in plain python."""
    frames = search.frames
    at = search.queries.tolist().index(query)
    candidate = int(search.retrieval.ids[at, 0])
    metres = [math.dist(frames.position[query], frames.position[i]) for i in search.database]
    far = math.dist(frames.position[query], frames.position[candidate])
    return min(metres) <= RULE.radius_m, far <= RULE.radius_m, far, candidate


def slow_counts(a: SplitSearch, b: SplitSearch, condition: str | None) -> Counter:
    found: Counter = Counter()
    for query in a.queries.tolist():
        if condition is None or a.frames.condition[query] == condition:
            (matched, right_a, _, _), (_, right_b, _, _) = outcome(a, query), outcome(b, query)
            if matched:
                found[right_a, right_b] += 1
    return found


def test_counts_are_those_of_a_plain_loop(searches):
    a, b = searches
    for pair in [*by_condition(a, b, RULE), overall(a, b, RULE)]:
        slow = slow_counts(a, b, pair.condition)
        counts = (pair.both, pair.a_only, pair.b_only, pair.neither)
        assert counts == tuple(slow[key] for key in ((True, True), (True, False), (False, True), (False, False)))
        assert pair.gain == pytest.approx((pair.a_only - pair.b_only) / sum(counts))
        right = [[key[side] for key in slow for _ in range(slow[key])] for side in (0, 1)]
        assert pair.p == mcnemar_exact(*np.array(right, float))
        assert 0 < pair.p_blocks <= 1
    assert [pair.condition for pair in by_condition(a, b, RULE)] == ["overcast", "night"]
    assert sum(slow_counts(a, b, None).values()) == 7


def test_the_other_way_round_the_counts_change_sides(searches):
    there, back = overall(*searches, RULE), overall(*reversed(searches), RULE)
    assert (there.a_only, there.b_only, there.gain) == (back.b_only, back.a_only, -back.gain)
    assert there.p_blocks == back.p_blocks


def test_no_matched_query_is_no_fault(searches):
    pair = overall(*searches, PlaceRule(0.001))
    assert (pair.both, pair.a_only, pair.b_only, pair.neither, pair.p_blocks) == (0, 0, 0, 0, 1.0)
    assert pair.entry()["gain"] is None


def test_searches_of_other_queries_are_refused(searches, tiny_frames, models):
    other = split_search(tiny_frames, "val", models[1])
    with pytest.raises(ValueError, match="same queries"):
        overall(searches[0], other, RULE)
    with pytest.raises(ValueError, match="same queries"):
        failures(searches[0], other, RULE, Wanted(relation="right"))


def test_the_evaluation_holds_the_counts(tiny_frames, models, searches):
    report = evaluate(tiny_frames, "test", models, rule=RULE, side=False)
    entries = {(pair["a"], pair["b"], pair["condition"]): pair for pair in report["paired"]}
    expected = {(pair.a, pair.b, pair.condition): pair.entry() for pair in by_condition(*reversed(searches), RULE)}
    assert entries == expected


def test_the_shipped_evaluation_holds_the_counts_too():
    evaluation = files.read_json(files.ASSETS / "results" / "town-test.json")
    recall = {
        (entry["name"], part["condition"]): round(part["recall"]["1"] * (part["queries"] - part["unmatched"]))
        for entry in evaluation["models"]
        for part in entry["conditions"]
    }
    assert evaluation["paired"]
    for pair in json.loads(json.dumps(evaluation["paired"])):
        gained = pair["a_only"] - pair["b_only"]
        assert gained == recall[pair["a"], pair["condition"]] - recall[pair["b"], pair["condition"]]
        assert pair["p"] == pytest.approx(sign_test(pair["a_only"], pair["b_only"]))


def sign_test(won: int, lost: int) -> float:
    from scipy.stats import binomtest

    return binomtest(won, won + lost).pvalue if won + lost else 1.0


@pytest.mark.parametrize("condition", [None, "night"])
@pytest.mark.parametrize("relation", ["any", "wrong", "right"])
@pytest.mark.parametrize("beyond", [0.0, 30.0])
def test_failures_are_those_of_a_plain_loop(searches, condition, relation, beyond):
    search, other = searches
    expected = []
    for query in search.queries.tolist():
        matched, right, metres, candidate = outcome(search, query)
        other_right = outcome(other, query)[1]
        if not matched or right or metres <= beyond:
            continue
        if condition is not None and search.frames.condition[query] != condition:
            continue
        if relation == "any" or other_right is (relation == "right"):
            expected.append((query, candidate, metres))
    found = failures(search, other, RULE, Wanted(condition, relation, beyond))
    assert [(entry.query, entry.candidate) for entry in found] == [
        row[:2] for row in sorted(expected, key=lambda row: -row[2])
    ]
    assert [entry.metres for entry in found] == sorted((row[2] for row in expected), reverse=True)
    assert all(entry.first_correct is None or entry.first_correct > 1 for entry in found)


def test_without_another_model_the_relation_narrows_nothing(searches):
    assert failures(searches[0], None, RULE, Wanted(relation="right")) == failures(searches[0], None, RULE, Wanted())
