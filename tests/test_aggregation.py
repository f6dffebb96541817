"""Poolings, NetVLAD, VLAD and whitening against plain loops, the papers' formulas and scikit-learn."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA
from torch.nn import functional as F

from butf.dataset.modalities import Encoding
from butf.errors import BadInput
from butf.keypoints.features import Features
from butf.networks import zoo
from butf.networks.aggregation import POOLINGS, Aggregation
from butf.networks.card import card_text, parse_card
from butf.networks.methods import build_network, count_parameters
from butf.networks.netvlad import NetVLAD, hard_assignment, residual_sums, sharpness, soft_assignment, vlad
from butf.networks.pooling import EPSILON, MAC, RMAC, GeM, SPoC, regions
from butf.networks.weights import save_weights
from butf.networks.whitening import Whitened
from butf.retrieval import keypoint_vlad
from butf.retrieval.agreement import agreements, look

TRUNK = "efficientnet-lite0"


@pytest.fixture(scope="module", autouse=True)
def few_threads(one_thread: None) -> None:
    """Small tensors need one thread."""


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def unit(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(value**2 for value in vector))
    return [value / length for value in vector]


def plain(pooling: str, plane: list[float]) -> float:
    """One channel of one picture pooled."""
    responses = [max(value, EPSILON) for value in plane]
    if pooling == "gem":
        return (sum(value**3 for value in responses) / len(responses)) ** (1 / 3)
    return max(plane) if pooling == "mac" else sum(responses)


@pytest.mark.parametrize("pooling", ["gem", "mac", "spoc"])
def test_simple_poolings_agree_with_a_plain_loop(pooling: str) -> None:
    features = normal(2, 3, 4, 5)
    found = Aggregation(pooling).build(3)(features)
    for b in range(2):
        wanted = unit([plain(pooling, features[b, c].flatten().tolist()) for c in range(3)])
        assert found[b].tolist() == pytest.approx(wanted, abs=1e-5)


def test_sums_are_the_generalized_mean_of_power_one() -> None:
    features = normal(2, 6, 5, 4)
    torch.testing.assert_close(SPoC()(features), GeM(1.0)(features))


def papers_regions(height: int, width: int) -> list[tuple[int, int, int]]:
    """R-MAC's regions as the authors' published code finds them, by centres, with the same roundings."""
    overlap, scales, steps = 0.4, 3, np.arange(2, 8)
    shorter = min(height, width)
    gaps = (max(height, width) - shorter) / (steps - 1)
    nearest = int(np.argmin(np.abs((shorter**2 - shorter * gaps) / shorter**2 - overlap))) + 1
    across, down = (nearest if width > height else 0), (nearest if height > width else 0)
    found = []
    for scale in range(1, scales + 1):
        side = math.floor(2 * shorter / (scale + 1))
        half = math.floor(side / 2 - 1)
        corners = []
        for length, more in ((height, down), (width, across)):
            gap = 0.0 if scale + more == 1 else (length - side) / (scale + more - 1)
            corners.append([math.floor(half + k * gap + 1e-9) - half for k in range(scale - 1 + more + 1)])
        found += [(top, left, side) for top in corners[0] for left in corners[1]]
    return found


@pytest.mark.parametrize("size", [(8, 10), (10, 8), (9, 9), (6, 20), (30, 40), (14, 15), (12, 60)])
def test_regions_are_those_of_the_paper(size: tuple[int, int]) -> None:
    found = regions(*size)
    assert found == papers_regions(*size)
    assert all(0 <= top <= size[0] - side and 0 <= left <= size[1] - side for top, left, side in found)
    covered = np.zeros(size, bool)
    for top, left, side in found[: 1 if size[0] == size[1] else None]:
        covered[top : top + side, left : left + side] = True
    assert covered.all() or max(size) > 3 * min(size)


def test_a_square_map_has_one_four_and_nine_regions() -> None:
    assert [side for _, _, side in regions(12, 12)] == [12] + 4 * [8] + 9 * [6]


@pytest.mark.parametrize("size", [(3, 2), (1, 1), (2, 7)])
def test_tiny_maps_have_regions_too(size: tuple[int, int]) -> None:
    assert torch.isfinite(RMAC()(normal(1, 4, *size))).all()


def test_regional_maxima_agree_with_a_plain_loop() -> None:
    features = normal(2, 4, 6, 9)
    found = RMAC()(features)
    for b in range(2):
        total = [0.0] * 4
        for top, left, side in papers_regions(6, 9):
            part = features[b, :, top : top + side, left : left + side]
            vector = unit([max(max(map(max, part[c].tolist())), EPSILON) for c in range(4)])
            total = [a + b for a, b in zip(total, vector, strict=True)]
        assert found[b].tolist() == pytest.approx(unit(total), abs=1e-5)


def with_words(channels: int, clusters: int) -> NetVLAD:
    """A NetVLAD whose w, b and c are learnt apart: any numbers."""
    pooling = NetVLAD(channels, clusters)
    for seed, parameter in enumerate(pooling.parameters()):
        parameter.data = normal(*parameter.shape, seed=seed)
    return pooling


def test_netvlad_agrees_with_the_lectures_formula_in_loops() -> None:
    channels, clusters = 5, 3
    pooling, features = with_words(channels, clusters), normal(2, channels, 3, 4, seed=9)
    with torch.no_grad():
        found = pooling(features)
    w, b, c = (getattr(pooling, name).tolist() for name in ("weights", "biases", "centres"))
    for picture in range(2):
        local = [unit(x) for x in features[picture].flatten(1).T.tolist()]
        words = []
        for k in range(clusters):
            row = [0.0] * channels
            for x in local:
                powers = [math.exp(sum(map(float.__mul__, w[n], x)) + b[n]) for n in range(clusters)]
                for j in range(channels):
                    row[j] += powers[k] / sum(powers) * (x[j] - c[k][j])
            words += unit(row)
        assert found[picture].tolist() == pytest.approx(unit(words), abs=1e-5)


def test_words_from_data_assign_by_distance_and_the_second_word_has_a_hundredth() -> None:
    features = F.normalize(normal(400, 6), dim=1)
    pooling = NetVLAD(6, 5)
    assert not pooling.ready
    pooling.learn_words(3 * features)  # lengths do not count
    assert pooling.ready
    centres = pooling.centres.detach()
    alpha = sharpness(features, centres)
    _, shares = pooling._assigned(features.T[None, :, None])
    torch.testing.assert_close(shares[0].detach(), soft_assignment(features, centres, alpha))
    two = shares[0].detach().double().topk(2, dim=1).values
    assert (two[:, 0] / two[:, 1]).log().mean().exp().item() == pytest.approx(100, rel=1e-3)
    nearest = F.normalize(features[hard_assignment(features, centres)[:, 0] > 0], dim=1).mean(dim=0)
    torch.testing.assert_close(nearest, centres[0], atol=0.02, rtol=0.0)


def test_vlad_is_the_limit_of_sharp_assignments() -> None:
    local, centres = normal(40, 6), normal(4, 6, seed=1)
    hard = residual_sums(local, centres, hard_assignment(local, centres))
    sums = torch.zeros(4, 6)
    for x in local:
        nearest = min(range(4), key=lambda k: math.dist(x.tolist(), centres[k].tolist()))
        sums[nearest] += x - centres[nearest]
    torch.testing.assert_close(hard, sums)
    gaps = [
        (vlad(residual_sums(local, centres, soft_assignment(local, centres, alpha))) - vlad(hard)).norm().item()
        for alpha in (0.1, 3.0, 1e4)
    ]
    assert gaps[0] > gaps[1] > gaps[2] and gaps[2] < 1e-3


def test_residual_sums_of_a_batch_are_those_of_each_picture() -> None:
    local, centres, shares = normal(3, 7, 5), normal(4, 5), torch.rand(3, 7, 4)
    found = residual_sums(local, centres, shares)
    for k in range(3):
        torch.testing.assert_close(found[k], residual_sums(local[k], centres, shares[k]))


@pytest.mark.parametrize("whiten", [None, 3])
@pytest.mark.parametrize("pooling", [*POOLINGS])
def test_what_positions_add_sums_to_the_vector(pooling: str, whiten: int | None) -> None:
    torch.manual_seed(0)
    built = Aggregation(pooling, 4, whiten).build(6)
    if whiten:
        with torch.no_grad():
            built.learn(built.pooling(normal(30, 6, 4, 5, seed=5)))
    features = normal(2, 6, 4, 5)
    with torch.no_grad():
        added, found = built.contributions(features), built(features)
    assert found.shape == (2, built.dim) and added.shape == (2, built.dim, 4, 5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(added.sum(dim=(2, 3)), found, atol=1e-5, rtol=1e-4)


def test_whitening_is_scikit_learns_made_of_unit_length() -> None:
    vectors = F.normalize(normal(60, 8) @ normal(8, 8, seed=1), dim=1)
    pooling = MAC()
    pooling.dim = 8
    whitened = Whitened(pooling, 5)
    whitened.learn(vectors)
    expected = PCA(5, whiten=True, svd_solver="full").fit(vectors.double().numpy()).transform(vectors.numpy())
    found = whitened.project(vectors).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(np.cov(found.T), np.eye(5), atol=1e-4)
    maps = vectors[:, :, None, None].expand(-1, -1, 2, 3)
    # The maps' maximum is the vector itself.
    np.testing.assert_allclose(
        whitened(maps).numpy(), expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-4
    )


def test_whitening_says_what_it_cannot_learn() -> None:
    with pytest.raises(BadInput, match="whiten is 9, but a part of the descriptor has 8 numbers; choose at most 8"):
        Aggregation("gem", whiten=9).build(8)
    with pytest.raises(BadInput, match="only 4 training pictures can teach it; choose less than 4"):
        Aggregation("gem", whiten=6).build(8).learn(normal(4, 8))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pooling": "vlad"}, "pooling is 'vlad'; choose one of gem, mac, spoc, rmac, netvlad"),
        ({"clusters": 0}, "clusters is 0; expected a whole number from 1 to 256"),
        ({"whiten": 2.5}, "whiten is 2.5; expected a whole number"),
    ],
)
def test_an_aggregation_that_there_is_not_is_refused(values: dict, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Aggregation(**values)


def saved(folder, method: str, aggregation: Aggregation):
    """An untrained model of this aggregation as a checkpoint file."""
    torch.manual_seed(0)
    network = build_network(method, TRUNK, pretrained=False, aggregation=aggregation)
    encoding = Encoding() if method == "bu-tf" else None
    card = zoo.describe_card("x", network, method, TRUNK, image_area=64 * 96, encoding=encoding)
    save_weights(folder / "mine.safetensors", network.state_dict(), {"card": card_text(card)})
    return folder / "mine.safetensors", card, network


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (64, 96, 3), np.uint8))


@pytest.mark.parametrize(
    ("method", "aggregation"),
    [("bu-tf", Aggregation("netvlad", 3)), ("image-only-wide", Aggregation("rmac", whiten=20)),
     ("image-only", Aggregation("netvlad", 2, 50)), ("hallucination", Aggregation("spoc"))],
)  # fmt: skip
def test_a_checkpoint_brings_its_pooling_along_and_can_say_why(tmp_path, method: str, aggregation: Aggregation) -> None:
    path, card, network = saved(tmp_path, method, aggregation)
    model = zoo.load(str(path))
    assert model.card.aggregation == aggregation and json.loads(card_text(card))["aggregation"]["pooling"]
    found = model.describe([picture(0)])
    with torch.no_grad():
        expected = network.eval().describe(model.prepare(picture(0))[None]).descriptor
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
    assert found.shape == (1, model.card.descriptor_dim)
    one, two = (model.description(picture(seed)) for seed in (0, 1))
    for entry in agreements(look(model, picture(0)), look(model, picture(1))):
        wanted = float((getattr(one, entry.part) * getattr(two, entry.part)).sum())
        assert entry.similarity == pytest.approx(wanted, abs=1e-4)
        assert entry.query.sum() == pytest.approx(wanted, abs=1e-4)
        assert entry.candidate.sum() == pytest.approx(wanted, abs=1e-4)


def test_cards_from_before_there_was_a_choice_mean_gem() -> None:
    text = (zoo.MODELS / "bu-tf" / "card.json").read_text()
    assert "aggregation" not in json.loads(text)
    assert parse_card(text, "here").aggregation == Aggregation("gem")
    model = zoo.load("bu-tf")
    assert model.card.descriptor_dim == model.network.descriptor_dim == 208 and model.network.main_dim == 112
    assert count_parameters(model.network) == model.card.parameters


def test_weights_of_another_pooling_are_refused(tmp_path) -> None:
    path, card, network = saved(tmp_path, "image-only", Aggregation("netvlad", 3))
    other = dataclasses.replace(card, aggregation=Aggregation("netvlad", 4))
    save_weights(path, network.state_dict(), {"card": card_text(other)})
    with pytest.raises(BadInput, match=r"does not fit this network: pool\.centres is \(3, 112\), expected \(4, 112\)"):
        zoo.load(str(path))
    save_weights(path, network.state_dict(), {"card": card_text(card).replace('"netvlad"', '"bag-of-words"')})
    with pytest.raises(BadInput, match="no model card of this version: pooling is 'bag-of-words'"):
        zoo.load(str(path))


def test_a_network_is_whitened_and_unwhitened() -> None:
    network = build_network("bu-tf", TRUNK, pretrained=False).eval()
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        before = network.describe(images).descriptor
        network.whiten(10, {"pool": normal(30, 112), "side_pool": normal(30, 96)})
        assert network.describe(images).descriptor.shape == (2, network.descriptor_dim) == (2, 20)
        assert network.main_dim == 10 and network.aggregation.whiten == 10
        network.unwhiten()
        assert torch.equal(network.describe(images).descriptor, before)
    assert network.descriptor_dim == 208 and network.aggregation == Aggregation()


class Blobs:
    """Keypoints by hand: a picture's descriptors are its rows of pixels, as many as are asked for."""

    digest = "blobs"

    def extract(self, image: Image.Image, limit: int) -> Features:
        rows = np.asarray(image.convert("L"), np.float32)[:limit, :8] / 255
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
        one = np.ones(len(rows), np.float32)
        return Features(np.zeros((len(rows), 2), np.float32), one, one, one, rows)


