"""Pictures described a second by each model, from files and from memory, beside its bare trunk and a plain reference.

The bare trunk is given ready tensors and does nothing else; `Model.describe` is given pictures, or files to decode,
prepares, batches and pools them, and runs whatever the method adds (a decoder, a second trunk). What the method adds is
measured apart:

    additions aside = trunk / (describe - (network - trunk))

is the share of the trunk's own rate that remains, the method's own additions aside; 0.80 is the least we want. Trunk
and network are run as `Model.describe` runs them, for the descriptor alone and on the CPU by ONNX Runtime; `folded` is
the same network by torch with its normalisation folded, `eager` by torch as it was trained, and `gain` network over
eager. `hidden` is the time of the network alone over that from files: 1 where decoding costs nothing. `over image-only`
is a model's time over image-only's, from files. The reference is AlexNet or VGG16 with NetVLAD (`_reference`) at the
same picture size. All models and parts are timed in turns, round after round, and the best round of each counts: what
else the machine does can only slow them down; where it does much, `--processor` counts what the process itself
computed. Each number of threads has a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks._reference import REFERENCES, BareTrunk, reference
from butf.commands.common import (
    add_data,
    add_device,
    add_json,
    at_least_one,
    find_dataset,
    open_dataset,
    open_model,
    text_table,
    write_result,
)
from butf.device import choose_device
from butf.errors import BadInput
from butf.files import REPO, read_image
from butf.networks.deployed import Deployed
from butf.networks.methods import METHODS
from butf.networks.zoo import Model, available

BASE = "image-only"
NOISE = "noise"
PARTS = ("describe", "files", "network", "folded", "eager", "trunk")
HEADER = ("model", "describe", "from files", "network", "folded", "eager", "trunk", "gain", "describe / trunk",
          "additions aside", "additions cost", "hidden", f"over {BASE}")  # fmt: skip


def main(argv: list[str]) -> None:
    """Measure, print a table a number of threads, and write the JSON where it is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks describe", description=__doc__.partition("\n")[0])
    add_data(parser)
    parser.add_argument("--models", nargs="+", metavar="NAME", help="(the shipped methods that need pictures alone)")
    parser.add_argument("--references", nargs="*", choices=REFERENCES, default=[], help="measured beside (none)")
    parser.add_argument("--images", type=at_least_one, default=64, metavar="N", help="pictures a round (64)")
    parser.add_argument("--batch", type=at_least_one, default=16, metavar="N", help="pictures a batch (16)")
    parser.add_argument("--rounds", type=at_least_one, default=7, metavar="N", help="rounds (7)")
    parser.add_argument("--threads", type=at_least_one, nargs="+", metavar="N", help="torch threads (as torch chooses)")
    parser.add_argument("--processor", action="store_true", help="seconds of the processor instead of the wall clock")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    add_device(parser)
    add_json(parser)
    args = parser.parse_args(argv)
    if args.once:
        print(json.dumps(_run(args)))
        return
    find_dataset(args.data)
    runs = [_in_fresh_process(argv, threads) for threads in args.threads] if args.threads else [_run(args)]
    write_result(args.json, {"machine": _machine(), "runs": runs}, "\n\n".join(map(_text, runs)))


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{name}, {os.cpu_count()} cores"


