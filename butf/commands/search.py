"""`search`: where in a data set a picture was taken."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from butf.commands.common import (
    add_json,
    add_sought,
    check_output,
    open_dataset,
    open_model,
    progress_bar,
    text_table,
    write_result,
)
from butf.dataset.frames import Frames
from butf.errors import BadInput
from butf.files import read_image
from butf.retrieval.bank import bank
from butf.retrieval.index import Index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `search`."""
    add_sought(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Rank the data set's reference frames by descriptor distance to the picture."""
    picture = read_image(args.image)
    check_output(args.json)
    frames = open_dataset(args.data)
    model = open_model(args.model, args.device)
    splits = [args.split] if args.split else frames.splits
    databases = [database for split in splits if len(database := frames.database(split))]
    if not databases:
        raise BadInput(f"data set {frames.name} has no reference frames in {', '.join(splits)}; choose another split")
    with progress_bar("describing the database") as progress:
        descriptors = np.concatenate([bank(frames, database, model, progress) for database in databases])
    distances, rows = Index.build(descriptors).search(model.describe([picture]), args.top)
    found = np.concatenate(databases)[rows[0]]
    candidates = [
        {"rank": rank, **_candidate(frames, int(i)), "distance": float(distance)}
        for rank, (i, distance) in enumerate(zip(found, distances[0], strict=True), 1)
    ]
    result = {
        "image": str(args.image), "dataset": frames.name, "model": model.name,
        "database": {"frames": len(descriptors)}, "candidates": candidates,
    }  # fmt: skip
    write_result(args.json, result, _as_text(candidates))


def _candidate(frames: Frames, i: int) -> dict[str, Any]:
    easting, northing = frames.position[i, :2].tolist()
    place: dict[str, Any] = {"easting_m": easting, "northing_m": northing}
    if frames.lat is not None and frames.lon is not None:
        place = {"lat": float(frames.lat[i]), "lon": float(frames.lon[i]), **place}
    path = frames.image_path(i).relative_to(frames.root).as_posix()
    return {"frame": str(frames.frame[i]), "path": path, "condition": str(frames.condition[i]), **place}


def _as_text(candidates: list[dict[str, Any]]) -> str:
    rows = [
        (str(c["rank"]), c["frame"], f"{c['easting_m']:.2f}", f"{c['northing_m']:.2f}", f"{c['distance']:.4f}")
        for c in candidates
    ]
    return text_table(("rank", "frame", "easting (m)", "northing (m)", "descriptor distance"), rows)
