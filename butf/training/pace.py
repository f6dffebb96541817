"""How fast a run goes and how long it still takes, from what it logged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RECENT = 10  # records that tell the present pace


@dataclass(frozen=True)
class Pace:
    """None where too little has been logged to tell."""

    images_per_s: float | None
    left_s: float | None
    """Seconds to the end of training."""
    spent_s: float | None
    """Seconds of training so far."""


def pace(records: Sequence[Mapping[str, Any]]) -> Pace:
    """The pace of the last few records of a run's metrics.jsonl, those of the present phase: phases differ in speed."""
    logged = [record for record in records if "images_per_s" in record]
    if not logged:
        return Pace(None, None, None)
    last = logged[-1]
    recent = [record for record in logged[-RECENT:] if record.get("phase") == last.get("phase")]
    rates = sorted(record["images_per_s"] for record in recent)
    before = logged[-len(recent) - 1] if len(recent) < len(logged) else {"step": 0, "seconds": 0.0}
    seconds_a_step = (last["seconds"] - before["seconds"]) / max(1, last["step"] - before["step"])
    left = (last["steps"] - last["step"]) * seconds_a_step
    return Pace(rates[len(rates) // 2], left, last["seconds"])


def duration(seconds: float) -> str:
    """A length of time in words of two units at most: `45 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {whole % 60:02d} s" if minutes else f"{whole} s"
