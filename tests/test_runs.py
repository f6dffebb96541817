"""Runs as folders: real trainer processes that are stopped, killed, resumed, queued and deleted."""

import argparse
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from butf.commands import config_flags
from butf.commands import train as train_flags
from butf.errors import BadInput
from butf.files import REPO, write_json
from butf.locks import FileLock, holder, is_held
from butf.training import runs, turns
from butf.training.checkpoint import load_checkpoint
from butf.training.config import TrainConfig
from butf.training.folder import Run, locate
from butf.training.metrics import without_overrun
from butf.training.session import StopRequested, session, stop_flag

TRAINER = '''
"""The smallest trainer: counts its steps in a weight; folder, session and checkpoint are the real ones."""
import sys
import time
from pathlib import Path

import torch

from butf.files import write_json
from butf.networks.weights import save_weights
from butf.training.checkpoint import load_checkpoint, random_states, save_checkpoint
from butf.training.folder import Run
from butf.training.session import StopRequested, session

run, model, step = Run.open(Path(sys.argv[1])), torch.nn.Linear(1, 1), 0
config = run.config


def save():
    save_checkpoint(run.checkpoint_path, model, None, None, {"step": step}, random_states())


try:
    with session(run, "cpu") as stop:
        model.weight.data.zero_()
        if "--resume" in sys.argv and run.checkpoint_path.exists():
            loaded = load_checkpoint(run.checkpoint_path)
            model.load_state_dict(loaded["model"])
            step = loaded["progress"]["step"]
        while step < config["steps"]:
            step += 1
            model.weight.data += 1
            run.log_metrics({"step": step, "phase_index": 1, "loss": 1 / step})
            run.write_status(step=step, steps=config["steps"], phase="main")
            if step % 5 == 0:
                save()
            time.sleep(config["pause"])
            if config.get("fault") and step == 2:
                raise RuntimeError(config["fault"])
            if stop and not config.get("deaf"):
                save()
                raise StopRequested(stop.signal)
        save_weights(run.weights_path, model.state_dict(), {})
        write_json(run.card_path, {"name": run.name})
        print("finished")
except StopRequested as request:
    sys.exit(request.exit_code)
'''


REAL_COMMAND = runs.train_command


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Iterator[Path]:
    """A runs folder of its own, the small trainer in place of ours, and no process left behind."""
    script = tmp_path / "trainer.py"
    script.write_text(TRAINER)
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    monkeypatch.delenv("BUTF_NO_TRAINING", raising=False)
    monkeypatch.setattr(runs, "train_command", lambda _, name: [sys.executable, str(script), str(locate(name))])
    yield tmp_path / "runs"
    # A test may have pointed elsewhere, and the trainers of the real runs folder must live on.
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path / "runs"))
    for state in runs.list_runs():
        runs.stop(Run.open(state.path), grace_s=0)
    assert not any(state.active for state in runs.list_runs())


def config(**fields) -> dict:
    return {"method": "bu-tf", "data": "town", "steps": 10_000, "pause": 0.01, **fields}


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def word(run: Run) -> str:
    return run.state().state


def at_step(run: Run, step: int) -> Callable[[], bool]:
    return lambda: run.state().step >= step


def test_a_run_finishes_and_is_read_from_its_folder_alone(folder):
    run = runs.start(config(steps=12), "first")
    assert run.path == folder / "first"
    assert word(run) == "queued", "the lock is held from the moment of starting, without a gap"
    until(lambda: not is_held(run.lock_path))
    state = Run.open("first").state()
    assert (state.state, state.step, state.steps, state.method, state.data) == ("finished", 12, 12, "bu-tf", "town")
    assert [record["step"] for record in run.metrics()] == list(range(1, 13))
    assert run.config == config(steps=12)
    assert "trainer.py" in run.command
    assert run.log_tail().endswith("finished\n")
    with pytest.raises(BadInput, match="is finished"):
        runs.resume(run)


