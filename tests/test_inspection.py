"""All that is wrong with a data set is found at once, in tables and pictures alike."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import edit_json
from PIL import Image
from test_dataset_faults import set_cell
from test_dataset_frames import rewrite

from butf.dataset.inspection import Inspection, inspect
from butf.dataset.table import KEPT_FAULTS, Fault


def the(found: Inspection, file: str) -> list[Fault]:
    return [fault for fault in found.faults if fault.file == file]


def test_nothing_is_wrong(tiny_dataset: Path) -> None:
    steps: list[tuple[int, int]] = []
    found = inspect(tiny_dataset, lambda done, total: steps.append((done, total)))
    assert found.fine and found.whole and found.faults == () and found.opened == len(found.frames) == 36
    assert found.sides == {"depth": 35, "semantics": 36}
    assert found.notes == ("depth: 35 of 36 frames have it",)
    assert steps == [(number, 36) for number in range(1, 37)]


def test_a_sample_is_spread_evenly_and_every_picture_is_still_looked_for(tiny_dataset: Path) -> None:
    damaged = tiny_dataset / "reference" / "rgb" / "000005.jpg"
    damaged.write_bytes(b"")
    (tiny_dataset / "night" / "rgb" / "000006.jpg").unlink()
    found = inspect(tiny_dataset, opened=3)
    assert found.opened == 3
    assert [(fault.row, fault.value) for fault in found.faults] == [(32, "night/000006")]
    assert not inspect(tiny_dataset, opened=400).fine
    assert the(inspect(tiny_dataset), "reference/rgb/000005.jpg")


def test_faults_of_tables_and_pictures_together(tiny_dataset: Path) -> None:
    set_cell(tiny_dataset, 3, "qw", "nan")
    set_cell(tiny_dataset, 9, "split", "trian")
    picture = tiny_dataset / "overcast" / "rgb" / "000003.jpg"
    picture.write_bytes(picture.read_bytes()[:300])
    depth = tiny_dataset / "reference" / "depth" / "000002.png"
    Image.fromarray(np.full((64, 96), 20, np.uint8)).save(depth)
    Image.fromarray(np.full((64, 96), 7, np.uint8)).save(tiny_dataset / "night" / "semantics" / "000001.png")
    (tiny_dataset / "night" / "rgb" / "000004.jpg").unlink()
    (tiny_dataset / "areas.geojson").write_text('{"type": "FeatureCollection"}')
    found = inspect(tiny_dataset)
    rows = {(fault.row, fault.column, fault.value) for fault in the(found, "frames.csv")}
    assert rows == {(3, "qw", "nan"), (9, "split", "trian"), (None, "frame", "night/000004")}
    assert "is truncated" in the(found, "overcast/rgb/000003.jpg")[0].what
    assert "8-bit; expected 16-bit PNG, metres x 256" in the(found, "reference/depth/000002.png")[0].what
    assert "class 7" in the(found, "night/semantics/000001.png")[0].what
    assert "no list of features" in the(found, "areas.geojson")[0].what
    assert found.count == len(found.faults) == 7
    assert not found.whole and len(found.frames) == 36
    assert not [fault for fault in found.faults if str(tiny_dataset) in fault.what]


def test_a_picture_of_another_size_than_the_camera(tiny_dataset: Path) -> None:
    Image.new("RGB", (50, 40)).save(tiny_dataset / "night" / "rgb" / "000001.jpg")
    (fault,) = inspect(tiny_dataset).faults
    assert fault.file == "night/rgb/000001.jpg" and "is 50x40; expected 96x64" in fault.what


def test_a_broken_dataset_json_does_not_hide_the_table(tiny_dataset: Path) -> None:
    (tiny_dataset / "dataset.json").write_text("{")
    set_cell(tiny_dataset, 4, "lat", "north")
    found = inspect(tiny_dataset)
    assert [(fault.file, fault.row) for fault in found.faults] == [("dataset.json", None), ("frames.csv", 4)]
    assert "not valid JSON at line 1" in found.faults[0].what
    assert found.frames is None and found.opened == 0


@pytest.mark.parametrize("column", ["frame", "split"])
def test_a_missing_column(tiny_dataset: Path, column: str) -> None:
    rewrite(tiny_dataset, **{column: None})
    (fault,) = inspect(tiny_dataset).faults
    assert fault.file == "frames.csv" and f"column {column} is missing" in fault.what


def test_all_faults_of_a_table_are_listed_and_beyond_a_thousand_counted(tmp_path: Path) -> None:
    rows = [f"a/{i},test,{'x' if i % 2 else 1},2" for i in range(3000)]
    (tmp_path / "frames.csv").write_text("\n".join(["frame,split,easting_m,northing_m", *rows]))
    (tmp_path / "dataset.json").write_text("{}")
    found = inspect(tmp_path)
    bad = [fault for fault in found.faults if fault.column == "easting_m"]
    assert [fault.row for fault in bad] == [2 * i + 3 for i in range(KEPT_FAULTS)]
    assert found.count == 1500 + 3000, "every second cell, and every picture"


def test_notes(tiny_dataset: Path) -> None:
    manifest = json.loads((tiny_dataset / "dataset.json").read_text())
    kept = [entry | {"role": "reference"} for entry in manifest["traversals"]]
    modalities = {"semantics": manifest["modalities"]["semantics"], "reflectance": {}}
    edit_json(tiny_dataset / "dataset.json", traversals=kept, modalities=modalities, licence="unknown", cameras=[])
    text = " | ".join(inspect(tiny_dataset).notes)
    assert "reflectance: 0 of 36 frames" in text
    assert "depth is there but dataset.json does not list it" in text
    assert "gives no licence" in text and "gives no cameras" in text and "no frame is a query" in text


def test_a_folder_without_pictures(tiny_dataset: Path) -> None:
    for folder in tiny_dataset.glob("*/rgb"):
        shutil.rmtree(folder)
    found = inspect(tiny_dataset)
    assert (found.count, found.opened) == (36, 0)
    assert found.faults[0] == Fault(
        "frames.csv", "has no picture; expected reference/rgb/000000.jpg (or .jpeg, .png)", 2, "frame",
        "reference/000000",
    )  # fmt: skip
