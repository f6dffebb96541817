"""What files count for in keys: against a plain reading of them, and kept on disk where there are many."""

import hashlib
import os
import time
from pathlib import Path

import numpy as np
import pytest

from butf.errors import BadInput
from butf.retrieval import fingerprints as module
from butf.retrieval.fingerprints import fingerprints


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve files of different lengths, old enough to be remembered; ten of a folder are many here."""
    monkeypatch.setenv("BUTF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_MANY", 10)
    monkeypatch.setattr(module, "_SETTLED_NS", -1_000_000_000)
    folder = tmp_path / "pictures"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for number in range(12):
        (folder / f"{number:06d}.jpg").write_bytes(draw.bytes(15_000 * number))
    return folder


def paths(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.iterdir())]


def plainly(path: str) -> bytes:
    content, third = Path(path).read_bytes(), 32_768
    if len(content) > 3 * third:
        middle = (len(content) - third) // 2
        counted = content[:third] + content[middle : middle + third] + content[-third:]
    else:
        counted = content
    return len(content).to_bytes(8, "little") + hashlib.blake2b(counted, digest_size=16).digest()


def in_a_fresh_process(files: list[str]) -> tuple[dict[str, bytes], int]:
    """What files count for, and how many had to be read for it, when nothing is remembered but on disk."""
    module._sampled.cache_clear()
    found = fingerprints(files)
    return found, module._sampled.cache_info().misses


def test_a_fingerprint_is_that_of_a_plain_reading(folder: Path) -> None:
    assert fingerprints(paths(folder)) == {path: plainly(path) for path in paths(folder)}


def test_many_files_are_read_once_for_all_processes_and_few_each_time(folder: Path) -> None:
    files = paths(folder)
    expected = {path: plainly(path) for path in files}
    assert in_a_fresh_process(files) == (expected, 12)
    assert in_a_fresh_process(files) == (expected, 0)
    few = files[:9]
    assert in_a_fresh_process(few) == ({path: expected[path] for path in few}, 9)


def test_what_changed_is_read_again_even_with_its_old_size_and_time(folder: Path) -> None:
    files = paths(folder)
    in_a_fresh_process(files)
    changed, state = Path(files[3]), os.stat(files[3])
    changed.write_bytes(bytes(state.st_size))
    os.utime(changed, ns=(state.st_atime_ns, state.st_mtime_ns))
    found, read = in_a_fresh_process(files)
    assert read == 1 and found[files[3]] == plainly(files[3]) == plainly(str(changed))
    in_its_place = changed.with_name("other")
    in_its_place.write_bytes(b"\1" * state.st_size)
    os.replace(in_its_place, changed)
    assert in_a_fresh_process(files)[0][files[3]] == plainly(files[3])


def test_what_changed_a_moment_ago_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SETTLED_NS", 2_000_000_000)
    assert in_a_fresh_process(paths(folder))[1] == in_a_fresh_process(paths(folder))[1] == 12
    later = time.time_ns() + 3_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: later)
    assert in_a_fresh_process(paths(folder))[1] == 12
    assert in_a_fresh_process(paths(folder))[1] == 0


def test_a_part_of_a_folder_leaves_what_is_known_of_the_rest(folder: Path) -> None:
    files = paths(folder)
    in_a_fresh_process(files[:10])
    in_a_fresh_process(files[2:])  # two new ones: too few to be worth keeping
    assert in_a_fresh_process(files)[1] == 2
    for path in files[:10]:
        os.utime(path)
    in_a_fresh_process(files[:10])
    assert in_a_fresh_process(files[:10])[1] == 0


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "another"])
def test_a_damaged_memory_is_not_believed(folder: Path, damage: str) -> None:
    files = paths(folder)
    expected = in_a_fresh_process(files)[0]
    (kept,) = (folder.parent / "cache" / "fingerprints").iterdir()
    content = bytearray(kept.read_bytes())
    if damage == "flipped":
        content[content.index(expected[files[5]]) + 9] ^= 1  # a bit of one fingerprint
    if damage == "another":
        np.savez(kept, names=np.array(["a", "b"]), states=np.zeros((1, 4), np.int64), samples=np.zeros(3, np.uint8))
    else:
        kept.write_bytes({"cut": content[:-100], "empty": b"", "flipped": content}[damage])
    assert in_a_fresh_process(files) == (expected, 12)
    assert in_a_fresh_process(files) == (expected, 0), "written anew"


def test_where_nothing_can_be_written_files_are_read_each_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / "file").touch()
    monkeypatch.setenv("BUTF_CACHE", str(folder.parent / "file" / "cache"))
    files = paths(folder)
    assert in_a_fresh_process(files) == in_a_fresh_process(files) == ({path: plainly(path) for path in files}, 12)


def test_a_file_that_is_gone_is_named(folder: Path) -> None:
    files = paths(folder)
    os.remove(files[7])
    with pytest.raises(BadInput, match=r"000007[.]jpg cannot be read \(No such file or directory\); restore it or"):
        fingerprints(files)
