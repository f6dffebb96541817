"""Start, list, stop, resume and delete runs: what the app and the command line do to trainers.

A trainer is a process of its own that runs our command line. It is started in a session of its own, so it outlives
the app, a closed tab and a Ctrl-C in the app's terminal; nothing about it is remembered here, all of it is read
from the run's folder.
"""

import os
import secrets
import shutil
import signal
import string
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from itertools import count, product
from pathlib import Path
from typing import Any

from butf.errors import BadInput
from butf.files import REPO, runs_dir
from butf.locks import FileLock, is_held
from butf.training.folder import LOCK_VARIABLE, NAME, PATIENCE_S, NameTaken, Run, command_text, locate
from butf.training.state import RunState
from butf.training.turns import states_in

KEYPOINTS = "keypoints"
"""The method of runs that `train-keypoints` trains."""
GIVES_WAY, NICEST = 10, 19
"""By how much a trainer is nicer than the app where nothing else is asked, and by how much it can be."""
GRACE_S = 60.0  # a step, or a measurement of recall on a slow machine, must fit in it


def list_runs() -> list[RunState]:
    """The state of every run in `runs_dir()`, the newest first. Folders that are no runs are passed over."""
    return sorted(states_in(runs_dir()), key=lambda state: (state.started or 0.0, state.name), reverse=True)


def training_allowed() -> bool:
    """Whether the app may start trainers; BUTF_NO_TRAINING=1 switches that off, say on a shared machine."""
    return os.environ.get("BUTF_NO_TRAINING", "") in ("", "0")


def gives_way() -> int:
    """By how much a trainer started from here is nicer than the app: BUTF_NICENESS, else 10.

    On a busy machine whoever browses is served first. Raises BadInput where it is no number from 0 to 19.
    """
    asked = os.environ.get("BUTF_NICENESS", "") or str(GIVES_WAY)
    if not (asked.isascii() and asked.isdecimal() and int(asked) <= NICEST):
        raise BadInput(f"BUTF_NICENESS is {asked!r}; give a number from 0 (as urgent as the app) to {NICEST}")
    return int(asked)


def start(config: Mapping[str, Any], name: str | None = None) -> Run:
    """Start training in the background and return at once.

    `config` holds the fields of a TrainConfig. Without a `name` one is made from method and time. Raises BadInput
    when the name is not allowed or taken, the runs folder cannot be written, or training is switched off.
    """
    _require_allowed()
    run = _create(config, name)
    try:
        _launch(run, train_command(config, run.name))
    except BadInput:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run


def adaptation(run: Run, decoder_alone: bool) -> dict[str, Any]:
    """The configuration that adapts a finished bu-tf run to the unseen conditions of its own data set.

    Pictures of these conditions with their side modality, and no place labels, teach its decoder alone, as in the
    follow-up papers, or decoder and trunk, and then their places are guessed too. Raises BadInput for any other run.
    """
    from butf.networks.zoo import name_of  # imports torch, which listing and stopping runs can do without
    from butf.training.start import ADAPTABLE

    if run.config.get("method") not in ADAPTABLE or not run.complete:
        raise BadInput(f"run {run.name} cannot be adapted; choose a finished run of {' or '.join(ADAPTABLE)}")
    alone = {"extra_reach": 0.0, "guess_share": 0.0} if decoder_alone else {}
    own = {name: value for name, value in run.config.items() if name not in ("extra_reach", "guess_share")}
    return {**_defaults(run.config), **own, "method": "bu-tf-adapted", "start_from": name_of(run.weights_path), **alone}


def resume(run: Run) -> None:
    """Go on with a run that was stopped or interrupted, or that failed, in the background.

    Raises BadInput when it is being trained, is finished, or training is switched off.
    """
    _require_allowed()
    if run.complete:
        raise BadInput(f"run {run.name} is finished; start a new run to train further")
    _launch(run, [*train_command(run.config, run.path), "--resume"])


def stop(run: Run, grace_s: float = GRACE_S) -> None:
    """Ask a trainer to save and end, wait up to `grace_s` seconds for it, and kill it if it does not.

    A killed run resumes from its last checkpoint. Does nothing when no trainer lives.
    """
    if not is_held(run.lock_path):
        return
    _signal(run, signal.SIGTERM)
    message = ""
    if not _wait_until_free(run, grace_s):
        message = f"It did not answer for {grace_s:.0f} s and was killed; Resume goes on from the last checkpoint."
        _signal(run, signal.SIGKILL)
    if not _wait_until_free(run, PATIENCE_S):
        raise BadInput(f"the trainer of run {run.name} cannot be ended; find it with `lsof {run.lock_path}`")
    if run.state().state == "interrupted":  # it ended without a word of its own
        run.write_status(state="stopped", message=message)


def delete(run: Run) -> None:
    """Remove a run with all it holds. Raises BadInput while it is being trained or when it cannot be removed."""
    lock = FileLock(run.lock_path)
    if not lock.acquire(PATIENCE_S):
        raise BadInput(f"run {run.name} is being trained; stop it before you delete it")
    # Renamed first: a folder half removed is then no run any more, whatever happens next.
    doomed = run.path.with_name(f".deleted-{run.name}-{secrets.token_hex(4)}")
    try:
        run.path.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise BadInput(f"{run.path} cannot be removed ({error.strerror}); check its permissions") from error
    finally:
        lock.release()