def test_stop_saves_and_resume_goes_on(folder, monkeypatch):
    monkeypatch.delenv("BUTF_NICENESS")
    run = runs.start(config(), "a")
    until(at_step(run, 7))
    niceness = os.getpriority(os.PRIO_PROCESS, run.pid())
    assert niceness == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10), "who browses is served first"
    group = Path(f"/proc/{run.pid()}/autogroup")
    assert not group.exists() or group.read_text().split()[-1] == "10", "and not a session's turn"
    runs.stop(run)
    assert word(run) == "stopped"
    saved = load_checkpoint(run.checkpoint_path)
    step = saved["progress"]["step"]
    assert step == run.metrics()[-1]["step"] >= 7
    assert saved["model"]["weight"].item() == step

    monkeypatch.setenv("BUTF_NICENESS", "0")
    runs.resume(run)
    until(at_step(run, step + 5))
    assert [record["step"] for record in run.metrics()][: step + 3] == list(range(1, step + 4))
    runs.stop(run)


def test_a_killed_trainer_is_interrupted_and_resumes_from_its_checkpoint(folder):
    run = runs.start(config(), "a")
    until(at_step(run, 13))
    os.kill(run.pid(), signal.SIGKILL)
    until(lambda: not is_held(run.lock_path))
    assert run.status()["state"] == "running", "nobody was left to write another status"
    state = run.state()
    assert (state.state, state.active, state.resumable) == ("interrupted", False, True)
    step = load_checkpoint(run.checkpoint_path)["progress"]["step"]

    # The metrics of steps after the checkpoint are told twice; the last account counts.
    runs.resume(run)
    until(at_step(run, step + 20))
    runs.stop(run)
    steps = [record["step"] for record in run.metrics()]
    assert steps == list(range(1, steps[-1] + 1))
    assert len(run.metrics_path.read_bytes().splitlines()) > len(steps)
    assert load_checkpoint(run.checkpoint_path)["model"]["weight"].item() == steps[-1]


def test_a_deaf_trainer_is_killed_after_the_grace_time(folder):
    run = runs.start(config(deaf=True), "a")
    until(at_step(run, 6))
    began = time.monotonic()
    runs.stop(run, grace_s=0.3)
    assert 0.3 <= time.monotonic() - began < 5
    assert word(run) == "stopped"
    assert "was killed; Resume goes on from the last checkpoint" in run.state().explanation
    assert load_checkpoint(run.checkpoint_path)["progress"]["step"] >= 5


def test_a_second_trainer_on_one_run_refuses(folder):
    run = runs.start(config(), "a")
    until(at_step(run, 1))
    with pytest.raises(BadInput, match="already being trained"):
        runs.resume(run)
    code = "from butf.training.folder import Run; Run.open('a').take_lock()"
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPO, timeout=180)
    assert second.returncode != 0
    assert f"run a is already being trained by process {run.pid()}; stop it first" in second.stderr
    with pytest.raises(BadInput, match="stop it before you delete it"):
        runs.delete(run)
    assert word(run) == "running"
    runs.stop(run)


@pytest.mark.parametrize("asked", ["20", "-1", "much", "1.5", "²"])
def test_how_far_to_give_way_is_a_number_that_systems_know(folder, monkeypatch, asked):
    monkeypatch.setenv("BUTF_NICENESS", asked)
    with pytest.raises(BadInput, match=f"BUTF_NICENESS is '{asked}'; give a number from 0"):
        runs.start(config(), "a")
    assert not (folder / "a").exists()
    monkeypatch.setenv("BUTF_NICENESS", "7")
    assert runs.gives_way() == 7


def test_one_trainer_at_a_time_on_a_device(folder):
    first = runs.start(config(), "first")
    until(at_step(first, 1))
    second, third = runs.start(config(), "second"), runs.start(config(), "third")
    for run in (second, third):
        until(lambda run=run: "another run is training" in run.state().message)
        assert (word(run), run.state().step) == ("queued", 0)
    runs.stop(third)
    assert (word(third), third.metrics()) == ("stopped", [])
    runs.stop(first)
    until(at_step(second, 3))
    assert (word(first), word(second)) == ("stopped", "running")
    runs.stop(second)


