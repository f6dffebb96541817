"""`import` on the command line: what each kind prints, and its one-sentence complaints."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from test_importers_folder import EAST, NORTH, name, picture
from test_importers_photos import LAT, METRE, at, photo

from butf.cli import main
from butf.commands.import_ import KINDS
from butf.dataset.frames import Frames


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    for i in range(10):
        photo(tmp_path / "walk" / f"{i}.jpg", i, at(LAT + 20 * i * METRE))
    return tmp_path / "walk"


def complaint(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    assert main(["import", *(str(part) for part in argv)]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("error: ") and captured.err.count("\n") == 1
    return captured.err


def test_photos(walk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo(walk / "none.jpg", 50)
    asked = ["import", "photos", str(walk), "--out", str(tmp_path / "out"), "--queries", "0.3", "--radius", "30"]
    assert main(asked) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        f"10 frames taken into {tmp_path / 'out'}",
        "  test, database: 7",
        "  test, queries: 3",
        "test: 3 of 3 queries have a true match in the database",
        "1 frame left out: no GPS in its EXIF (none.jpg)",
    ]
    assert captured.err == "" and Frames.load(tmp_path / "out").place.radius_m == 30


def test_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i, part in enumerate(("database", "queries")):
        picture(tmp_path / "set" / part / name(EAST + 5 * i, NORTH, "@"), i)
    ask = ("folder", tmp_path / "set", "--out", tmp_path / "out")
    assert "give one, e.g. --zone 33N" in complaint(capsys, *ask)
    assert main(["import", *map(str, ask), "--zone", "31N", "--split", "val"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  val, database: 1", "  val, queries: 1", "val: 1 of 1 queries have a true match in the database",
    ]  # fmt: skip


def test_what_is_wrong_with_the_call(walk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ("photos", walk, "--out", tmp_path / "out")
    assert "'1.5' is not a share between 0 and 1" in complaint(capsys, *ask, "--queries", "1.5")
    assert "not allowed with argument" in complaint(capsys, *ask, "--queries", "0.1", "--query-folder", "q")
    assert "invalid choice: 'tset'" in complaint(capsys, "folder", walk, "--out", tmp_path / "o", "--split", "tset")
    assert "walk already exists; give a folder that does not" in complaint(capsys, "photos", walk, "--out", walk)
    assert "cannot be written" in complaint(capsys, "photos", walk, "--out", "/proc/nowhere/out")
    assert os.listdir(tmp_path) == ["walk"]


def test_every_kind_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in KINDS:
        with pytest.raises(SystemExit) as end:
            main(["import", kind, "--help"])
        text = capsys.readouterr().out
        assert end.value.code == 0 and f"example:  python -m butf import {kind} " in text and "--out DIR" in text
