"""What the lessons say against the real networks, recipes and losses, and against slow plain versions."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from butf.dataset.frames import PlaceRule
from butf.experiment import summary
from butf.networks import zoo
from butf.networks.methods import TRAINING_STEPS, build_network, count_parameters, size_ratio
from butf.networks.netvlad import residual_sums, soft_assignment
from butf.retrieval.explore import split_search
from butf.retrieval.recall import recall_at, wilson
from butf.teaching import diagrams, diversification, localization, recall, steps, words
from butf.training.batch import Batch, Extra
from butf.training.config import TrainConfig
from butf.training.recipes import build_recipe, count_trained

TRUNK = "efficientnet-lite0"


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", params=steps.TAUGHT)
def course(request: pytest.FixtureRequest) -> steps.Course:
    return steps.course(request.param)


def test_a_course_counts_what_training_and_the_network_count(course: steps.Course) -> None:
    network = build_network(course.method, TRUNK, pretrained=False)
    assert course.deployed == count_parameters(network)
    assert course.size_ratio == pytest.approx(size_ratio(network, TRUNK))
    assert course.trained == count_trained(TrainConfig(method=course.method))
    assert len(course.steps) - 1 == TRAINING_STEPS[course.method]
    final = course.steps[-1].parts
    assert sum(part.parameters for part in final.values() if part.used) == course.deployed
    assert course.steps[-1].trained == 0


def test_each_step_names_the_losses_of_its_recipe_and_trains_what_learns(course: steps.Course) -> None:
    recipe = build_recipe(TrainConfig(method=course.method))
    recipe.keep_early_stages()
    recipe.train()
    for phase, step in zip(recipe.phases, course.steps, strict=False):
        recipe.requires_grad_(False)
        for module in recipe.trained(phase):
            module.requires_grad_(True)
        recipe.keep_early_stages()
        recipe.begin(phase)
        terms = recipe.losses(phase, street(course.method == "bu-tf-adapted" and phase == "transfer"))
        assert set(terms) - {"loss"} == set(step.terms)
        recipe.zero_grad()
        terms["loss"].backward()
        for name, part in step.parts.items():
            parameters = [p for module in steps.PARTS[name](recipe) for p in module.parameters()]
            reached = any(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters)
            assert reached == (part.state == "learns"), (phase, name)


def test_a_diagram_links_boxes_that_are_there_and_pales_what_is_not_used(course: steps.Course) -> None:
    for step in course.steps:
        boxes = diagrams.nodes(step)
        assert {end for link in diagrams.links(step) for end in (link.start, link.end)} <= set(boxes)
        places = [(node.column, node.row) for node in boxes.values()]
        assert len(set(places)) == len(places)
        for name, part in step.parts.items():
            assert (boxes[name].state == "absent") == (not part.used)
            assert f"{part.parameters:,}" in boxes[name].lines
        assert (diagrams.equation(step) is None) == (step.name == steps.TEST_TIME)


def street(extra: bool) -> Batch:
    """Four pictures of two places, and where wanted two more that nobody labelled."""
    places = torch.tensor([0, 0, 1, 1])
    same = places[:, None] == places[None]
    draw = torch.Generator().manual_seed(0)

    def pictures(count: int) -> tuple[torch.Tensor, ...]:
        images, side = (torch.rand(count, n, *size, generator=draw) for n, size in ((3, (64, 96)), (1, (16, 24))))
        return images, side, torch.ones(count, 1, 16, 24, dtype=torch.bool)

    more = Extra(*pictures(2), again=torch.rand(2, 3, 64, 96, generator=draw)) if extra else None
    return Batch(*pictures(4), same & ~torch.eye(4, dtype=torch.bool), ~same, more)


@pytest.mark.parametrize("alpha", [0.5, 20.0])
def test_soft_assignment_agrees_with_a_plain_loop(alpha: float) -> None:
    features, centres = np.random.default_rng(0).normal(size=(7, 5)), np.random.default_rng(1).normal(size=(3, 5))
    found = soft_assignment(torch.tensor(features), torch.tensor(centres), alpha)
    for row, x in zip(found.tolist(), features.tolist(), strict=True):
        powers = [math.exp(-alpha * math.dist(x, c) ** 2) for c in centres.tolist()]
        assert row == pytest.approx([power / sum(powers) for power in powers], abs=1e-9)


def test_residual_sums_agree_with_a_plain_loop() -> None:
    features, centres, shares = (
        np.random.default_rng(i).random(size) for i, size in enumerate([(7, 5), (3, 5), (7, 3)])
    )
    found = residual_sums(torch.tensor(features), torch.tensor(centres), torch.tensor(shares))
    for k in range(3):
        for j in range(5):
            assert found[k, j].item() == pytest.approx(
                sum(shares[i, k] * (features[i, j] - centres[k, j]) for i in range(7))
            )


def test_a_sharp_soft_assignment_is_the_hard_one_of_vlad() -> None:
    features = torch.nn.functional.normalize(torch.randn(4, 6, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    centres = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))
    hard = words.assignment(features, centres, math.inf)
    assert torch.equal(hard.sum(dim=2), torch.ones(4, 6))
    assert torch.allclose(words.assignment(features, centres, 1e5), hard, atol=1e-3)
    nearest = [min(range(5), key=lambda k: math.dist(x, centres[k].tolist())) for x in features.flatten(0, 1).tolist()]
    assert hard.argmax(dim=2).flatten().tolist() == nearest


def test_visual_words_find_clusters_that_are_there_and_stay_the_same() -> None:
    true = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    features = torch.cat([centre + 0.1 * torch.randn(50, 2, generator=torch.Generator().manual_seed(i))
                          for i, centre in enumerate(true)])  # fmt: skip
    found = words.visual_words(features, 3)
    assert torch.equal(found, words.visual_words(features, 3))
    assert torch.cdist(true, found).min(dim=1).values.max() < 0.2


def test_local_features_are_of_unit_length_at_stride_16(tiny_frames) -> None:
    model = zoo.load(zoo.OFF_THE_SHELF)
    features = words.local_features(model, tiny_frames.image(0))
    assert tuple(features.shape) == (4, 6, model.network.trunk.channels[-1])
    assert torch.allclose(features.norm(dim=-1), torch.ones(4, 6), atol=1e-5)
    large = words.local_features(model, Image.new("RGB", (1600, 1200)))
    assert large.shape[0] * large.shape[1] <= words.MOST_PIXELS / 16**2 * 1.1
    table = words.database_features(tiny_frames, "test", model, 3)
    assert len(table) == 3 * 4 * 6


@pytest.fixture(scope="module")
def ranked(tiny_original, tmp_path_factory):
    from butf.dataset.frames import Frames

    frames = Frames.load(tiny_original)
    return frames, split_search(frames, "test", zoo.load(zoo.OFF_THE_SHELF), keep=tmp_path_factory.mktemp("bank"))


@pytest.mark.parametrize("radius", [0.5, 5.0, 25.0, 45.0])
def test_the_count_of_a_condition_agrees_with_recall_at(ranked, radius: float) -> None:
    frames, search = ranked
    rule = PlaceRule(radius, None)
    queries = frames.queries("test")["night"]
    tally = recall.count(search, queries, rule)
    hits, matched = search.judge(rule)
    own = np.isin(search.queries, queries)
    assert len(tally.queries) + tally.unmatched == len(queries)
    for n in (1, 2, 4):
        expected = recall_at(hits[own], matched[own], n)
        if matched[own].any():
            curve = tally.curve(range(1, 5))
            assert curve.y[n - 1] == pytest.approx(expected) == tally.found(n) / len(tally.queries)
            assert (curve.low[n - 1], curve.high[n - 1]) == wilson(tally.found(n), len(tally.queries))
        else:
            assert math.isnan(expected) and not len(tally.queries)
    for query in queries.tolist():
        result = search.result(query, 4, rule)
        assert tally.rank(query) == ((result.first_correct or 0) if result.matched else None)


def test_the_plan_measures_from_the_true_place_to_the_first_candidate(ranked) -> None:
    frames, search = ranked
    query = int(frames.queries("test")["overcast"][1])
    result = search.result(query, 3)
    plan = localization.plan(frames, "test", result)
    assert plan.database.min(axis=0).tolist() == [0, 0]
    first = plan.marks[0]
    assert math.dist(plan.query, (first.x, first.y)) == pytest.approx(plan.error_m, abs=1e-6)
    assert plan.best_m == min(candidate.metres for candidate in result.candidates)
    assert [mark.frame for mark in plan.marks] == [frames.frame[c.frame] for c in result.candidates]


@pytest.mark.parametrize(
    ("full", "main", "value", "slopes", "word"),
    [
        (0.2, 0.5, 0.0, (0, 0), "It is met"),
        (0.4, 0.5, 0.0, (0, 0), "It is met"),
        (0.45, 0.5, 0.05, (1, -1), "It is not met"),
        (0.0, 0.05, 0.05, (1, -1), "cannot be met"),
    ],
)
def test_the_hinge_its_slopes_and_its_demand(full, main, value, slopes, word) -> None:
    found = diversification.hinge(full, main, 0.1)
    assert found.value == pytest.approx(value)
    assert (found.slope_full, found.slope_main) == slopes
    assert word in diversification.demand(full, main, 0.1)


def test_what_came_of_diversification_is_read_not_known(tmp_path) -> None:
    claim = {"a": "bu-tf-diversified", "b": "bu-tf", "where": "seen", "gain": 0.031, "p": 0.2, "by_seed": [0.02, 0.042]}
    other = claim | {"a": "bu-tf", "b": "image-only"}
    path = tmp_path / "paper.json"
    path.write_text(json.dumps({"dataset": "d", "split": "test", "models": [], "claims": [other, claim]}))
    found = diversification.outcome(summary.load("d", "test", path))
    assert found == ["seen conditions: +3.1 points (p = 0.20, within the noise), 2 training seeds"]
    assert diversification.outcome(None) == []
    assert diversification.outcome({"claims": [other]}) == []
