"""The benchmarks run and print what they promise; how fast things are is not asserted here."""

import math
from pathlib import Path

import pytest

from benchmarks import crowd
from benchmarks.__main__ import main, names


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


def test_rates_are_printed_beside_the_bare_trunk(tiny_dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["describe", "--data", str(tiny_dataset), "--models", "off-the-shelf", "--images", "4", "--rounds", "1"]
    assert main(ask) == 0
    header, row = capsys.readouterr().out.splitlines()[-2:]
    assert "describe / trunk" in header
    cells = row.split()
    assert cells[0] == "off-the-shelf" and all(float(cell) >= 0 for cell in cells[1:6])
    assert cells[6] == "noise" or float(cells[6]) >= 0  # one round on a busy machine tells little


def test_loading_is_timed_in_a_fresh_process(tiny_dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["loading", "--data", str(tiny_dataset), "--models", "off-the-shelf", "--repeat", "1"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("imports", "models", "rankings", "within 5 s"))


def test_a_missing_data_set_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "--data", "atlantis"]) == 2
    assert "atlantis" in capsys.readouterr().err


def test_the_crowd_is_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    crowd.report([0.1] * 94 + [2.0] * 5 + [9.0], [(0, 800.0), (100, 801.0)])
    shown = capsys.readouterr().out
    assert "median        0.10 s of 100 clicks" in shown
    assert "p95           2.00 s" in shown and "slowest       9.00 s" in shown and "0: 800, 100: 801" in shown
    assert math.isnan(crowd.resident_mb("http://127.0.0.1:1"))