def train_command(config: Mapping[str, Any], name: str | Path) -> list[str]:
    """The command line that trains `config` as run `name`, to be run in the repository's folder.

    Method and data are always named; any other field becomes a flag where it differs from its default.
    """
    flags: list[str] = []
    command = "train-keypoints" if config.get("method") == KEYPOINTS else "train"
    defaults = _defaults(config)
    for field, value in config.items():
        if field in ("method", "data") or value != defaults.get(field):
            text = str(value).lower() if value is None or isinstance(value, bool) else str(value)
            flags += [f"--{field.replace('_', '-')}", text]
    return [sys.executable, "-m", "butf", command, *flags, "--run", _short(locate(name))]


def _defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    # Both import torch, which listing and stopping runs can do without.
    if config.get("method") == KEYPOINTS:
        from butf.keypoints.config import KeypointConfig

        known = fields(KeypointConfig)
    else:
        from butf.training.config import TrainConfig

        known = fields(TrainConfig)
    return {field.name: field.default for field in known}


def check_name(name: str) -> None:
    """BadInput unless a new run may have this name: it stays in `runs_dir()` and no shipped model has it."""
    from butf.networks.methods import METHODS  # imports torch, as above

    if not NAME.fullmatch(name):
        raise BadInput(f"{name!r} cannot name a run; use letters, digits, '-', '_' and '.' only")
    if name in METHODS:
        raise BadInput(f"{name!r} is the name of a method and of its shipped model; choose another name for the run")


def fresh_name(config: Mapping[str, Any]) -> str:
    """A name that no run has yet, from the method and the time: `bu-tf-20261121-1012-a`."""
    stem = f"{config.get('method', 'run')}-{time.strftime('%Y%m%d-%H%M')}"
    return next(name for suffix in _suffixes() if not (runs_dir() / (name := f"{stem}-{suffix}")).exists())


def _create(config: Mapping[str, Any], name: str | None) -> Run:
    if name is not None:
        check_name(name)
        return Run.create(name, config, train_command(config, name))
    while True:
        name = fresh_name(config)
        with suppress(NameTaken):  # another tab was a moment faster
            return Run.create(name, config, train_command(config, name))


def _suffixes() -> Iterator[str]:
    for length in count(1):
        yield from map("".join, product(string.ascii_lowercase, repeat=length))


def _launch(run: Run, command: list[str]) -> None:
    niceness = gives_way()
    lock = FileLock(run.lock_path)
    if not lock.acquire(PATIENCE_S):
        raise BadInput(f"run {run.name} is already being trained; stop it first")
    try:
        run.join_queue()
        run.write_status(state="queued", message="The trainer is starting.", device="")
        process = _spawn(run, command, lock)
        lock.sign(process.pid)
        _make_way(process.pid, niceness)
    finally:
        lock.release()
    # Someone has to wait for the child, or it stays a zombie for as long as the app lives.
    threading.Thread(target=_attend, args=(run, process), daemon=True).start()


def _spawn(run: Run, command: list[str], lock: FileLock) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", LOCK_VARIABLE: str(lock.fileno())}
    try:
        with run.log_path.open("ab") as log:
            log.write(f"$ {command_text(command)}\n".encode())
            log.flush()
            return subprocess.Popen(
                command,
                cwd=REPO,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock.fileno(),),  # the run is locked from now until the trainer ends, without a gap
            )
    except OSError as error:
        raise BadInput(f"run {run.name} cannot be started ({error.strerror}); free space and try again") from error


def _make_way(pid: int, niceness: int) -> None:
    """Have whoever browses served before this trainer."""
    with suppress(AttributeError, OSError):  # not every system has niceness, and the trainer may have ended
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
        # Linux may share the processor among sessions first (sched(7), autogroup), and niceness counts only within one.
        group = Path(f"/proc/{pid}/autogroup")
        if group.exists():
            group.write_text(str(niceness))


def _attend(run: Run, process: "subprocess.Popen[bytes]") -> None:
    """Wait for a trainer; where it ended with an error before it could write a status, write that for it."""
    code = process.wait()
    lock = FileLock(run.lock_path)
    if code <= 0 or not run.config_path.is_file() or not lock.acquire(PATIENCE_S):
        return
    try:
        if run.status().get("state") == "queued":
            lines = run.log_tail().strip().splitlines()
            run.write_status(state="failed", message=lines[-1] if lines else f"ended with code {code}")
    finally:
        lock.release()


def _signal(run: Run, number: int) -> bool:
    pid = run.pid()
    if pid is None:
        return False
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:  # started from a shell script: its group is not ours to end
            os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise BadInput(f"run {run.name} belongs to another user; ask them to stop process {pid}") from error
    return True


def _wait_until_free(run: Run, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_held(run.lock_path):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _require_allowed() -> None:
    if not training_allowed():
        raise BadInput("training is switched off here (BUTF_NO_TRAINING); unset it, or train from a terminal")


def _short(path: Path) -> str:
    return str(path.relative_to(REPO)) if path.is_relative_to(REPO) else str(path)
