"""One's own data sets: looked at in a place aside, taken into the data folder as a whole, and removed from it.

Whatever is taken in is first *staged*: unpacked or converted into a hidden folder beside the data sets, or, for a
folder on this machine, left where it is. Nothing in the data folder is a data set before it is complete.
"""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from butf.dataset.contents import files_of, place
from butf.dataset.frames import find_datasets
from butf.dataset.inspection import Inspection, inspect
from butf.dataset.unpack import Limits, unpack
from butf.errors import BadInput
from butf.files import data_dirs, new_folder, user_path
from butf.importers.staging import LOCK, Progress
from butf.locks import is_held
from butf.training import runs

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,59}")
ALLOWED = "letters, digits, '-' and '_', at most 60 of them"
STAGING = ".incoming-"
STALE_S = 24 * 3600.0
OFF = "importing and deleting data is switched off here (BUTF_NO_TRAINING); unset it, or use the command line"


class Incoming:
    """Data that somebody wants to take in, staged and inspected.

    `label` is what the user calls its source, `notes` what its importer said. A staging folder of its own vanishes
    with this object, or when the process ends.
    """

    def __init__(self, label: str, folder: tempfile.TemporaryDirectory[str] | None = None) -> None:
        self.label = label
        self.folder = folder
        self._inspection: Inspection | None = None
        self.notes: tuple[str, ...] = ()

    @property
    def inspection(self) -> Inspection:
        """What `check` found; it comes first."""
        assert self._inspection is not None
        return self._inspection

    @property
    def root(self) -> Path:
        return self.inspection.root

    @property
    def aside(self) -> Path:
        """The staging folder; only where it has one of its own."""
        assert self.folder is not None
        return Path(self.folder.name)

    def check(self, root: Path, progress: Progress | None) -> Incoming:
        """Inspect the data set at `root`, which lies in the staging folder or anywhere on this machine."""
        step = None if progress is None else lambda done, total: progress("Checking the pictures", done, total)
        self._inspection = inspect(root, step)
        return self

    def discard(self) -> None:
        """Remove what was staged; a folder on this machine is left alone."""
        if self.folder is not None:
            self.folder.cleanup()


def from_zip(source: BinaryIO, label: str, progress: Progress | None = None, limits: Limits | None = None) -> Incoming:
    """Unpack an uploaded .zip aside and inspect the data set in it. Raises `BadInput`, see `unpack`."""
    step = None if progress is None else lambda done, total: progress("Unpacking", done, total)
    with staged(label) as incoming:
        unpack(source, label, incoming.aside, limits, step)
        return incoming.check(_only_dataset(incoming.aside, label), progress)


def from_folder(path: str, progress: Progress | None = None) -> Incoming:
    """Inspect a data set folder on this machine where it lies. Raises `BadInput` when there is none."""
    _require_allowed()
    root = existing_folder(path)
    if not (root / "dataset.json").is_file():
        raise BadInput(f"{root} has no dataset.json; give the folder that holds dataset.json and frames.csv")
    return Incoming(str(root)).check(root, progress)


