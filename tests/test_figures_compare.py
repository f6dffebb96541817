"""What Compare draws, built directly: bars, size against recall, pairs, the failure gallery, the descriptors' map."""
# ruff: noqa: F811 (a fixture taken from another file is named again as an argument)

import base64
import io
import math
from itertools import pairwise
from threading import Event
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from test_comparison import evaluation  # noqa: F401 (a fixture)
from test_figures_plots import corners, of, scale, share

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


@pytest.fixture
def bars_of(evaluation) -> dict[tuple[str, str], ElementTree.Element]:
    """Each bar that is drawn, by its model and its condition."""
    found = of(ElementTree.fromstring(bars.bars_svg(comparison.bars(evaluation), "<bars>")), "bar")
    return {tuple(bar.find("title").text.split(": ")[0].split(", ")): bar for bar in found}


def span(bar: ElementTree.Element) -> tuple[float, float]:
    """Where a bar begins and ends, in percent of the plot."""
    left = share(bar.find("rect").get("x"))
    return left, left + share(bar.find("rect").get("width"))


def test_bars_hold_the_measured_recalls_in_groups(evaluation, bars_of):
    drawn = comparison.bars(evaluation)
    assert [(bar.model, bar.condition) for bar in drawn][:2] == [("off-the-shelf", "rain"), ("plain", "rain")]
    svg = ElementTree.fromstring(bars.bars_svg(drawn, "<bars>"))
    rows = scale(svg)
    assert len(bars_of) == len(drawn) == 6 and svg.get("aria-label") == "<bars>"
    for bar in drawn:
        element = bars_of[bar.model, bar.condition]
        box, whisker, mark = element.find("rect"), element.find("line"), element.find("svg")
        height = share(box.get("height")) / (rows[0] - rows[100])
        low, top, high = ((rows[0] - share(y)) / (rows[0] - rows[100]) for y in (
            whisker.get("y1"), mark.get("y"), whisker.get("y2")
        ))  # fmt: skip
        assert (height, low, top, high) == pytest.approx((bar.recall, bar.low, bar.recall, bar.high), abs=2e-4)
        assert sum(span(element)) / 2 == pytest.approx(share(mark.get("x")), abs=0.5)
        assert box.get("fill") == whisker.get("stroke") == model_colour(bar.model)
    assert "100 queries" in bars_of["bu-tf", "rain"].find("title").text  # those with a match
    words = [text.text for text in of(svg, "column")]
    assert words == ["rain", "night", "seen in training", "unseen in training"]


def test_bars_do_not_overlap_and_unseen_conditions_stand_apart(evaluation, bars_of):
    spans = sorted(map(span, bars_of.values()))
    assert all(left[1] <= right[0] for left, right in pairwise(spans)) and spans[0][0] > 0 and spans[-1][1] < 100
    places = bars.condition_places(comparison.bars(evaluation))
    assert places["night"] - places["rain"] == 1 + bars.GAP


@pytest.mark.parametrize(
    ("names", "kind"),
    [(("rain", "night"), ""), (["overcast"] * 6, "slanted-phone"), (["a-condition-of-many-words"] * 6, "slanted")],
)
def test_names_without_room_side_by_side_are_slanted(names, kind):
    drawn = [bars.Bar("<b>", f"{name}{k}", True, 0.5, 0.4, 0.6, 9) for k, name in enumerate(names)]
    svg = ElementTree.fromstring(bars.bars_svg(drawn, "bars"))
    assert svg.get("class").split() == ["plot", "bars", *([kind] if kind else [])]
    assert of(svg, "bar")[0].find("title").text.startswith("<b>, ")


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


def marks_of(svg: ElementTree.Element) -> dict[str, tuple[float, float]]:
    """Millions of parameters and recall in percent at each model's mark, by the gridlines and their words."""
    lines = [(line, line.get("x1") == line.get("x2")) for line in of(svg, "grid")]
    axes = []
    for kind, upright, end in (("column", True, "x1"), ("row", False, "y1")):
        words = [float(text.text.removesuffix(" %")) for text in of(svg, kind)]
        at = [share(line.get(end)) for line, is_upright in lines if is_upright is upright]
        axes.append(np.poly1d(np.polyfit(at, words, 1)))
    marks = [(mark, mark.find("title").text.split(": ")[0]) for mark in of(svg, "point")]
    return {name: (axes[0](share(mark.get("x"))), axes[1](share(mark.get("y")))) for mark, name in marks}


