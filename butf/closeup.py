"""A closer look at one query: why a candidate was retrieved, and what the reconstructed depth is like."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from butf.browse import Asked
from butf.dataset.frames import Frames, PlaceRule
from butf.dataset.manifest import Camera
from butf.dataset.modalities import UNLABELLED, Map, colour, known, map_bytes
from butf.figures.cloud import cloud_figure, points, reach, usual_camera
from butf.figures.gallery import data_uri, thumbnail
from butf.figures.overlay import overlay
from butf.figures.ranks import Path, ranks_svg
from butf.networks.zoo import Model
from butf.retrieval.agreement import Look, agreements
from butf.retrieval.explore import QueryResult, SplitSearch
from butf.retrieval.parts import BY, PartRanks, part_ranks
from butf.views import side_scale

SWIPE_WIDTH = 900
PARTS = {"main": "main descriptor", "side": "side descriptor"}


@dataclass(frozen=True, eq=False)
class Overlay:
    """One part's look at the query and at the candidate; `similarity` is the dot product of the unit vectors."""

    title: str
    similarity: float
    query: Image.Image
    candidate: Image.Image


def overlays(asked: Asked, other: Asked, query: Look, candidate: Look) -> list[Overlay]:
    """Where in both pictures, the one asked about and the `other`, each part of the descriptor finds them alike."""
    return [
        Overlay(
            PARTS[entry.part],
            entry.similarity,
            overlay(asked.picture, entry.query),
            overlay(other.picture, entry.candidate),
        )
        for entry in agreements(query, candidate)
    ]


def ranks_of(search: SplitSearch, model: Model, asked: Asked, rule: PlaceRule) -> PartRanks:
    """The database ranked by each part of the descriptor."""
    descriptor = None if asked.query is not None else np.asarray(model.description(asked.picture).descriptor)
    return part_ranks(search, model, asked.query, descriptor, rule)


def moves_svg(frames: Frames, ranks: PartRanks, result: QueryResult, chosen: int, label: str) -> str:
    """How the candidates of a result, and the first right place by each ordering, move with the parts used."""
    shown = [candidate.frame for candidate in result.candidates]
    if ranks.correct is not None and ranks.correct.any():
        right = np.flatnonzero(ranks.correct)
        shown += [int(ranks.frames[right[row[right].argmin()]]) for row in ranks.ranks]
    row_of = {int(frame): row for row, frame in enumerate(ranks.frames)}
    paths = [
        Path(
            str(frames.frame[frame]),
            ranks.ranks[:, row_of[frame]].tolist(),
            None if ranks.correct is None else bool(ranks.correct[row_of[frame]]),
            frame == chosen,
        )
        for frame in dict.fromkeys(shown)
    ]
    return ranks_svg(BY, paths, label)


def moves_text(model: str, ranks: PartRanks) -> str:
    """What the side part does to the first right place, in one sentence."""
    first = ranks.first_correct
    if len(ranks.ranks) == 1:
        return f"{model} has one descriptor only, so there is nothing that could move its ranking."
    if first is None:
        return "Whether a candidate is right is not known here; the lines show how the parts disagree."
    main, both, side = first
    moved = "the same rank as" if both == main else f"{'better' if both < main else 'worse'} than"
    return (
        f"The first right place is at rank {main:,} by the main descriptor alone, {side:,} by the side descriptor "
        f"alone and {both:,} by both: {moved} without the side descriptor."
    )


@dataclass(frozen=True)
class Swipe:
    """The photograph and a side map of it as data URIs, to be drawn one over the other."""

    picture: str
    side: str
    title: str


def swipes(frames: Frames, asked: Asked, maps: Sequence[tuple[str, Map]]) -> list[Swipe]:
    """The picture against each named side map, in the colours that the data set's own range gives."""
    photo = data_uri(thumbnail(asked.picture, SWIPE_WIDTH, 88))
    return [Swipe(photo, data_uri(thumbnail(painted(frames, side), SWIPE_WIDTH, 90)), title) for title, side in maps]


def painted(frames: Frames, side: Map) -> Image.Image:
    """A side map as a picture of its own size."""
    scale = side_scale(frames, side.name)
    limits = (None, None) if side.name == "semantics" else (scale.low, scale.high)
    return Image.fromarray(colour(side, low=limits[0], high=limits[1]))


@dataclass(frozen=True, eq=False)
class Cloud:
    """Depth as points in space; `note` says what was left out, and where the camera is not known."""

    figure: go.Figure
    note: str


def cloud(frames: Frames, asked: Asked, depth: Map, height: int = 460) -> Cloud:
    """The points of a depth map in the colours of the picture, in the camera's frame."""
    camera, assumed = camera_of(frames, asked)
    far_m = side_scale(frames, "depth").high
    xyz, colours = points(depth.values, depth.valid, asked.picture, camera, far_m)
    note = f"{len(xyz):,} points; what is farther than {reach(far_m):g} m, such as the sky, is left out."
    if assumed:
        note += " The camera of this photo is not known: a view of 60° across was assumed."
    return Cloud(cloud_figure(xyz, colours, height), note)


def camera_of(frames: Frames, asked: Asked) -> tuple[Camera, bool]:
    """The camera of a picture, and whether it had to be assumed."""
    width, height = asked.picture.size
    if asked.query is not None:
        for camera in frames.cameras:
            if (camera.width, camera.height) == (width, height):
                return camera, False
    return usual_camera(width, height), True


def raw_forms(modality: str) -> str:
    """What the numbers in the two files of a side map mean."""
    kind = known(modality)
    along = " Depth is measured along the optical axis." if modality == "depth" else ""
    return (
        f"PNG: {kind.form}; {UNLABELLED if modality == 'semantics' else 0} is not known. NPY: float32 (height, width), "
        f"{'metres' if kind.unit == 'm' else kind.unit}; not a number is not known.{along}"
    )


def raw_png(side: Map) -> bytes:
    """A side map as the PNG that `python -m butf reconstruct` writes."""
    return map_bytes(side)


def raw_npy(side: Map) -> bytes:
    """A side map as a NumPy file: float32 `(H, W)` in the modality's unit, not a number where it is not known."""
    buffer = io.BytesIO()
    np.save(buffer, np.where(side.valid, side.values, np.nan).astype(np.float32), allow_pickle=False)
    return buffer.getvalue()
