"""The benchmarks run and print what they promise; how fast things are is not asserted here."""

import json
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmarks import crowd, describe, keypoints, load
from benchmarks.__main__ import main, names
from benchmarks._gpu import covered
from benchmarks._large import write_large
from butf.dataset.frames import Frames
from butf.networks.zoo import available


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("BUTF_CACHE", "BUTF_DATA", "BUTF_RUNS"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))


def test_every_benchmark_is_listed_with_what_it_measures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert {"describe", "loading"} <= set(names())
    assert all(name in shown and about in shown and about for name, about in names().items())
    assert main(["nothing"]) == 2


def test_photographs_are_described_alike_read_whole_and_no_finer(tiny_dataset: Path, tmp_path: Path) -> None:
    ask = ["photos", "--data", str(tiny_dataset), "--models", "off-the-shelf", "--width", "1536", "--images", "3"]
    assert main([*ask, "--rounds", "1", "--json", str(tmp_path / "photos.json")]) == 0
    report = json.loads((tmp_path / "photos.json").read_text())
    [entry] = report["models"]
    assert report["megapixels"] == 1.6 and set(entry["images_per_s"]) == set(report["thumbnail_s"])
    assert 0 < entry["apart"] < 0.5


def test_rates_are_told_beside_the_bare_trunk_and_a_reference(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ["describe", "--data", str(tiny_dataset), "--models", "off-the-shelf", "--references", "alexnet-netvlad"]
    file = tmp_path / "rates.json"
    assert main([*ask, "--images", "4", "--rounds", "1", "--json", str(file)]) == 0
    header, row, reference = capsys.readouterr().out.splitlines()[-3:]
    assert "describe / trunk" in header
    assert row.split()[0] == "off-the-shelf" and reference.split()[0] == "alexnet-netvlad"
    [run] = json.loads(file.read_text())["runs"]
    rates = run["models"][0]["images_per_s"]
    assert set(rates) == {"describe", "files", "network", "folded", "eager", "trunk"}
    assert run["models"][0]["gain"] == pytest.approx(rates["network"] / rates["eager"], rel=0.05)
    assert [entry["engine"] for entry in run["models"]] == ["onnxruntime"] * 2
    assert run["models"][0]["describe_over_trunk"] == pytest.approx(rates["describe"] / rates["trunk"], abs=0.01)


def test_models_that_need_more_than_pictures_are_left_out_unless_named(
    tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = [card for card in available() if card.name in ("off-the-shelf", "rgbd")]
    monkeypatch.setattr(describe, "available", lambda: few)
    ask = ["describe", "--data", str(tiny_dataset), "--images", "2", "--rounds", "1"]
    assert len(few) == 2 and main(ask) == 0
    assert "off-the-shelf" in (shown := capsys.readouterr().out) and "rgbd" not in shown
    assert main([*ask, "--models", "rgbd"]) == 2 and "bu-tf" in capsys.readouterr().err


def test_keypoints_are_not_compared_where_no_pair_can_be_judged() -> None:
    assert keypoints.times([None, None], [None, None]) == {}


def test_int8_is_judged_beside_float32_on_the_same_queries(tiny_dataset: Path, tmp_path: Path) -> None:
    ask = ["quantized", "--data", str(tiny_dataset), "--models", "off-the-shelf", "--pictures", "4"]
    assert main([*ask, "--json", str(tmp_path / "int8.json")]) == 0
    [entry] = json.loads((tmp_path / "int8.json").read_text())["entries"]
    rates = entry["images_per_s"]
    assert entry["gain"] == pytest.approx(rates["int8"] / rates["float32"])
    changed = (entry["won"] - entry["lost"]) / entry["queries"]
    assert entry["recall_int8"] - entry["recall"] == pytest.approx(changed) and 0 < entry["recall"] <= 1


def test_a_large_town_is_a_sound_data_set_and_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = Frames.load(write_large(tmp_path / "large", 400))
    assert len(frames) == 400 and frames.splits == ["train", "val", "test"] and len(frames.database("test")) == 70
    queries = frames.queries("test")["night"]
    assert frames.positives(queries, frames.database("test")).any(axis=1).all()
    assert frames.image(int(queries[-1])).size == (256, 192)
    # A camera looks along the way that it goes.
    step = frames.position[1] - frames.position[0]
    ahead = Rotation.from_quat(frames.orientation[0][[1, 2, 3, 0]]).apply([0.0, 0.0, 1.0])
    np.testing.assert_allclose(ahead, step / np.linalg.norm(step), atol=1e-6)
    up = Rotation.from_quat(frames.orientation[[0, 60]][:, [1, 2, 3, 0]]).apply([0.0, -1.0, 0.0])
    np.testing.assert_allclose(up, [[0, 0, 1]] * 2, atol=1e-6)


def test_loading_is_timed_in_a_fresh_process(tiny_dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["loading", "--data", str(tiny_dataset), "--models", "off-the-shelf", "--repeat", "1"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("imports", "models", "rankings", "within 5 s"))


def test_a_missing_data_set_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "--data", "atlantis"]) == 2
    assert "atlantis" in capsys.readouterr().err


def test_the_crowd_is_summed_up() -> None:
    shown = crowd.report([0.1] * 94 + [2.0] * 5 + [9.0], [(0, 800.0), (100, 801.0)])
    assert "median        0.10 s of 100 clicks" in shown
    assert "p95           2.00 s" in shown and "slowest       9.00 s" in shown and "0: 800, 100: 801" in shown
    assert math.isnan(crowd.resident_mb("http://127.0.0.1:1"))


def test_what_many_browsers_met_is_summed_up() -> None:
    tally = load.Tally(memory=[(0, 900.0), (30, 910.0)], cores={"server": 0.4, "browsers": 1.25})
    for seconds in [0.1] * 94 + [2.0] * 5:
        tally.note("on Explore", seconds)
    tally.note("to Data", 9.0)
    tally.faults += ["http://there/is/none.jpg"] * 2
    paid = load.paid((0.0, 10.0, 100), (120.0, 70.0, 130))
    assert paid == {"steps_per_minute": 15.0, "processor_s_per_step": 2.0}
    result = load.summary(tally, {"steps_per_minute": 30.0, "processor_s_per_step": 2.0}, paid)
    assert result["presses"]["all"] == {"count": 100, "median_s": 0.1, "p95_s": 2.0, "slowest_s": 9.0}
    told = load.text(result)
    assert "training beside: 15.0 steps a minute, 2.00 seconds" in told
    assert "cores: server 0.40, browsers 1.25" in told and "slower than the goal: 9.0 s after 0, to Data\n" in told
    assert told.endswith("2 faults\n  http://there/is/none.jpg") and "0: 900, 30: 910" in told


def test_the_processor_s_seconds_are_those_that_python_counts() -> None:
    own, end = Path(f"/proc/{os.getpid()}"), time.monotonic() + 5
    before = load.processor_s(own)
    while load.processor_s(own) < before + 0.2 and time.monotonic() < end:
        pass
    assert load.processor_s(own) == pytest.approx(sum(os.times()[:2]), abs=0.1)
    assert load.processor_s(Path("/proc/none")) == 0 and load.program(own) and not load.program(Path("/proc/none"))


def test_spans_that_overlap_are_counted_once() -> None:
    spans = np.random.default_rng(0).integers(0, 60, (20, 2))
    spans.sort(axis=1)
    slow = {tick for start, end in spans.tolist() for tick in range(start, end)}
    assert covered(map(tuple, spans.tolist())) == len(slow)
