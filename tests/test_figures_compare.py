"""What Compare draws, built directly: bars, size against recall, pairs, the failure gallery, the descriptors' map."""
# ruff: noqa: F811 (a fixture taken from another file is named again as an argument)

import base64
import io
import math
from itertools import pairwise
from threading import Event

import numpy as np
import pytest
from looking import looked_through
from PIL import Image
from test_comparison import evaluation  # noqa: F401 (a fixture)

from butf import comparison, projection
from butf.background import Job
from butf.errors import BadInput
from butf.figures import bars, pairs, size
from butf.figures.descriptor_map import UNITS, Drawn, map_data
from butf.figures.failures import FailureCard, failures_html
from butf.figures.size import Sized
from butf.figures.sprite import Sprite, sprite_sheet
from butf.figures.theme import model_colour
from butf.networks.zoo import off_the_shelf_card
from butf.retrieval.pairs import Pair


def pair(a_only: int, b_only: int, p: float, condition: str | None = "night") -> Pair:
    return Pair("bu-tf", "<b>plain</b>", condition, 50, a_only, b_only, 20, 0.1, p / 2, p)


def test_bars_hold_the_measured_recalls_in_groups(evaluation):
    drawn = comparison.bars(evaluation)
    assert [(bar.model, bar.condition) for bar in drawn][:2] == [("off-the-shelf", "rain"), ("plain", "rain")]
    figure = looked_through(bars.bars_figure(drawn))
    own = {trace.name: trace for trace in figure.data if trace.type == "bar"}
    assert list(own["bu-tf"].y) == [79, 40]
    whiskers = next(trace for trace in figure.data if trace.type == "scatter" and trace.name == "bu-tf").error_y
    assert list(whiskers.array) == pytest.approx([10, 10]) and list(whiskers.arrayminus) == pytest.approx([10, 10])
    assert {note.text for note in figure.layout.annotations} == {"seen in training", "unseen in training"}
    assert "100 queries" in own["bu-tf"].hovertext[0]  # those with a match


def test_bars_do_not_overlap_and_unseen_conditions_stand_apart(evaluation):
    figure = bars.bars_figure(comparison.bars(evaluation))
    spans = sorted(
        (x - trace.width / 2, x + trace.width / 2) for trace in figure.data if trace.type == "bar" for x in trace.x
    )
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
    places = bars.condition_places(comparison.bars(evaluation))
    assert places["night"] - places["rain"] == 1 + bars.GAP


def test_a_recall_that_no_query_tells_has_no_bar(evaluation):
    evaluation["models"][1]["conditions"][0]["recall"]["1"] = None
    assert ("plain", "night") not in [(bar.model, bar.condition) for bar in comparison.bars(evaluation)]
    assert {entry.model for entry in comparison.sizes(evaluation, ["night"])} == {"off-the-shelf", "bu-tf"}


def test_the_interval_of_a_mean_puts_the_conditions_together(evaluation):
    (_, _, found) = comparison.sizes(evaluation, ["night", "rain"])
    assert (found.model, found.recall) == ("bu-tf", pytest.approx((0.4 + 0.79) / 2))
    assert found.high - found.recall == pytest.approx(math.sqrt(0.1**2 + 0.1**2) / 2)
    alone = comparison.sizes(evaluation, ["night"])[2]
    assert (alone.low, alone.high) == (pytest.approx(0.3), pytest.approx(0.5))


def test_the_interval_of_a_mean_covers_it_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth, queries = np.array([0.9, 0.55, 0.3]), 150
    covered = 0
    for _ in range(400):
        recalls = rng.binomial(queries, truth) / queries
        conditions = [
            {"condition": str(k), "recall": {"1": r}, "interval95": {"1": list(comparison.wilson(round(r * 150), 150))}}
            for k, r in enumerate(recalls)
        ]
        entry = {"name": "m", "parameters": 1, "size_ratio": 1.0, "conditions": conditions}
        (found,) = comparison.sizes({"models": [entry]}, ["0", "1", "2"])
        covered += found.low <= truth.mean() <= found.high
    assert 0.92 <= covered / 400 <= 0.985