def test_the_queue_goes_in_order_and_can_be_changed(folder):
    first = runs.start(config(), "first")
    until(at_step(first, 1))
    second, third, fourth = (runs.start(config(), name) for name in ("second", "third", "fourth"))
    for run in (second, third, fourth):
        until(lambda run=run: run.state().device == "cpu")
    assert turns.in_words(fourth.state(), runs.list_runs()) == "queued, place 3, after third"
    turns.move_up(fourth)
    runs.stop(second)
    assert turns.in_words(third.state(), runs.list_runs()) == "queued, place 2, after fourth"
    runs.stop(first)
    until(at_step(fourth, 1))
    assert (word(third), third.state().step) == ("queued", 0)
    runs.resume(second)  # at the end of the queue again
    until(lambda: "another run is training" in second.state().message)
    runs.stop(fourth)
    until(at_step(third, 1))
    assert [word(run) for run in (first, second, third, fourth)] == ["stopped", "queued", "running", "stopped"]
    for run in (second, third):
        runs.stop(run)


def test_a_trainer_that_fails_says_why(folder):
    run = runs.start(config(fault="the loss is not a number"), "a")
    until(lambda: not is_held(run.lock_path))
    assert (word(run), run.state().message) == ("failed", "RuntimeError: the loss is not a number")
    assert "Traceback" in run.log_tail()
    assert run.state().resumable


def test_a_trainer_that_cannot_even_begin_says_why(folder, monkeypatch):
    monkeypatch.setattr(runs, "train_command", lambda *_: [sys.executable, "-c", "raise SystemExit('no such data')"])
    run = runs.start(config(), "a")
    until(lambda: word(run) == "failed")
    assert run.state().message == "no such data"
    monkeypatch.setattr(runs, "train_command", lambda *_: ["/nowhere/python"])
    with pytest.raises(BadInput, match="run b cannot be started"):
        runs.start(config(), "b")
    assert not (folder / "b").exists()


def test_stopping_before_the_first_step_leaves_a_stopped_run(folder):
    run = runs.start(config(), "a")
    runs.stop(run)
    assert word(run) == "stopped"
    runs.stop(run)
    runs.resume(run)
    until(at_step(run, 2))
    runs.stop(run)


def test_a_process_id_is_trusted_only_while_it_has_the_lock_open(folder):
    run = Run.create("a", config(), ["train"])
    innocent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        run.lock_path.write_text(str(innocent.pid))
        assert run.pid() is None, "nobody holds the lock: the number is left over"
        with run.lock():
            assert run.pid() == os.getpid()
            with pytest.raises(BadInput, match=f"already being trained by process {os.getpid()}"):
                Run.claim("a", config(steps=1), ["train"])
            assert run.config == config()
            run.lock_path.write_text(str(innocent.pid))
            assert holder(run.lock_path) is None, "held, but not by the process of that number"
            with pytest.raises(BadInput, match="cannot be ended"):
                runs.stop(run, grace_s=0)
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_asking_for_a_lock_does_not_disturb_taking_it(tmp_path):
    path = tmp_path / "x.lock"
    lock, other = FileLock(path), FileLock(path)
    assert not is_held(path)
    assert lock.acquire()
    assert is_held(path)
    assert not other.acquire(patience_s=0.05)
    lock.release()
    assert not is_held(path)
    assert other.acquire(patience_s=0.05)
    other.release()


def test_a_half_written_line_is_passed_over_and_never_joined_to_the_next(folder):
    run = Run.create("a", config(), ["train"])
    assert run.metrics() == []
    run.log_metrics({"step": 1, "loss": 0.5})
    with run.metrics_path.open("a") as file:
        file.write('{"step": 2, "lo')
    assert run.metrics() == [{"step": 1, "loss": 0.5}]
    run.log_metrics({"step": 3, "loss": 0.25})
    assert run.metrics() == [{"step": 1, "loss": 0.5}, {"step": 3, "loss": 0.25}]


