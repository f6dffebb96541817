"""The folder in which an import is made: broken off it stays, and the same import goes on from it.

An import into `NAME` works in the hidden folder `.NAME.importing` beside it, which nobody takes for a data set. It
carries a note of what is imported (kind, source, options, and which files there were) and a lock. Every file in it is
whole. When all is done, the folder is renamed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from butf.errors import BadInput
from butf.files import write_atomic, write_json
from butf.locks import FileLock, holder
from butf.workers import end_with_parent

Progress = Callable[[str, int, int], None]
NOTE, LOCK = "import.json", "import.lock"
MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOMEM)
CHUNK = 1 << 20


@dataclass(frozen=True)
class FrameFiles:
    """The files of one frame, relative to the data set, and how to make the content of all of them."""

    files: tuple[str, ...]
    make: Callable[[], Mapping[str, bytes]]


class Staging:
    """The folder that becomes the data set; `went_on` says what an import that was broken off had left, if any."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.went_on = ""

    def fill(self, frames: Sequence[FrameFiles], progress: Progress | None = None, workers: int = 1) -> None:
        """Write the files of all frames; those that are there already are neither made nor written again.

        With more than one of `workers` they are made in so many processes, for which each `make` can be pickled.
        """
        todo = [frame for frame in frames if not self._complete(frame)]
        missing, kept = set(map(id, todo)), len(frames) - len(todo)
        words = "Frames"
        if kept:
            self.went_on = f"went on with an import that was broken off: {kept:,} of {len(frames):,} frames were there"
            words = f"Frames, going on: {kept:,} of {len(frames):,} were there"
        with closing(_made(todo, workers)) as made:
            for number, frame in enumerate(frames, start=1):
                if id(frame) in missing:
                    for file, content in next(made).items():
                        write_atomic(self.folder / file, content, durable=False)
                if progress is not None:
                    progress(words, number, len(frames))

    def _complete(self, frame: FrameFiles) -> bool:
        """Whether its files are there; one that a power cut left empty is not."""
        try:
            return all((self.folder / file).stat().st_size for file in frame.files)
        except OSError:
            return False


@contextmanager
def resumable_folder(out: Path | str, key: Mapping[str, Any], place: Path | None = None) -> Iterator[Staging]:
    """A staging folder that becomes `out` when the block ends well.

    It lies beside `out`, or at `place` on the same disk. `key` (see `import_key`) is what the import depends on: what
    an earlier one of another key left is removed first. On bad input the folder is removed; when the block is broken
    off (Ctrl-C, a kill, a full disk) it stays, and the same import goes on from it.

    Raises `BadInput` when `out` exists, is being imported by another process, or cannot be written.
    """
    out = Path(out)
    folder = place or out.with_name(f".{out.name}.importing")
    lock = _locked(out, folder)
    try:
        require_absent(out)
        _claim(folder, key)
        yield Staging(folder)
        require_absent(out)
        os.sync()
        os.rename(folder, out)
        for name in (NOTE, LOCK):
            (out / name).unlink()
    except (BadInput, OSError) as error:
        _give_up(error, folder, out)
    finally:
        lock.release()


def _made(frames: Sequence[FrameFiles], workers: int) -> Generator[Mapping[str, bytes], None, None]:
    """What each frame's files hold, one after the other."""
    if workers < 2 or len(frames) < 2:
        yield from (frame.make() for frame in frames)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(frames)), context, _settle) as pool:
        try:
            yield from pool.map(_make, frames)
        except BrokenProcessPool as error:
            words = "a process that made frames was ended, perhaps for want of memory; use fewer workers"
            raise BadInput(words) from OSError(errno.ENOMEM, str(error))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _make(frame: FrameFiles) -> Mapping[str, bytes]:
    return frame.make()


def _settle() -> None:
    """One thread a process, for there are as many processes as cores; Ctrl-C is left to the process that asked."""
    end_with_parent()
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def require_absent(out: Path) -> None:
    """`BadInput` when there is something at `out` already; an importer asks before it reads a long source."""
    if out.exists() or out.is_symlink():
        raise BadInput(f"{out} already exists; give a folder that does not, or remove it first")


def import_key(kind: str, source: Path, files: Iterable[Path], **options: Any) -> dict[str, Any]:
    """What an import depends on: its kind, source and options, and names, sizes and times of the files it reads."""
    digest = hashlib.sha256()
    for path in files:
        state = path.stat()
        digest.update(f"{path}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return {"kind": kind, "source": str(source.resolve()), "options": options, "files": digest.hexdigest()}


def read_bytes(path: Path) -> bytes:
    """The content of a file of the source; `BadInput` when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadInput(f"{path} cannot be read ({reason}); check the path and its permissions") from error


def duplicates(files: Sequence[Path]) -> dict[Path, Path]:
    """Each file whose bytes an earlier one of `files` has too, and that earlier one."""
    by_size: dict[int, list[Path]] = {}
    for path in files:
        by_size.setdefault(path.stat().st_size, []).append(path)
    found: dict[Path, Path] = {}
    for alike in by_size.values():
        first: dict[str, Path] = {}
        for path in alike if len(alike) > 1 else ():
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if first.setdefault(digest, path) != path:
                found[path] = first[digest]
    return found


def _locked(out: Path, folder: Path) -> FileLock:
    """The folder's lock, in a folder that is made for it; whoever holds it owns the folder."""
    require_absent(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{out} cannot be written ({_reason(error)}); choose a writable folder") from error
    lock = FileLock(folder / LOCK)
    if not lock.acquire():
        owner = holder(lock.path)
        by = f"process {owner}" if owner else "another process"
        raise BadInput(f"{out} is being imported by {by}; wait for it, or give another folder")
    if not _is_at(lock):
        lock.release()
        raise BadInput(f"{out} was being imported by another process until now; look what became of it")
    lock.sign(os.getpid())
    return lock


def _is_at(lock: FileLock) -> bool:
    """Whether the locked file still lies where it was opened: its folder may have been removed or renamed since."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), os.stat(lock.path))
    except OSError:
        return False


def _claim(folder: Path, key: Mapping[str, Any]) -> None:
    """Keep what the same import left there, whole files only; remove what any other did."""
    note, text = folder / NOTE, json.dumps(key, sort_keys=True)
    same = False
    with suppress(OSError, ValueError):
        same = json.dumps(json.loads(note.read_text(encoding="utf-8")), sort_keys=True) == text
    for path in folder.iterdir():
        if not same and path.name != LOCK:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in folder.rglob(".*"):
        if path.is_file():
            path.unlink()  # cut off by a kill before it had its name
    write_json(note, dict(key))


def _give_up(error: BadInput | OSError, folder: Path, out: Path) -> None:
    """Raise the error in one sentence; what is there is kept only where the machine is to blame."""
    cause = error if isinstance(error, OSError) else error.__cause__
    full = isinstance(cause, OSError) and cause.errno in MACHINE
    if not full:
        shutil.rmtree(folder, ignore_errors=True)
    if isinstance(error, OSError):
        text = f"{out} cannot be written ({_reason(error)}); free space or choose a writable folder"
        error = BadInput(text)
    raise BadInput(f"{error}; what is done is kept, and the same import goes on from it") if full else error


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
