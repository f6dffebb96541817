"""Poses of query pictures by condition: PnP with measured and reconstructed depth, beside what needs no geometry.

Every query's answer is kept in the cache at once, so that a run that was ended goes on where it stopped.
`--seven-scenes` is a folder of RGB-D frames as in 7-Scenes: the earlier ones are the database, the later ones ask.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._pose_tables import as_markdown
from benchmarks._sift import NAME as SIFT
from benchmarks._sift import Sift
from butf import files
from butf.commands.common import open_dataset, progress_bar, text_table
from butf.dataset.frames import Frames, Traversal
from butf.importers.rgbd import import_rgbd
from butf.keypoints.zoo import load_keypoints
from butf.networks import zoo
from butf.networks.zoo import Model
from butf.pose.evaluate import METHODS, SOLVED, calibration, evaluated, regression_summary, summary
from butf.pose.localizer import DEPTHS, Localizer, Settings
from butf.pose.views import Extractor, key_of
from butf.retrieval.explore import split_search

LEARNT = ("reference", "overcast", "rain")
"""Conditions whose frames of the split teach the regression."""
EARLY, LATE = 0.7, 0.25
KNOWN, NEW = "late, place known", "late, place new"


def main(argv: list[str]) -> None:
    options = _parser().parse_args(argv)
    keypoints = Sift() if options.keypoints == SIFT else load_keypoints(options.keypoints)
    if options.seven_scenes is not None:
        with tempfile.TemporaryDirectory() as folder:
            frames = seven_scenes(options.seven_scenes, Path(folder) / "scenes")
            report = measured(frames, "test", options, keypoints)
    else:
        report = measured(open_dataset(options.data), options.split, options, keypoints)
    if options.json is not None:
        files.write_json(options.json, report)
    if options.markdown is not None:
        files.write_atomic(options.markdown, as_markdown(report) + "\n")
    print(as_text(report))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks localize", description=__doc__)
    parser.add_argument("--data", default="town", help="a data set with poses (town)")
    parser.add_argument("--split", default="test", help="whose database is searched, and whose queries ask (test)")
    parser.add_argument("--models", nargs="+", default=["bu-tf-adapted"], help="of retrieval (bu-tf-adapted)")
    parser.add_argument("--depths", nargs="+", default=DEPTHS, choices=DEPTHS, help="of the candidates (both)")
    parser.add_argument("--depth-model", default="bu-tf-adapted", help="what reconstructs depth (bu-tf-adapted)")
    parser.add_argument("--keypoints", default="keypoints", help=f"trained ones (shipped), or {SIFT}")
    parser.add_argument("--queries", type=int, help="so many a condition, spread evenly (all)")
    parser.add_argument("--settings", default="{}", help="JSON of fields of butf.pose.localizer.Settings to change")
    parser.add_argument("--no-regression", action="store_true", help="leave out the pose regression")
    parser.add_argument("--seven-scenes", type=Path, metavar="DIR", help="RGB-D frames in place of --data")
    parser.add_argument("--json", type=Path, help="write the report there")
    parser.add_argument("--markdown", type=Path, help="write its tables there, as docs/localize.md has them")
    return parser


def measured(frames: Frames, split: str, options: argparse.Namespace, keypoints: Extractor) -> dict[str, Any]:
    """The report: `entries` of method, model, depth and the scores of each condition."""
    depth_model = zoo.load(options.depth_model)
    entries: list[dict[str, Any]] = []
    confidence = []
    for name in options.models:
        model = zoo.load(name)
        for depth in options.depths:
            settings = Settings(**json.loads(options.settings) | {"depth": depth})
            rows = _rows(frames, split, model, depth_model, keypoints, settings, options.queries)
            confidence.append({"model": name, "depth": depth} | calibration(rows, depth))
            for kind in METHODS if depth == options.depths[0] else SOLVED:
                about = {"method": METHODS[kind], "model": name, "depth": depth if kind in SOLVED else None}
                entries += [about | entry for entry in summary(frames, rows, kind)]
        if not options.no_regression and set(LEARNT) <= set(frames.conditions):
            about = {"method": "regression", "model": name, "depth": None}
            entries += [about | entry for entry in regression_summary(frames, split, model, LEARNT)]
    usual = dataclasses.asdict(Settings(**json.loads(options.settings)))
    return {
        "dataset": frames.name, "split": split, "database": {"frames": len(frames.database(split))},
        "keypoints": {"name": options.keypoints, "digest": keypoints.digest}, "depth_model": options.depth_model,
        "settings": usual, "regression_trained_on": list(LEARNT), "entries": entries,
        "confidence": confidence,
    }  # fmt: skip


def _rows(
    frames: Frames, split: str, model: Model, depth_model: Model, keypoints: Extractor, settings: Settings,
    count: int | None,
) -> list[dict[str, Any]]:  # fmt: skip
    queries = np.concatenate([_some(rows, count) for rows in frames.queries(split).values()])
    parts = (str(frames.root), split, model.digest, depth_model.digest, keypoints.digest, repr(settings))
    path = files.cache_dir() / "localize-benchmark" / f"{key_of('benchmark', *parts)}.jsonl"
    with progress_bar("describing") as progress:
        search = split_search(frames, split, model, progress=progress)
        localizer = Localizer.open(frames, split, model, keypoints, settings, depth_model, progress)
    with progress_bar(f"{model.name}, {settings.depth} depth") as progress:
        return evaluated(localizer, search, queries, path, progress)


def _some(rows: np.ndarray, count: int | None) -> np.ndarray:
    if count is None or count >= len(rows):
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


def seven_scenes(source: Path, out: Path) -> Frames:
    """RGB-D frames as a data set of one split, test: the first 70 % in time are the database, the last 25 % ask.

    What lies between is left out, so that no query was taken right after a database picture. The condition of a query
    says whether the database shows its place (within 0.25 m and 20 degrees): the camera moved on to new ones.
    """
    import_rgbd(source, out)
    frames = Frames.load(out)
    time = np.array([int(name.split("/")[1]) for name in frames.frame.tolist()])
    order = np.argsort(time)
    early, late = order[: round(EARLY * len(order))], order[-round(LATE * len(order)) :]
    known = frames.positives(late, early).any(axis=1)
    condition = np.full(len(frames), "early", dtype=object)
    condition[late] = np.where(known, KNOWN, NEW)
    traversals = tuple(Traversal(name, name, "query") for name in (KNOWN, NEW))
    kept = np.concatenate([early, late])
    return dataclasses.replace(
        frames, traversal=condition.astype(str), condition=condition.astype(str),
        split=np.full(len(frames), "test"), traversals=(Traversal("early", "early", "reference"), *traversals),
    ).take(kept)  # fmt: skip


def as_text(report: dict[str, Any]) -> str:
    """The report as a table."""
    names = list(report["entries"][0]["within"])
    header = ("method", "model", "depth", "condition", "queries", *names, "median m", "deg", "s/query")
    rows = [
        (
            entry["method"], entry["model"], entry["depth"] or "-", entry["condition"], str(entry["queries"]),
            *(_share(entry["within"][name], entry["interval95"][name]) for name in names),
            _number(entry["median_m"], 2), _number(entry["median_deg"], 1), _number(entry.get("seconds"), 2),
        )
        for entry in report["entries"]
    ]  # fmt: skip
    return "\n".join([text_table(header, rows), "", *map(_confidence_text, report["confidence"])])


def _confidence_text(entry: dict[str, Any]) -> str:
    bins = ", ".join(
        f"{part['from']:g}-{part['below']:g}: {100 * part['right']:.0f} % of {part['poses']}"
        for part in entry["bins"] if part["poses"]
    )  # fmt: skip
    return f"right by confidence, {entry['model']}, {entry['depth']} depth: {bins}; a fit to these: {entry['fit']}"


def _share(share: float, interval: Sequence[float]) -> str:
    return f"{100 * share:.1f} ({100 * interval[0]:.0f}-{100 * interval[1]:.0f})"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
