"""Training with each way of aggregation, for real on a tiny street, and the experiment that compares them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from butf.cli import main
from butf.dataset.frames import Frames
from butf.dataset.samples import Samples
from butf.errors import BadInput
from butf.experiment import runner
from butf.experiment.aggregation import CLAIMS, aggregation
from butf.keypoints.zoo import load_keypoints
from butf.losses import hardest_pairs_loss
from butf.networks import zoo
from butf.networks.aggregation import Aggregation
from butf.networks.netvlad import NetVLAD, visual_words
from butf.networks.whitening import Whitened
from butf.training.batch import Batch
from butf.training.config import TrainConfig
from butf.training.folder import Run
from butf.training.job import train
from butf.training.recipes import build_recipe
from butf.training.trainer import Trainer
from butf.training.words import learn_words

SMALL = {"steps": 2, "places": 3, "views": 2, "image_area": 64 * 96, "clusters": 3, "validate_every": 9}


@pytest.fixture(autouse=True)
def small_world(one_thread: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("BUTF_CACHE", str(tmp_path / "cache"))


def new_run(dataset: Path, name: str, **values: object) -> Run:
    config = TrainConfig(**{"data": str(dataset), **SMALL, **values})
    return Run.create(name, config.as_dict(), ["butf", "train"])


@pytest.mark.parametrize(
    "values",
    [
        {"pooling": "mac", "loss": "contrastive"},
        {"pooling": "spoc", "whiten": 8},
        {"pooling": "rmac", "mining": "tuples", "loss": "contrastive"},
        {"pooling": "netvlad"},
    ],
)
def test_each_pooling_trains_to_a_model_that_loads(tiny_dataset: Path, values: dict) -> None:
    run = new_run(tiny_dataset, "mine", method="image-only", **values)
    train(run)
    model = zoo.load("mine")
    expected = TrainConfig.from_dict(run.config).aggregation
    assert model.card.aggregation == expected and model.card.config["loss"] == values.get("loss", "triplet")
    found = model.describe([Frames.load(tiny_dataset).image(0)])
    assert found.shape == (1, model.card.descriptor_dim)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-4)


def test_netvlad_goes_on_in_a_second_step_with_new_words_for_the_side(tiny_dataset: Path) -> None:
    train(new_run(tiny_dataset, "first", method="image-only", pooling="netvlad", whiten=9))
    start = zoo.load("first")
    assert isinstance(start.network.pool, Whitened) and start.network.pool.pooling.ready
    later = new_run(tiny_dataset, "later", method="bu-tf", pooling="netvlad", start_from="first", steps=1)
    begun = Trainer(later, TrainConfig.from_dict(later.config), torch.device("cpu")).recipe.network
    assert torch.equal(begun.pool.centres, start.network.pool.pooling.centres)
    assert begun.side_pool.ready and not torch.allclose(begun.side_pool.centres.norm(dim=1), torch.ones(3), atol=1e-3)
    train(later)
    model = zoo.load("later")
    assert model.card.descriptor_dim == 3 * 112 + 3 * 96
    other = new_run(tiny_dataset, "other", method="bu-tf", start_from="first")
    with pytest.raises(BadInput, match="first pools by netvlad of 3 clusters, this run by gem; give both the same"):
        train(other)


def test_words_are_those_of_the_features_that_training_sees(tiny_dataset: Path) -> None:
    config = TrainConfig(method="image-only", pooling="netvlad", data=str(tiny_dataset), **SMALL)
    recipe = build_recipe(config)
    recipe.requires_grad_(False)
    frames = Frames.load(tiny_dataset)
    samples = Samples(frames, frames.where(split="train")[:6], (96, 64))
    images = torch.stack([samples[row]["image"] for row in range(6)]).float() / 255
    places = torch.eye(6, dtype=torch.bool)
    heard: list[torch.Tensor] = []
    handle = recipe.network.pool.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0]))
    learn_words(recipe, "main", lambda: Batch(images, images, places, places, ~places))
    handle.remove()
    features = torch.cat(heard).permute(0, 2, 3, 1).flatten(0, 2)
    expected = visual_words(torch.nn.functional.normalize(features, dim=1), 3)
    torch.testing.assert_close(recipe.network.pool.centres, expected)
    before = recipe.network.pool.centres.clone()
    learn_words(recipe, "main", lambda: pytest.fail("learnt again"))
    assert torch.equal(recipe.network.pool.centres, before)


def test_hallucination_takes_its_words_from_the_depth_network(tiny_dataset: Path) -> None:
    recipe = build_recipe(TrainConfig(method="hallucination", pooling="netvlad", clusters=3))
    assert isinstance(recipe.depth_pool, NetVLAD)
    recipe.depth_pool.ready.fill_(True)
    recipe.begin("joint")
    assert recipe.network.side_pool.ready
    assert torch.equal(recipe.network.side_pool.weights, recipe.depth_pool.weights)


def test_the_contrastive_loss_takes_the_triplets_place() -> None:
    recipe = build_recipe(TrainConfig(method="image-only", loss="contrastive", tau=0.9, sigma_keep=0.0)).eval()
    images = torch.rand(4, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    same = torch.tensor([0, 0, 1, 1])[:, None] == torch.tensor([0, 0, 1, 1])[None]
    positives = same & ~torch.eye(4, dtype=torch.bool)
    with torch.no_grad():
        terms = recipe.losses("main", Batch(images, images, same, positives, ~same))
        expected = hardest_pairs_loss(recipe.network.describe(images).main, positives, ~same, 0.9)
    torch.testing.assert_close(terms["main"], expected)
    torch.testing.assert_close(terms["loss"], expected)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pooling": "vlad"}, "pooling is 'vlad'; choose one of gem, mac, spoc, rmac, netvlad"),
        ({"loss": "hinge"}, "loss is 'hinge'; choose one of triplet, contrastive"),
        ({"tau": 0.0}, "tau is 0.0; expected a number from"),
        ({"method": "bu-tf-adapted", "pooling": "netvlad"}, "choose another pooling than netvlad"),
    ],
)
def test_what_cannot_be_trained_is_refused(values: dict, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        TrainConfig(**values)


def test_whitening_that_cannot_be_learnt_is_refused_before_training(tiny_dataset: Path) -> None:
    with pytest.raises(BadInput, match="whiten is 40, but only 12 training pictures can teach it; choose less than 12"):
        train(new_run(tiny_dataset, "mine", method="image-only", whiten=40))


def test_configurations_from_before_there_was_a_choice_mean_gem_and_triplets() -> None:
    config = TrainConfig.from_dict({"method": "bu-tf", "steps": 3})
    assert config.aggregation == Aggregation("gem") and config.loss == "triplet"


def test_every_claim_is_about_two_rows_and_every_row_comes_after_its_start() -> None:
    plan = aggregation("town", (0,), 400, quick=False)
    names = [trial.variant.name for trial in plan.trials()]
    for place, trial in enumerate(plan.trials()):
        assert trial.variant.after is None or trial.variant.after in names[:place]
    assert {name for claim in CLAIMS for name in claim[:2]} == set(names)
    assert {trial.config.pooling for trial in plan.trials() if trial.config} == {
        "gem",
        "mac",
        "spoc",
        "rmac",
        "netvlad",
    }


def test_the_experiment_trains_whitens_judges_and_reports(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("butf.experiment.runner", "butf.experiment.outcome"):
        monkeypatch.setattr(f"{place}.load_keypoints", lambda: load_keypoints("untrained"))
    command = [
        "experiment", "aggregation", "--quick", "--shipped", "--data", str(tiny_dataset), "--judge-on",
        str(tiny_dataset), "--steps", "1", "--only", "image-only-netvlad-whitened", "image-only", "keypoint-vlad",
        "--runs", str(tmp_path / "trials"), "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    assert main(command) == 0
    results = json.loads((tmp_path / "out" / "aggregation-quick.json").read_text())
    models = {model["name"]: model for model in results["models"]}
    assert list(models) == [
        "off-the-shelf", "image-only", "image-only-netvlad", "image-only-netvlad-whitened", "keypoint-vlad",
    ]  # fmt: skip
    assert {name: model["descriptor_dim"] for name, model in models.items()} == {
        "off-the-shelf": 112, "image-only": 112, "image-only-netvlad": 4 * 112, "image-only-netvlad-whitened": 8,
        "keypoint-vlad": 64 * 128,
    }  # fmt: skip
    taken = tmp_path / "trials" / "seed-0" / "image-only" / "model.safetensors"
    assert taken.read_bytes() == (zoo.MODELS / "image-only" / "model.safetensors").read_bytes()
    assert "image-only, seed 0: steps 400, now 1" in results["deviations"]
    assert "seed-0/bu-tf-netvlad" in results["missing"]
    claimed = {(claim["a"], claim["b"]) for claim in results["claims"]}
    assert claimed == {
        ("image-only-netvlad", "image-only"),
        ("image-only-netvlad-whitened", "image-only-netvlad"),
        ("image-only", "keypoint-vlad"),
    }
    page = (tmp_path / "out" / "aggregation-quick.md").read_text()
    assert "# Ways of aggregation, measured" in page and "aggregation --quick --shipped`" in page
    assert "the shipped model" in page and "AlexNet" not in page
    monkeypatch.setattr(runner, "train", lambda *_: pytest.fail("trained again"))
    assert main([*command, "--no-judging"]) == 0


def test_only_the_experiment_on_aggregation_takes_shipped_models(
    tiny_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["--data", str(tiny_dataset), "--judge-on", str(tiny_dataset)]
    assert main(["experiment", "paper", "--shipped", *told]) == 2
    assert "--shipped is for the experiment aggregation" in capsys.readouterr().err