def test_metrics_of_a_resumed_phase_follow_the_checkpoint(folder):
    run = Run.create("a", config(), ["train"])
    told = [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (2, 2), (2, 3)]
    for index, (phase, step) in enumerate(told):
        run.log_metrics({"phase_index": phase, "step": step, "index": index})
        run.log_metrics({"step": step, "val_recall_mean": 0.5, "index": index})
    kept = [record["index"] for record in run.metrics() if "val_recall_mean" not in record]
    assert kept == [0, 1, 2, 5, 6]
    assert [record["index"] for record in run.metrics() if "val_recall_mean" in record] == kept


def test_a_full_disk_costs_the_line_being_written_and_nothing_else(folder):
    run = Run.create("a", config(), ["train"])
    run.log_metrics({"step": 1})
    run.write_status(state="running", step=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (run.metrics_path.stat().st_size + 5, hard))
    try:
        with pytest.raises(BadInput, match=r"metrics\.jsonl cannot be written"):
            run.log_metrics({"step": 2})
        with pytest.raises(BadInput, match=r"status\.json cannot be written"):
            run.write_status(step=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    run.log_metrics({"step": 3})
    assert [record["step"] for record in run.metrics()] == [1, 3]
    assert run.status()["step"] == 1


def test_starting_on_a_full_disk_leaves_nothing(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match=r"config\.json cannot be written \(no space left"):
        runs.start(config(), "a")
    assert list(folder.iterdir()) == []


def test_a_runs_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path / "file" / "runs"))
    with pytest.raises(BadInput, match="cannot be made"):
        runs.start(config())
    assert runs.list_runs() == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/tmp/x", ".hidden", "-rf", "a b", "<b>a</b>", "ä", "a\n", "a" * 101]
)
def test_names_that_could_leave_the_folder_or_upset_a_page_are_refused(folder, name):
    with pytest.raises(BadInput, match="letters, digits"):
        runs.start(config(), name)
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_run_cannot_take_the_name_of_a_shipped_model(folder):
    with pytest.raises(BadInput, match="'bu-tf' is the name of a method"):
        runs.start(config(), "bu-tf")
    assert not folder.exists()


def test_default_names_never_collide(folder, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda _: "20261121-1012")
    monkeypatch.setattr(runs, "train_command", lambda *_: [sys.executable, "-c", ""])
    names = [runs.start(config()).name for _ in range(28)]
    assert names[:2] == ["bu-tf-20261121-1012-a", "bu-tf-20261121-1012-b"]
    assert names[25:] == ["bu-tf-20261121-1012-z", "bu-tf-20261121-1012-aa", "bu-tf-20261121-1012-ab"]


def test_the_command_names_what_differs_from_the_defaults(folder, tmp_path, monkeypatch):
    data = tmp_path / "my data"
    data.mkdir()
    chosen = TrainConfig(method="bu-tf", data=str(data), steps=7, lambda_div=0.5, squared_distance=True).as_dict()
    with monkeypatch.context() as patch:
        patch.setenv("BUTF_RUNS", str(REPO / "runs"))
        command = REAL_COMMAND(chosen, "a")
    assert runs.command_text(command) == (
        f"python -m butf train --method bu-tf --data '{data}' --steps 7 --squared-distance true --lambda-div 0.5 "
        "--run runs/a"
    )
    assert REAL_COMMAND(chosen, folder / "b")[-1] == str(folder / "b")
    parser = argparse.ArgumentParser()
    train_flags.add_arguments(parser)
    assert TrainConfig.from_dict(config_flags.given(parser.parse_args(command[4:]))).as_dict() == chosen


