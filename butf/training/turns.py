"""Whose turn it is: the runs of one folder train one at a time on a device, in the order in which they were asked for.

The order is a number in each run's `turn.json`, the time at which it joined the queue, unless someone moved it. Who
holds the device is told by its lock alone, so nothing here can start two trainers on one device.
"""

from collections.abc import Sequence
from pathlib import Path

from butf.errors import BadInput
from butf.training.folder import Run
from butf.training.state import RunState


def states_in(folder: Path) -> list[RunState]:
    """The state of every run in `folder`, in no order. Folders that are no runs are passed over."""
    return [state for path in folder.glob("*") if (state := _state(path))]


def ahead(state: RunState, states: Sequence[RunState]) -> list[RunState]:
    """The live runs that come before a queued one on its device: those at work, then those that wait, in order."""
    rivals = [other for other in states if other.active and other.path != state.path and _same_device(other, state)]
    running = [other for other in rivals if other.state == "running"]
    return running + sorted((other for other in rivals if _waits_before(other, state)), key=_order)


def waiting_before(run: Run) -> bool:
    """Whether another run that waits for the same device is to be let in before this one."""
    return any(other.state == "queued" for other in ahead(run.state(), states_in(run.path.parent)))


def in_words(state: RunState, states: Sequence[RunState]) -> str:
    """A run's state for people; of one that waits its place in the queue, too: `queued, place 2, after bu-tf-7`."""
    before = ahead(state, states) if state.state == "queued" else []
    if not before:
        return state.state
    place = 1 + sum(other.state == "queued" for other in before)
    return f"queued, place {place}, after {before[-1].name}"


def can_move_up(state: RunState, states: Sequence[RunState]) -> bool:
    """Whether a queued run has another that waits before it."""
    return state.state == "queued" and any(other.state == "queued" for other in ahead(state, states))


def move_up(run: Run) -> None:
    """Let a queued run pass the one that waits directly before it. Raises BadInput when there is none."""
    waiting = [other for other in ahead(run.state(), states_in(run.path.parent)) if other.state == "queued"]
    if run.state().state != "queued" or not waiting:
        raise BadInput(f"run {run.name} waits behind no other run; there is nothing to move it before")
    passed = _order(waiting[-1])[0]
    next_ahead = _order(waiting[-2])[0] if len(waiting) > 1 else passed - 2.0
    run.join_queue((passed + next_ahead) / 2)


def _state(path: Path) -> RunState | None:
    try:
        return Run.open(path).state()
    except BadInput:
        return None


def _same_device(one: RunState, other: RunState) -> bool:
    """A trainer that is still starting has not said its device: it counts for all of them, for a few seconds."""
    return not one.device or not other.device or one.device == other.device


def _waits_before(other: RunState, state: RunState) -> bool:
    return other.state == "queued" and _order(other) < _order(state)


def _order(state: RunState) -> tuple[float, str]:
    asked = state.started if state.turn is None else state.turn
    return (asked or 0.0, state.name)
