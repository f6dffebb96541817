"""Pictures described a second by each model, beside the rate of its bare trunk in the same run.

The bare trunk is given ready tensors and does nothing else; `Model.describe` is given pictures, prepares, batches and
pools them, and runs whatever the method adds (a decoder, a second trunk). What the method adds is measured apart:

    time ratio = trunk / (describe - (network - trunk))

is the share of the trunk's own rate that remains, the method's own additions aside; 0.80 is the least we want.
All are timed in turns, round after round, and the best round of each counts: what else the machine does can only slow
them down.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from butf.commands.common import add_data, add_device, at_least_one, open_dataset, open_model, text_table
from butf.dataset.frames import Frames
from butf.files import read_image
from butf.networks.methods import METHODS
from butf.networks.zoo import Model, available

WANTED = 0.80
NOISE = "noise"


def main(argv: list[str]) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks describe", description=__doc__.partition("\n")[0])
    add_data(parser)
    parser.add_argument("--models", nargs="+", metavar="NAME", help="models to measure (the shipped methods)")
    parser.add_argument("--images", type=at_least_one, default=64, metavar="N", help="pictures a round (64)")
    parser.add_argument("--batch", type=at_least_one, default=16, metavar="N", help="pictures a batch (16)")
    parser.add_argument("--rounds", type=at_least_one, default=7, metavar="N", help="rounds (7)")
    parser.add_argument("--threads", type=at_least_one, metavar="N", help="torch threads (as torch chooses)")
    add_device(parser)
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    frames = open_dataset(args.data)
    names = args.models or [card.name for card in available() if card.name in METHODS]
    rows = [_row(open_model(name, args.device), frames, args) for name in names]
    header = ("model", "describe", "from files", "network", "trunk", "describe / trunk", "additions aside",
              "additions cost", f"at least {WANTED:.2f}")  # fmt: skip
    print(f"{min(args.images, len(frames))} pictures of {frames.name}, batch {args.batch}, "
          f"{torch.get_num_threads()} threads; images/s, best of {args.rounds} rounds")  # fmt: skip
    print(text_table(header, rows))


def _row(model: Model, frames: Frames, args: argparse.Namespace) -> tuple[str, ...]:
    count = min(args.images, len(frames))
    pictures = [frames.image(i) for i in range(count)]
    paths = [frames.image_path(i) for i in range(count)]
    ready = torch.stack([model.prepare(picture) for picture in pictures]).to(model.device).split(args.batch)
    tasks: dict[str, Callable[[], object]] = {
        "trunk": lambda: _each(model.network.trunk, ready),
        "network": lambda: _each(model.network.describe, ready),
        "describe": lambda: model.describe(pictures, args.batch),
        "files": lambda: model.describe(_opened(paths), args.batch),
    }
    rounds = [{name: _seconds(task, model) for name, task in tasks.items()} for _ in range(args.rounds + 1)][1:]
    best = {name: min(taken[name] for taken in rounds) for name in tasks}
    rate = {name: count / seconds for name, seconds in best.items()}
    whole = best["trunk"] / best["describe"]
    rest = best["describe"] - max(0.0, best["network"] - best["trunk"])
    aside = best["trunk"] / rest if rest > 0 else None  # the rounds were disturbed too unequally to tell
    cost = best["network"] / best["trunk"] - 1
    rates = (f"{rate[name]:.1f}" for name in ("describe", "files", "network", "trunk"))
    return (
        model.name,
        *rates,
        f"{whole:.2f}",
        NOISE if aside is None else f"{aside:.2f}",
        f"{100 * cost:+.0f} %",
        NOISE if aside is None else "yes" if aside >= WANTED else "NO",
    )


@torch.inference_mode()
def _each(part: Any, batches: Iterable[torch.Tensor]) -> None:
    for batch in batches:
        part(batch)


def _opened(paths: Iterable[Path]) -> Iterable[Image.Image]:
    return (read_image(path) for path in paths)


def _seconds(task: Callable[[], object], model: Model) -> float:
    start = time.perf_counter()
    task()
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)
    return time.perf_counter() - start