def test_claim_takes_an_untrained_folder_and_refuses_any_other(folder):
    run = Run.create("a", config(), ["train"])
    assert Run.claim("a", config(steps=3), ["train"]).config["steps"] == 3
    run.log_metrics({"step": 1})
    with pytest.raises(BadInput, match="holds a trained run"):
        Run.claim("a", config(), ["train"])
    (folder / "photos").mkdir()
    (folder / "photos" / "me.jpg").touch()
    with pytest.raises(BadInput, match="holds other files"):
        Run.claim(folder / "photos", config(), ["train"])
    elsewhere = Run.claim(folder.parent / "elsewhere" / "b", config(), ["train"])
    assert Run.open(elsewhere.path).config == config()
    with pytest.raises(BadInput, match="there is a run a already"):
        Run.create("a", config(), ["train"])
    with pytest.raises(BadInput, match="is no run"):
        Run.open("photos")


def test_delete_removes_everything_and_only_that(folder):
    kept, doomed = (Run.create(name, config(), ["train"]) for name in ("kept", "doomed"))
    runs.delete(doomed)
    assert [path.name for path in folder.iterdir()] == ["kept"]
    assert [state.name for state in runs.list_runs()] == ["kept"]
    assert kept.config == config()


def test_listing_passes_over_what_is_no_run_and_survives_broken_files(folder):
    run = Run.create("a", config(), ["train"])
    (folder / "notes").mkdir()
    (folder / "stray.txt").touch()
    (Run.create("b", config(), ["train"])).config_path.write_text("{")
    run.status_path.write_text('{"state": "runn')
    assert [(state.name, state.state) for state in runs.list_runs()] == [("a", "interrupted")]
    write_json(run.status_path, {"state": 3, "step": "x", "started": None})
    assert run.state().step == 0
    write_json(run.config_path, ["not", "a", "dict"])
    assert runs.list_runs() == []


def test_the_log_tail_begins_with_a_whole_line(folder):
    run = Run.create("a", config(), ["train"])
    assert run.log_tail() == ""
    run.log_path.write_bytes(b"".join(b"line %d \xff\n" % index for index in range(1000)))
    tail = run.log_tail(100)
    assert len(tail) <= 100
    assert tail.splitlines()[0] in {f"line {index} \ufffd" for index in range(1000)}
    assert tail.endswith("line 999 \ufffd\n")


def test_training_can_be_switched_off(folder, monkeypatch):
    monkeypatch.setenv("BUTF_NO_TRAINING", "1")
    with pytest.raises(BadInput, match="switched off"):
        runs.start(config())
    with pytest.raises(BadInput, match="switched off"):
        runs.resume(Run.create("a", config(), ["train"]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_only_set_the_flag_and_the_session_tells_of_it(folder, number):
    run = Run.create("a", config(), ["train"])
    before = signal.getsignal(number)
    with stop_flag() as flag:
        assert not flag
        os.kill(os.getpid(), number)
        until(lambda: flag)
    assert flag.signal == number
    assert signal.getsignal(number) is before

    with pytest.raises(StopRequested) as caught, session(run, "cpu") as stop:
        assert word(run) == "running"
        os.kill(os.getpid(), number)
        until(lambda: stop)
        raise StopRequested(stop.signal)
    assert caught.value.exit_code == 128 + number
    assert word(run) == "stopped"
    assert not is_held(run.lock_path)


def test_status_is_never_half_written(folder):
    run = Run.create("a", config(), ["train"])
    run.write_status(state="running", step=1, started=5.0)
    run.write_status(step=2)
    status = json.loads(run.status_path.read_text())
    assert (status["state"], status["step"], status["started"]) == ("running", 2, 5.0)
    assert {path.name for path in run.path.iterdir()} == {"config.json", "status.json"}


def test_a_step_that_was_logged_just_before_a_kill_is_told_once():
    records = [{"step": 10, "loss": 1.0}, {"step": 20, "loss": 2.0}, {"step": 20, "loss": 3.0}, {"step": 20, "val": 1}]
    assert without_overrun(records) == [records[0], *records[2:]]
