"""`runs`: the training runs and their states."""

from __future__ import annotations

import argparse
import dataclasses
import time

from butf.commands.common import add_json, check_output, text_table, write_result
from butf.files import runs_dir
from butf.training.runs import list_runs
from butf.training.state import RunState


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `runs`."""
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """List the runs, the newest first."""
    check_output(args.json)
    states = list_runs()
    value = {"runs": [{**dataclasses.asdict(state), "path": str(state.path)} for state in states]}
    write_result(args.json, value, _as_text(states) if states else f"no runs in {runs_dir()}")


def _as_text(states: list[RunState]) -> str:
    header = ("run", "state", "method", "data", "step", "phase", "updated", "message")
    rows = [
        (s.name, s.state, s.method, s.data, f"{s.step}/{s.steps}", s.phase, _when(s.updated), s.message) for s in states
    ]
    return text_table(header, rows)


def _when(seconds: float | None) -> str:
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