def test_means_are_offered_over_what_there_is(evaluation):
    found = comparison.conditions(evaluation)
    assert comparison.groups(found) == {"all": ["rain", "night"], "seen": ["rain"], "unseen": ["night"]}
    assert list(comparison.groups(found[:1])) == ["all"]


def sized(name: str, parameters: int, recall: float) -> Sized:
    return Sized(name, parameters, 1.0, recall, recall - 0.05, recall + 0.05)


def test_the_frontier_is_that_of_a_plain_loop():
    rng = np.random.default_rng(3)
    for _ in range(50):
        models = [sized(f"m{k}", int(p), float(r)) for k, (p, r) in enumerate(rng.integers(1, 9, (7, 2)) / (1, 10))]
        beaten = {
            one.model
            for one in models
            for other in models
            if (other.parameters < one.parameters and other.recall >= one.recall)
            or (other.parameters <= one.parameters and other.recall > one.recall)
        }
        left = {(one.parameters, one.recall) for one in models if one.model not in beaten}
        assert {(one.parameters, one.recall) for one in size.frontier(models)} == left


def test_models_of_one_size_stand_beside_each_other():
    models = [sized("bu-tf", 918_355, 0.7), sized("image-only-wide", 918_093, 0.7), sized("image-only", 700_769, 0.5)]
    figure = looked_through(size.size_figure(models))
    marks = {trace.name: trace for trace in figure.data if trace.mode == "markers"}
    assert marks["bu-tf"].x[0] - marks["image-only-wide"].x[0] >= 0.9 * size.BESIDE * (0.918355 - 0.700769)
    assert marks["image-only"].x[0] == pytest.approx(0.700769)
    assert "918,355 parameters" in marks["bu-tf"].hovertext[0]
    assert len(size.size_figure(models[:1]).data) == 2


def test_a_pair_is_a_sentence_with_its_counts():
    assert pairs.pair_words(pair(31, 12, 0.005)) == (
        "bu-tf is right on 31 queries where <b>plain</b> is wrong, and wrong on 12 where it is right; p = 0.005"
    )
    assert "right on 1 query where" in pairs.pair_words(pair(1, 0, 1.0))
    assert pairs.verdict_words(pair(31, 12, 0.005)) == "bu-tf is clearly better"
    assert pairs.verdict_words(pair(12, 31, 0.005)) == "<b>plain</b> is clearly better"
    assert pairs.verdict_words(pair(12, 31, 0.05)) == pairs.verdict_words(pair(5, 5, 0.001)) == "within the noise"


def test_sentences_are_escaped_and_noise_is_quieter():
    page = pairs.lead_html(pair(31, 12, 0.005, None)) + pairs.pairs_html([pair(31, 12, 0.005), pair(3, 2, 0.7)])
    assert "<b>plain" not in page and "&lt;b&gt;plain" in page
    assert page.count('<li class="noise">') == 1 and page.count("<li") == 2


def test_bars_of_pairs_go_both_ways():
    figure = looked_through(pairs.pairs_figure([pair(31, 12, 0.005), pair(3, 4, 0.7, "rain")]))
    assert [list(trace.x) for trace in figure.data] == [[-12, -4], [31, 3]]
    assert list(figure.layout.yaxis.ticktext) == ["night", "rain"]
    assert figure.layout.xaxis.range[0] < -12 and figure.layout.xaxis.range[1] > 31
    assert pairs.pairs_figure([pair(0, 0, 1.0)]).layout.xaxis.range[1] > 0


def test_the_gallery_says_what_was_taken_for_what_and_escapes_names():
    cards = [
        FailureCard("night/<1>", 'ref/"2"', "data:q", "data:c", 644.2, 8, "explore?a=1&b=2"),
        FailureCard("night/3", "ref/4", "data:q", "data:c", 26.0, None, "explore"),
    ]
    page = failures_html(cards, "bu-tf")
    assert "644 m off" in page and "rank 8" in page and "no right one found" in page
    assert "night/&lt;1&gt;" in page and "<1>" not in page and 'href="explore?a=1&amp;b=2"' in page
    assert page.count('alt="') == 4 and 'alt=""' not in page


