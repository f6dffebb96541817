"""The queue of runs on one device: its order, its words, and passing in it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from butf.errors import BadInput
from butf.locks import FileLock
from butf.training import turns
from butf.training.folder import Run


@pytest.fixture
def made(tmp_path, monkeypatch) -> Iterator:
    """Makes runs whose trainers seem to live: their locks are held here."""
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path))
    held = ExitStack()

    def make(name: str, state: str, at: float | None = None, device: str = "cpu") -> Run:
        run = Run.create(name, {"method": "bu-tf", "data": "town"}, ["train"])
        run.write_status(state=state, device=device, started=at or 1.0)
        if at is not None:
            run.join_queue(at)
        lock = FileLock(run.lock_path)
        assert lock.acquire()
        held.callback(lock.release)
        run.let_go = lock.release
        return run

    yield make
    held.close()


def words(run: Run) -> str:
    return turns.in_words(run.state(), turns.states_in(run.path.parent))


def test_the_words_name_the_place_and_whom_a_run_waits_for(made):
    made("at-work", "running", 1.0)
    third, second = made("third", "queued", 30.0), made("second", "queued", 20.0)
    assert words(second) == "queued, place 1, after at-work"
    assert words(third) == "queued, place 2, after second"
    assert words(Run.open("at-work")) == "running"
    second.let_go()  # its trainer was killed
    assert words(third) == "queued, place 1, after at-work"
    assert words(second) == "interrupted"


def test_only_earlier_runs_that_wait_for_the_same_device_go_first(made):
    elsewhere, first, second = (
        made("elsewhere", "queued", 5.0, "cuda:0"), made("first", "queued", 10.0), made("second", "queued", 20.0),
    )  # fmt: skip
    assert [turns.waiting_before(run) for run in (elsewhere, first, second)] == [False, False, True]
    starting = made("starting", "queued", 15.0, device="")
    assert turns.waiting_before(second) and not turns.waiting_before(first)
    assert words(second) == "queued, place 3, after starting"
    assert not turns.waiting_before(elsewhere), "started earlier than the one whose device is not known yet"
    starting.let_go()
    assert words(second) == "queued, place 2, after first"


def test_a_run_at_work_keeps_nobody_from_asking_for_the_device(made):
    """Whether the device is free is told by its lock alone."""
    made("at-work", "running", 1.0)
    assert not turns.waiting_before(made("next", "queued", 2.0))


def test_moving_up_passes_one_run_at_a_time(made):
    made("at-work", "running", 1.0)
    names = ["a", "b", "c"]
    runs = {name: made(name, "queued", 10.0 * (k + 1)) for k, name in enumerate(names)}

    def order() -> list[str]:
        return sorted(names, key=lambda name: words(runs[name]))

    assert order() == ["a", "b", "c"]
    turns.move_up(runs["c"])
    assert order() == ["a", "c", "b"]
    turns.move_up(runs["c"])
    assert order() == ["c", "a", "b"]
    assert words(runs["c"]) == "queued, place 1, after at-work"
    with pytest.raises(BadInput, match="run c waits behind no other run"):
        turns.move_up(runs["c"])
    states = turns.states_in(runs["c"].path.parent)
    assert [turns.can_move_up(runs[name].state(), states) for name in names] == [True, True, False]


def test_runs_of_before_the_queue_are_ordered_by_their_start(made):
    old = made("old", "queued")
    assert old.state().turn is None and not turns.waiting_before(old)
    assert turns.waiting_before(made("new", "queued", 2.0))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"at": "soon"}', '{"at": true}'])
def test_a_broken_turn_file_is_as_none(made, text):
    run = made("a", "queued", 5.0)
    Path(run.turn_path).write_text(text)
    assert run.state().turn is None
    assert words(run) == "queued"
