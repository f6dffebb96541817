"""Keypoints on the town's test district and on held-out 7-Scenes pairs, beside OpenCV's SIFT and ORB.

Each query is paired with the nearest reference picture, which gives the true correspondences by depth and poses. All
methods get the same number of keypoints; what moves and the sky are left out. Intervals are bootstrapped over pairs.
Upright ones are described as if no camera were tilted. Rotation: the second picture of day-day pairs is turned about
its middle.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._orb import Orb
from benchmarks._sift import Sift
from butf.commands.common import at_least_one, open_dataset, text_table
from butf.dataset.frames import Frames
from butf.files import write_json
from butf.keypoints.feed import turned_picture
from butf.keypoints.measures import PairScores, measure_pair
from butf.keypoints.pairs import Views, in_order
from butf.keypoints.validation import picture, val_pairs
from butf.keypoints.warping import View
from butf.keypoints.zoo import load_keypoints

DAY, NIGHT = ("overcast", "lowsun"), ("night",)
LATE, GAP = 0.3, 5
TURNS = (15, 45, 90, 180)
SHOWN = ("repeatability", "matching_score", "average_precision", "precision")
DRAWS = 2000

Ways = dict[str, tuple[Any, bool]]
"""Extractors by name, and whether they are to be upright."""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks keypoints", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="town", help="a data set with depth and poses (town)")
    parser.add_argument("--video", help="a second one, of whose frames the last 30 %% by time are paired, say 7-Scenes")
    parser.add_argument("--keypoints", default="keypoints", help="what is measured: the shipped ones, or a run")
    parser.add_argument("--pairs", type=at_least_one, default=40, help="pairs of each condition (40)")
    parser.add_argument("--limit", type=at_least_one, default=256, help="keypoints of a picture (256)")
    parser.add_argument("--json", type=Path, help="write all numbers here too")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    ours, sift = load_keypoints(options.keypoints), Sift()
    turning: Ways = {"ours": (ours, False), "SIFT": (sift, False), "ORB": (Orb(), False)}
    ways = turning | {"ours, upright": (ours, True), "SIFT, upright": (sift, True)}
    groups = town_groups(open_dataset(options.data), options.pairs)
    if options.video:
        groups["video, held out"] = video_pairs(open_dataset(options.video), options.pairs)
    result: dict[str, Any] = {"pairs": {}, "turned": {}}
    for group, pairs in groups.items():
        result["pairs"][group] = measured(ways, pairs, options.limit)
        report(group, result["pairs"][group])
    day = groups["day-day"][: max(1, options.pairs // 2)]
    for degrees in TURNS:
        turned = [(one, turned_view(other, degrees)) for one, other in day]
        result["turned"][str(degrees)] = measured(turning, turned, options.limit)
        report(f"day-day, turned by {degrees} degrees", result["turned"][str(degrees)])
    if options.json:
        write_json(options.json, result)


def town_groups(frames: Frames, count: int) -> dict[str, list[tuple[View, View]]]:
    """Views of the test district, day-day and day-night, evenly along the queries."""
    views, found = Views.of(frames), val_pairs(frames, "test")
    groups = {}
    for name, conditions in (("day-day", DAY), ("day-night", NIGHT)):
        rows = [pair for condition in conditions for pair in evenly(found[condition], count // len(conditions))]
        groups[name] = [(views.view(query), views.view(other)) for query, other in rows]
    return groups


def video_pairs(frames: Frames, count: int) -> list[tuple[View, View]]:
    """Views of the last frames of a video, each with the one `GAP` frames later."""
    views, rows = Views.of(frames), in_order(frames)
    rows = rows[int((1 - LATE) * len(rows)) :]
    pairs = evenly(list(zip(rows[:-GAP].tolist(), rows[GAP:].tolist(), strict=True)), count)
    return [(views.view(one), views.view(other)) for one, other in pairs]


def evenly(items: list, count: int) -> list:
    """At most `count` of them, evenly spread."""
    return [items[k] for k in np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))]


def turned_view(view: View, degrees: float) -> View:
    """The view turned about its middle; what leaves the picture is lost, what enters is its border."""
    angle, (width, height) = math.radians(degrees), view.size
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    middle = torch.tensor([width / 2, height / 2])
    affine = torch.cat([turn, (middle - turn @ middle)[:, None]], dim=1)
    return replace(view, images=turned_picture(view.images, affine), affine=affine)


def measured(ways: Ways, pairs: list[tuple[View, View]], limit: int) -> dict[str, dict[str, Any]]:
    """Mean and 95 % interval of each score, and median seconds a picture, by way; of ours also the ratio to SIFT's."""
    found: dict[str, dict[str, Any]] = {}
    each: dict[str, list[PairScores | None]] = {}
    for name, (way, upright) in ways.items():
        scores, seconds = [], []
        for one, other in pairs:
            start = time.process_time()
            features = [way.extract(picture(view), limit, upright) for view in (one, other)]
            seconds.append((time.process_time() - start) / 2)
            scores.append(measure_pair(*features, one, other))
        told = [score for score in scores if score is not None]
        summary: dict[str, Any] = {key: with_interval(told, key) for key in (*SHOWN, "counted", "error_px")}
        found[name] = summary | {"seconds": round(float(np.median(seconds)), 4), "pairs": len(told)}
        each[name] = scores
    for name in each.keys() & {"ours", "ours, upright"}:
        found[name]["times_sift"] = times(each[name], each[name.replace("ours", "SIFT")])
    return found


