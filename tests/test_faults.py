"""What may befall a machine: full and read-only disks, clocks that jump, kills, two at once, data that change."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from app_pages import html, opened, well
from PIL import Image

from benchmarks import faults
from benchmarks._kills import kill_writer
from butf import own_data
from butf.dataset.frames import Frames
from butf.errors import BadInput
from butf.files import REPO, read_json, sweep, write_atomic
from butf.networks import zoo
from butf.retrieval import bank
from butf.town.config import preset
from butf.town.writer import write_town
from butf.training import runs
from butf.training.checkpoint import load_checkpoint, random_states, save_checkpoint
from butf.training.folder import Run
from butf.training.metrics import without_overrun
from butf.training.session import session


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk in memory can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def saved(path: Path, size: int, step: int) -> None:
    save_checkpoint(path, torch.nn.Linear(size, size), None, None, {"step": step}, random_states())


def test_a_full_disk_keeps_the_former_checkpoint_and_no_half(small_disk: Path) -> None:
    path = small_disk / "checkpoint.pt"
    saved(path, 32, 1)
    with pytest.raises(BadInput, match=r"checkpoint\.pt cannot be written \(no space left on device\); free space"):
        saved(path, 200, 2)
    assert load_checkpoint(path)["progress"] == {"step": 1}
    assert [file.name for file in small_disk.iterdir()] == ["checkpoint.pt"]
    saved(path, 32, 3)
    assert load_checkpoint(path)["progress"] == {"step": 3}


def test_a_read_only_disk_is_told_in_a_sentence(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not hold root back, a disk mounted so does."""
    monkeypatch.setenv("BUTF_RUNS", str(small_disk / "runs"))
    monkeypatch.setenv("BUTF_DATA", str(small_disk / "data"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    ways = {
        "file": lambda: write_atomic(small_disk / "a", b"x"),
        "run": lambda: runs.start({"method": "bu-tf", "data": "town"}, "mine"),
        "upload": lambda: own_data.from_zip(io.BytesIO(b"PK"), "a.zip"),
        "town": lambda: write_town(small_disk / "town", preset("demo"), workers=1, splits=("val",), stride=500),
    }
    for way in ways.values():
        with pytest.raises(BadInput, match=r"(?i)read-only file system.*; .*choose (a writable|another) folder"):
            way()
    assert list(small_disk.iterdir()) == []


def test_an_answer_does_not_need_room_for_its_cache(small_disk: Path, site: Path, monkeypatch) -> None:
    """Descriptors that cannot be kept are given all the same, and nothing half-written is left."""
    monkeypatch.setenv("BUTF_CACHE", str(small_disk))
    small_disk.joinpath("other").write_bytes(bytes(65_536))
    frames, model = Frames.load(site / "data" / "tiny"), zoo.load("my-image-only")
    found = bank.bank(frames, np.arange(4), model)
    assert found.shape == (4, model.card.descriptor_dim)
    assert [path for path in small_disk.rglob("*") if path.is_file()] == [small_disk / "other"]


def test_a_clock_that_jumps_back_a_year(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """States and the order of the queue stand; durations are not taken from this clock at all."""
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path))
    first = Run.create("first", {"method": "bu-tf", "data": "town"}, ["butf", "train"])
    first.write_status(state="stopped", step=1)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 365 * 86_400)
    first.write_status(state="stopped", step=2)
    with session(first, "cpu"):
        state = first.state()
        assert (state.state, state.step, state.active) == ("running", 2, True)
        assert state.started is not None and state.started == pytest.approx(now, abs=60)
    second = Run.create("second", {"method": "bu-tf", "data": "town"}, ["butf", "train"])
    second.write_status(state="stopped")
    assert {state.name for state in runs.list_runs()} == {"first", "second"}
    recent = own_data.home() if own_data.home().exists() else tmp_path
    own_data._sweep(recent)  # what seems to come from the future is not old
    assert Run.open("first").state().step == 2


def test_what_a_kill_left_is_swept_when_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path))
    run = Run.create("mine", {"method": "bu-tf", "data": "town"}, ["butf", "train"])
    left, own = run.path / ".checkpoint.pt.0123456789ab", run.path / ".notes"
    for path in (left, own):
        path.write_bytes(b"half")
    with session(run, "cpu"):
        assert not left.exists() and own.exists() and run.config["method"] == "bu-tf"
    sweep(tmp_path / "nowhere")


def test_metrics_that_were_told_just_before_a_kill_are_told_once() -> None:
    """A measurement is logged, then the checkpoint saved; killed between, the run measures again."""
    step, val = {"step": 9, "phase_index": 2, "loss": 1.0}, {"step": 9, "phase_index": 2, "recall": 0.5}
    again = val | {"recall": 0.6}
    assert without_overrun([step, val, again]) == [step, again]
    assert without_overrun([step, val, step, again]) == [step, again]


