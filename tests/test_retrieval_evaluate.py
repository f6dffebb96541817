"""The bank, the evaluation and the exploration of real models on the small street, against plain loops."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from app_site import write_model
from conftest import write_tiny_dataset
from PIL import Image

from butf.dataset.frames import Frames, PlaceRule
from butf.dataset.modalities import Encoding
from butf.dataset.samples import Samples
from butf.errors import BadInput
from butf.files import cache_dir
from butf.networks import zoo
from butf.networks.card import card_text
from butf.networks.methods import build_network
from butf.networks.weights import save_weights
from butf.retrieval.bank import bank, content_key
from butf.retrieval.compare import mcnemar_exact
from butf.retrieval.evaluate import compared_pairs, evaluate
from butf.retrieval.explore import QueryTable, query_table, split_search


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUTF_CACHE", str(tmp_path / "cache"))


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def plain() -> zoo.Model:
    return zoo.load("off-the-shelf")


@pytest.fixture(scope="module")
def bu_tf(tmp_path_factory: pytest.TempPathFactory) -> zoo.Model:
    """A bu-tf whose decoder has random weights: recall and errors are what they are, but they are its own."""
    torch.manual_seed(0)
    network = build_network("bu-tf", "efficientnet-lite0")
    card = zoo.describe_card("bu-tf", network, "bu-tf", "efficientnet-lite0", image_area=96 * 64, seen=("overcast",),
                             encoding=Encoding())  # fmt: skip
    path = tmp_path_factory.mktemp("models") / "untrained.safetensors"
    save_weights(path, network.state_dict(), {"card": card_text(card)})
    return zoo.load(str(path))


class CountingModel:
    """The model itself, counting how many pictures it is asked to describe."""

    def __init__(self, model: zoo.Model) -> None:
        self.model, self.described = model, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.model, name)

    def describe(self, images: object, **more: object) -> np.ndarray:
        descriptors = self.model.describe(images, **more)
        self.described += len(descriptors)
        return descriptors


def test_descriptors_are_computed_once(tiny_frames: Frames, plain: zoo.Model) -> None:
    model, indices = CountingModel(plain), np.array([30, 2, 13, 1, 35])
    seen: list[tuple[int, int]] = []
    first = bank(tiny_frames, indices, model, lambda done, total: seen.append((done, total)))
    assert model.described == 5 and seen == [(2, 5), (4, 5), (5, 5)]  # a traversal after the other
    np.testing.assert_array_equal(bank(tiny_frames, indices, model), first)
    assert model.described == 5
    for row, i in enumerate(indices):
        np.testing.assert_allclose(first[row], plain.describe([tiny_frames.image(i)])[0], atol=1e-5)


def test_the_key_follows_content_not_place_or_time(tiny_frames: Frames, plain: zoo.Model, bu_tf: zoo.Model) -> None:
    indices = tiny_frames.where(split="test")
    key = content_key(tiny_frames, indices, plain, "descriptors")
    clone = Frames.load(write_tiny_dataset(tiny_frames.root.parent / "clone"))
    assert content_key(clone, indices, plain, "descriptors") == key
    assert content_key(tiny_frames, indices, bu_tf, "descriptors") != key
    assert content_key(tiny_frames, indices[::-1], plain, "descriptors") != key
    path = clone.image_path(indices[0])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # one bit, same size
    path.write_bytes(content)
    assert content_key(clone, indices, plain, "descriptors") != key
    path.unlink()
    with pytest.raises(BadInput, match="no picture"):
        content_key(clone, indices, plain, "descriptors")


def test_a_large_file_is_sampled_at_head_middle_and_tail(tiny_frames: Frames, plain: zoo.Model) -> None:
    path = tiny_frames.image_path(0)
    size = 400_000
    keys = set()
    for place in (None, 100, size // 2, size - 100):
        content = bytearray(size)
        if place is not None:
            content[place] = 1
        path.write_bytes(content)
        keys.add(content_key(tiny_frames, np.array([0]), plain, "descriptors"))
    assert len(keys) == 4


def test_a_model_that_reads_measured_depth_is_given_each_frames_own(tiny_frames: Frames, tmp_path: Path) -> None:
    write_model(tmp_path / "rgbd", "rgbd")
    model = zoo.load(str(tmp_path / "rgbd"))
    rows = np.flatnonzero(tiny_frames.split == "test")
    found = bank(tiny_frames, rows, model)
    network, encoding = model.network, model.card.encoding
    for row, described in zip(rows, found, strict=True):
        image = model.prepare(tiny_frames.image(row))[None]
        depth = tiny_frames.modality(row, "depth")
        side = torch.zeros(1, 1, *(length // 4 for length in image.shape[-2:]))
        valid = torch.zeros_like(side, dtype=torch.bool)
        if depth is not None:
            sample = Samples(tiny_frames, np.array([row]), model.size(96, 64), encoding)[0]
            side, valid = sample["side"][None], sample["valid"][None]
        with torch.inference_mode():
            wanted = network.describe_measured(image, side, valid).descriptor[0].numpy()
        np.testing.assert_allclose(described, wanted, atol=1e-4)
    depths = tiny_frames.root / "overcast" / "depth"
    before = content_key(tiny_frames, rows, model, "descriptors", ("depth",))
    (depths / "000008.png").write_bytes((depths / "000009.png").read_bytes())
    assert content_key(tiny_frames, rows, model, "descriptors", ("depth",)) != before, "other depth, other descriptors"
    with pytest.raises(BadInput, match="needs the measured side modality"):
        model.describe([tiny_frames.image(int(rows[0]))])
    entry = evaluate(tiny_frames, "test", [model])["models"][0]
    assert entry["milliseconds_per_image"] > 0 and entry.get("side") is None, "it is given depth and makes none"


@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign", "other key", "pickled"])
def test_a_damaged_file_is_computed_again(tiny_frames: Frames, plain: zoo.Model, damage: str) -> None:
    model, indices = CountingModel(plain), tiny_frames.where(split="val", traversal="night")
    expected = bank(tiny_frames, indices, model)
    (path,) = (cache_dir() / "descriptors").iterdir()
    with np.load(path) as archive:
        content = dict(archive)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        path.write_text("not an archive")
    elif damage == "other key":
        np.savez(path, **content | {"key": np.array("another")})
    else:
        np.savez(path, key=content["key"], values=np.array([{"a": 1}, {}], dtype=object))
    np.testing.assert_array_equal(bank(tiny_frames, indices, model), expected)
    assert model.described == 2 * len(indices)
    bank(tiny_frames, indices, model)
    assert model.described == 2 * len(indices)


def test_descriptors_can_be_kept_for_shipping(
    tiny_frames: Frames, plain: zoo.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    indices = tiny_frames.where(split="val")
    bank(tiny_frames, indices, plain, keep=tmp_path / "shipped" / "descriptors")
    assert len(list((tmp_path / "shipped" / "descriptors").iterdir())) == 3
    monkeypatch.setenv("BUTF_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setattr("butf.files.ASSETS", tmp_path / "shipped")
    model = CountingModel(plain)
    bank(tiny_frames, indices, model)
    assert model.described == 0 and not (tmp_path / "elsewhere").exists()


def slow_recall(frames: Frames, model: zoo.Model, split: str, condition: str, n: int, radius_m: float) -> float:
    """Recall@N by sorting all distances of each query in python."""
    database = [i for i in range(len(frames)) if frames.split[i] == split and frames.traversal[i] == "reference"]
    queries = [i for i in range(len(frames)) if frames.split[i] == split and frames.condition[i] == condition]
    described = {i: model.describe([frames.image(i)])[0] for i in (*database, *queries)}
    right = matched = 0
    for query in queries:
        good = {i for i in database if math.dist(frames.position[query], frames.position[i]) <= radius_m}
        order = sorted(database, key=lambda i: float(((described[query] - described[i]) ** 2).sum()))
        matched += bool(good)
        right += bool(good & set(order[:n]))
    return right / matched


def test_evaluation_matches_plain_loops_in_the_agreed_form(
    tiny_frames: Frames, plain: zoo.Model, bu_tf: zoo.Model
) -> None:
    report = evaluate(tiny_frames, "test", [plain, bu_tf])
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert (report["dataset"], report["split"], report["radius_m"]) == ("tiny", "test", 25.0)
    assert report["database"] == {"condition": "reference", "frames": 4}
    for model, entry in zip((plain, bu_tf), report["models"], strict=True):
        assert entry["name"] == model.name
        assert entry["parameters"] == sum(p.numel() for p in model.network.parameters())
        assert entry["descriptor_dim"] == model.describe([tiny_frames.image(0)]).shape[1]
        assert entry["milliseconds_per_image"] > 0
        assert [c["condition"] for c in entry["conditions"]] == ["overcast", "night"]
        for part in entry["conditions"]:
            assert part["seen"] is (model is bu_tf and part["condition"] == "overcast")
            assert (part["queries"], part["unmatched"]) == (4, 0)
            assert list(part["recall"]) == ["1", "5", "10", "25"]
            assert list(part["recall_at_distance"]) == ["5", "10", "25", "50"]
            for n, value in part["recall"].items():
                assert value == slow_recall(tiny_frames, model, "test", part["condition"], int(n), 25.0)
                assert 0 <= part["interval95"][n][0] <= value <= part["interval95"][n][1] <= 1
            assert part["recall_at_distance"]["25"] == part["recall"]["1"]
    assert report["models"][1]["training_steps"] == 2 and 1 < report["models"][1]["size_ratio"] <= 1.4
    assert [(p["a"], p["b"], p["condition"]) for p in report["paired"]] == [
        ("untrained", "off-the-shelf", "overcast"),
        ("untrained", "off-the-shelf", "night"),
    ]


def test_the_errors_of_the_reconstruction_are_those_of_a_plain_loop(tiny_frames: Frames, bu_tf: zoo.Model) -> None:
    (entry,) = evaluate(tiny_frames, "test", [bu_tf])["models"]
    errors: dict[str, list[list[float]]] = {"overcast": [], "night": []}
    for i in range(len(tiny_frames)):
        truth = tiny_frames.modality(i, "depth")
        if tiny_frames.split[i] != "test" or tiny_frames.condition[i] not in errors or truth is None:
            continue
        t, p = truth.values[truth.valid], bu_tf.reconstruct(tiny_frames.image(i)).values[truth.valid]
        ratio = np.maximum(t / p, p / t)
        errors[tiny_frames.condition[i]].append(
            [np.mean(abs(t - p) / t), np.sqrt(np.mean((t - p) ** 2)), np.mean(ratio < 1.25)]
        )
    assert len(errors["night"]) == 3  # one has no depth
    for condition in entry["conditions"]:
        expected = np.mean(errors[condition["condition"]], axis=0)
        assert [condition["side"][k] for k in ("abs_rel", "rmse_m", "delta1")] == pytest.approx(expected, rel=1e-4)
    expected = np.mean(errors["overcast"] + errors["night"], axis=0)
    assert entry["side"]["modality"] == "depth"
    assert [entry["side"][k] for k in ("abs_rel", "rmse_m", "delta1")] == pytest.approx(expected, rel=1e-4)


def test_queries_without_a_true_match_are_counted_apart(tiny_frames: Frames, plain: zoo.Model) -> None:
    tiny_frames.position[tiny_frames.frame == "night/000011"] += 500.0
    report = evaluate(tiny_frames, "test", [plain])
    overcast, night = report["models"][0]["conditions"]
    assert (night["queries"], night["unmatched"], overcast["unmatched"]) == (4, 1, 0)
    assert night["recall"]["1"] == slow_recall(tiny_frames, plain, "test", "night", 1, 25.0)
    nobody = evaluate(tiny_frames, "test", [plain], rule=PlaceRule(0.01))["models"][0]["conditions"][0]
    assert nobody["unmatched"] == 4 and nobody["recall"]["1"] is None and nobody["interval95"]["5"] == [None, None]


def test_pairs_of_the_report_are_mcnemars_on_its_own_queries(
    tiny_frames: Frames, plain: zoo.Model, bu_tf: zoo.Model
) -> None:
    report = evaluate(tiny_frames, "test", [plain, bu_tf], rule=PlaceRule(15.0), side=False)
    rows = np.arange(4, 8)
    right = [split_search(tiny_frames, "test", m).judge(PlaceRule(15.0))[0][rows, 0] for m in (bu_tf, plain)]
    night = next(pair for pair in report["paired"] if pair["condition"] == "night")
    assert night["gain"] == pytest.approx(right[0].mean() - right[1].mean())
    assert night["p"] == mcnemar_exact(*right)
    assert 0 < night["p_blocks"] <= 1


def test_bad_requests_are_named(tiny_frames: Frames, plain: zoo.Model) -> None:
    with pytest.raises(BadInput, match="one name"):
        evaluate(tiny_frames, "test", [plain, plain])
    with pytest.raises(BadInput, match="no queries in split 'test'"):
        evaluate(tiny_frames.take(tiny_frames.where(traversal="reference")), "test", [plain])
    with pytest.raises(BadInput, match="dusk"):
        evaluate(tiny_frames, "dusk", [plain])


def test_exploring_a_query_needs_no_inference(tiny_frames: Frames, plain: zoo.Model, bu_tf: zoo.Model) -> None:
    model = CountingModel(plain)
    search = split_search(tiny_frames, "test", model)
    described = model.described
    query = int(tiny_frames.queries("test")["night"][1])
    near, far = search.result(query, k=3), search.result(query, k=99, rule=PlaceRule(1000.0))
    assert model.described == described
    assert [c.rank for c in near.candidates] == [1, 2, 3] and len(far.candidates) == 4
    assert [c.frame for c in near.candidates] == [c.frame for c in far.candidates[:3]]
    for candidate in near.candidates:
        metres = math.dist(tiny_frames.position[query], tiny_frames.position[candidate.frame])
        assert candidate.metres == pytest.approx(metres)
        assert candidate.correct is (metres <= 25.0)
    assert all(c.correct for c in far.candidates) and far.first_correct == 1 and near.matched
    assert [c.distance for c in far.candidates] == sorted(c.distance for c in far.candidates)
    with pytest.raises(KeyError):
        search.result(0)


def test_a_photo_from_elsewhere_is_ranked_without_judgement(tiny_frames: Frames, plain: zoo.Model) -> None:
    search = split_search(tiny_frames, "test", plain)
    query = int(search.queries[2])
    own = search.nearest(plain.describe([tiny_frames.image(query)])[0], k=4)
    assert [c.frame for c in own.candidates] == [c.frame for c in search.result(query, k=4).candidates]
    assert own.query is None and all(c.metres is None and c.correct is None for c in own.candidates)
    other = search.nearest(plain.describe([Image.new("RGB", (33, 77), "green")])[0], k=2)
    assert len(other.candidates) == 2


def test_the_query_table_filters_failures_and_gains(tiny_frames: Frames, plain: zoo.Model, bu_tf: zoo.Model) -> None:
    searches = [split_search(tiny_frames, "test", model) for model in (plain, bu_tf)]
    rule = PlaceRule(15.0)
    table = query_table(searches, rule)
    ranks = {
        s.model_name: [s.result(int(q), k=4, rule=rule).first_correct or 0 for q in table.queries] for s in searches
    }
    assert {name: found.tolist() for name, found in table.first_correct.items()} == ranks
    wrong = [int(q) for q, rank in zip(table.queries, ranks["off-the-shelf"], strict=True) if rank != 1]
    assert table.failures("off-the-shelf").tolist() == wrong
    with pytest.raises(ValueError, match="same queries"):
        query_table([searches[0], split_search(tiny_frames, "val", plain)])


def test_gains_come_largest_first_and_only_where_the_place_can_be_found() -> None:
    ranks = {"a": np.array([1, 1, 1, 3, 0, 1]), "b": np.array([4, 2, 1, 1, 0, 0])}
    table = QueryTable(np.arange(10, 16), np.array([True, True, True, True, True, False]), ranks, depth=50)
    assert table.gains("a", "b").tolist() == [10, 11]
    assert table.gains("b", "a").tolist() == [13]
    assert table.failures("a").tolist() == [13, 14]


def test_without_a_reference_every_frame_is_asked_of_all_others(tiny_frames: Frames, plain: zoo.Model) -> None:
    everyone = tuple(dataclasses.replace(traversal, role="query") for traversal in tiny_frames.traversals)
    frames = dataclasses.replace(tiny_frames, traversals=everyone)
    report = evaluate(frames, "test", [plain], side=False)
    assert report["database"] == {"condition": "night, overcast, reference", "frames": 12}
    described = {i: plain.describe([frames.image(i)])[0] for i in frames.where(split="test")}
    for entry in report["models"][0]["conditions"]:
        right = 0
        for query in frames.where(split="test", condition=entry["condition"]):
            others = [i for i in described if i != query]
            nearest = min(others, key=lambda i: float(((described[query] - described[i]) ** 2).sum()))
            right += math.dist(frames.position[query], frames.position[nearest]) <= 25.0
        assert entry["queries"] == 4 and entry["recall"]["1"] == right / 4


def test_a_search_has_the_descriptors_of_all_its_pictures_in_any_order(tiny_frames: Frames, plain: zoo.Model) -> None:
    search = split_search(tiny_frames, "test", plain)
    assert search.pictures.tolist() == tiny_frames.where(split="test").tolist()
    some = search.pictures[[7, 0, 11, 0]]
    found = search.descriptors_of(some)
    for row, i in zip(found, some, strict=True):
        np.testing.assert_allclose(row, plain.describe([tiny_frames.image(int(i))])[0], atol=1e-5)


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        (["off-the-shelf", "image-only", "hallucination", "bu-tf"], [(3, 0), (3, 1), (3, 2), (0, 1), (2, 1)]),
        (["image-only", "bu-tf", "bu-tf"], [(1, 0), (2, 0)]),
        (["hallucination", "off-the-shelf"], [(1, 0)]),
        (["bu-tf"], []),
    ],
)
def test_who_is_compared_with_whom(methods: list[str], expected: list[tuple[int, int]]) -> None:
    assert compared_pairs(methods) == expected
