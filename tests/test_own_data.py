"""Data come in whole or not at all, and go only where that harms nobody."""

from __future__ import annotations

import errno
import gc
import io
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_dataset_faults import set_cell

from butf import files, own_data, recordings
from butf.dataset.frames import Frames, find_datasets
from butf.errors import BadInput
from butf.locks import FileLock
from butf.training.folder import Run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_original: Path) -> Path:
    """An empty data folder beside the shipped data set `town`."""
    monkeypatch.setenv("BUTF_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("BUTF_NO_TRAINING", raising=False)
    shutil.copytree(tiny_original, tmp_path / "assets" / "town")
    monkeypatch.setattr(files, "ASSETS", tmp_path / "assets")
    return tmp_path / "data"


def zipped(root: Path, inside: str = "drive/") -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in root.rglob("*"):
            archive.write(path, inside + str(path.relative_to(root)))
    return stream


def left(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir()) if home.exists() else []


@pytest.mark.parametrize("inside", ["", "drive/", "my/data/drive/"])
def test_a_zip_becomes_the_same_data_set(home: Path, tiny_dataset: Path, inside: str) -> None:
    (tiny_dataset / "LICENSE.txt").write_text("free")
    (tiny_dataset / "notes.docx").write_text("not of the data set")
    incoming = own_data.from_zip(zipped(tiny_dataset, inside), "mine.zip")
    assert incoming.inspection.fine and find_datasets().keys() == {"town"}
    assert own_data.take_in(incoming, "mine") == home / "mine"
    assert left(home) == ["mine"]
    expected = {path.relative_to(tiny_dataset) for path in tiny_dataset.rglob("*") if path.is_file()}
    found = {path.relative_to(home / "mine") for path in (home / "mine").rglob("*") if path.is_file()}
    assert found == expected - {Path("notes.docx")}
    assert all((home / "mine" / path).read_bytes() == (tiny_dataset / path).read_bytes() for path in found)
    assert Frames.load(home / "mine").frame.tolist() == Frames.load(tiny_dataset).frame.tolist()


def test_a_folder_is_copied_and_stays(home: Path, tiny_dataset: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    incoming = own_data.from_folder(str(tiny_dataset), lambda *step: steps.append(step))
    assert left(home) == []
    own_data.take_in(incoming, "copy", lambda *step: steps.append(step))
    assert tiny_dataset.is_dir() and len(Frames.load(home / "copy")) == 36
    assert steps[35] == ("Checking the pictures", 36, 36)
    assert steps[-1] == ("Importing", 110, 110), "three tables, 36 pictures, 35 depth and 36 semantic maps"


def test_an_rgbd_recording_is_converted(home: Path, tmp_path: Path) -> None:
    source = tmp_path / "office, seq-01"
    source.mkdir()
    (source / "camera-intrinsics.txt").write_text("50 0 32\n0 50 24\n0 0 1\n")
    for i in range(60):
        Image.new("RGB", (64, 48), (i, 0, 0)).save(source / f"frame-{i:06d}.color.png")
        Image.fromarray(np.full((48, 64), 2000, np.uint16)).save(source / f"frame-{i:06d}.depth.png")
        pose = np.eye(4)
        pose[0, 3] = 0.1 * i
        np.savetxt(source / f"frame-{i:06d}.pose.txt", pose)
    (source / "frame-000003.pose.txt").unlink()
    incoming = recordings.from_rgbd(str(source))
    assert incoming.inspection.fine and incoming.inspection.frames.name == "office-seq-01"
    assert "1 frame left out: no pose (000003)" in incoming.notes
    own_data.take_in(incoming, "office")
    assert Frames.load(home / "office").modality(0, "depth").values.max() == 2
    assert left(home) == ["office"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("town", "exists already"),
        ("taken", "exists already"),
        ("../x", "cannot name a data set"),
        ("", "cannot name a data set"),
        (".hidden", "cannot name a data set"),
        ("a/b", "cannot name a data set"),
        ("x" * 61, "cannot name a data set"),
        ("Größe", "cannot name a data set"),
    ],
)
def test_a_name_that_is_taken_or_leads_elsewhere(home: Path, tiny_dataset: Path, name: str, words: str) -> None:
    (home / "taken").mkdir(parents=True)
    incoming = own_data.from_zip(zipped(tiny_dataset), "mine.zip")
    with pytest.raises(BadInput, match=words):
        own_data.take_in(incoming, name)
    own_data.take_in(incoming, "mine")
    assert left(home) == ["mine", "taken"]


@pytest.mark.parametrize(
    ("text", "name"),
    [("../../etc", "etc"), ("My drive, 2", "My-drive-2"), ("…", "my-data"), ("a" * 99, "a" * 60), ("x_1", "x_1")],
)
def test_slug(text: str, name: str) -> None:
    assert own_data.slug(text) == name
    assert own_data.NAME.fullmatch(own_data.slug(text))


def test_data_with_faults_stay_out(home: Path, tiny_dataset: Path) -> None:
    set_cell(tiny_dataset, 3, "qw", "nan")
    incoming = own_data.from_zip(zipped(tiny_dataset), "mine.zip")
    assert incoming.inspection.faults[0].row == 3
    with pytest.raises(BadInput, match=r"mine\.zip has 1 faults; mend them"):
        own_data.take_in(incoming, "mine")
    incoming.discard()
    assert left(home) == []


def test_a_zip_without_a_data_set_or_with_two(home: Path, tiny_dataset: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("photo.jpg", b"x")
    with pytest.raises(BadInput, match=r"mine\.zip has no dataset\.json"):
        own_data.from_zip(stream, "mine.zip")
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("a/dataset.json", "{}")
        archive.writestr("b/dataset.json", "{}")
    with pytest.raises(BadInput, match=r"holds 2 data sets \(a, b\)"):
        own_data.from_zip(stream, "mine.zip")
    assert left(home) == []


@pytest.mark.parametrize("path", ["", "relative/folder", "/no/such/folder", "~no-such-user-xyz"])
def test_a_path_that_is_no_folder(home: Path, path: str) -> None:
    for way in (own_data.from_folder, recordings.from_rgbd):
        with pytest.raises(BadInput, match=r"is no full path|is not a folder"):
            way(path)


def test_a_folder_without_dataset_json(home: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no dataset\.json; give the folder that holds"):
        own_data.from_folder(str(tmp_path))


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_while_unpacking_leaves_nothing(home: Path, tiny_dataset: Path, monkeypatch) -> None:
    upload = zipped(tiny_dataset)
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(BadInput, match="no space left on device"):
        own_data.from_zip(upload, "mine.zip")
    assert left(home) == []


def test_a_full_disk_while_importing_leaves_nothing_and_can_be_tried_again(home, tiny_dataset, monkeypatch) -> None:
    copies = {"zip": own_data.from_zip(zipped(tiny_dataset), "a.zip"), "dir": own_data.from_folder(str(tiny_dataset))}
    before = left(home)
    for name, incoming in copies.items():
        with monkeypatch.context() as patch:
            taken = iter(range(20))
            real = shutil.copyfile

            def sometimes(*paths, taken=taken, real=real):
                return real(*paths) if next(taken, None) is not None else full()

            patch.setattr(os, "link", full)
            patch.setattr(shutil, "copyfile", sometimes)
            with pytest.raises(BadInput, match="no space left on device"):
                own_data.take_in(incoming, name)
        assert left(home) == before
    for name, incoming in copies.items():
        own_data.take_in(incoming, name)
        assert len(Frames.load(home / name)) == 36
    assert left(home) == ["dir", "zip"]


def test_a_data_folder_that_cannot_be_made(home: Path, tiny_dataset: Path) -> None:
    home.write_text("a file is in the way")
    with pytest.raises(BadInput, match="cannot be written"):
        own_data.from_zip(zipped(tiny_dataset), "mine.zip")


def test_what_is_given_up_goes_with_its_owner_and_after_a_crash_a_day_later(home: Path, tiny_dataset: Path) -> None:
    incoming = own_data.from_zip(zipped(tiny_dataset), "mine.zip")
    assert len(left(home)) == 1 and find_datasets().keys() == {"town"}
    with pytest.warns(ResourceWarning):
        del incoming
        gc.collect()
    assert left(home) == []
    for name, age in ((".incoming-old", 90_000), (".incoming-new", 10)):
        (home / name).mkdir()
        os.utime(home / name, (os.stat(home).st_mtime - age,) * 2)
    own_data.from_zip(zipped(tiny_dataset), "mine.zip").discard()
    assert left(home) == [".incoming-new"]


def test_delete(home: Path, tiny_dataset: Path) -> None:
    shutil.copytree(tiny_dataset, home / "mine")
    (home / "linked").symlink_to(tiny_dataset)
    assert own_data.is_own(home / "mine") and not own_data.is_own(find_datasets()["town"])
    for name in ("mine", "linked"):
        own_data.delete(name)
    assert left(home) == [] and len(Frames.load(tiny_dataset)) == 36
    with pytest.raises(BadInput, match="there is no data set named mine"):
        own_data.delete("mine")
    with pytest.raises(BadInput, match="town is shipped with the app and stays"):
        own_data.delete("town")
    assert len(Frames.load(files.ASSETS / "town")) == 36


@pytest.mark.parametrize("by_path", [False, True])
def test_what_is_trained_on_stays(home: Path, tiny_dataset: Path, by_path: bool) -> None:
    shutil.copytree(tiny_dataset, home / "mine")
    run = Run.create("busy", {"method": "bu-tf", "data": str(home / "mine") if by_path else "mine"}, ["train"])
    run.write_status(state="running")
    lock = FileLock(run.lock_path)
    assert lock.acquire()
    try:
        with pytest.raises(BadInput, match="mine is being trained on by run busy; stop it before"):
            own_data.delete("mine")
    finally:
        lock.release()
    own_data.delete("mine")
    assert left(home) == []


def test_switched_off(home: Path, tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(tiny_dataset, home / "mine")
    incoming = own_data.from_folder(str(tiny_dataset))
    monkeypatch.setenv("BUTF_NO_TRAINING", "1")
    for action in (
        lambda: own_data.from_zip(zipped(tiny_dataset), "mine.zip"),
        lambda: own_data.from_folder(str(tiny_dataset)),
        lambda: recordings.from_rgbd(str(tiny_dataset)),
        lambda: own_data.take_in(incoming, "other"),
        lambda: own_data.delete("mine"),
    ):
        with pytest.raises(BadInput, match="switched off here"):
            action()
    assert left(home) == ["mine"]
