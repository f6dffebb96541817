"""Photographs of many megapixels described a second: read whole, and read no finer than the network needs.

Pictures of the data set, each enlarged and given the noise of a sensor, are written as JPEG files. They are decoded,
made as small as the network sees them and described, in turns and by as many threads as torch has; the best round of
each counts. Beside that: seconds of one thumbnail as Explore has it, and how far the descriptors of both ways are
apart, as a share of the distance between a picture and the next one of its street.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from butf.commands.common import (
    add_data,
    add_json,
    at_least_one,
    find_dataset,
    open_dataset,
    open_model,
    text_table,
    write_result,
)
from butf.dataset.frames import Frames
from butf.figures.gallery import thumbnail
from butf.files import read_image
from butf.networks.zoo import Model

GRAIN = 6.0
"""Standard deviation of the noise, of 255: without it a file of so many pixels would be far too quick to decode."""
WIDTH = 240
HEADER = ("model", "megapixels", "whole, images/s", "no finer, images/s", "times", "distance / next picture's")


def main(argv: list[str]) -> None:
    """Measure, print a table, and write the JSON where it is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks photos", description=__doc__.partition("\n")[0])
    add_data(parser)
    parser.add_argument(
        "--models", nargs="+", default=["image-only", "bu-tf"], metavar="NAME", help="(image-only bu-tf)"
    )
    parser.add_argument("--width", type=at_least_one, default=4032, metavar="PIXELS", help="of a photograph (4032)")
    parser.add_argument("--images", type=at_least_one, default=16, metavar="N", help="photographs (16)")
    parser.add_argument("--rounds", type=at_least_one, default=3, metavar="N", help="rounds (3)")
    add_json(parser)
    args = parser.parse_args(argv)
    find_dataset(args.data)
    with tempfile.TemporaryDirectory() as folder:
        paths = photographs(open_dataset(args.data), args.images, args.width, Path(folder))
        megapixels = np.prod(Image.open(paths[0]).size) / 1e6
        entries = [_measured(open_model(name, "cpu"), paths, args.rounds) for name in args.models]
        finest = {"whole": None, "no_finer": 2 * WIDTH}
        seconds = _best({name: partial(_thumbnails, paths, least) for name, least in finest.items()}, args.rounds)
    report: dict[str, Any] = {
        "data": args.data, "images": len(paths), "megapixels": round(float(megapixels), 1),
        "threads": torch.get_num_threads(), "models": entries,
        "thumbnail_s": {name: round(value / len(paths), 4) for name, value in seconds.items()},
    }  # fmt: skip
    table = text_table(HEADER, [_row(entry, megapixels) for entry in entries])
    one = report["thumbnail_s"]
    more = f"a thumbnail: {one['whole']:.3f} s whole, {one['no_finer']:.3f} s no finer than it needs"
    write_result(args.json, report, f"{report['threads']} threads\n{table}\n{more}")


def photographs(frames: Frames, count: int, width: int, folder: Path) -> list[Path]:
    """The first pictures of the data set, `width` pixels wide and grainy, as JPEG files."""
    rng, paths = np.random.default_rng(0), []
    for row in range(min(count, len(frames))):
        picture = frames.image(row)
        large = picture.resize((width, round(width * picture.height / picture.width)), Image.Resampling.BICUBIC)
        grain = rng.normal(0, GRAIN, (large.height, large.width, 1)).astype(np.float32)
        paths.append(folder / f"{row:06d}.jpg")
        Image.fromarray((np.asarray(large) + grain).clip(0, 255).astype(np.uint8)).save(paths[-1], quality=92)
    return paths


def _measured(model: Model, paths: list[Path], rounds: int) -> dict[str, Any]:
    ways = {
        "whole": partial(model.describe, [lambda least, path=path: read_image(path) for path in paths]),
        "no_finer": partial(model.describe, [partial(read_image, path) for path in paths]),
    }
    whole, small = ways["whole"](), ways["no_finer"]()
    apart = np.linalg.norm(whole - small, axis=1).mean() / np.linalg.norm(np.diff(whole, axis=0), axis=1).mean()
    rates = {name: len(paths) / seconds for name, seconds in _best(ways, rounds).items()}
    return {"model": model.name, "images_per_s": rates, "apart": round(float(apart), 4)}


def _thumbnails(paths: list[Path], least: int | None) -> None:
    for path in paths:
        thumbnail(read_image(path, least=least), WIDTH)


def _best(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of each way's fastest round."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, work in ways.items():
            start = time.perf_counter()
            work()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def _row(entry: dict[str, Any], megapixels: float) -> tuple[str, ...]:
    whole, small = entry["images_per_s"]["whole"], entry["images_per_s"]["no_finer"]
    numbers = f"{megapixels:.1f}", f"{whole:.1f}", f"{small:.1f}", f"{small / whole:.1f}", f"{entry['apart']:.3f}"
    return entry["model"], *numbers
