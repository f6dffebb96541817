"""Zip files that mean harm or are broken: each is refused in one sentence, and nothing gets out of the folder."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from butf.dataset.unpack import Limits, unpack
from butf.errors import BadInput


def packed(files: dict[str, bytes], **more: int) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = more.get("mode", 0o644) << 16
            archive.writestr(entry, content)
    return stream


def refused(stream: io.BytesIO, into: Path, limits: Limits | None = None) -> str:
    outside = set(into.parent.rglob("*"))
    with pytest.raises(BadInput) as error:
        unpack(stream, "mine.zip", into, limits)
    assert set(into.parent.rglob("*")) == outside, "something was written"
    assert "\n" not in str(error.value) and str(error.value).startswith("mine.zip")
    return str(error.value)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "here" / "inside"
    folder.mkdir(parents=True)
    return folder


def test_every_byte_comes_out(into: Path) -> None:
    files = {"set/dataset.json": b"{}", "set/a/rgb/1.jpg": os.urandom(70_000), "set/empty.txt": b""}
    steps: list[tuple[int, int]] = []
    unpack(packed(files | {"__MACOSX/set/._x": b"x", "set/.DS_Store": b"x", "set/b/": b""}), "mine.zip", into, None,
           lambda done, total: steps.append((done, total)))  # fmt: skip
    found = {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}
    assert found == files
    assert steps == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "C:/x", "..\\x", "a\\b", "x\n", "//server/x", "a/..", "C:x"]
)
def test_a_name_that_leads_out_is_refused(into: Path, name: str) -> None:
    assert "lead out of its folder" in refused(packed({"dataset.json": b"{}", name: b"x"}), into)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(into: Path, kind: int) -> None:
    assert "is a link or a device" in refused(packed({"passwd": b"/etc/passwd"}, mode=kind | 0o777), into)


def test_a_bomb_is_refused_before_anything_is_written(into: Path) -> None:
    bomb = packed({f"{i}.png": bytes(20_000_000) for i in range(5)})
    assert len(bomb.getvalue()) < 120_000
    assert "unpacks to 100 MB" in refused(bomb, into) and "expected at most 60 times" in refused(bomb, into)


def test_entries_that_share_their_bytes_are_counted_each(into: Path) -> None:
    """A bomb of overlapping entries: the directory names the same compressed bytes again and again."""
    stream = packed({"a.png": bytes(5_000_000)})
    with zipfile.ZipFile(stream, "a") as archive:
        first = archive.filelist[0]
        for i in range(30):
            entry = zipfile.ZipInfo(f"{i}.png")
            for field in ("compress_type", "CRC", "compress_size", "file_size", "header_offset", "external_attr"):
                setattr(entry, field, getattr(first, field))
            archive.filelist.append(entry)
            archive.NameToInfo[entry.filename] = entry
        archive._didModify = True
    assert "times its size" in refused(stream, into)


def test_an_entry_that_says_less_than_it_holds_is_refused(into: Path) -> None:
    stream = packed({"a.txt": bytes(3_000_000)})
    liar = stream.getvalue().replace((3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    with pytest.raises(BadInput, match=r"mine\.zip: a\.txt is damaged or cut off"):
        unpack(io.BytesIO(liar), "mine.zip", into)
    assert sum(path.stat().st_size for path in into.rglob("*")) <= 10


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(files=2), "holds 3 files; expected at most 2"),
        (Limits(total=2_000_000), "unpacks to 3 MB; expected at most 2 MB"),
        (Limits(one=900_000), "a.bin unpacks to 1 MB; expected at most 1 MB"),
    ],
)
def test_each_limit(into: Path, limits: Limits, words: str) -> None:
    assert words in refused(packed({f"{name}.bin": os.urandom(1_000_000) for name in "abc"}), into, limits)


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04" + b"\0" * 50])
def test_what_is_no_zip(into: Path, content: bytes) -> None:
    assert "is not a whole .zip file" in refused(io.BytesIO(content), into)


def test_a_truncated_upload(into: Path) -> None:
    whole = packed({"a.bin": os.urandom(50_000)}).getvalue()
    assert "is not a whole .zip file" in refused(io.BytesIO(whole[: len(whole) // 2]), into)


def test_a_damaged_entry_is_named(into: Path) -> None:
    content = bytearray(packed({"good.txt": b"x" * 10, "bad.bin": os.urandom(50_000)}).getvalue())
    content[30_000] ^= 0xFF
    with pytest.raises(BadInput, match=r"bad\.bin is damaged"):
        unpack(io.BytesIO(bytes(content)), "mine.zip", into)


def test_an_encrypted_entry(into: Path) -> None:
    stream = packed({"a.txt": b"x"})
    secret = bytearray(stream.getvalue())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        secret[secret.index(signature) + offset] |= 1
    assert "is encrypted" in refused(io.BytesIO(bytes(secret)), into)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_or_as_file_and_folder(into: Path) -> None:
    stream = packed({"a.txt": b"x"})
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("a.txt", b"y")
    assert "holds a.txt twice" in refused(stream, into)
    with pytest.raises(BadInput, match="as a file and as a folder"):
        unpack(packed({"a": b"x", "a/b": b"y"}), "mine.zip", into)
