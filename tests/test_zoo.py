"""Loading models by name: what is shipped, what is foreign, broken or unknown."""

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from butf import files
from butf.dataset.frames import Frames
from butf.dataset.modalities import Encoding
from butf.dataset.pictures import fine_enough
from butf.errors import BadInput
from butf.files import read_image
from butf.networks import zoo
from butf.networks.card import Card, card_text, parse_card
from butf.networks.folding import folded
from butf.networks.methods import build_network
from butf.networks.weights import read_weights, save_weights


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """An untrained bu-tf as a checkpoint file."""
    torch.manual_seed(0)
    network = build_network("bu-tf", "efficientnet-lite0", pretrained=False)
    card = zoo.describe_card("x", network, "bu-tf", "efficientnet-lite0", image_area=64 * 96, encoding=Encoding())
    save_weights(tmp_path / "mine.safetensors", network.state_dict(), {"card": card_text(card)})
    return tmp_path / "mine.safetensors"


def picture(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8))


def test_a_card_survives_its_file() -> None:
    card = Card("n", "bu-tf", "alexnet", 100, 5, 6, 1.2, 2, Encoding(near=0.3, far=9.0), "town", ("rain",), {"mean": 1})
    assert parse_card(card_text(card), "here") == card


def test_a_checkpoint_file_describes_as_the_network_inside_it(checkpoint: Path) -> None:
    model = zoo.load(str(checkpoint))
    images = [picture(), picture(96, 64, 1), picture(64, 64, 2)]
    found = model.describe(images, batch=2)
    with torch.no_grad():
        expected = torch.cat([model.network.describe(model.prepare(image)[None]).descriptor for image in images])
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
    assert model.name == "mine" and model.card.method == "bu-tf" and found.shape == (3, model.card.descriptor_dim)


def test_descriptors_do_not_depend_on_the_batch(checkpoint: Path) -> None:
    model = zoo.load(str(checkpoint))
    images = [picture(seed=seed) for seed in range(5)]
    np.testing.assert_allclose(model.describe(images, batch=5), model.describe(images, batch=1), atol=1e-5)


def test_a_large_photo_is_read_smaller_and_described_alike(tmp_path: Path) -> None:
    model = zoo.load("bu-tf")
    town = Frames.load(files.ASSETS / "town")
    here, elsewhere = tmp_path / "here.jpg", tmp_path / "elsewhere.jpg"
    for path, row in ((here, 0), (elsewhere, 60)):
        town.image(row).resize((2048, 1536), Image.Resampling.BICUBIC).save(path, quality=95)
    assert read_image(here, least=fine_enough(model.card.image_area)).size == (512, 384)
    read = model.describe([partial(read_image, here), partial(read_image, elsewhere)])
    whole = model.describe([read_image(here), read_image(elsewhere)])
    assert np.linalg.norm(read - whole, axis=1).max() < 0.05 * np.linalg.norm(whole[0] - whole[1])


def test_reconstruction_has_the_pictures_size_and_metres(checkpoint: Path) -> None:
    depth = zoo.load(str(checkpoint)).reconstruct(picture(150, 101))
    assert depth.name == "depth" and depth.values.shape == (101, 150)
    assert 1.0 <= depth.values.min() <= depth.values.max() <= 100.0


def test_off_the_shelf_needs_no_file_and_reconstructs_nothing() -> None:
    model = zoo.load("off-the-shelf")
    assert model.card.parameters == 700_769 and model.card.training_steps == 0
    assert model.reconstruct(picture()) is None


@pytest.mark.parametrize(("width", "height"), [(256, 192), (640, 480), (224, 224), (1242, 375), (3, 4000)])
def test_network_size_keeps_area_and_aspect(width: int, height: int) -> None:
    across, down = zoo.network_size(width, height, 19200)
    assert across % 8 == 0 and down % 8 == 0 and min(across, down) >= 32 and max(across, down) <= 512
    if 0.3 < width / height < 4:
        assert across * down == pytest.approx(19200, rel=0.12)
        assert across / down == pytest.approx(width / height, rel=0.1)


def test_unknown_model_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path))
    with pytest.raises(BadInput, match=r"no model 'netvlad'; known are off-the-shelf"):
        zoo.load("netvlad")


def test_a_run_in_training_is_no_model_yet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path))
    (tmp_path / "young").mkdir()
    (tmp_path / "young" / "config.json").write_text("{}")
    with pytest.raises(BadInput, match="run young has no model yet"):
        zoo.load("young")


def test_foreign_weights_are_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "other.safetensors", {"fc.weight": torch.zeros(3, 3)}, {})
    with pytest.raises(BadInput, match=r"other\.safetensors has no BU-TF model card"):
        zoo.load(str(tmp_path / "other.safetensors"))