def picture(sprite: Sprite, k: int) -> np.ndarray:
    sheet = Image.open(io.BytesIO(base64.b64decode(sprite.uri.split(",")[1])))
    return np.asarray(sheet.crop(sprite.cell(k)), float)


def test_each_cell_of_the_sheet_holds_its_frame(tiny_frames):
    rows = list(range(7))
    told = []
    sprite = sprite_sheet(tiny_frames, rows, lambda *done: told.append(done), width=48)
    assert (sprite.columns, sprite.width, sprite.height) == (3, 48, 32)
    assert sprite.cell(5) == (96, 32, 144, 64) and told[-1] == (7, 7)
    for k in rows:
        peers = [np.abs(picture(sprite, k) - small(tiny_frames, row)).mean() for row in rows]
        assert int(np.argmin(peers)) == k and peers[k] < 12


def small(frames, row: int) -> np.ndarray:
    return np.asarray(Image.open(frames.image_path(row)).resize((48, 32), Image.Resampling.BILINEAR), float)


def test_a_broken_picture_is_named(tiny_frames):
    path = tiny_frames.image_path(2)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BadInput, match=path.name):
        sprite_sheet(tiny_frames, [0, 1, 2])


@pytest.fixture
def drawn(tiny_frames) -> tuple[np.ndarray, list[Drawn]]:
    rows = tiny_frames.where(split="test")
    points = np.random.default_rng(4).normal(size=(len(rows), 5)) * (8, 2, 1, 1, 1)
    return rows, [Drawn("bu-tf", projection.pca(points))]


def test_the_map_holds_every_frame_with_group_place_and_neighbour(tiny_frames, drawn):
    rows, panels = drawn
    queries = np.concatenate(list(tiny_frames.queries("test").values()))
    data = map_data(tiny_frames, rows, queries, panels, Sprite("data:", 4, 96, 64), "explore?data=tiny")
    assert data["names"] == tiny_frames.frame[rows].tolist()
    assert [(group["name"], group["count"]) for group in data["groups"]] == [
        ("database", 4), ("overcast", 4), ("night", 4)
    ]  # fmt: skip
    assert [data["groups"][g]["name"] for g in data["group"]] == [
        "database" if condition == "reference" else condition for condition in tiny_frames.condition[rows]
    ]
    assert len({(group["colour"], group["symbol"]) for group in data["groups"]}) == 3
    (panel,) = data["panels"]
    points = panels[0].projection.points
    for i, (near, metres) in enumerate(zip(panel["near"], panel["metres"], strict=True)):
        gaps = [math.inf if j == i else math.dist(points[i], points[j]) for j in range(len(rows))]
        assert near == int(np.argmin(gaps))
        assert metres == pytest.approx(math.dist(*tiny_frames.position[rows[[i, near]]]), abs=0.006)
    assert panel["colour"] == model_colour("bu-tf") and "of the variance" in panel["note"]


def test_coordinates_keep_their_proportions(tiny_frames, drawn):
    rows, panels = drawn
    data = map_data(tiny_frames, rows, rows, panels, Sprite("data:", 4, 96, 64), "explore")
    sent, points = np.array(data["panels"][0]["points"]), panels[0].projection.points
    assert sent.min() >= 0 and sent.max() == UNITS
    spans = np.ptp(sent, axis=0) / np.ptp(points, axis=0)
    assert spans[0] == pytest.approx(spans[1], rel=0.01)
    assert [group["name"] for group in data["groups"]] == ["reference", "overcast", "night"]  # all are asked


def test_models_of_other_data_are_named():
    import dataclasses

    card = off_the_shelf_card()
    ours, other = (dataclasses.replace(card, name=name, data=name) for name in ("town", "chess"))
    assert comparison.trained_elsewhere([card, ours], "town") is None
    assert "chess on chess" in comparison.trained_elsewhere([card, ours, other], "town")


def test_a_job_gives_its_result_or_its_error():
    assert Job(lambda: 7).result() == 7
    job = Job(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        job.result()
    assert job.done and job.seconds >= 0
    late = Event()
    waiting = Job(late.wait)
    waiting.wait(0.01)
    assert not waiting.done
    late.set()
    assert waiting.result()