def slug(name: str) -> str:
    """A folder's name made of any text: letters, digits, '-' and '_' stay, the rest becomes '-'."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:60].strip("-") or "my-data"


def check_name(name: str) -> None:
    """`BadInput` unless a new data set may have this name."""
    if not NAME.fullmatch(name):
        raise BadInput(f"{name!r} cannot name a data set; use {ALLOWED}")
    if name in find_datasets() or (home() / name).exists():
        raise BadInput(f"a data set named {name} exists already; choose another name")


def take_in(incoming: Incoming, name: str, progress: Progress | None = None) -> Path:
    """Take an inspected data set into the data folder; gives its folder there.

    Only what belongs to the data set comes along: its tables, its frames' pictures and side maps, and a licence or
    readme. A folder on this machine stays as it is. Raises `BadInput` for a name that is not allowed or taken, for
    data with faults, and when the folder cannot be written; nothing half-written is left.
    """
    _require_allowed()
    check_name(name)
    frames, out = incoming.inspection.frames, home() / name
    if frames is None or not incoming.inspection.fine:
        raise BadInput(f"{incoming.label} has {incoming.inspection.count} faults; mend them and check it again")
    files = list(files_of(frames))
    put = place if incoming.folder is not None else shutil.copyfile
    with new_folder(out) as folder:
        for made in {(folder / file).parent for file in files}:
            made.mkdir(parents=True, exist_ok=True)
        for number, file in enumerate(files, start=1):
            put(frames.root / file, folder / file)
            if progress is not None:
                progress("Importing", number, len(files))
    incoming.discard()
    return out


def is_own(folder: Path) -> bool:
    """Whether a data set lies in the data folder, not among what is shipped."""
    return folder.parent == home() and home() not in data_dirs()[:-1]


def trainer_of(name: str, folder: Path) -> str | None:
    """The run that is being trained on a data set now, if any."""
    for state in runs.list_runs():
        if state.active and (state.data == name or _leads_to(state.data, folder)):
            return state.name
    return None


def _leads_to(data: str, folder: Path) -> bool:
    """Whether what a run says of its data is this folder; what can be no path is none."""
    try:
        return user_path(data).resolve() == folder.resolve()
    except BadInput:
        return False


def delete(name: str) -> None:
    """Remove an imported data set. Raises `BadInput` when it is shipped or trained on, or cannot be removed."""
    _require_allowed()
    folder = find_datasets().get(name)
    if folder is None:
        raise BadInput(f"there is no data set named {name}; reload the page")
    if not is_own(folder):
        raise BadInput(f"{name} is shipped with the app and stays; only imported data sets can be deleted")
    run = trainer_of(name, folder)
    if run is not None:
        raise BadInput(f"{name} is being trained on by run {run}; stop it before you delete the data set")
    # Renamed first: a folder half removed is then no data set any more, whatever happens next.
    doomed = folder.with_name(f".deleted-{folder.name}-{secrets.token_hex(4)}")
    try:
        folder.rename(doomed)
        if doomed.is_symlink():
            doomed.unlink()
        else:
            shutil.rmtree(doomed)
    except OSError as error:
        raise BadInput(f"{folder} cannot be removed ({error.strerror}); check its permissions") from error


def home() -> Path:
    """The folder in which one's own data sets lie."""
    return data_dirs()[-1]


def _require_allowed() -> None:
    if not runs.training_allowed():
        raise BadInput(OFF)


def existing_folder(path: str) -> Path:
    """The folder of a full path that somebody typed; `BadInput` when it is none."""
    folder = user_path(path.strip())
    if not path.strip() or not folder.is_absolute():
        raise BadInput(f"{path!r} is no full path; give one that begins with / or ~")
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder on this machine; check the path")
    return folder


@contextmanager
def staged(label: str) -> Iterator[Incoming]:
    """A staging folder that goes at once when the block fails, else with what it is handed to.

    Raises `BadInput` when importing is switched off or the data folder cannot be written.
    """
    _require_allowed()
    folder = home()
    incoming = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        incoming = Incoming(label, tempfile.TemporaryDirectory(prefix=STAGING, dir=folder, ignore_cleanup_errors=True))
        yield incoming
    except BaseException as error:
        if incoming is not None:
            incoming.discard()
            if isinstance(error, BadInput) and str(incoming.aside) in str(error):
                # Who sent files from afar knows their names, and need not learn where they lie here.
                raise BadInput(str(error).replace(f"{incoming.aside}/", "")) from error
        if isinstance(error, OSError):
            reason = (error.strerror or str(error)).lower()
            raise BadInput(f"{folder} cannot be written ({reason}); free space or choose another folder") from error
        raise


def _sweep(parent: Path) -> None:
    """Remove what a killed app left behind a day ago or earlier."""
    for folder in parent.glob(f"{STAGING}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > STALE_S and not is_held(folder / LOCK):
                shutil.rmtree(folder, ignore_errors=True)


def _only_dataset(folder: Path, label: str) -> Path:
    """The one folder with a dataset.json, nearest to the top."""
    found = sorted(folder.rglob("dataset.json"), key=lambda path: (len(path.parts), path))
    if not found:
        raise BadInput(f"{label} has no dataset.json in it; pack a folder that holds dataset.json and frames.csv")
    nearest = [path.parent for path in found if len(path.parts) == len(found[0].parts)]
    if len(nearest) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in nearest[:3])
        raise BadInput(f"{label} holds {len(nearest)} data sets ({names}); pack one at a time")
    return nearest[0]
