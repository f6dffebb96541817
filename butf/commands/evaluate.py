"""`evaluate`: models on a split of a data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from butf.commands.common import (
    above_zero,
    add_data,
    add_device,
    add_json,
    check_output,
    open_dataset,
    open_model,
    progress_bar,
    text_table,
    write_result,
)
from butf.dataset.frames import PlaceRule
from butf.networks.methods import METHODS
from butf.networks.zoo import available
from butf.projection import MOST_SHOWN, kept_tsne, shown_rows
from butf.retrieval.evaluate import evaluate
from butf.retrieval.explore import split_search


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `evaluate`."""
    add_data(parser)
    parser.add_argument("--split", default="test", help="train, val or test (test)")
    parser.add_argument(
        "--models", nargs="+", metavar="NAME", help="methods' names, runs or checkpoint files (the shipped methods)"
    )
    add_device(parser)
    parser.add_argument(
        "--radius", type=above_zero, metavar="METRES", help="what counts as the same place (as the data set says)"
    )
    parser.add_argument("--no-side", action="store_true", help="leave out the errors of the reconstructed depth")
    parser.add_argument(
        "--keep-descriptors", type=Path, metavar="DIR", dest="keep",
        help="also write descriptors and depth errors there; in assets/descriptors they are shipped with the app",
    )  # fmt: skip
    parser.add_argument(
        "--keep-maps", type=Path, metavar="DIR",
        help="also write t-SNE of the descriptors there; in assets/projections it is shipped with the app",
    )  # fmt: skip
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Evaluate, print a table, and write the JSON where it is asked for."""
    check_output(args.json)
    frames = open_dataset(args.data)
    names = args.models or [card.name for card in available() if card.name in METHODS]
    models = [open_model(name, args.device) for name in dict.fromkeys(names)]
    rule = None if args.radius is None else PlaceRule(args.radius, frames.place.angle_deg)
    with progress_bar("describing") as progress:
        report = evaluate(frames, args.split, models, progress, rule, not args.no_side, args.keep)
    write_result(args.json, report, as_text(report))
    for model in models if args.keep_maps else ():
        search = split_search(frames, args.split, model)
        rows = search.pictures[shown_rows(len(search.pictures), MOST_SHOWN)]
        kept_tsne(search.descriptors_of(rows), args.keep_maps)


def as_text(report: dict[str, Any]) -> str:
    """The report as tables for people; recalls in %, with their 95 % intervals."""
    database, angle = report["database"], report["angle_deg"]
    place = f"{report['radius_m']:g} m" + ("" if angle is None else f" and {angle:g} degrees")
    title = (
        f"{report['dataset']}, {report['split']}: {database['frames']} database frames ({database['condition']}); "
        f"right within {place}"
    )
    parts = [title, _recall_table(report["models"]), _model_table(report["models"])]
    if report["paired"]:
        parts.append(_paired_table(report["paired"]))
    return "\n\n".join(parts)


def _recall_table(models: list[dict[str, Any]]) -> str:
    first = models[0]["conditions"][0]
    header = ("condition", "model", "place labels", "queries", "unmatched", *(f"R@{n}" for n in first["recall"]),
              *(f"top-1 < {limit} m" for limit in first["recall_at_distance"]))  # fmt: skip
    rows = [
        (
            entry["condition"], model["name"], "seen" if entry["seen"] else "unseen",
            str(entry["queries"]), str(entry["unmatched"]),
            *(_with_interval(value, entry["interval95"][n]) for n, value in entry["recall"].items()),
            *(_percent(value) for value in entry["recall_at_distance"].values()),
        )
        for entries in zip(*(model["conditions"] for model in models), strict=True)
        for model, entry in zip(models, entries, strict=True)
    ]  # fmt: skip
    return text_table(header, rows)


def _model_table(models: list[dict[str, Any]]) -> str:
    header = ("model", "parameters", "size", "training steps", "descriptor", "ms/image", "AbsRel", "RMSE (m)", "delta1")
    rows = [
        (
            model["name"], f"{model['parameters']:,}", f"{model['size_ratio']:.2f}x", str(model["training_steps"]),
            str(model["descriptor_dim"]), f"{model['milliseconds_per_image']:.1f}", *_side_cells(model.get("side")),
        )
        for model in models
    ]  # fmt: skip
    return text_table(header, rows)


def _side_cells(side: dict[str, Any] | None) -> tuple[str, str, str]:
    if side is None:
        return "-", "-", "-"
    return f"{side['abs_rel']:.3f}", f"{side['rmse_m']:.2f}", f"{side['delta1']:.3f}"


def _paired_table(pairs: list[dict[str, Any]]) -> str:
    header = ("condition", "a", "b", "gain in R@1", "p", "p, neighbours together")
    rows = [
        (pair["condition"], pair["a"], pair["b"], _percent(pair["gain"], "+"), f"{pair['p']:.3g}",
         f"{pair['p_blocks']:.3g}")
        for pair in pairs
    ]  # fmt: skip
    return text_table(header, rows)


def _with_interval(value: float | None, interval: list[float | None]) -> str:
    if value is None or interval[0] is None or interval[1] is None:
        return "-"
    return f"{_percent(value)} ({100 * interval[0]:.0f}-{100 * interval[1]:.0f})"


def _percent(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{100 * value:{sign}.1f}"
