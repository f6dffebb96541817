"""Pictures trained on a second, beside what its parts allow: drawing batches alone, and the network alone.

`loop` is the trainer's own, with log, status, and its search for hard negatives and previews as often as a run has
them; `step` is drawing and descending and nothing else; `loading` only draws batches (from memory, augmented);
`network` only descends, on one batch. `decoding` is the first reading of a picture and its depth from disk, which each
costs once a run. Parts are timed in turns and the best round of each counts; the goal is a loop at 90 % of the network
alone. With one thread seconds are those of the processor, which others at work hardly change.

On a GPU it is also told how long the card had nothing to do while steps were drawn and descended, and which share they
make of what it reaches in products of large bf16 matrices.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks._gpu import matrix_peak, use_of
from butf.commands.common import add_data, add_device, add_json, at_least_one, find_dataset, text_table, write_result
from butf.dataset.frames import Frames
from butf.dataset.modalities import default_encoding
from butf.dataset.samples import Samples
from butf.device import choose_device
from butf.training import trainer as trainer_module
from butf.training.config import TrainConfig
from butf.training.folder import Run
from butf.training.memory import keep_freed
from butf.training.previews import due
from butf.training.replay import WARM_UP
from butf.training.session import StopFlag
from butf.training.trainer import Trainer

GOAL = 0.90
WARMING = WARM_UP + 3
Clock = Callable[[], float]
PARTS = ("loop", "step", "loading", "network")
HEADER = ("method", "training step", *PARTS, "decoding", "loop / network", f"at least {GOAL:.2f}")


def main(argv: list[str]) -> None:
    """Measure, print a table, and write the JSON where it is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks train", description=__doc__.partition("\n")[0])
    add_data(parser)
    parser.add_argument("--methods", nargs="+", default=["bu-tf"], metavar="NAME", help="methods to train (bu-tf)")
    parser.add_argument("--steps", type=at_least_one, default=10, metavar="N", help="steps a round (10)")
    parser.add_argument("--rounds", type=at_least_one, default=3, metavar="N", help="rounds (3)")
    parser.add_argument("--threads", type=at_least_one, metavar="N", help="torch threads (as torch chooses)")
    parser.add_argument("--config", default="{}", help="JSON of fields of TrainConfig to change")
    parser.add_argument("--let-go", action="store_true", help="leave freed memory to the C library, for comparison")
    parser.add_argument("--launched", action="store_true", help="replay nothing on a GPU, for comparison")
    add_device(parser)
    add_json(parser)
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    if not args.let_go:
        keep_freed()
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    entries = [entry for method in args.methods for entry in _measured(method, args, clock)]
    report = {"data": args.data, "threads": torch.get_num_threads(), "device": args.device}
    title = f"{args.data}, {report['threads']} threads, {report['device']}; images/s, best of {args.rounds} rounds"
    table = text_table(HEADER, [_row(entry) for entry in entries])
    for entry in filter(lambda entry: "gpu" in entry, entries):
        idle, share = entry["gpu"]["idle"], entry["gpu"]["of_peak"]
        table += f"\n{entry['method']}, {entry['phase']}: GPU idle {idle:.1%}, {share:.2%} of its bf16 products"
    write_result(args.json, report | {"entries": entries}, f"{title}\n{table}")


