"""Pairs of pictures of the same place: what is read, and what is refused with the file and the fix."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from butf.dataset.pairs import PlacePairs
from butf.errors import BadInput


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    for part, count in (("query", 2), ("ref", 3)):
        (tmp_path / part).mkdir()
        for i in range(count):
            Image.new("RGB", (32, 24), (40 * i, 0, 0)).save(tmp_path / part / f"{i:03d}.jpg")
    (tmp_path / "query" / "notes.txt").write_text("not a picture")
    (tmp_path / "ground_truth.json").write_text(json.dumps({"0": [0, 1], "1": [2]}))
    return tmp_path


def test_pairs_are_read_in_the_order_of_names(walk: Path) -> None:
    pairs = PlacePairs.load(walk)
    assert [path.name for path in pairs.queries] == ["000.jpg", "001.jpg"]
    np.testing.assert_array_equal(pairs.positives, [[True, True, False], [False, False, True]])
    assert [picture.size for picture in pairs.images(pairs.references)] == [(32, 24)] * 3


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ({"7": [0]}, "names query '7'; expected a whole number below 2"),
        ({"0": [9]}, "names reference 9; expected a whole number below 3"),
        ({"0": [-1]}, "names reference -1"),
    ],
)
def test_a_number_that_names_no_picture_is_refused(walk: Path, truth: dict, message: str) -> None:
    (walk / "ground_truth.json").write_text(json.dumps(truth))
    with pytest.raises(BadInput, match=message):
        PlacePairs.load(walk)


def test_missing_parts_are_named(walk: Path) -> None:
    (walk / "ground_truth.json").unlink()
    with pytest.raises(BadInput, match=r"ground_truth\.json"):
        PlacePairs.load(walk)
    for path in (walk / "ref").iterdir():
        path.unlink()
    with pytest.raises(BadInput, match="ref holds no picture"):
        PlacePairs.load(walk)
    (walk / "ref").rmdir()
    with pytest.raises(BadInput, match="ref is missing"):
        PlacePairs.load(walk)
