"""From the library's answers to what a page draws: headed figures, candidates' pictures, marks, a view of the map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from butf.browse import Asked
from butf.dataset.class_metrics import ClassErrors, class_errors
from butf.dataset.depth_metrics import DepthErrors, depth_errors
from butf.dataset.frames import Frames
from butf.dataset.modalities import FILLED_FROM, Map, default_encoding, is_depth, known
from butf.figures.classes import class_figure, legend_html, wrong_figure
from butf.figures.depth import Scale, error_figure, map_figure
from butf.figures.gallery import Card, Column, data_uri, scores_html, thumbnail
from butf.figures.hover_map import HoverMap
from butf.figures.map import fit
from butf.figures.marks import Mark, plan_figure
from butf.networks.description import Description
from butf.networks.zoo import Model
from butf.retrieval.explore import Candidate, QueryResult


@dataclass(frozen=True, eq=False)
class SideView:
    """The side modality of one picture: the true map, the one a model reconstructs, and how far apart they are.

    `known_as` is the true map's title: one that was filled between a lidar's points is not called true.
    """

    modality: str
    true: Map | None
    predicted: Map | None
    model: str | None
    errors: DepthErrors | ClassErrors | None
    known_as: str

    @property
    def named_maps(self) -> list[tuple[str, Map]]:
        """The maps that there are, the reconstructed one first, each with its title."""
        named = ((f"Reconstructed by {self.model}", self.predicted), (self.known_as, self.true))
        return [(title, entry) for title, entry in named if entry is not None]


def side_view(
    frames: Frames, asked: Asked, models: Sequence[Model], describe: Callable[[Model], Description] | None = None
) -> SideView | None:
    """True and reconstructed side map of the picture asked about; None when there is neither.

    The first of the models that has a decoder reconstructs; `describe` gives what it says of the picture where that is
    known already.
    """
    decoder = next((model for model in models if model.reconstructs), None)
    # Points are too sparse to be read as a map.
    dense = (name for name in frames.modalities if not known(name).sparse)
    modality = decoder.encoding.modality if decoder else next(dense, "depth")
    true = None if asked.query is None else frames.modality(asked.query, modality)
    predicted = None
    if decoder:
        said = describe(decoder) if describe else decoder.description(asked.picture)
        predicted = None if said.side_map is None else decoder.decode(said.side_map, asked.picture.size)
    if true is None and predicted is None:
        return None
    errors: DepthErrors | ClassErrors | None = None
    if true is not None and predicted is not None and modality in ("depth", "semantics"):
        errors = (depth_errors if modality == "depth" else class_errors)(predicted, true)
    filled = FILLED_FROM in frames.modalities.get(modality, {})
    known_as = f"{modality.capitalize()} by lidar" if filled else f"True {modality}"
    return SideView(modality, true, predicted, decoder.name if decoder else None, errors, known_as)


@dataclass(frozen=True, eq=False)
class Panel:
    """One figure of the query's side modality, with its heading and what a screen reader says."""

    key: str
    title: str
    note: str
    alt: str
    figure: HoverMap
    foot: str = ""


def side_panels(frames: Frames, view: SideView | None) -> list[Panel]:
    """True map, reconstructed map on the same scale, and signed error: those of the three that there are."""
    if view is None:
        return []
    if view.modality == "semantics":
        return class_panels(view, frames.modalities.get("semantics", {}).get("classes", ()))
    scale = side_scale(frames, view.modality)
    panels = []
    for key, title, side in (
        ("true", view.known_as, view.true),
        ("predicted", "Reconstructed", view.predicted),
    ):
        if side is not None:
            note = f"by {view.model}" if key == "predicted" else coverage(side)
            alt = f"{title} as a map from {scale.low:g} to {scale.high:g} {scale.unit}"
            panels.append(Panel(key, title, note, alt, map_figure(side.values, side.valid, scale)))
    if view.errors is not None and view.true is not None and view.predicted is not None:
        valid = view.true.valid & view.predicted.valid
        figure = error_figure(view.true.values, view.predicted.values, valid)
        alt = "Reconstructed minus true depth in metres: blue where it is too near, orange where it is too far"
        panels.append(Panel("error", "Error", "reconstructed − true", alt, figure, scores_html(view.errors)))
    return panels


