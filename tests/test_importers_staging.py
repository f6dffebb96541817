"""A staging folder: whole or not there, gone on with after a kill, one import at a time."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from butf.errors import BadInput
from butf.importers import staging
from butf.importers.staging import FrameFiles, Staging, duplicates, import_key, resumable_folder

KEY = {"kind": "test", "options": {"a": (1, 2)}}
# Ten frames, of which the seventh never comes to an end; what is made is told line by line.
SLOW = """
import signal, sys, time
# A shell may have started the tests in its background, where Ctrl-C is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
from butf.importers.staging import FrameFiles, resumable_folder
def make(i):
    print(i, flush=True)
    if i == 6:
        time.sleep(600)
    return {f"a/rgb/{i}.jpg": bytes([i]) * 1000}
with resumable_folder(sys.argv[1], {"kind": "test", "options": {"a": [1, 2]}}) as folder:
    print("begun", flush=True)
    folder.fill([FrameFiles((f"a/rgb/{i}.jpg",), lambda i=i: make(i)) for i in range(10)])
"""


def frames(count: int = 10, made: list[int] | None = None, at: Callable[[int], None] | None = None) -> list[FrameFiles]:
    def make(i: int) -> dict[str, bytes]:
        if at is not None:
            at(i)
        if made is not None:
            made.append(i)
        return {f"a/rgb/{i}.jpg": bytes([i]) * 1000}

    return [FrameFiles((f"a/rgb/{i}.jpg",), lambda i=i: make(i)) for i in range(count)]


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def whole(root: Path) -> bool:
    return content(root) == {f"a/rgb/{i}.jpg": bytes([i]) * 1000 for i in range(10)}


def slow(out: Path) -> subprocess.Popen[str]:
    """A process that is in the middle of an import into `out`."""
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(out)], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line == "6\n":
            return process
    raise AssertionError("the import ended before its middle")


def test_it_is_there_when_all_is_done(tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    with resumable_folder(tmp_path / "deep" / "out", KEY) as folder:
        folder.fill(frames(), lambda *step: steps.append(step))
        assert folder.folder == tmp_path / "deep" / ".out.importing" and not (tmp_path / "deep" / "out").exists()
    assert whole(tmp_path / "deep" / "out") and os.listdir(tmp_path / "deep") == ["out"]
    assert steps == [("Frames", i, 10) for i in range(1, 11)] and folder.went_on == ""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_after_a_kill_it_goes_on(tmp_path: Path, sign: signal.Signals) -> None:
    process = slow(tmp_path / "out")
    process.send_signal(sign)
    process.wait(60)
    assert os.listdir(tmp_path) == [".out.importing"]
    (tmp_path / ".out.importing" / "a" / "rgb" / ".6.jpg.0123456789ab").write_bytes(b"half")
    made: list[int] = []
    words: list[str] = []
    with resumable_folder(tmp_path / "out", KEY) as folder:
        folder.fill(frames(made=made), lambda *step: words.append(step[0]))
    assert made == [6, 7, 8, 9] and whole(tmp_path / "out") and os.listdir(tmp_path) == ["out"]
    assert words[0] == "Frames, going on: 6 of 10 were there"
    assert folder.went_on == "went on with an import that was broken off: 6 of 10 frames were there"


def test_of_another_key_it_begins_anew(tmp_path: Path) -> None:
    process = slow(tmp_path / "out")
    process.kill()
    process.wait(60)
    made: list[int] = []
    with resumable_folder(tmp_path / "out", KEY | {"kind": "other"}) as folder:
        assert sorted(os.listdir(folder.folder)) == ["import.json", "import.lock"]
        folder.fill(frames(made=made))
    assert made == list(range(10)) and whole(tmp_path / "out")


def test_a_second_import_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    process = slow(tmp_path / "out")
    try:
        before = content(tmp_path)
        with (
            pytest.raises(BadInput, match=rf"out is being imported by process {process.pid}; wait"),
            resumable_folder(tmp_path / "out", KEY),
        ):
            raise AssertionError("it was let in")
        assert content(tmp_path) == before
    finally:
        process.kill()
        process.wait(60)
    with resumable_folder(tmp_path / "out", KEY) as folder:  # the lock went with the process
        folder.fill(frames())
    assert whole(tmp_path / "out")


def test_bad_input_leaves_nothing(tmp_path: Path) -> None:
    def at(i: int) -> None:
        if i == 4:
            raise BadInput("4.jpg is damaged; copy it again")

    with (
        pytest.raises(BadInput, match=r"^4\.jpg is damaged; copy it again$"),
        resumable_folder(tmp_path / "out", KEY) as folder,
    ):
        folder.fill(frames(at=at))
    assert os.listdir(tmp_path) == []


def test_what_is_there_is_never_touched(tmp_path: Path) -> None:
    for name in ("out", "link"):
        (tmp_path / name).mkdir() if name == "out" else (tmp_path / name).symlink_to(tmp_path / "nowhere")
        with pytest.raises(BadInput, match=f"{name} already exists"), resumable_folder(tmp_path / name, KEY):
            raise AssertionError("it was let in")
    assert sorted(os.listdir(tmp_path)) == ["link", "out"]
    with pytest.raises(BadInput, match="late already exists"), resumable_folder(tmp_path / "late", KEY) as folder:
        folder.fill(frames())
        (tmp_path / "late").mkdir()
    assert sorted(os.listdir(tmp_path)) == ["late", "link", "out"] and not os.listdir(tmp_path / "late")


def test_a_full_disk_keeps_what_is_done(tmp_path: Path) -> None:
    """The real refusal of the system in the middle of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    large = FrameFiles(("a/rgb/5.jpg",), lambda: {"a/rgb/5.jpg": bytes([5]) * 100_000})
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        with pytest.raises(BadInput) as error, resumable_folder(tmp_path / "out", KEY) as folder:
            folder.fill([*frames(5), large])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    text = str(error.value)
    assert "5.jpg cannot be written (file too large)" in text and text.endswith("the same import goes on from it")
    assert os.listdir(tmp_path) == [".out.importing"]
    made: list[int] = []
    with resumable_folder(tmp_path / "out", KEY) as folder:
        folder.fill(frames(made=made))
    assert made == [5, 6, 7, 8, 9] and whole(tmp_path / "out")