def test_vlad_of_keypoints_agrees_with_a_plain_loop_and_its_words_are_kept(tmp_path) -> None:
    model = keypoint_vlad.learn(Blobs(), [picture(seed) for seed in range(3)], words=4)
    found = model.describe([picture(5), picture(6)])
    assert found.shape == (2, model.card.descriptor_dim) == (2, 32)
    centres = model.centres.numpy()
    for row, seed in zip(found, (5, 6), strict=True):
        sums = np.zeros((4, 8))
        for x in Blobs().extract(picture(seed), keypoint_vlad.LIMIT).descriptors:
            nearest = int(np.argmin(((centres - x) ** 2).sum(axis=1)))
            sums[nearest] += x - centres[nearest]
        sums /= np.linalg.norm(sums, axis=1, keepdims=True)
        np.testing.assert_allclose(row, sums.ravel() / np.linalg.norm(sums), atol=1e-4)
    model.save(tmp_path / "words.safetensors")
    again = keypoint_vlad.load(tmp_path / "words.safetensors", Blobs())
    np.testing.assert_array_equal(again.describe([picture(5)]), found[:1])
    assert again.digest == model.digest
    other = Blobs()
    other.digest = "others"
    with pytest.raises(BadInput, match="holds no visual words of these keypoints"):
        keypoint_vlad.load(tmp_path / "words.safetensors", other)
    with pytest.raises(BadInput, match="8 keypoints in all; 64 visual words need"):
        keypoint_vlad.learn(Blobs(), [picture(0).crop((0, 0, 96, 8))])