def sizes_of(models: list[Sized]) -> ElementTree.Element:
    return ElementTree.fromstring(size.size_svg(models, "<sizes>"))


def test_models_stand_at_their_size_and_recall_and_those_of_one_size_beside_each_other():
    models = [sized("bu-tf", 918_355, 0.7), sized("image-only-wide", 918_093, 0.7), sized("<image>", 700_769, 0.5)]
    svg = sizes_of(models)
    marks = marks_of(svg)
    assert marks["bu-tf"][0] - marks["image-only-wide"][0] >= 0.9 * size.BESIDE * (0.918355 - 0.700769)
    assert marks["<image>"] == pytest.approx((0.700769, 50), abs=0.02) and marks["bu-tf"][1] == pytest.approx(70)
    assert "918,355 parameters" in of(svg, "point")[0].find("title").text and svg.get("aria-label") == "<sizes>"
    lengths = [share(line.get("y1")) - share(line.get("y2")) for line in of(svg, "whisker")]
    tall = share(of(svg, "point")[2].get("y")) - share(of(svg, "point")[0].get("y"))  # 20 points of recall
    assert lengths == pytest.approx([tall / 2] * 3, abs=0.02)


def test_the_stair_climbs_at_each_size_that_is_better_than_all_smaller_ones():
    svg = sizes_of([sized("a", 1_000_000, 0.5), sized("b", 2_000_000, 0.4), sized("c", 3_000_000, 0.9)])
    first, _, best = ((share(mark.get("x")), share(mark.get("y"))) for mark in of(svg, "point"))
    stair = corners(of(svg, "stair")[0])
    assert stair == [first, (best[0], first[1]), best, best]


@pytest.mark.parametrize("recalls", [(0.5,), (0.0, 1.0)])
def test_one_model_or_the_extremes_leave_a_plot_within_0_and_100_percent(recalls):
    models = [Sized(f"m{k}", 700_000, 1.0, recall, recall, recall) for k, recall in enumerate(recalls)]
    svg = sizes_of(models)
    assert all(0 <= float(text.text.removesuffix(" %")) <= 100 for text in of(svg, "row"))
    assert all(0 < share(mark.get(axis)) < 100 for mark in of(svg, "point") for axis in "xy")


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


def lanes_of(found: list[Pair]) -> tuple[ElementTree.Element, ElementTree.Element]:
    """The heading and the SVG of a plot of pairs."""
    return tuple(ElementTree.fromstring(f"<div>{pairs.pairs_plot(found, '<pairs>')}</div>"))


def test_bars_of_pairs_go_both_ways_as_far_as_their_counts():
    heading, svg = lanes_of([pair(31, 12, 0.005), pair(3, 4, 0.7, "<rain>")])
    zero = share(of(svg, "zero")[0].get("x1"))
    lanes = [[(share(box.get("x")), share(box.get("width"))) for box in bar.iter("rect")] for bar in of(svg, "bar")]
    unit = lanes[0][1][1] / 31
    for (left, right), (a_only, b_only) in zip(lanes, ((31, 12), (3, 4)), strict=True):
        assert (left[1], right[1]) == pytest.approx((unit * b_only, unit * a_only), abs=0.02)
        assert (left[0] + left[1], right[0]) == pytest.approx((zero, zero), abs=0.02)
    assert lanes[0][0][0] > 0 and lanes[0][1][0] + lanes[0][1][1] < 100
    assert [text.text for text in of(svg, "count")] == ["12", "31", "4", "3"]
    assert [text.text for text in of(svg, "row")] == ["night", "<rain>"]
    assert "".join(heading.itertext()) == "← only ▲ <b>plain</b> rightonly ◆ bu-tf right →"
    assert svg.get("aria-label") == "<pairs>" and of(svg, "bar")[1].find("title").text.startswith("<rain>: bu-tf is")


def test_where_both_models_are_alike_the_bars_are_empty():
    _, svg = lanes_of([pair(0, 0, 1.0)])
    assert [share(box.get("width")) for box in svg.iter("rect")] == [0, 0]
    assert share(of(svg, "zero")[0].get("x1")) == 50


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