def class_panels(view: SideView, names: Sequence[str]) -> list[Panel]:
    """True classes, reconstructed classes in the same colours, and where these are wrong."""
    drawn = (
        ("true", "True semantics", coverage(view.true) if view.true else "", view.true),
        ("predicted", "Reconstructed", f"by {view.model}", view.predicted),
    )
    panels = [
        Panel(key, title, note, f"{title}: one colour a class", class_figure(side, names), legend_html(side, names))
        for key, title, note, side in drawn
        if side is not None
    ]
    if view.errors is not None and view.true is not None and view.predicted is not None:
        figure, alt = wrong_figure(view.true, view.predicted, names), "Orange where the reconstructed class is wrong"
        panels.append(Panel("error", "Error", "wrong classes in orange", alt, figure, scores_html(view.errors)))
    return panels


def side_scale(frames: Frames, modality: str) -> Scale:
    """The range that the data set gives for a modality: log metres for depth, linear for the others."""
    encoding = default_encoding(frames, modality)
    return Scale(encoding.near, encoding.far, "m" if is_depth(modality) else "", is_depth(modality))


def coverage(side: Map) -> str:
    """How much of a map was measured, in words; nothing where it was all."""
    return "" if side.valid.all() else f"{side.valid.mean():.0%} measured"


def columns(frames: Frames, results: Sequence[QueryResult], picture: Callable[[int], str]) -> list[Column]:
    """Each model's answer for the gallery; `picture(frame number)` gives a data URI."""
    return [
        Column(result.model, [_picture(frames, entry, picture) for entry in result.candidates], verdict(result))
        for result in results
    ]


def marks(frames: Frames, results: Sequence[QueryResult]) -> list[Mark]:
    """Each model's candidates for the map: longitude and latitude where the data set has them, else metres."""
    x, y = reversed(lat_lon(frames)) if has_map(frames) else (frames.position[:, 0], frames.position[:, 1])
    return [
        Mark(
            result.model, str(frames.frame[c.frame]), float(x[c.frame]), float(y[c.frame]), c.rank, c.metres, c.correct
        )
        for result in results
        for c in result.candidates
    ]


@dataclass(frozen=True)
class MapView:
    """Where the map looks: `home` (centre and zoom) on the whole database, and the answer to one query.

    Points are latitude and longitude; `query` is None for one's own photo.
    """

    home: tuple[tuple[float, float], float]
    query: tuple[float, float] | None
    centre: tuple[float, float]
    zoom: float


def map_view(
    frames: Frames, split: str, query: int | None, marks: Sequence[Mark], radius_m: float, height: int, width: int = 280
) -> MapView:
    """A view that holds the query's radius and all marks in a map of `width` x `height` pixels."""
    database = frames.database(split)
    lat, lon = lat_lon(frames)
    home = fit(np.stack([lat[database], lon[database]], axis=1), width, height)
    here = None if query is None else (float(lat[query]), float(lon[query]))
    points = [(mark.y, mark.x) for mark in marks] + ([here] if here else [])
    centre, zoom = fit(np.array(points), width, height, radius_m) if points else home
    return MapView(home, here, centre, zoom)


def plan(
    frames: Frames,
    split: str,
    query: int | None,
    marks: Sequence[Mark],
    radius_m: float,
    height: int,
    chosen: tuple[str, int] | None = None,
) -> go.Figure:
    """The query and the candidates over the database in local metres."""
    here = None if query is None else tuple(frames.position[query, :2])
    return plan_figure(frames.position[frames.database(split)], here, radius_m, marks, height, chosen)


def has_map(frames: Frames) -> bool:
    """Whether the frames have places on the globe, rather than in a room's own metres."""
    return frames.lat is not None and frames.lon is not None


def lat_lon(frames: Frames) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude `(N,)` in degrees of frames that have them, see `has_map`."""
    assert frames.lat is not None and frames.lon is not None
    return frames.lat, frames.lon


def verdict(result: QueryResult) -> str:
    """A model's answer to one query in a few words."""
    if result.matched is None:
        return "nearest places to your photo"
    if not result.matched:
        return "the database has no true match"
    if result.first_correct == 1:
        return "right at once"
    return f"first right one at rank {result.first_correct}" if result.first_correct else "no right one found"


def picture_uri(frames: Frames, i: int, width: int = 240) -> str:
    """Frame i's picture as a small JPEG in a data URI."""
    return data_uri(thumbnail(frames.image(i, least=2 * width), width))


def _picture(frames: Frames, entry: Candidate, picture: Callable[[int], str]) -> Card:
    frame = str(frames.frame[entry.frame])
    return Card(frame, picture(entry.frame), entry.rank, entry.distance, entry.metres, entry.correct)