def _in_fresh_process(argv: list[str], threads: int) -> dict[str, Any]:
    """A run of its own: pools of threads are made once a process."""
    command = [sys.executable, "-m", "benchmarks", "describe", *argv, "--once", "--threads", str(threads)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, cwd=REPO, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise BadInput("a measuring process failed; what it said stands above")
    run: dict[str, Any] = json.loads(done.stdout)
    return run


def _run(args: argparse.Namespace) -> dict[str, Any]:
    if args.threads:
        torch.set_num_threads(args.threads[-1])
    frames = open_dataset(args.data)
    count = min(args.images, len(frames))
    pictures = [frames.image(i) for i in range(count)]
    paths = [frames.image_path(i) for i in range(count)]
    names = args.models or [card.name for card in available() if card.name in METHODS]
    models = [open_model(name, args.device) for name in names]
    if not args.models:  # pictures alone are described here
        models = [model for model in models if not model.reads_side]
    models += [reference(name, choose_device(args.device)) for name in args.references]
    clock = time.process_time if args.processor else time.perf_counter
    tasks = {model.name: _tasks(model, pictures, paths, args.batch) for model in models}
    best = {name: dict.fromkeys(PARTS, float("inf")) for name in tasks}
    for number in range(args.rounds + 1):
        for model in models:
            for part, task in tasks[model.name].items():
                seconds = _seconds(task, model, clock)
                if number:  # the first round only warms up
                    best[model.name][part] = min(best[model.name][part], seconds)
    base = best.get(BASE, {}).get("files")
    return {
        "data": frames.name, "images": count, "batch": args.batch, "rounds": args.rounds,
        "threads": torch.get_num_threads(), "device": _device(models[0].device),
        "clock": "processor" if args.processor else "wall clock",
        "models": [_entry(m.name, m.deployed.engine, count, best[m.name], base) for m in models],
    }  # fmt: skip


def _device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _tasks(model: Model, pictures: list[Image.Image], paths: list[Path], batch: int) -> dict[str, Callable[[], object]]:
    ready = torch.stack([model.prepare(picture) for picture in pictures]).to(model.device).split(batch)
    trunk = Deployed(BareTrunk(model.network))
    return {
        "trunk": lambda: _each(trunk.descriptors, ready),
        "network": lambda: _each(model.deployed.descriptors, ready),
        "folded": lambda: _each(model.deployed.network.describe_briefly, ready),
        "eager": lambda: _each(model.network.describe_briefly, ready),
        "describe": lambda: model.describe(pictures, batch),
        "files": lambda: model.describe((partial(read_image, path) for path in paths), batch),
    }


def _entry(name: str, engine: str, count: int, best: dict[str, float], base: float | None) -> dict[str, Any]:
    rest = best["describe"] - max(0.0, best["network"] - best["trunk"])
    return {
        "model": name,
        "engine": engine,
        "images_per_s": {part: round(count / best[part], 2) for part in PARTS},
        "gain": round(best["eager"] / best["network"], 3),
        "describe_over_trunk": round(best["trunk"] / best["describe"], 3),
        # None where the rounds were disturbed too unequally to tell.
        "additions_aside": round(best["trunk"] / rest, 3) if rest > 0 else None,
        "additions_cost": round(best["network"] / best["trunk"] - 1, 3),
        "hidden": round(best["network"] / best["files"], 3),
        "over_image_only": None if base is None else round(best["files"] / base, 3),
    }


def _text(run: dict[str, Any]) -> str:
    title = (
        f"{run['images']} pictures of {run['data']}, batch {run['batch']}, {run['threads']} threads, {run['device']}; "
        f"images/s by the {run['clock']}, best of {run['rounds']} rounds"
    )
    return f"{title}\n{text_table(HEADER, [_row(entry) for entry in run['models']])}"


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    aside, over = entry["additions_aside"], entry["over_image_only"]
    return (
        entry["model"],
        *(f"{entry['images_per_s'][part]:.1f}" for part in PARTS),
        f"{entry['gain']:.2f}",
        f"{entry['describe_over_trunk']:.2f}",
        NOISE if aside is None else f"{aside:.2f}",
        f"{100 * entry['additions_cost']:+.0f} %",
        f"{entry['hidden']:.2f}",
        "-" if over is None else f"{over:.2f}",
    )


@torch.inference_mode()
def _each(part: Any, batches: Iterable[torch.Tensor]) -> None:
    for batch in batches:
        part(batch)


def _seconds(task: Callable[[], object], model: Model, clock: Callable[[], float]) -> float:
    start = clock()
    task()
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)
    return clock() - start