def _measured(method: str, args: argparse.Namespace, clock: Clock) -> list[dict[str, Any]]:
    """Each training step of a method."""
    values = {"method": method, "data": str(find_dataset(args.data)), "device": args.device}
    config = TrainConfig.from_dict(values | json.loads(args.config))
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(str(Path(folder) / "run"), config.as_dict(), ["benchmarks", "train"])
        trainer = Trainer(run, config, torch.device(choose_device(config.device)))
        if args.launched:
            trainer_module.replayable = lambda config: False
        decoding = _decoding(trainer, clock)
        entries = []
        for phase in range(len(trainer.recipe.phases)):
            trainer.progress.phase, trainer.progress.step = phase, 0
            trainer._enter_phase()
            trainer.recipe.begin(trainer.phase)
            rates = _rates(trainer, args.steps, args.rounds, clock)
            entry = {"method": method, "phase": trainer.phase, "images_per_s": rates | {"decoding": decoding}}
            if trainer.device.type == "cuda":
                entry["gpu"] = use_of(
                    lambda: trainer._descend(trainer._draw()),
                    lambda: trainer._pull(trainer._draw()),
                    args.steps,
                    args.rounds,
                    matrix_peak(),
                )
            entries.append(entry | {"loop_over_network": round(rates["loop"] / rates["network"], 3)})
        return entries


def _rates(trainer: Trainer, steps: int, rounds: int, clock: Clock) -> dict[str, float]:
    _warm(trainer)
    batch = trainer._draw()
    seen = len(batch.images) + (len(batch.extra.images) if batch.extra else 0)
    parts: dict[str, Callable[[], object]] = {
        "step": lambda: trainer._descend(trainer._draw()),
        "loading": trainer._draw,
        "network": lambda: trainer._descend(batch),
    }
    best = dict.fromkeys(PARTS, float("inf"))
    for _ in range(rounds):
        best["loop"] = min(best["loop"], _loop(trainer, steps, clock))
        for name, part in parts.items():
            start = clock()
            for _ in range(steps):
                part()
            if trainer.device.type == "cuda":
                torch.cuda.synchronize()
            best[name] = min(best[name], (clock() - start) / steps)
    return {name: round(seen / seconds, 2) for name, seconds in best.items()}


def _loop(trainer: Trainer, steps: int, clock: Clock) -> float:
    """Seconds a step of the trainer's own loop over `steps` of them.

    What comes once in many steps, the search for hard negatives and previews, is measured apart and counts as often as
    in a run: a loop of a few steps must not bear all of it.
    """
    wanted, previews = trainer.config.steps, sum(map(due, range(trainer.config.steps + 1)))
    trainer.progress.step = 0
    sought = _seconds(trainer._refresh, clock) / trainer.config.refresh_every
    trainer._preview()  # the first one of a run loads what the others use
    shown = _seconds(trainer._preview, clock) * previews / wanted
    trainer.progress.step = 1
    object.__setattr__(trainer.config, "steps", steps + 2 * WARMING)
    trainer._enter_phase()
    _warm(trainer)
    object.__setattr__(trainer.config, "steps", steps + 1)
    with patch.object(trainer_module, "due", lambda step: False):
        seconds = _seconds(lambda: trainer._fit_phase(StopFlag()), clock) / steps
    object.__setattr__(trainer.config, "steps", wanted)
    trainer._enter_phase()
    _warm(trainer)
    return seconds + sought + shown


def _seconds(work: Callable[[], object], clock: Clock) -> float:
    start = clock()
    work()
    return clock() - start


def _warm(trainer: Trainer) -> None:
    """Decode what the batches need, warm up, and record what a GPU replays: each kind of step."""
    for number in range(WARMING):
        trainer.recipe.measure_gradients = number == WARM_UP
        trainer._descend(trainer._draw())


def _decoding(trainer: Trainer, clock: Clock) -> float:
    """Pictures and their side maps read from disk a second, each for the first time."""
    frames: Frames = trainer.frames
    rows = frames.where(split="train")[:64]
    samples = Samples(frames, rows, trainer.feed.size, default_encoding(frames, trainer.config.modality))
    start = clock()
    for k in range(len(rows)):
        samples[k]
    return round(len(rows) / (clock() - start), 2)


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    share, rates = entry["loop_over_network"], entry["images_per_s"]
    numbers = (f"{rates[name]:.1f}" for name in (*PARTS, "decoding"))
    return (entry["method"], entry["phase"], *numbers, f"{share:.2f}", "yes" if share >= GOAL else "NO")
