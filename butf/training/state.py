"""What is known of a training run from outside."""

from dataclasses import dataclass
from pathlib import Path

MEANINGS = {
    "interrupted": "The trainer was killed or the machine went down; Resume goes on from the last checkpoint.",
    "stopped": "Stopped as asked; Resume goes on where it was saved.",
    "failed": "It ended with an error, which the log tells.",
}


@dataclass(frozen=True)
class RunState:
    """What is known of a run from outside. Times are seconds since 1970 (UTC), `started` that of its first
    start; `steps` counts all phases. `turn` orders the runs that wait for one device, and `device` is the one that
    the trainer said, empty while it is still starting.
    """

    name: str
    path: Path
    state: str  # queued | running | finished | stopped | interrupted | failed
    step: int
    steps: int
    phase: str
    message: str
    started: float | None
    updated: float | None
    method: str
    data: str
    turn: float | None = None
    device: str = ""

    @property
    def active(self) -> bool:
        """Whether a trainer lives: it can be stopped, and the folder must not be touched."""
        return self.state in ("queued", "running")

    @property
    def explanation(self) -> str:
        """The trainer's message, or what the state means where a person may wonder; else empty."""
        return self.message or MEANINGS.get(self.state, "")

    @property
    def resumable(self) -> bool:
        """Whether training can go on from where it ended."""
        return self.state in ("stopped", "interrupted", "failed")
