"""Data sets of a thousand, ten and a hundred thousand frames: seconds and memory to load them and to open Explore.

The data sets are made up in a temporary folder (`_large`). Tables are loaded in a fresh process; Explore is opened in a
real Chromium, on a fresh server and on a warm one, until the query's picture, the map and the answers are there, or in
their place the offer to describe the pictures, which nobody did. `--described` fills the bank first, with what the
models say of the few pictures that all frames link to, so that there is something to search in.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._large import write_large
from benchmarks._serving import chromium_path, launched, server_process, serving
from benchmarks.crowd import resident_mb
from butf.commands.common import add_json, at_least_one, text_table, write_result
from butf.files import REPO

GOAL_S, GOAL_MB = 5.0, 2048
MODELS = ("image-only", "hallucination", "bu-tf")
OPENED = """() => {
  const main = document.querySelector('[data-testid=stMainBlockContainer]')
  const picture = main && main.querySelector('.st-key-asked img')
  if (!picture || !picture.complete || !picture.naturalWidth) return false
  const map = main.querySelector('iframe[title*=st_folium]')
  if (!map || !map.contentDocument.querySelector('svg[aria-label="the query"]')) return false
  return !!main.querySelector('.st-key-undescribed, .gallery [data-pick]')
}"""
ANOTHER = "before => (document.querySelector('.st-key-asked h3.panel') || {}).innerText !== before"
COLUMNS = ("written_s", "load_s", "load_mb", "cold_s", "cold_cpu_s", "warm_s", "next_s", "server_mb")
HEADER = ("frames", "written, s", "Frames.load, s", "its memory, MB", "Explore cold, s", "server's CPU, s",
          "warm, s", "next query, s", "server, MB")  # fmt: skip


def main(argv: list[str]) -> None:
    """Measure, print a table, and write the JSON where it is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks frames", description=__doc__)
    parser.add_argument("--counts", type=at_least_one, nargs="+", default=[1_000, 10_000, 100_000], metavar="N")
    parser.add_argument("--rounds", type=at_least_one, default=3, metavar="N", help="of each, the best counts (3)")
    parser.add_argument("--described", action="store_true", help="open Explore with the pictures described")
    parser.add_argument("--tables", action="store_true", help="load tables only; needs no Chromium")
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    add_json(parser)
    args = parser.parse_args(argv)
    if args.once:
        print(json.dumps(_loaded(args.once)))
        return
    entries = [_measured(count, args) for count in args.counts]
    rows = [[f"{entry['frames']:,}", *(f"{entry[key]:.1f}" for key in COLUMNS if key in entry)] for entry in entries]
    report = {"goal_s": GOAL_S, "goal_mb": GOAL_MB, "described": args.described, "entries": entries}
    write_result(args.json, report, text_table(HEADER[: len(rows[0])], rows))


def _measured(count: int, args: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        start = time.perf_counter()
        data = write_large(root / "data" / "large", count)
        entry: dict[str, Any] = {"frames": count, "written_s": time.perf_counter() - start}
        loads = [_in_fresh_process(data) for _ in range(args.rounds)]
        entry |= {key: min(load[key] for load in loads) for key in loads[0]}
        if args.tables:
            return entry
        environment = {"BUTF_DATA": str(root / "data"), "BUTF_CACHE": str(root / "cache"), "BUTF_RUNS": str(root)}
        if args.described:
            os.environ["BUTF_CACHE"] = environment["BUTF_CACHE"]
            _describe_all(data)
        return entry | _explored(environment, args.rounds)


def _in_fresh_process(data: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks", "frames", "--once", str(data)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    loaded: dict[str, float] = json.loads(done.stdout)
    return loaded


def _loaded(data: Path) -> dict[str, float]:
    """Seconds of `Frames.load` and what the process came to hold at most meanwhile, in MB."""
    from butf.dataset.frames import Frames

    before, start = _peak_mb(), time.perf_counter()
    Frames.load(data)
    return {"load_s": time.perf_counter() - start, "load_mb": _peak_mb() - before}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _describe_all(data: Path) -> None:
    """Fill the bank: each distinct picture is described once, and all frames that link to it get its descriptor."""
    from butf.dataset.frames import Frames
    from butf.networks import zoo
    from butf.retrieval.bank import table

    frames = Frames.load(data)
    rows = frames.where(split="test")
    files = np.array([frames.image_path(int(i)).stat().st_ino for i in rows])
    distinct, which = np.unique(files, return_inverse=True)
    firsts = rows[[int(np.argmax(files == number)) for number in distinct]]
    place = dict(zip(rows.tolist(), which.tolist(), strict=True))
    for name in MODELS:
        model = zoo.load(name)
        known = model.describe(partial(frames.image, int(i)) for i in firsts)
        table(frames, rows, model, "descriptors", (), lambda some, _, known=known: known[[place[int(i)] for i in some]])


def _explored(environment: dict[str, str], rounds: int) -> dict[str, float]:
    """Seconds to open Explore and to its next query, and what the server holds at the end."""
    cold, cpu, warm, following = [], [], [], []
    for _ in range(rounds):
        with serving(environment) as address, launched(chromium_path()) as chromium:
            before = _cpu_s(address)
            cold.append(_opened(chromium, address)[0])
            cpu.append(_cpu_s(address) - before)
            seconds, after = _opened(chromium, address, clicks=3)
            warm.append(seconds)
            following += after
            held = resident_mb(address)
    best = {"cold_s": min(cold), "cold_cpu_s": min(cpu), "warm_s": min(warm), "next_s": min(following)}
    return best | {"server_mb": held}


def _opened(chromium: Any, address: str, clicks: int = 0) -> tuple[float, list[float]]:
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(300_000)
    start = time.perf_counter()
    page.goto(f"{address}/explore?data=large&" + "&".join(f"models={name}" for name in MODELS))
    page.wait_for_function(OPENED)
    taken, following = time.perf_counter() - start, []
    for _ in range(clicks):
        page.wait_for_timeout(1000)
        before = page.locator(".st-key-asked h3.panel").inner_text()
        start = time.perf_counter()
        page.get_by_role("button", name="Next").click()
        page.wait_for_function(ANOTHER, arg=before)
        page.wait_for_function(OPENED)
        following.append(time.perf_counter() - start)
    page.close()
    return taken, following


def _cpu_s(address: str) -> float:
    """Seconds of processor that the server has used."""
    process = server_process(address)
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