def test_a_target_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(BadInput, match=r"file/out cannot be written \(not a directory\)"),
        resumable_folder(tmp_path / "file" / "out", KEY),
    ):
        raise AssertionError("it was let in")

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with (
        pytest.raises(BadInput, match=r"out cannot be written \(read-only file system\)"),
        resumable_folder(tmp_path / "out", KEY),
    ):
        raise AssertionError("it was let in")
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_that_vanished_while_the_lock_was_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = staging.FileLock.acquire

    def late(self: staging.FileLock) -> bool:
        done = taken(self)
        self.path.parent.rename(tmp_path / "done")  # by the one who had it before
        return done

    monkeypatch.setattr(staging.FileLock, "acquire", late)
    with (
        pytest.raises(BadInput, match="was being imported by another process until now"),
        resumable_folder(tmp_path / "out", KEY),
    ):
        raise AssertionError("it was let in")
    assert os.listdir(tmp_path) == ["done"]


def test_the_key_knows_options_and_files(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.jpg", "b.jpg")]
    for path in files:
        path.write_bytes(b"1234")
    key = import_key("photos", tmp_path, files, radius=25)
    assert key == import_key("photos", tmp_path, files, radius=25)
    assert key != import_key("photos", tmp_path, files, radius=20)
    assert key != import_key("photos", tmp_path, files[:1], radius=25)
    os.utime(files[1], (time.time() + 5,) * 2)
    assert key != import_key("photos", tmp_path, files, radius=25)


def test_duplicates_have_the_same_bytes(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "abcde"]
    for path, data in zip(files, (b"11", b"22", b"11", b"111", b"11"), strict=True):
        path.write_bytes(data)
    assert duplicates(files) == {files[2]: files[0], files[4]: files[0]}


def test_a_staging_folder_is_a_plain_folder(tmp_path: Path) -> None:
    folder = Staging(tmp_path)
    folder.fill(frames(2))
    folder.fill(frames(3))
    assert sorted(content(tmp_path)) == ["a/rgb/0.jpg", "a/rgb/1.jpg", "a/rgb/2.jpg"]


def shade(number: int) -> dict[str, bytes]:
    """What a process makes of a frame: told with the process that made it."""
    return {f"a/rgb/{number}.jpg": f"{number} {os.getpid()}".encode()}


def refused(number: int) -> dict[str, bytes]:
    if number == 3:
        raise BadInput("frame 3 is broken; mend it")
    return shade(number)


def test_processes_make_frames_in_order_and_none_twice(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    todo = [FrameFiles((f"a/rgb/{i}.jpg",), partial(shade, i)) for i in range(8)]
    with resumable_folder(tmp_path / "out", KEY) as folder:
        folder.fill(todo[:3])
        folder.fill(todo, lambda what, done, total: told.append((done, total)), workers=2)
    words = [(tmp_path / "out" / f"a/rgb/{i}.jpg").read_text().split() for i in range(8)]
    assert [int(number) for number, _ in words] == list(range(8))
    assert {int(process) for _, process in words[:3]} == {os.getpid()}
    assert os.getpid() not in {int(process) for _, process in words[3:]}
    assert told == [(number, 8) for number in range(1, 9)]


def test_what_a_process_finds_wrong_ends_the_import(tmp_path: Path) -> None:
    todo = [FrameFiles((f"a/rgb/{i}.jpg",), partial(refused, i)) for i in range(8)]
    with pytest.raises(BadInput, match="frame 3 is broken"), resumable_folder(tmp_path / "out", KEY) as folder:
        folder.fill(todo, workers=2)
    assert not list(tmp_path.iterdir())


def ended(number: int) -> dict[str, bytes]:
    if number == 5:
        os._exit(9)
    return shade(number)


def test_what_was_made_before_a_process_was_ended_is_kept(tmp_path: Path) -> None:
    first, again = ([FrameFiles((f"a/rgb/{i}.jpg",), partial(make, i)) for i in range(8)] for make in (ended, shade))
    with pytest.raises(BadInput, match="use fewer workers; what is done is kept"):  # noqa: SIM117
        with resumable_folder(tmp_path / "out", KEY) as folder:
            folder.fill(first[:3])
            folder.fill(first, workers=2)
    with resumable_folder(tmp_path / "out", KEY) as folder:
        folder.fill(again)
    assert folder.went_on and len(content(tmp_path / "out")) == 8