def test_killed_in_the_middle_of_writing_a_checkpoint(tmp_path: Path) -> None:
    """`python -m benchmarks faults` does so a hundred times, to trainings and imports as well."""
    path, network = tmp_path / "checkpoint.pt", torch.nn.Linear(64, 64)

    def write(number: int) -> None:
        network.weight.data.fill_(number)
        network.bias.data.fill_(number)
        save_checkpoint(path, network, None, None, {"step": number}, random_states())

    finished = kill_writer(write, 0.15)
    assert finished > 0
    faults._whole(path, "checkpoint", finished)


def test_the_town_s_settings_are_never_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed start leaves no town.json that the next one cannot read."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write_town(tmp_path / "town", preset("demo"), workers=1, splits=("val",), stride=500)
    assert not (tmp_path / "town" / "town.json").exists()


PARENT = """
import multiprocessing, os, sys, time
from butf.workers import end_with_parent
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2, end_with_parent) as pool:
        print(*pool.map(abs, range(2)), *(worker.pid for worker in pool._pool), flush=True)
        time.sleep(60)
"""


def test_a_pool_ends_with_the_process_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    workers = [int(word) for word in parent.stdout.readline().split()[2:]]
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(workers) == 2 and not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def test_two_apps_take_in_one_data_set_under_one_name(apart: Path, tiny_dataset: Path) -> None:
    """One of them gets it, whole; the other is told."""
    both = [own_data.from_folder(str(tiny_dataset)) for _ in range(2)]
    start, said = threading.Barrier(2), []

    def take(incoming: own_data.Incoming) -> None:
        start.wait()
        try:
            said.append(own_data.take_in(incoming, "mine"))
        except BadInput as error:
            said.append(str(error))

    threads = [threading.Thread(target=take, args=(incoming,)) for incoming in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(one, Path) for one in said) == 1, said
    assert len(Frames.load(own_data.home() / "mine")) == 36
    assert [path.name for path in own_data.home().iterdir()] == ["mine"]


def test_data_that_change_under_a_running_app(site: Path) -> None:
    """Frames go, the table is rewritten, broken, and the folder removed: each is said in a sentence, none crashes."""
    root = site / "data" / "tiny"
    app = well(opened(models=["my-image-only"]))
    table, sound = root / "frames.csv", (root / "frames.csv").read_text()

    rows = [row for row in sound.splitlines() if not row.startswith("overcast/000008")]
    table.write_text("\n".join(rows) + "\n")
    app = well(app.run())
    assert "overcast/000008" not in app.selectbox(key="query").options

    shown = app.selectbox(key="query").value.split("/")[-1]
    for picture in (root / "overcast" / "rgb").glob(f"{shown}.*"):
        picture.unlink()
    app.run()
    assert not app.exception and all(len(error.value) < 400 for error in app.error)

    table.write_text(sound[: len(sound) // 2])
    app.run()
    assert not app.exception and "frames.csv" in app.error[0].value

    shutil.rmtree(root)
    app.run()
    assert not app.exception


def test_pictures_that_are_rewritten_are_described_again(site: Path) -> None:
    """Not the old answer for the new picture."""
    frames, model = Frames.load(site / "data" / "tiny"), zoo.load("my-image-only")
    before = bank.bank(frames, np.arange(2), model)
    Image.effect_noise((96, 64), 90).convert("RGB").save(frames.image_path(0))
    after = bank.bank(frames, np.arange(2), model)
    assert np.abs(after[0] - before[0]).max() > 0.01 and np.array_equal(after[1], before[1])


def test_a_data_set_with_markup_in_its_words(site: Path) -> None:
    """Names, licence and conditions are told, and are no elements of the page."""
    root = site / "data" / "tiny"
    evil = "<script>alert(1)</script>"
    manifest = read_json(root / "dataset.json")
    manifest |= {"name": evil, "licence": evil, "source": '"><img src=x onerror=alert(1)>'}
    for traversal in manifest["traversals"]:
        traversal["condition"] = f"{traversal['name']} <b>{evil}</b>"
    (root / "dataset.json").write_text(json.dumps(manifest))
    lines = [line.split(",") for line in (root / "frames.csv").read_text().splitlines()]
    at = lines[0].index("condition")
    kept = [",".join(cell for number, cell in enumerate(line) if number != at) for line in lines]
    (root / "frames.csv").write_text("\n".join(kept) + "\n")
    app = well(opened(models=["my-image-only"], condition=f"overcast <b>{evil}</b>"))
    assert "<script>alert" not in html(app) and "<img src=x" not in html(app)
