"""Frames of the town rendered a second by one core, by condition: picture, depth, reflectance and classes.

At 224 x 224 with 2 x 2 samples at edges, as its prototype was measured. `encoded` adds the four files. Given the
prototype's folder, places of its own town are rendered after ours, in this process, by day and at night: the goal is
twice its rate on the same machine.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from butf.commands.common import add_json, at_least_one, text_table, write_result
from butf.town.conditions import CONDITIONS
from butf.town.config import TownConfig
from butf.town.district import District
from butf.town.pictures import encoded
from butf.town.render import Renderer

GOAL = 2.0
HEADER = ("condition", "frames/s", "encoded, frames/s", "times the prototype's", f"at least {GOAL:g}")
NIGHTS = ("dusk", "night")


def main(argv: list[str]) -> None:
    """Measure, print a table, and write the JSON where it is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks town", description=__doc__.partition("\n")[0])
    parser.add_argument("--conditions", nargs="+", default=["reference", "lowsun", "night"], choices=CONDITIONS)
    parser.add_argument("--frames", type=at_least_one, default=8, metavar="N", help="frames a condition (8)")
    parser.add_argument("--rounds", type=at_least_one, default=3, metavar="N", help="rounds, the best counts (3)")
    parser.add_argument("--size", type=at_least_one, default=224, metavar="PIXELS", help="side of a picture (224)")
    parser.add_argument("--prototype", type=Path, metavar="DIR", help="folder of the prototype, to render beside ours")
    add_json(parser)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    config = TownConfig(width=args.size, height=args.size, fov_deg=78.0, horizon=0.5)
    district = District(config, "test")
    entries = [_measured(Renderer(district, CONDITIONS[name], 2), name, args) for name in args.conditions]
    if args.prototype:
        day, night = before = _prototype(args)
        for entry in entries:
            other = night if entry["condition"] in NIGHTS else day
            entry["times_prototype"] = entry["frames_per_s"] / other["frames_per_s"]
        entries += before
    rows = [_row(entry) for entry in entries]
    title = f"{args.size} x {args.size}, 2 x 2 samples, one core; best of {args.rounds} rounds of {args.frames} frames"
    write_result(args.json, {"size": args.size, "entries": entries}, f"{title}\n{text_table(HEADER, rows)}")


def _measured(renderer: Renderer, name: str, args: argparse.Namespace) -> dict[str, Any]:
    places = range(0, 20 * args.frames, 20)
    config = renderer._district.config
    pictures = [renderer.picture(place) for place in places]
    rate = _rate([lambda place=place: renderer.picture(place) for place in places], args.rounds)
    files = _rate([lambda one=one: encoded(one, config) for one in pictures], args.rounds)
    return {"condition": name, "frames_per_s": rate, "encoded_per_s": 1 / (1 / rate + 1 / files)}


def _prototype(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The prototype's noon and night, in this order, along its own route."""
    sys.path.insert(0, str(args.prototype.absolute()))
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # it keeps its town where it is run
        sheet = importlib.import_module("sheet")
    points, yaw = sheet.route(sheet.T, sheet.IDS)
    entries = []
    for name in ("noon", "night"):
        drive = sheet.R.Traversal(sheet.T, name, args.size)
        places = range(0, min(20 * args.frames, len(points)), 20)
        frames = [lambda i=i, drive=drive: drive.frame(*points[i], yaw[i]) for i in places]
        entries.append({"condition": f"prototype {name}", "frames_per_s": _rate(frames, args.rounds)})
    return entries


def _rate(tasks: list[Callable[[], object]], rounds: int) -> float:
    """Tasks done in a second of processor time, which others at work hardly change: the mean of each one's best."""
    best = []
    for task in tasks:
        seconds = []
        for _ in range(rounds):
            start = time.process_time()
            task()
            seconds.append(time.process_time() - start)
        best.append(min(seconds))
    return 1 / statistics.mean(best)


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    times = entry.get("times_prototype")
    reached = "-" if times is None else "yes" if times >= GOAL else "NO"
    numbers = (entry["frames_per_s"], entry.get("encoded_per_s"), times)
    return entry["condition"], *("-" if number is None else f"{number:.1f}" for number in numbers), reached
