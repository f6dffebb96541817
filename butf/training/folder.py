"""The folder of one training run: the only thing trainer, app and command line share.

    config.json      the whole configuration, with the command that repeats the run
    status.json      what the trainer last said, replaced at once
    metrics.jsonl    one JSON object a line, only ever appended to
    run.log          what the trainer printed
    checkpoint.pt    what the run resumes from
    best.safetensors the network of the best measurement in the last training step, until the run is finished
    previews/        what the decoder made of two val pictures, step by step (see butf.training.previews)
    turn.json        when it joined the queue
    model.safetensors, card.json    the result; a run that has both is finished
    run.lock         locked by the trainer for as long as it lives

The state of a run is its lock together with its status: a status that says "running" beside a free lock means that
the trainer was killed.
"""

import math
import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from butf.errors import BadInput
from butf.files import read_json, runs_dir, user_path, write_json
from butf.locks import FileLock, holder, is_held
from butf.training.metrics import append_record, read_records
from butf.training.state import RunState

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
LOCK_VARIABLE = "BUTF_RUN_LOCK"  # descriptor of a lock that the starting process handed down
PATIENCE_S = 1.0  # readers ask for the lock too, for microseconds at a time


class NameTaken(BadInput):
    """There is a run, or something else, of that name already."""


class Run:
    """One run folder. The trainer writes through it, everybody else reads."""

    def __init__(self, path: Path):
        self.path = path
        self.name = path.name
        self.config_path = path / "config.json"
        self.status_path = path / "status.json"
        self.metrics_path = path / "metrics.jsonl"
        self.log_path = path / "run.log"
        self.checkpoint_path = path / "checkpoint.pt"
        self.previews_path = path / "previews"
        self.turn_path = path / "turn.json"
        self.best_path = path / "best.safetensors"
        self.weights_path = path / "model.safetensors"
        self.card_path = path / "card.json"
        self.lock_path = path / "run.lock"

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @classmethod
    def create(cls, name: str | Path, config: Mapping[str, Any], command: list[str]) -> "Run":
        """Make a new run folder with its config.json; see `locate` for what `name` may be.

        Raises BadInput when the name is not allowed or taken, or the folder cannot be written.
        """
        run = cls(locate(name))
        try:
            run.path.parent.mkdir(parents=True, exist_ok=True)
            run.path.mkdir()
        except FileExistsError as error:
            raise NameTaken(f"there is a run {run.name} already; choose another name, or resume that one") from error
        except OSError as error:
            raise BadInput(f"{run.path} cannot be made ({error.strerror}); choose a writable folder") from error
        try:
            run._write_config(config, command)
        except BadInput:
            run.path.rmdir()
            raise
        return run

    @classmethod
    def claim(cls, name: str | Path, config: Mapping[str, Any], command: list[str]) -> "Run":
        """The run that a fresh `train` command works in: a new folder, or one that holds nothing trained yet.

        `start` makes the folder before the trainer's process begins, and a trainer that ended before its first step
        left nothing to lose. Raises BadInput when the folder holds a trained run or something else.
        """
        run = cls(locate(name))
        if not run.path.is_dir():
            return cls.create(name, config, command)
        if LOCK_VARIABLE not in os.environ and is_held(run.lock_path):
            raise run._busy()
        if any(path.exists() for path in (run.checkpoint_path, run.metrics_path, run.weights_path)):
            raise BadInput(f"{run.path} holds a trained run; add --resume or choose another name")
        if not run.config_path.exists() and any(run.path.iterdir()):
            raise BadInput(f"{run.path} holds other files; choose a new folder for the run")
        run._write_config(config, command)
        return run

    @classmethod
    def open(cls, name: str | Path) -> "Run":
        """An existing run. Raises BadInput when there is none of that name."""
        run = cls(locate(name))
        if not run.config_path.is_file():
            raise BadInput(f"{run.path} is no run; `python -m butf runs` lists those there are")
        return run

    @property
    def config(self) -> dict[str, Any]:
        """The configuration, as it was given to `create`. Raises BadInput when config.json is broken."""
        return {key: value for key, value in self._saved_config().items() if key != "command"}

    @property
    def command(self) -> str:
        """The command line that repeats this run."""
        return str(self._saved_config().get("command", ""))

    def _saved_config(self) -> dict[str, Any]:
        config = read_json(self.config_path)
        if not isinstance(config, dict):
            raise BadInput(f"{self.config_path} is no configuration; expected a JSON object")
        return config

    def _write_config(self, config: Mapping[str, Any], command: list[str]) -> None:
        write_json(self.config_path, {**config, "command": command_text(command)})

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run's lock: what a trainer does for its whole life.

        Raises BadInput naming the holder when another process has it.
        """
        lock = self.take_lock()
        try:
            yield
        finally:
            lock.release()

    def take_lock(self) -> FileLock:
        """The run's lock, taken and signed: the one that `start` handed down to this process, or else a new one."""
        lock = FileLock(self.lock_path)
        handed_down = os.environ.get(LOCK_VARIABLE, "")
        if handed_down.isdigit() and lock.adopt(int(handed_down)):
            del os.environ[LOCK_VARIABLE]
        elif not lock.acquire(PATIENCE_S):
            raise self._busy()
        lock.sign(os.getpid())
        return lock

    def _busy(self) -> BadInput:
        owner = self.pid() or "of unknown number"
        return BadInput(f"run {self.name} is already being trained by process {owner}; stop it first")

    def pid(self) -> int | None:
        """The process that trains this run now, if any."""
        return holder(self.lock_path)

    def log_metrics(self, record: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl. Raises BadInput when the disk is full; earlier lines stay."""
        append_record(self.metrics_path, record)

    def metrics(self) -> list[dict[str, Any]]:
        """Every line of metrics.jsonl in the order of training, see `read_records`."""
        return read_records(self.metrics_path)

    def write_status(self, **fields: Any) -> None:
        """Replace the given fields of status.json (state, step, steps, phase, message, ...) and its time."""
        now = time.time()
        write_json(self.status_path, {"started": now, **self.status(), **fields, "updated": now})

    def join_queue(self, at: float | None = None) -> None:
        """Wait behind all runs that joined before now, or before `at`, seconds since 1970."""
        write_json(self.turn_path, {"at": time.time() if at is None else at})

    def status(self) -> dict[str, Any]:
        """What status.json says; empty when it is missing or broken."""
        return _said(self.status_path)

    def state(self) -> RunState:
        """The state of the run by its lock and its status. Raises BadInput when config.json is missing or broken."""
        config = self._saved_config()
        locked = is_held(self.lock_path)
        status = self.status()
        word = self._word(str(status.get("state", "")), locked)
        return RunState(
            name=self.name,
            path=self.path,
            state=word,
            step=_number(status.get("step"), int) or 0,
            steps=_number(status.get("steps"), int) or 0,
            phase=str(status.get("phase") or ""),
            message="" if word == "interrupted" else str(status.get("message") or ""),
            started=_number(status.get("started"), float),
            updated=_number(status.get("updated"), float),
            method=str(config.get("method", "")),
            data=str(config.get("data", "")),
            turn=_number(_said(self.turn_path).get("at"), float),
            device=str(status.get("device") or ""),
        )

    @property
    def complete(self) -> bool:
        """Whether the run's result is there."""
        return self.weights_path.is_file() and self.card_path.is_file()

    def _word(self, said: str, locked: bool) -> str:
        if self.complete:
            return "finished"
        if locked:
            return "queued" if said == "queued" else "running"
        return said if said in ("stopped", "failed") else "interrupted"

    def log_tail(self, size: int = 65536) -> str:
        """The last `size` bytes of run.log, from the start of a line."""
        try:
            with self.log_path.open("rb") as file:
                length = file.seek(0, os.SEEK_END)
                file.seek(max(0, length - size))
                tail = file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
        return tail.split("\n", 1)[-1] if length > size else tail


def command_text(command: list[str]) -> str:
    """A command as one types it in a terminal."""
    return shlex.join(["python", *command[1:]])


def locate(name: str | Path) -> Path:
    """The folder of a run: a bare name lies in `runs_dir()`, a path is taken as given.

    Raises BadInput when the last part is anything but letters, digits, '-', '_' and '.'.
    """
    path = user_path(name)
    if not NAME.fullmatch(path.name):
        raise BadInput(f"{str(name)!r} cannot name a run; use letters, digits, '-', '_' and '.' only")
    return path.absolute() if len(path.parts) > 1 else runs_dir() / path.name


def _said(path: Path) -> dict[str, Any]:
    """The object in a small JSON file; empty when it is missing or broken."""
    try:
        said = read_json(path)
    except BadInput:
        return {}
    return said if isinstance(said, dict) else {}


def _number(value: Any, kind: type) -> Any:
    """The number in a status; None for what is none, or none that can be told to anybody."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return kind(value)
