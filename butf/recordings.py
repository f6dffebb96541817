"""One's own recordings on their way in: converted aside by an importer, then inspected like any other data set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from butf.dataset.frames import PlaceRule
from butf.dataset.pictures import SUFFIXES
from butf.dataset.unpack import Limits, unpack
from butf.errors import BadInput
from butf.files import write_atomic
from butf.importers.folder import PLACE, import_folder
from butf.importers.kitti import import_kitti
from butf.importers.photo_roles import Choice
from butf.importers.photos import import_photos
from butf.importers.report import ImportReport
from butf.importers.rgbd import PLACE as INDOORS
from butf.importers.rgbd import import_rgbd
from butf.importers.robotcar import import_robotcar
from butf.importers.robotcar_choice import Choice as DriveChoice
from butf.importers.staging import Progress
from butf.own_data import STAGING, Incoming, existing_folder, home, slug, staged

UPLOADED = (*SUFFIXES, ".csv", ".zip")
Convert = Callable[[Path, Path, Path, Progress | None], ImportReport]
"""An importer with its options: source, data set to make, staging folder, progress."""


def from_rgbd(
    path: str,
    test_share: float = 0.3,
    val_share: float = 0.15,
    place: PlaceRule = INDOORS,
    progress: Progress | None = None,
) -> Incoming:
    """Convert an RGB-D recording (see `import_rgbd`, which also says what it raises) and inspect the result."""
    options = (test_share, val_share, place)
    return converted(
        path, options, lambda src, out, aside, step: import_rgbd(src, out, *options, step, aside), progress
    )


def from_benchmark(
    path: str, zone: str = "", split: str = "test", place: PlaceRule = PLACE, progress: Progress | None = None
) -> Incoming:
    """Convert a benchmark's folder (see `import_folder`, which also says what it raises) and inspect the result."""
    options = (zone.strip() or None, split, place)
    return converted(
        path, options, lambda src, out, aside, step: import_folder(src, out, *options, step, aside), progress
    )


def from_robotcar(path: str, choice: DriveChoice, progress: Progress | None = None) -> Incoming:
    """Convert RobotCar's traversals (see `import_robotcar`, which also says what it raises) and inspect the result.

    All in this process: one that is started from an app would first run the app's script.
    """
    return converted(
        path, (choice,), lambda src, out, aside, step: import_robotcar(src, out, choice, step, aside), progress
    )


def from_kitti(path: str, every: int = 1, place: PlaceRule = PLACE, progress: Progress | None = None) -> Incoming:
    """Convert a KITTI recording (see `import_kitti`, which also says what it raises) and inspect the result."""
    options = (every, place)
    return converted(
        path, options, lambda src, out, aside, step: import_kitti(src, out, *options, step, aside), progress
    )


def from_photos(path: str, choice: Choice, progress: Progress | None = None) -> Incoming:
    """Convert a folder of photographs (see `import_photos`, which also says what it raises) and inspect the result."""
    return converted(
        path, (choice,), lambda src, out, aside, step: import_photos(src, out, choice, step, aside), progress
    )


def from_uploaded_photos(
    uploads: Sequence[BinaryIO], choice: Choice, progress: Progress | None = None, limits: Limits | None = None
) -> Incoming:
    """Convert photographs that were sent one by one or as .zip files, with a CSV or without, and inspect the result.

    Nothing sent names a path: of a file's name only the last part is kept, and a .zip is unpacked by `unpack`. Raises
    `BadInput` as `import_photos` and `unpack` do.
    """
    label = uploads[0].name if len(uploads) == 1 else f"{len(uploads)} files"
    with staged(label) as incoming:
        folder = incoming.aside
        for number, upload in enumerate(uploads, start=1):
            _keep(upload, folder / "uploads", number, limits)
            if progress is not None:
                progress("Taking the files", number, len(uploads))
        name = Path(uploads[0].name).stem if len(uploads) == 1 else "my-photos"
        report = import_photos(_only_folder(folder / "uploads"), folder / slug(name), choice, progress)
        incoming.notes = report.remarks
        return incoming.check(report.frames.root, progress)


def converted(path: str, options: tuple[object, ...], convert: Convert, progress: Progress | None) -> Incoming:
    """What an importer makes of a folder on this machine, aside and inspected.

    It works at a place that belongs to this source and these options, so that one broken off is gone on with.
    """
    source = existing_folder(path)
    with staged(str(source)) as incoming:
        digest = hashlib.sha256(repr((convert.__qualname__, source, options)).encode()).hexdigest()[:16]
        root = incoming.aside / slug(source.name)
        report = convert(source, root, home() / f"{STAGING}{digest}", progress)
        incoming.notes = report.remarks
        return incoming.check(root, progress)


def _keep(upload: BinaryIO, folder: Path, number: int, limits: Limits | None) -> None:
    """Write a file that was sent into the folder; one of a name that is there goes into a folder of its own."""
    name = PurePosixPath(upload.name.replace("\\", "/")).name
    if not name.isprintable() or name.startswith(".") or Path(name).suffix.lower() not in UPLOADED:
        raise BadInput(f"{upload.name!r} is neither a photograph nor a CSV nor a .zip; send .jpg, .png, .csv or .zip")
    if name.lower().endswith(".zip"):
        inner = folder / f"{number}"
        inner.mkdir(parents=True)
        unpack(upload, name, inner, limits)
        return
    upload.seek(0)
    path = folder / name
    write_atomic(folder / f"{number}" / name if path.exists() else path, upload.read(), durable=False)


def _only_folder(folder: Path) -> Path:
    """Down to where the files lie: past folders that hold nothing but one folder."""
    inner = list(folder.iterdir())
    return _only_folder(inner[0]) if len(inner) == 1 and inner[0].is_dir() else folder
