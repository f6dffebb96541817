"""Taking a model away: the archive holds the weights and the card, and nothing of this machine."""

import io
import json
import zipfile
from pathlib import Path

import pytest
import torch
from test_trainer import new_run, small_world, stop_after  # noqa: F401  (the fixture runs by itself)

from butf.errors import BadInput
from butf.networks import zoo
from butf.training.download import downloadable, last_name, model_archive
from butf.training.job import train


def test_a_finished_run_gives_weights_and_card_without_a_path(tiny_dataset: Path, tmp_path: Path) -> None:
    run = new_run(tiny_dataset, "mine", method="bu-tf", steps=1)
    run._write_config(
        run.config, ["/usr/bin/python", "-m", "butf", "train", "--data", str(tiny_dataset), "--run", "x y"]
    )
    train(run)
    content = model_archive(run)
    assert model_archive(run) == content, "the same bytes again"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.namelist()) == ["mine/card.json", "mine/model.safetensors"]
        archive.extractall(tmp_path / "taken")
    taken = tmp_path / "taken" / "mine"
    for path in taken.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()
    card = json.loads((taken / "card.json").read_text())
    assert card["config"]["data"] == "tiny" and card["command"] == "python -m butf train --data tiny --run 'x y'"
    model, own = zoo.load(str(taken)), zoo.load("mine")
    assert model.card.method == "bu-tf" and model.card.val_recall == own.card.val_recall
    expected, found = own.network.state_dict(), model.network.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_an_unfinished_run_gives_the_best_measured_in_its_last_training_step(tiny_dataset: Path) -> None:
    run = new_run(tiny_dataset, "mine", method="bu-tf", validate_every=1)
    stop_after(4, run)
    assert downloadable(run) is None, "however good image-only's step was, the decoder is not trained"
    with pytest.raises(BadInput, match="run mine has no model yet; wait until recall was measured in its last"):
        model_archive(run)
    stop_after(7, run)
    assert downloadable(run) == run.best_path
    measured = [record for record in run.metrics() if "val_recall_mean" in record and record["phase"] == "transfer"]
    assert [record["step"] for record in measured] == [5, 6, 7]
    card = zoo.read_card(run.best_path)
    assert card.val_recall["mean"] == max(record["val_recall_mean"] for record in measured)
    assert zoo.load(str(run.best_path)).card.method == "bu-tf"
    with zipfile.ZipFile(io.BytesIO(model_archive(run))) as archive:
        assert json.loads(archive.read("mine/card.json"))["val_recall"] == card.val_recall
    assert "mine" not in [card.name for card in zoo.available()], "not finished, so not offered as a model"
    train(run)
    assert downloadable(run) == run.weights_path and not run.best_path.exists()


@pytest.mark.parametrize(
    ("value", "expected"),
    [("/home/me/town", "town"), ("~/town", "town"), ("town", "town"), ("runs/a", "runs/a"), (3, 3), (None, None)],
)
def test_only_absolute_paths_are_shortened(value: object, expected: object) -> None:
    assert last_name(value) == expected
