"""The experiment of the talk's claim: its plan, its resumption, and the results of a real run on a tiny street."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from test_figures_plots import corners, of, share
from torch import nn

from butf.cli import main
from butf.dataset.frames import Frames
from butf.errors import BadInput
from butf.experiment import summary
from butf.experiment.findings import deviations, sweep_points
from butf.experiment.outcome import Queries, Result
from butf.experiment.plan import VARIANTS, paper
from butf.experiment.report import markdown
from butf.experiment.runner import train_plan
from butf.figures.sweep import Point, sweep_plot
from butf.networks import zoo
from butf.training.adaptation import adapt_statistics, mixed_rows


@pytest.fixture(autouse=True)
def small_world(one_thread: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("BUTF_CACHE", str(tmp_path / "cache"))


def test_every_trial_comes_after_the_one_it_starts_from() -> None:
    trials = paper("town", (0, 1, 2), 10, quick=False).trials()
    folders = [trial.folder for trial in trials]
    assert len(set(folders)) == len(folders)
    for place, trial in enumerate(trials):
        assert trial.needs is None or trial.needs in folders[:place], trial.folder
    core = {variant.name for variant in VARIANTS if variant.core}
    assert core >= {"image-only", "image-only-wide", "hallucination", "bu-tf", "bu-tf-adapted"}
    for seed in (0, 1, 2):
        assert core <= {trial.variant.name for trial in trials if trial.seed == seed}
    swept = [trial.config for trial in trials if trial.variant.swept]
    assert {config.steps for config in swept} == {2} and {trial.seed for trial in trials if trial.variant.swept} == {0}
    assert len({(config.lambda_div, config.sigma_transfer) for config in swept}) == len(swept) == 18


def test_trials_of_one_seed_differ_in_nothing_but_their_variant() -> None:
    trials = {trial.variant.name: trial for trial in paper("town", (3,), 10, quick=False).trials()}
    for one, other, differs in (
        ("bu-tf", "image-only-wide", "method"),
        ("bu-tf", "bu-tf-detached", "decoder_reach"),
        ("bu-tf", "bu-tf-adapted", "method"),
        ("bu-tf-adapted", "bu-tf-adapted-depth", "guess_share"),
        ("bu-tf-adapted-depth", "bu-tf-adapted-decoder", "extra_reach"),
        ("image-only-wide", "image-only-wide-guesses", "extra"),
    ):
        a, b = (trials[name].config.as_dict() for name in (one, other))
        assert {name for name in a if a[name] != b[name]} == {differs}
        assert a["seed"] == 3 and a["steps"] == 10


def test_a_part_of_the_plan_holds_what_its_variants_start_from() -> None:
    plan = paper("town", (0,), 10, quick=False)
    for asked, expected in (
        (["image-only-wide-statistics"], {"image-only", "image-only-wide", "image-only-wide-statistics"}),
        (["image-only-tuples"], {"image-only-tuples"}),
    ):
        assert {variant.name for variant in plan.only(asked).variants} == expected


def test_alexnet_is_planned_where_its_weights_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert not [variant for variant in paper("town", (0,), 10, quick=False).variants if "alexnet" in variant.name]
    weights = tmp_path / "alexnet.pth"
    weights.touch()
    monkeypatch.setenv("BUTF_ALEXNET", str(weights))
    plan = paper("town", (0,), 10, quick=False).only(["bu-tf-alexnet"])
    assert {variant.name for variant in plan.variants} == {"image-only-alexnet", "bu-tf-alexnet"}


def test_the_command_trains_judges_and_resumes(tiny_dataset: Path, tmp_path: Path) -> None:
    command = [
        "experiment", "paper", "--quick", "--data", str(tiny_dataset), "--judge-on", str(tiny_dataset), "--steps", "1",
        "--only", "bu-tf", "rgbd", "image-only-wide-statistics",
        "--runs", str(tmp_path / "trials"), "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    assert main(command) == 0
    results = json.loads((tmp_path / "out" / "paper-quick.json").read_text())
    models = {model["name"]: model for model in results["models"]}
    assert list(models) == [
        "off-the-shelf",
        "image-only",
        "bu-tf",
        "image-only-wide",
        "image-only-wide-statistics",
        "rgbd",
    ]
    frames = Frames.load(tiny_dataset)
    for model in models.values():
        entries = {entry["condition"]: entry for entry in model["conditions"]}
        assert set(entries) == set(frames.queries("val"))
        assert all(
            0 <= entry["interval95"][0] <= entry["recall"] <= entry["interval95"][1] for entry in entries.values()
        )
    assert models["bu-tf"]["side"] and "side" not in models["image-only"]
    assert any(folder.endswith("hallucination") for folder in results["missing"])
    gain = next(claim for claim in results["claims"] if (claim["a"], claim["b"]) == ("bu-tf", "image-only"))
    seen = {name: model["groups"][0]["recall"] for name, model in models.items()}
    assert gain["gain"] == pytest.approx(seen["bu-tf"] - seen["image-only"])
    page = (tmp_path / "out" / "paper-quick.md").read_text()
    assert "numbers mean nothing" in page and "experiment paper --quick`" in page
    assert "seed-0/hallucination" in page and "| bu-tf | 1 | 1.31x |" in page

    weights = tmp_path / "trials" / "seed-0" / "bu-tf" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    assert main(command) == 0
    assert weights.stat().st_mtime_ns == before


def test_a_trial_that_was_begun_otherwise_is_not_mixed_with_this_one(tiny_dataset: Path, tmp_path: Path) -> None:
    plan = paper(str(tiny_dataset), (0,), 1, quick=True).only(["image-only"])
    train_plan(plan, tmp_path / "trials", lambda text: None)
    (tmp_path / "trials" / "seed-0" / "image-only" / "model.safetensors").unlink()
    other = paper(str(tiny_dataset), (0,), 2, quick=True).only(["image-only"])
    with pytest.raises(BadInput, match="was begun with steps 1, the experiment now has 2"):
        train_plan(other, tmp_path / "trials", lambda text: None)


def test_unknown_variants_are_refused_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match="no variant 'magic'; known are image-only, bu-tf"):
        paper("town", (0,), 1, quick=True).only(["magic"])


def test_adapted_statistics_are_those_of_the_pictures(tiny_dataset: Path) -> None:
    frames = Frames.load(tiny_dataset)
    model = zoo.load("off-the-shelf")
    weights = {name: value.clone() for name, value in model.network.named_parameters()}
    stem = model.network.trunk.features.conv_stem
    seen: list[torch.Tensor] = []
    hook = stem.register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    adapt_statistics(model.network, frames, (96, 64), 12, seed=0, batch=6)
    hook.remove()
    assert [len(part) for part in seen] == [6, 6]
    norm = model.network.trunk.features.bn1
    means = torch.stack([part.mean(dim=(0, 2, 3)) for part in seen]).mean(dim=0)
    torch.testing.assert_close(norm.running_mean, means, rtol=1e-4, atol=1e-5)
    assert not any(module.training for module in model.network.modules() if isinstance(module, nn.BatchNorm2d))
    assert all(torch.equal(value, weights[name]) for name, value in model.network.named_parameters())


def test_half_of_the_pictures_for_statistics_are_of_unseen_conditions(tiny_frames: Frames) -> None:
    rows = mixed_rows(tiny_frames, 8, np.random.default_rng(0))
    assert set(tiny_frames.split[rows]) == {"train"} and len(set(rows.tolist())) == len(rows) == 8
    assert (tiny_frames.condition[rows] == "night").sum() == 4


def results_of(gain: float, p: float, seeds: tuple[int, ...] = (0,)) -> dict:
    """Results of one model and one claim, by hand."""
    recall = {"condition": "night", "queries": 10, "recall": 0.4, "interval95": [0.3, 0.5], "by_seed": [0.4]}
    model = {
        "name": "bu-tf", "about": "ours", "method": "bu-tf", "parameters": 918_355, "trained_parameters": 1_080_000,
        "size_ratio": 1.31,
        "training_steps": 2, "images_seen": 10, "seconds": 4.0, "seeds": list(seeds), "real": [0.5, 0.4],
        "conditions": [recall | {"seen": False}], "groups": [recall, recall],
    }  # fmt: skip
    claim = {
        "a": "bu-tf", "b": "image-only", "where": "night", "seeds": list(seeds), "queries": 10, "gain": gain,
        "interval95": [-0.1, 0.05], "p": p, "by_seed": [gain] * len(seeds), "wanted": 0.03, "holds": gain > 0.03,
    }  # fmt: skip
    return {
        "dataset": "town", "split": "test", "trained_on": "town", "radius_m": 25.0, "seeds": list(seeds), "queries": 10,
        "common": {"steps": 4}, "sweep": [], "missing": [], "deviations": [], "models": [model], "claims": [claim],
        "real_pairs": "corridor",
    }  # fmt: skip


def test_the_page_says_what_holds_and_what_does_not() -> None:
    page = markdown(results_of(-0.02, 0.4), "python -m butf experiment paper")
    assert "40.0 (30-50)" in page and "-2.0" in page and "**no**" in page and "| bu-tf | 45.0 | 50.0, 40.0 |" in page
    assert "Not trained yet" not in page


@pytest.mark.parametrize(
    ("gain", "p", "words"),
    [
        (0.21, 0.0001, ("+21.0 points, clearly better", "p < 0.001; by seed +21.0, +21.0")),
        (-0.05, 0.004, ("−5.0 points, clearly worse", "p = 0.004; by seed −5.0, −5.0")),
        (0.05, 0.2, ("+5.0 points, no clear difference", "p = 0.20; by seed +5.0, +5.0")),
    ],
)
def test_verdicts_claim_no_more_than_the_test_does(gain: float, p: float, words: tuple[str, str]) -> None:
    rows = summary.verdicts(results_of(gain, p, (0, 1)))
    assert [len(row) for row in rows] == [len(summary.VERDICTS)]
    pair, seen, unseen, night = rows[0]
    assert "bu-tf" in pair and "image-only" in pair and (seen, unseen) == ("–", "–")
    assert night == f"<b>{words[0]}</b><br><small>{words[1].replace('<', '&lt;')}</small>"


def test_results_are_shown_for_their_own_split_only_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "paper.json"
    assert summary.load("town", "test", path) is None
    path.write_text(json.dumps(results_of(0.1, 0.001)))
    assert summary.load("town", "test", path)["queries"] == 10
    assert summary.load("chess", "test", path) is None
    path.write_text("{}")
    with pytest.raises(BadInput, match=r"paper\.json holds no results of ours"):
        summary.load("town", "test", path)


def test_a_model_trained_with_other_settings_than_the_plan_has_is_named() -> None:
    plan = paper("town", (0,), 10, quick=False)
    configs = {trial.variant.name: trial.config for trial in plan.trials()}
    cards = {
        "bu-tf-adapted": configs["bu-tf-adapted"].as_dict() | {"extra_pictures": 13, "data": "elsewhere"},
        "bu-tf": configs["bu-tf"].as_dict() | {"extra_pictures": 13, "sigma_match": 0.0},  # it reads neither
    }
    results = [
        Result(
            variant, (0,), (replace(zoo.off_the_shelf_card(), config=cards[variant.name]),), np.ones((1, 2)), None, ()
        )
        for variant in VARIANTS
        if variant.name in cards
    ]
    found = deviations(plan, results)
    assert found == ["bu-tf-adapted, seed 0: extra_pictures 13, now 20"]
    assert "before the plan was changed:** bu-tf-adapted, seed 0" in markdown(
        results_of(0.1, 0.001) | {"deviations": found}, "x"
    )


def test_the_sweep_tells_each_point_and_its_gain_over_no_diversification(tmp_path: Path) -> None:
    plan = paper("town", (0,), 8, quick=False)
    swept = [trial for trial in plan.trials() if trial.variant.swept and trial.config.sigma_transfer == 3.0]
    assert [trial.config.lambda_div for trial in swept] == [None, 0.0, 0.001, 0.05, 0.1, 0.2]
    chosen = [trial for trial in swept if trial.config.lambda_div not in (0.0, 0.001)]
    hits = {None: [1, 0, 1, 0, 1, 0, 0, 0], 0.05: [1, 1, 1, 0, 1, 0, 0, 0], 0.1: [0] * 8, 0.2: [1] * 8}
    results = [
        Result(
            trial.variant, (0,), (replace(zoo.off_the_shelf_card(), config=trial.config.as_dict()),),
            np.array([hits[trial.config.lambda_div]], bool), None, (),
        )
        for trial in chosen
    ]  # fmt: skip
    queries = Queries(np.array(["day"] * 4 + ["night"] * 4), {"day": True, "night": False}, np.arange(8))
    points = {point["lambda_div"]: point for point in sweep_points(queries, results)}
    seen = {margin: point["groups"][0] for margin, point in points.items()}
    assert {margin: group["recall"] for margin, group in seen.items()} == {None: 0.5, 0.05: 0.75, 0.1: 0.0, 0.2: 1.0}
    assert "gain" not in seen[None] and seen[0.05]["gain"] == 0.25 and seen[0.1]["gain"] == -0.5
    assert points[0.2]["groups"][1] | {"recall": 1.0, "gain": 0.75} == points[0.2]["groups"][1]

    page = results_of(0.1, 0.001) | {"sweep": list(points.values())}
    assert "| seen | 0.05 | 75.0 (" in markdown(page, "x") and ", +25.0, p " in markdown(page, "x")
    drawn = summary.sweep(page, "seen")
    assert [(point.lambda_div, point.recall) for point in drawn] == [(None, 0.5), (0.05, 0.75), (0.1, 0.0), (0.2, 1.0)]
    legend, svg = ElementTree.fromstring(f"<div>{sweep_plot(drawn, '<sweep>')}</div>")
    assert ["".join(item.itertext()) for item in legend] == ["σtransfer 3"] and svg.get("aria-label") == "<sweep>"
    said = [mark.find("title").text for mark in of(svg, "point")]
    assert "+25.0 points" in said[1] and "points" not in said[0]
    assert summary.sweep(results_of(0.1, 0.001), "seen") == []


def test_the_sweep_is_drawn_at_its_margins_and_recalls_one_line_a_weight() -> None:
    points = [
        Point(margin, sigma, recall, recall - 0.1, recall + 0.1, "")
        for sigma, recalls in ((0.3, (0.5, 0.6)), (3.0, (0.7, 0.4)))
        for margin, recall in zip((None, 0.05), recalls, strict=True)
    ]
    legend, svg = ElementTree.fromstring(f"<div>{sweep_plot(points, 'sweep')}</div>")
    rows = {float(row.text.removesuffix(" %")): share(row.get("y")) for row in of(svg, "row")}
    recall = np.poly1d(np.polyfit(list(rows.values()), list(rows), 1))
    columns = {column.text: share(column.get("x")) for column in of(svg, "column")}
    assert list(columns) == ["none", "0.05"] and len(legend) == 2
    marks = of(svg, "point")
    assert [recall(share(mark.get("y"))) for mark in marks] == pytest.approx([50, 60, 70, 40], abs=0.1)
    for mark, name, side in zip(marks, ("none", "0.05") * 2, (-1, -1, 1, 1), strict=True):
        assert 0 < side * (share(mark.get("x")) - columns[name]) < (columns["0.05"] - columns["none"]) / 4
    ends = [[recall(share(line.get(end))) for end in ("y1", "y2")] for line in of(svg, "whisker")]
    assert np.array(ends) == pytest.approx(np.array([[40, 60], [50, 70], [60, 80], [30, 50]]), abs=0.1)
    assert [corners(line) for line in of(svg, "line")] == [
        [(share(mark.get("x")), share(mark.get("y"))) for mark in pair] for pair in (marks[:2], marks[2:])
    ]
    assert len({line.get("stroke") for line in of(svg, "line")}) == 2
