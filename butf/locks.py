"""Locks of the operating system on files: they end with the process that holds them, however it ends.

A status file can lie (its writer was killed) and so can a process id (it was given to another program). A lock that
`flock` grants is dropped by the kernel, so asking for it is the one way to know whether a trainer lives.
"""

import fcntl
import os
import time
from pathlib import Path

from butf.errors import BadInput


class FileLock:
    """An exclusive lock on `path`; `sign` writes in the file whose it is."""

    def __init__(self, path: Path):
        self.path = path
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Whether this very object holds the lock."""
        return self._file is not None

    def acquire(self, patience_s: float = 0.0) -> bool:
        """Try for `patience_s` seconds to take the lock; False when another holds it.

        Raises BadInput when the file cannot be made (read-only or full disk).
        """
        file = _open(self.path)
        deadline = time.monotonic() + patience_s
        while not _take(file):
            if time.monotonic() >= deadline:
                os.close(file)
                return False
            time.sleep(0.02)
        self._file = file
        return True

    def adopt(self, file: int) -> bool:
        """Own the locked descriptor `file` that a parent process handed down; False if it is open on another path."""
        try:
            same = os.path.samestat(os.fstat(file), os.stat(self.path))
        except OSError:
            return False
        if not same or not _take(file):
            return False
        os.set_inheritable(file, False)
        self._file = file
        return True

    def sign(self, pid: int) -> None:
        """Write who holds the lock. A full disk leaves it unsigned, which `holder` reports as None."""
        try:
            os.ftruncate(self.fileno(), 0)
            os.pwrite(self.fileno(), str(pid).encode(), 0)
        except OSError:
            return

    def fileno(self) -> int:
        """The open descriptor, to hand down to a child process."""
        if self._file is None:
            raise ValueError(f"{self.path} is not locked here")
        return self._file

    def release(self) -> None:
        """Close the file; the lock ends unless a child process was given the same descriptor."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def is_held(path: Path) -> bool:
    """Whether any process holds the lock on `path`.

    The question is asked with a shared lock that lasts microseconds; `acquire` with some patience outlasts it.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def holder(path: Path) -> int | None:
    """The process id signed in a lock that is held, if that process really has the file open.

    Process ids are reused: before a signal is sent, /proc (where there is one) must show the lock file among the
    open files of the process.
    """
    if not is_held(path):
        return None
    try:
        pid = int(path.read_text())
    except (OSError, ValueError):
        return None
    return pid if pid > 1 and _has_open(pid, path) else None


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise BadInput(f"{path} cannot be made ({error.strerror}); free space or choose a writable folder") from error


def _take(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _has_open(pid: int, path: Path) -> bool:
    if not Path("/proc/self/fd").is_dir():
        return True
    try:
        wanted = path.stat()
        files = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
    return any(_same(file, wanted) for file in files)


def _same(file: Path, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(file.stat(), wanted)
    except OSError:
        return False