def times(scores: list[PairScores | None], others: list[PairScores | None]) -> dict[str, list[float]]:
    """The ratio of two ways' means of each score over the same pairs, and its bootstrapped 95 % interval.

    Empty where no pair could be judged for both.
    """
    both = [pair for pair in zip(scores, others, strict=True) if None not in pair]
    if not both:
        return {}
    draws = np.random.default_rng(0).integers(len(both), size=(DRAWS, len(both)))
    ratios = {}
    for name in SHOWN:
        values = np.nan_to_num(np.array([[getattr(score, name) for score in pair] for pair in both], float))
        means = np.concatenate([values.mean(axis=0)[None], values[draws].mean(axis=1)])
        with np.errstate(divide="ignore", invalid="ignore"):  # SIFT may have none right in few pairs
            every = means[:, 0] / means[:, 1]
        ratios[name] = [round(float(number), 3) for number in (every[0], *np.quantile(every[1:], (0.025, 0.975)))]
    return ratios


def with_interval(scores: list[PairScores], name: str) -> list[float]:
    """Mean over the pairs and its bootstrapped 95 % interval."""
    values = np.array([getattr(score, name) for score in scores], float)
    values = values[np.isfinite(values)]
    if not len(values):
        return []
    draws = np.random.default_rng(0).choice(values, (DRAWS, len(values))).mean(axis=1)
    return [round(float(number), 4) for number in (values.mean(), *np.quantile(draws, (0.025, 0.975)))]


def report(group: str, ways: dict[str, dict[str, Any]]) -> None:
    """A table: shares in percent with intervals."""
    header = ["", "repeatability", "matching score", "mAP", "precision", "off, px", "counted", "s a picture"]
    rows = []
    for name, found in ways.items():
        cells = [in_percent(found[key]) for key in SHOWN]
        off, counted = (f"{found[key][0]:.2f}" if found[key] else "-" for key in ("error_px", "counted"))
        rows.append([name, *cells, off, counted, f"{found['seconds']:.3f}"])
    print(f"\n{group}, {next(iter(ways.values()))['pairs']} pairs\n{text_table(header, rows)}")
    for name, found in ways.items():
        if ratios := found.get("times_sift"):
            told = (f"{key.replace('_', ' ')} {r:.2f} ({low:.2f}-{high:.2f})" for key, (r, low, high) in ratios.items())
            print(f"{name}, times SIFT's: {', '.join(told)}")
    sys.stdout.flush()


def in_percent(value: list[float]) -> str:
    if not value:
        return "-"
    return f"{100 * value[0]:.1f} ({100 * value[1]:.1f}-{100 * value[2]:.1f})"
