"""A .zip from somebody else, unpacked so that it can do no harm: no way out of its folder, no bomb, no links."""

from __future__ import annotations

import errno
import lzma
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from butf.errors import BadInput
from butf.files import NAME_BYTES, PATH_BYTES

Progress = Callable[[int, int], None]
CHUNK = 1 << 20
LEFT_OUT = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, RuntimeError,
    OverflowError, ValueError, IndexError,
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What is unpacked at most: files, bytes in all, bytes of a file, bytes unpacked for each packed one.

    Pictures hardly shrink when packed and tables shrink to a tenth, so a ratio far above that is a bomb.
    """

    files: int = 400_000
    total: int = 8 << 30
    one: int = 256 << 20
    ratio: int = 60


def unpack(
    source: BinaryIO, name: str, into: Path, limits: Limits | None = None, progress: Progress | None = None
) -> None:
    """Unpack a zip file, called `name` in errors, into an existing folder.

    Nothing is written before every name and size was looked at; an entry that holds more than it says is refused by
    its checksum.
    Raises `BadInput` for what is no zip, truncated, encrypted or over a limit, and for an entry that is a link, or
    whose name is absolute, holds `..`, or is there twice. OSError (a full disk) passes through.
    """
    limits = limits or Limits()
    try:
        with zipfile.ZipFile(source) as archive:
            entries = _checked(archive, name, _length(source), limits)
            for number, (path, entry) in enumerate(entries.items(), start=1):
                _write(archive, entry, into / path, name)
                if progress is not None:
                    progress(number, len(entries))
    except BadInput:
        raise
    except BROKEN as error:
        raise BadInput(f"{name} is not a whole .zip file ({error}); pack it again") from error


def _length(source: BinaryIO) -> int:
    length = source.seek(0, 2)
    source.seek(0)
    return length


def _checked(archive: zipfile.ZipFile, name: str, packed: int, limits: Limits) -> dict[Path, zipfile.ZipInfo]:
    """The files to unpack by where they go; raises `BadInput` for whatever `unpack` refuses."""
    entries: dict[Path, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        path = _safe(entry, name)
        if path is None:
            continue
        if path in entries:
            raise BadInput(f"{name} holds {entry.filename} twice; pack it again with each file once")
        if entry.file_size > limits.one:
            raise BadInput(
                f"{name}: {entry.filename} unpacks to {_size(entry.file_size)}; expected at most {_size(limits.one)}"
            )
        entries[path] = entry
    if len(entries) > limits.files:
        raise BadInput(f"{name} holds {len(entries):,} files; expected at most {limits.files:,}")
    total = sum(entry.file_size for entry in entries.values())
    if total > limits.total:
        raise BadInput(
            f"{name} unpacks to {_size(total)}; expected at most {_size(limits.total)}: give it as a folder instead"
        )
    if total > limits.ratio * max(packed, CHUNK):
        raise BadInput(
            f"{name} unpacks to {_size(total)}, {total / packed:.0f} times its size; expected at most "
            f"{limits.ratio} times, as for pictures and tables"
        )
    return entries


def _safe(entry: zipfile.ZipInfo, name: str) -> Path | None:
    """Where an entry goes, relative to the folder; None for folders and what operating systems add by themselves."""
    text, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    path = PurePosixPath(text)
    if "\\" in text or ":" in text or not text.isprintable() or path.is_absolute() or ".." in path.parts:
        raise BadInput(f"{name} holds the name {text!r}, which may lead out of its folder; pack it again without it")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadInput(f"{name}: {text} is a link or a device; pack the file itself")
    if entry.flag_bits & 1:
        raise BadInput(f"{name}: {text} is encrypted; pack it again without a password")
    if len(text.encode()) > PATH_BYTES // 2 or any(len(part.encode()) > NAME_BYTES for part in path.parts):
        raise BadInput(f"{name} holds the name {text[:60]!r}..., too long for a file; shorten it and pack it again")
    if entry.is_dir() or any(part in LEFT_OUT for part in path.parts):
        return None
    return Path(*path.parts)


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, name: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as packed, path.open("xb") as stream:
            shutil.copyfileobj(packed, stream, CHUNK)
    except (FileExistsError, NotADirectoryError) as error:
        raise BadInput(f"{name} holds {entry.filename} as a file and as a folder; pack it again") from error
    except (*BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk's fault; bzip2 reports broken data as an error without a number
        raise BadInput(f"{name}: {entry.filename} is damaged or cut off ({error}); pack or upload it again") from error


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
