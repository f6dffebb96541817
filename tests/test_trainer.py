"""Training for real, on a tiny street: every method ends in a model, and a stopped run resumes to the bit."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import affine_grid as torch_grid
from torch.nn.functional import avg_pool2d

from butf.dataset.frames import Frames
from butf.errors import BadInput
from butf.networks import zoo
from butf.networks.bu_tf import SIDE_DIM
from butf.networks.measured import MeasuredDescriber
from butf.networks.methods import build_network, count_parameters
from butf.networks.trunk import build_trunk
from butf.networks.weights import read_weights
from butf.training import feed as feed_module
from butf.training.augmentation import (
    Changes,
    affine_grid,
    changed,
    normal,
    random_light,
    random_stretches,
    random_view,
    soften,
    warp,
)
from butf.training.batch import Batch, Extra, all_sides
from butf.training.config import TrainConfig
from butf.training.feed import evenly_drawn
from butf.training.folder import Run
from butf.training.guesses import UNKNOWN
from butf.training.job import train
from butf.training.previews import preview_files
from butf.training.recipes import build_recipe, count_trained
from butf.training.session import StopFlag, StopRequested, session
from butf.training.trainer import Trainer

LATER = ("trunk_rate", "kept_stages", "mining", "side_share", "extra", "guess_share", "final_queries")
LATER += ("transfer_schedule", "pooling", "clusters", "whiten", "loss", "tau")
"""Fields of the configuration that the first runs did not have."""


@pytest.fixture(autouse=True)
def small_world(one_thread: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path / "runs"))


def new_run(dataset: Path, name: str, **values: object) -> Run:
    config = TrainConfig(
        **{
            "data": str(dataset),
            "steps": 4,
            "places": 3,
            "views": 2,
            "image_area": 64 * 64,
            "validate_every": 3,
            "checkpoint_every": 2,
            "refresh_every": 2,
        }
        | values
    )
    return Run.create(name, config.as_dict(), ["butf", "train"])


def stop_after(steps: int, run: Run) -> None:
    """Train `run` for a number of steps, then ask it to stop as SIGTERM does."""
    flag = StopFlag()
    config = TrainConfig.from_dict(run.config)
    with pytest.raises(StopRequested), session(run, "cpu"):
        trainer = Trainer(run, config, torch.device("cpu"))
        descend = trainer._descend

        def counted(batch: Batch) -> dict[str, float]:
            if trainer.global_step + 1 == steps:
                flag.set(15)
            return descend(batch)

        trainer._descend = counted
        trainer.fit(flag)


@pytest.mark.parametrize(
    ("method", "phases", "values"),
    [
        ("image-only", 1, {}),
        ("bu-tf", 2, {}),
        ("bu-tf", 2, {"mining": "tuples"}),
        ("hallucination", 3, {}),
        ("bu-tf-adapted", 2, {"extra_pictures": 3}),
        ("bu-tf-adapted", 2, {"extra_pictures": 3, "sigma_match": 1.0, "guess_share": 0.0}),
        ("image-only-wide", 2, {"extra": "consistency", "extra_pictures": 3}),
        ("image-only-wide", 2, {"extra": "guesses", "extra_pictures": 3}),
    ],
)
def test_a_stopped_run_resumes_to_the_bit(
    tiny_dataset: Path, method: str, phases: int, values: dict[str, object]
) -> None:
    values = {"steps": 3, "validate_every": 2} | values
    whole = new_run(tiny_dataset, "whole", method=method, **values)
    train(whole)
    parts = new_run(tiny_dataset, "parts", method=method, **values)
    stop_after(3 * phases - 2, parts)  # inside the last training step, between two checkpoints
    assert parts.state().state == "stopped" and not parts.complete
    train(parts)
    assert parts.state().state == "finished"
    expected, _ = read_weights(whole.weights_path)
    found, _ = read_weights(parts.weights_path)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert {record["step"] for record in parts.metrics()} >= {record["step"] for record in whole.metrics()}


class SetAtSecondLook(StopFlag):
    """As if the signal came just before the flag is looked at for the second time."""

    looks = 0

    def __bool__(self) -> bool:
        self.looks += 1
        if self.looks == 2:
            self.set(15)
        return super().__bool__()


def test_a_stop_between_two_looks_at_its_flag_is_saved_too(tiny_dataset: Path) -> None:
    run = new_run(tiny_dataset, "mine", method="image-only", checkpoint_every=100)
    trainer = Trainer(run, TrainConfig.from_dict(run.config), torch.device("cpu"))
    with pytest.raises(StopRequested):
        trainer.fit(SetAtSecondLook())
    saved = torch.load(run.checkpoint_path, weights_only=True)
    assert 0 < trainer.global_step < 4 and saved["progress"]["step"] == trainer.global_step


def test_a_run_of_an_older_version_resumes(tiny_dataset: Path) -> None:
    """It has no previews, no best model and no turn, and its configuration lacks the fields of today."""
    run = new_run(tiny_dataset, "old", method="bu-tf")
    stop_after(6, run)
    shutil.rmtree(run.previews_path)
    for path in (run.turn_path, run.best_path):
        path.unlink(missing_ok=True)
    saved = torch.load(run.checkpoint_path, weights_only=True)
    del saved["progress"]["best"], saved["progress"]["guessed"]
    torch.save(saved, run.checkpoint_path)
    config = json.loads(run.config_path.read_text())
    run.config_path.write_text(json.dumps({name: config[name] for name in config if name not in LATER}))
    train(run)
    assert run.state().state == "finished" and list(preview_files(run.previews_path)) == [7, 8]
    assert zoo.load("old").card.config["final_queries"] == 0


def test_a_finished_run_is_a_model_with_a_whole_card(tiny_dataset: Path) -> None:
    run = new_run(tiny_dataset, "mine", method="bu-tf", steps=10)
    train(run)
    model = zoo.load("mine")
    card = model.card
    assert card.method == "bu-tf" and card.training_steps == 2 and card.size_ratio <= 1.40
    assert card.data == Frames.load(tiny_dataset).name and card.seen == ("overcast", "reference")
    assert set(card.val_recall) == {"overcast", "night", "mean"} and card.images_seen == 2 * 10 * 3 * 2
    assert card.config == run.config and card.encoding.modality == "depth" and card.versions["torch"]
    terms = [set(record) for record in run.metrics() if record.get("phase") == "transfer" and "loss" in record]
    pulls = [record["gradient_cosine"] for record in run.metrics() if "gradient_cosine" in record]
    assert pulls and all(-1 <= value <= 1 for value in pulls)
    assert terms and all({"main", "side", "full", "transfer", "images_per_s", "lr"} <= found for found in terms)


def test_a_run_may_measure_a_part_of_the_val_queries(tiny_dataset: Path) -> None:
    run = new_run(tiny_dataset, "part", method="image-only", steps=1, final_queries=1)
    train(run)
    assert set(zoo.load(str(run.path)).card.val_recall.values()) <= {0.0, 0.5, 1.0}  # two conditions, a query each


def test_place_labels_of_unseen_conditions_are_never_used(tiny_dataset: Path) -> None:
    frames = Frames.load(tiny_dataset)
    run = new_run(tiny_dataset, "mine", method="image-only")
    batches = Trainer(run, TrainConfig.from_dict(run.config), torch.device("cpu")).feed.places
    assert set(frames.condition[batches.indices]) == {"reference", "overcast"}
    assert set(frames.split[batches.indices]) == {"train"}


def test_extra_pictures_are_train_pictures_of_unseen_conditions(tiny_dataset: Path) -> None:
    frames = Frames.load(tiny_dataset)
    run = new_run(tiny_dataset, "mine", method="bu-tf-adapted")
    feed = Trainer(run, TrainConfig.from_dict(run.config), torch.device("cpu")).feed
    assert set(frames.condition[feed.extra.indices]) == {"night"}
    assert set(frames.split[feed.extra.indices]) == {"train"}
    rng, device = np.random.default_rng(0), torch.device("cpu")
    assert feed.batch(rng, device, with_extra=False).extra is None
    extra = feed.batch(rng, device, with_extra=True).extra
    assert extra.images.shape == extra.again.shape and not torch.allclose(extra.images, extra.again)
    assert extra.valid.any()


@pytest.mark.parametrize("method", ["bu-tf-reencode", "rgbd"])
def test_other_forms_end_in_a_model_with_the_recall_of_val(tiny_dataset: Path, method: str) -> None:
    run = new_run(tiny_dataset, "mine", method=method, steps=2)
    train(run)
    card = zoo.load("mine").card
    assert card.training_steps == 2 and set(card.val_recall) == {"overcast", "night", "mean"}
    assert card.encoding.modality == "depth"


def test_early_stages_stay_as_imagenet_left_them_and_later_ones_change(tiny_dataset: Path) -> None:
    train(new_run(tiny_dataset, "mine", method="bu-tf"))
    start = build_trunk("efficientnet-lite0").stages
    for number, stage in enumerate(zoo.load("mine").network.trunk.stages):
        pairs = zip(stage.state_dict().values(), start[number].state_dict().values(), strict=True)
        assert all(torch.equal(found, expected) for found, expected in pairs) == (number < 3)


@pytest.mark.parametrize(("reach", "extra_reach"), [(1.0, 0.0), (0.0, 1.0), (0.5, 1.0)])
def test_reach_scales_what_passes_from_the_decoder_into_the_trunk(reach: float, extra_reach: float) -> None:
    recipe = build_recipe(TrainConfig(method="bu-tf-adapted", decoder_reach=reach, extra_reach=extra_reach))
    maps = [torch.rand(5, 2, 3, 4, requires_grad=True) for _ in range(3)]
    given = recipe.towards_decoder(maps, 3)
    torch.testing.assert_close(given, maps)
    sum(level.sum() for level in given).backward()
    for level in maps:
        torch.testing.assert_close(level.grad[:3], torch.full((3, 2, 3, 4), reach))
        torch.testing.assert_close(level.grad[3:], torch.full((2, 2, 3, 4), extra_reach))


def test_start_from_takes_the_first_step_of_another_run(tiny_dataset: Path) -> None:
    train(new_run(tiny_dataset, "first", method="image-only"))
    run = new_run(tiny_dataset, "second", method="bu-tf", start_from="first")
    before = Trainer(run, TrainConfig.from_dict(run.config), torch.device("cpu"))
    expected = zoo.load("first").network.trunk.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in before.recipe.network.trunk.state_dict().items())
    train(run)
    assert {record["phase"] for record in run.metrics()} == {"transfer"} and run.metrics()[-1]["steps"] == 4
    first, second = zoo.load("first").card, zoo.load("second").card
    assert second.images_seen == 2 * first.images_seen and second.seconds > first.seconds


def test_a_bu_tf_model_is_adapted_in_a_further_step(tiny_dataset: Path) -> None:
    train(new_run(tiny_dataset, "first", method="bu-tf"))
    run = new_run(tiny_dataset, "second", method="bu-tf-adapted", start_from="first", extra_pictures=4)
    before = Trainer(run, TrainConfig.from_dict(run.config), torch.device("cpu")).recipe.network.state_dict()
    expected = zoo.load("first").network.state_dict()
    assert before.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in before.items())
    train(run)
    first, second = zoo.load("first").card, zoo.load("second").card
    assert (first.training_steps, second.training_steps) == (2, 3)
    assert second.images_seen == first.images_seen + 4 * (3 * 2 + 4)
    other = new_run(tiny_dataset, "third", method="bu-tf-adapted", start_from="first", modality="semantics")
    with pytest.raises(BadInput, match="give both the same modality and range"):
        train(other)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "image-only", "start_from": "off-the-shelf"}, "image-only has one"),
        ({"method": "bu-tf", "start_from": "off-the-shelf"}, "start_from needs image-only on efficientnet-lite0"),
        ({"method": "bu-tf", "modality": "reflectance"}, "has no reflectance for frame"),
        ({"places": 500}, "expected at least 500"),
        ({"method": "bu-tf", "start_from": "image-only", "kept_stages": 2}, "this run has 2; give both the same"),
        ({"data": "/nowhere"}, "/nowhere is not a data set"),
    ],
)
def test_what_cannot_be_trained_says_why(tiny_dataset: Path, values: dict[str, object], message: str) -> None:
    run = new_run(tiny_dataset, "wrong", **values)
    with pytest.raises(BadInput, match=message):
        train(run)
    assert run.state().state == "failed" and message.split()[-1] in run.state().message


def test_without_an_unseen_condition_there_is_nothing_to_adapt_to(tiny_dataset: Path) -> None:
    description = json.loads((tiny_dataset / "dataset.json").read_text())
    for traversal in description["traversals"]:
        traversal["labels"] = True
    (tiny_dataset / "dataset.json").write_text(json.dumps(description))
    with pytest.raises(BadInput, match="no frame of split train in an unseen condition"):
        train(new_run(tiny_dataset, "mine", method="bu-tf-adapted"))


def test_a_loss_that_is_no_number_ends_the_run_with_a_sentence(
    tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tiny_dataset, "nan", method="image-only")
    monkeypatch.setattr(feed_module, "changed", lambda images, side, valid, *_: (images * float("nan"), side, valid))
    with pytest.raises(BadInput, match="the loss is nan at step 0; lower learning_rate"):
        train(run)


def test_hallucination_starts_from_the_depth_network_and_leaves_it_alone() -> None:
    recipe = build_recipe(TrainConfig(method="hallucination"))
    with torch.no_grad():
        recipe.depth_trunk.features.conv_stem.weight.add_(1.0)
    recipe.begin("joint")
    torch.testing.assert_close(
        recipe.network.side_trunk.features.conv_stem.weight, recipe.depth_trunk.features.conv_stem.weight
    )
    trained = {id(parameter) for module in recipe.trained("joint") for parameter in module.parameters()}
    assert not trained & {id(parameter) for parameter in recipe.depth_trunk.parameters()}


def test_both_trunks_that_see_pictures_are_held_near_imagenet() -> None:
    """The price of moving is told apart by trunk, and both weigh in the loss."""
    recipe = build_recipe(TrainConfig(method="hallucination", sigma_keep=0.5)).eval()
    still = recipe.losses("joint", small_batch())
    with torch.no_grad():
        next(recipe.network.side_trunk.stages[-1].parameters()).add_(0.5)
    moved = recipe.losses("joint", small_batch())
    assert still["keep_side"].item() == pytest.approx(0, abs=1e-6) and moved["keep_side"].item() > 0.01
    assert moved["keep"].item() == pytest.approx(0, abs=1e-6)
    held = sum(moved[name].item() for name in ("main", "side", "full")) + 3.0 * moved["transfer"].item()
    assert moved["loss"].item() == pytest.approx(held + 0.5 * moved["keep_side"].item(), rel=1e-5)


def small_batch(extra: int = 0) -> Batch:
    """Four pictures of two places, and some extra ones."""
    rng = torch.Generator().manual_seed(0)

    def pictures(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        sides = torch.rand(count, 1, 16, 16, generator=rng), torch.ones(count, 1, 16, 16, dtype=torch.bool)
        return torch.rand(count, 3, 64, 64, generator=rng), *sides

    label = torch.tensor([0, 0, 1, 1])
    same = label[:, None] == label[None]
    more = Extra(*pictures(extra), torch.rand(extra, 3, 64, 64, generator=rng)) if extra else None
    return Batch(*pictures(4), same & ~torch.eye(4, dtype=torch.bool), ~same, more)


def test_sigmas_and_lambda_weigh_the_terms_of_equations_3_and_4() -> None:
    config = TrainConfig(
        method="bu-tf-adapted", sigma_side=2.0, sigma_full=0.5, sigma_transfer=7.0, sigma_keep=0.2, sigma_match=3.0,
        lambda_div=0.1,
    )  # fmt: skip
    recipe = build_recipe(config).eval()
    terms = {name: value.item() for name, value in recipe.losses("transfer", small_batch()).items()}
    expected = (
        terms["main"]
        + 2.0 * terms["side"]
        + 0.5 * terms["full"]
        + 7.0 * terms["transfer"]
        + max(terms["full"] - terms["main"] + 0.1, 0.0)
        + 0.2 * terms["keep"]
        + terms["measured"]
        + 3.0 * terms["match"]
    )
    assert terms["keep"] == pytest.approx(0, abs=1e-6)  # nothing has moved yet
    assert terms["loss"] == pytest.approx(expected, rel=1e-5)


def test_an_extra_picture_learns_the_descriptor_of_its_own_measured_side() -> None:
    recipe = build_recipe(TrainConfig(method="bu-tf-adapted", sigma_match=1.0)).eval()
    batch = small_batch(extra=3)
    measured = recipe.measured(*all_sides(batch)).detach()
    side = measured.clone().requires_grad_()
    found = recipe.matched(side, batch)
    found["match_extra"].backward()
    mixed = measured[torch.tensor([0, 1, 2, 3, 5, 6, 4])]
    assert recipe.matched(mixed, batch)["match_extra"] > found["match_extra"]
    assert side.grad[:4].abs().sum() == 0 and side.grad[4:].abs().sum() > 0
    # The describer of the measured side is the target: it learns from place labels alone.
    assert all(parameter.grad is None for parameter in recipe.measured.parameters())
    found["measured"].backward()
    assert recipe.measured.features[0][0].weight.grad.abs().sum() > 0


def test_the_describer_of_the_measured_side_is_trained_and_not_deployed(tiny_dataset: Path) -> None:
    run = new_run(tiny_dataset, "mine", method="bu-tf-adapted", learning_rate=1e-3)
    trainer = Trainer(run, TrainConfig.from_dict(run.config), torch.device("cpu"))
    before = trainer.recipe.measured.features[0][0].weight.clone()
    assert [group["initial_lr"] for group in trainer.optimizer.param_groups] == [pytest.approx(1e-3 / 25)]
    trainer.fit(StopFlag())
    highest = [group["max_lr"] for group in trainer.optimizer.param_groups]
    assert highest == [pytest.approx(1e-3), pytest.approx(4e-3)]
    assert not torch.equal(trainer.recipe.measured.features[0][0].weight, before)
    trainer.finish()
    assert not [name for name in read_weights(run.weights_path) if "measured" in name]
    assert build_recipe(TrainConfig(method="bu-tf")).measured is None
    assert build_recipe(TrainConfig(method="bu-tf-adapted", guess_share=0.0, sigma_match=0.0)).measured is None


def test_places_of_extra_pictures_are_guessed_from_their_depth_and_then_used(tiny_dataset: Path) -> None:
    frames = Frames.load(tiny_dataset)
    run = new_run(tiny_dataset, "mine", method="bu-tf-adapted", extra_pictures=4, guess_share=0.5)
    trainer = Trainer(run, TrainConfig.from_dict(run.config), torch.device("cpu"))
    feed, rng = trainer.feed, np.random.default_rng(0)
    assert feed.batch(rng, trainer.device, with_extra=True).positives.shape == (6, 6)

    def true_place(images: torch.Tensor, side: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """A guide that knows: angles on a circle, in the order in which it is asked."""
        angle = torch.tensor([places.pop(0) for _ in images])
        return torch.stack([angle.cos(), angle.sin()], dim=1)

    asked = [frames.position[row, 0] for part in (feed.extra, feed.samples) for row in part.indices]
    places = [float(x - min(asked)) / (max(asked) - min(asked) + 1) for x in asked]
    assert feed.guess_places(true_place, trainer.device) == 1.0
    told = feed.guessed.numpy() != UNKNOWN
    assert told.sum() == round(0.5 * len(told)) and set(feed.guessed.numpy()[told]) <= set(feed.samples.indices)
    batch = feed.batch(rng, trainer.device, with_extra=True)
    assert batch.positives.shape == (10, 10) and batch.positives[6:].any()
    train(run)
    assert [record["guesses_right"] for record in run.metrics() if "guesses_right" in record]


def test_extra_pictures_are_drawn_evenly_by_condition() -> None:
    conditions = np.array(["dusk"] * 20 + ["night"] * 3 + ["snow"] * 8)
    drawn = [evenly_drawn(conditions, 8, np.random.default_rng(seed)) for seed in range(200)]
    for rows in drawn:
        counts = [int((conditions[rows] == name).sum()) for name in ("dusk", "night", "snow")]
        assert len(set(rows.tolist())) == 8 and sorted(counts) == [2, 3, 3]
    shares = np.bincount(np.concatenate(drawn), minlength=31)
    assert shares[:20].min() > 0 and shares[:20].max() < 3 * shares[:20].mean()
    # Where a condition has too few, the others fill up; never more than there are.
    assert len(evenly_drawn(conditions, 40, np.random.default_rng(0))) == 31


def test_pulls_are_the_gradients_where_the_losses_meet() -> None:
    recipe = build_recipe(TrainConfig(method="bu-tf", sigma_side=2.0, sigma_full=0.5, sigma_transfer=3.0))
    features = torch.tensor([1.0, 2.0, -1.0], requires_grad=True)
    along, across = torch.tensor([3.0, 0.0, 4.0]), torch.tensor([0.0, 2.0, 0.0])
    terms = {
        "main": (features * along).sum(), "side": torch.zeros(()), "full": torch.zeros(()),
        "transfer": (features * (along + across)).sum(),
    }  # fmt: skip
    found = {name: value.item() for name, value in recipe.pulls(terms, features).items()}
    assert found["gradient_triplets"] == pytest.approx(5.0)
    assert found["gradient_transfer"] == pytest.approx(3 * 29**0.5)
    assert found["gradient_cosine"] == pytest.approx(5 / 29**0.5)


@pytest.mark.parametrize(
    ("schedule", "progress", "weight"),
    [
        ("constant", 0.0, 1), ("rising", 0.0, 0), ("rising", 0.125, 0.5), ("rising", 0.6, 1),
        ("falling", 0.0, 2), ("falling", 0.5, 1), ("falling", 1.0, 0),
    ],
)  # fmt: skip
def test_the_weight_of_the_transfer_loss_goes_on_as_its_schedule_says(schedule, progress, weight) -> None:
    config = TrainConfig(method="bu-tf", sigma_keep=0.0, sigma_transfer=7.0, transfer_schedule=schedule)
    recipe = build_recipe(config).eval()
    recipe.progress = progress
    terms = {name: value.item() for name, value in recipe.losses("transfer", small_batch()).items()}
    expected = terms["main"] + terms["side"] + terms["full"] + 7.0 * weight * terms["transfer"]
    assert terms["loss"] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_balanced_the_transfer_loss_pulls_alike_whatever_its_sigma_is() -> None:
    def gradient(sigma: float, schedule: str) -> torch.Tensor:
        torch.manual_seed(0)
        config = TrainConfig(method="bu-tf", sigma_keep=0.0, sigma_transfer=sigma, transfer_schedule=schedule)
        recipe = build_recipe(config).eval()
        recipe.losses("transfer", small_batch())["loss"].backward()
        pulled = [parameter.grad for parameter in recipe.network.parameters() if parameter.grad is not None]
        return torch.cat([part.flatten() for part in pulled])

    # So large since a new decoder hardly pulls at the trunk: at less the gain would be the largest that there is.
    torch.testing.assert_close(gradient(300.0, "balanced"), gradient(3000.0, "balanced"), rtol=1e-3, atol=1e-5)
    one, other = gradient(300.0, "constant"), gradient(3000.0, "constant")
    assert (one - other).norm() > 0.5 * other.norm()


def test_augmentation_moves_the_side_modality_with_the_picture() -> None:
    torch.manual_seed(0)
    gradient = torch.linspace(0, 1, 96).expand(6, 1, 64, 96)
    transform = torch.tensor([[[0.9, 0.0, 0.05], [0.0, 0.9, -0.03]]]).expand(6, 2, 3)
    small = torch.nn.functional.interpolate(gradient, (16, 24), mode="area")
    followed = torch.nn.functional.interpolate(warp(gradient, transform, "bilinear"), (16, 24), mode="area")
    assert (warp(small, transform, "nearest") - followed).abs().max() < 1.0 / 24 + 0.01


def test_what_augmentation_does_faster_is_what_torch_does() -> None:
    images, transform = torch.rand(3, 3, 10, 14), random_view(3)
    assert torch.allclose(soften(images), avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False))
    theirs = torch_grid(transform, [3, 3, 10, 14], align_corners=False)
    assert torch.allclose(affine_grid(transform, 10, 14), theirs, atol=1e-6)


def test_augmentation_keeps_pictures_pictures_and_masks_masks() -> None:
    torch.manual_seed(0)
    images, side, valid = torch.rand(8, 3, 64, 96), torch.rand(8, 1, 16, 24), torch.rand(8, 1, 16, 24) > 0.5
    seen, moved, mask = changed(images, side, valid, *Changes.drawn(8, images[0].numel()))
    assert seen.shape == images.shape and seen.min() >= 0 and seen.max() <= 1
    assert mask.dtype == torch.bool and set(moved.unique().tolist()) <= set(side.unique().tolist())
    assert not torch.allclose(seen, images)


def test_semantics_are_learnt_by_cross_entropy_and_shown_as_classes(tiny_dataset: Path) -> None:
    run = new_run(tiny_dataset, "mine", method="bu-tf", modality="semantics")
    train(run)
    losses = [record["transfer"] for record in run.metrics() if "transfer" in record]
    # Three classes: a network that knows nothing has ln 3; an L1 distance of ids in 0..1 stays below 1.
    assert losses[0] == pytest.approx(math.log(3), abs=0.4)
    model = zoo.load(str(run.path))
    assert model.card.encoding.channels == 3
    frames = Frames.load(tiny_dataset)
    found = model.reconstruct(frames.image(0))
    assert found.name == "semantics" and set(np.unique(found.values)) <= {0.0, 1.0, 2.0}


def test_a_map_of_classes_is_no_picture_for_the_follow_up_form() -> None:
    with pytest.raises(BadInput, match="classes are none; use bu-tf"):
        TrainConfig(method="bu-tf-reencode", modality="semantics")


def test_parameters_trained_are_those_that_an_optimiser_is_given(tiny_dataset: Path) -> None:
    deployed = {
        method: count_parameters(build_network(method, "efficientnet-lite0", pretrained=False))
        for method in ("image-only", "hallucination", "bu-tf", "bu-tf-adapted")
    }
    whole = {method: count_trained(TrainConfig(method=method, kept_stages=0)) for method in deployed}
    assert whole["image-only"] == deployed["image-only"]
    # Hallucination's depth network is trained too, and thrown away.
    assert whole["hallucination"] == deployed["hallucination"] + deployed["image-only"]
    describer = count_parameters(MeasuredDescriber(SIDE_DIM))
    assert whole["bu-tf"] == deployed["bu-tf"] == deployed["bu-tf-adapted"]
    assert whole["bu-tf-adapted"] == deployed["bu-tf"] + describer
    run = new_run(tiny_dataset, "mine", method="image-only", kept_stages=2)
    config = TrainConfig.from_dict(run.config)
    groups = Trainer(run, config, torch.device("cpu")).optimizer.param_groups
    assert count_trained(config) == sum(p.numel() for group in groups for p in group["params"]) < whole["image-only"]


def test_noise_is_normal_and_another_for_each_picture_and_seed() -> None:
    shape = torch.Size((6, 3, 40, 50))
    torch.manual_seed(3)
    noise = normal(random_stretches(6, 6000), shape).flatten(1)
    again = normal(random_stretches(6, 6000), shape).flatten(1)
    torch.manual_seed(3)
    assert torch.equal(normal(random_stretches(6, 6000), shape).flatten(1), noise)
    expected = torch.special.ndtri((torch.arange(6000) + 0.5) / 6000)
    for picture in (*noise, *again):
        assert (picture.sort().values - expected)[60:-60].abs().max() < 0.15, "its quantiles"
    every = torch.cat([noise, again])
    assert (torch.corrcoef(every) - torch.eye(12)).abs().max() < 0.06
    large = torch.Size((1, 3, 1100, 1300))
    assert normal(random_stretches(1, 3 * 1100 * 1300), large).shape == large, "larger than the usual table"


def test_a_batch_is_mirrored_as_a_whole_or_not_at_all() -> None:
    seen = set()
    for seed in range(8):
        torch.manual_seed(seed)
        turned = Changes.drawn(5, 12).transform[:, 0, 0].sign().unique()
        assert len(turned) == 1
        seen.add(float(turned))
    assert seen == {-1.0, 1.0}


def test_mirrored_changes_are_those_of_a_mirrored_picture() -> None:
    pictures = torch.rand(4, 3, 20, 30), torch.rand(4, 1, 5, 7), torch.rand(4, 1, 5, 7) > 0.5
    changes = Changes(random_view(4), random_light(4), random_stretches(4, 1800))
    mirrored = changes._replace(transform=changes.transform * torch.tensor([[-1.0], [1.0]]))
    found = changed(*pictures, *mirrored)
    expected = changed(*(part.flip(-1) for part in pictures), *changes)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.float() - theirs.float()).abs().mean() < 1e-3