def test_pickled_and_truncated_files_are_refused(tmp_path: Path, checkpoint: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "pickled.pth")
    half = tmp_path / "half.safetensors"
    half.write_bytes(checkpoint.read_bytes()[:5000])
    for path in (tmp_path / "pickled.pth", half):
        with pytest.raises(BadInput, match=rf"{path.name} is truncated or no safetensors file"):
            zoo.load(str(path))


def test_a_card_that_lies_about_its_network_is_refused(tmp_path: Path, checkpoint: Path) -> None:
    card = dataclasses.replace(zoo.read_card(checkpoint), method="hallucination")
    network = build_network("bu-tf", "efficientnet-lite0", pretrained=False)
    save_weights(tmp_path / "liar.safetensors", network.state_dict(), {"card": card_text(card)})
    with pytest.raises(BadInput, match=r"liar\.safetensors does not fit this network: .* is missing"):
        zoo.load(str(tmp_path / "liar.safetensors"))


def test_models_of_finished_runs_are_available_under_their_folders_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkpoint: Path
) -> None:
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path / "runs"))
    folder = tmp_path / "runs" / "second-try"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(checkpoint.read_bytes())
    (folder / "card.json").write_text(card_text(zoo.read_card(checkpoint)))
    assert "second-try" in [card.name for card in zoo.available()]
    assert zoo.load("second-try").name == "second-try" == zoo.load(str(folder)).name


def test_a_run_named_like_a_shipped_model_keeps_a_name_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkpoint: Path
) -> None:
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(zoo, "MODELS", tmp_path / "models")
    for folder in (tmp_path / "runs" / "bu-tf", tmp_path / "models" / "bu-tf"):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(checkpoint.read_bytes())
        (folder / "card.json").write_text(card_text(zoo.read_card(checkpoint)))
    assert [card.name for card in zoo.available()] == ["off-the-shelf", "bu-tf", "runs/bu-tf"]
    assert zoo.find("bu-tf").is_relative_to(tmp_path / "models") and zoo.load("bu-tf").name == "bu-tf"
    assert zoo.find("runs/bu-tf").is_relative_to(tmp_path / "runs") and zoo.load("runs/bu-tf").name == "runs/bu-tf"


def test_a_model_of_classes_survives_its_file_and_decodes_to_the_likeliest(tmp_path: Path) -> None:
    encoding = Encoding("semantics", "classes", 0, 4)
    network = build_network("bu-tf", "efficientnet-lite0", pretrained=False, outputs=encoding.channels)
    card = zoo.describe_card("x", network, "bu-tf", "efficientnet-lite0", image_area=64 * 96, encoding=encoding)
    save_weights(tmp_path / "model.safetensors", network.state_dict(), {"card": card_text(card)})
    model = zoo.load(str(tmp_path))
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8))
    found, shares = model.reconstruct(picture), model.description(picture).side_map
    assert (found.name, found.values.shape) == ("semantics", (64, 96))
    assert set(np.unique(found.values)) <= {0, 1, 2, 3, 4}
    # Where all eight neighbours on the small map agree with a pixel, so does the middle of its place on the large one.
    small = shares[0].argmax(dim=0).numpy()
    around = np.lib.stride_tricks.sliding_window_view(small, (3, 3))
    rows, columns = np.nonzero((around == around[..., 1:2, 1:2]).all(axis=(-2, -1)))
    assert len(rows)
    step = 64 // small.shape[0]
    centre = found.values[(rows + 1) * step + step // 2, (columns + 1) * step + step // 2]
    assert (centre == small[rows + 1, columns + 1]).all()


def test_a_model_of_another_version_is_told_from_its_descriptor(checkpoint: Path) -> None:
    weights, metadata = read_weights(checkpoint)
    card = parse_card(metadata["card"], checkpoint)
    older = dataclasses.replace(card, descriptor_dim=card.descriptor_dim - 1)
    save_weights(checkpoint, weights, {"card": card_text(older)})
    with pytest.raises(BadInput, match="trained by another version: train it anew"):
        zoo.load(str(checkpoint))


@pytest.mark.parametrize("method", ["hallucination", "bu-tf", "bu-tf-reencode"])
@pytest.mark.parametrize("trunk", ["efficientnet-lite0", "alexnet"])
def test_folding_leaves_no_batch_normalisation_and_changes_nothing_but_rounding(method: str, trunk: str) -> None:
    torch.manual_seed(0)
    network = build_network(method, trunk, pretrained=False)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after training: no two channels alike
            for values in (module.weight, module.bias, module.running_mean, module.running_var):
                values.data.uniform_(0.5, 1.5)
    network.eval()
    light = folded(network)
    assert not [module for module in light.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    pictures = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        said, expected = light.describe(pictures), network.describe(pictures)
    for part, other in zip(said, expected, strict=True):
        assert (part is None) == (other is None)
        if part is not None:
            torch.testing.assert_close(part, other, atol=2e-5, rtol=1e-4)
