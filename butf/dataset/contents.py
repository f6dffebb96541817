"""The files that belong to a data set, and giving them a second place."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from butf.dataset.frames import Frames
from butf.dataset.inspection import FILES
from butf.errors import BadInput

SOURCES = "sources.csv"
ABOUT = re.compile(r"(readme|licen[cs]e|notice|copying|citation)[\w.-]*", re.IGNORECASE)


def files_of(frames: Frames) -> Iterator[Path]:
    """The files of a data set, relative to its folder: tables, a licence or readme, pictures and side maps of its
    frames. dataset.json, which makes it one, comes last."""
    root = frames.root
    for path in root.iterdir():
        if path.is_file() and (path.name in (*FILES[1:], SOURCES) or ABOUT.fullmatch(path.name)):
            yield Path(path.name)
    for i in range(len(frames)):
        yield frames.image_path(i).relative_to(root)
        for modality in frames.modalities:
            side = frames.modality_path(i, modality)
            if side is not None:
                yield side.relative_to(root)
    yield Path(FILES[0])


def place(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where there are no links. Never half a file.

    Raises `BadInput` when the source cannot be read, `OSError` when the target cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)  # os.link would give a symbolic link a second name, not what it points to
    except OSError:
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        shutil.copyfile(source, temporary)
        os.replace(temporary, target)
    except OSError as error:
        if error.filename == os.fspath(source):
            reason = (error.strerror or str(error)).lower()
            raise BadInput(f"{source} cannot be read ({reason}); check the path and its permissions") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
