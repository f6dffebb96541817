"""What the Localize page draws: candidates, matches, cameras on the map and in space, virtual things in the photo."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape

import folium
import numpy as np
import plotly.graph_objects as go
from PIL import Image

from butf.browse import Asked
from butf.dataset.frames import Frames
from butf.dataset.modalities import Map
from butf.figures.cameras import Seen, draw_goal, draw_wedges, plan_traces, space_figure, wedge
from butf.figures.cloud import points
from butf.figures.gallery import data_uri, metres_text, thumbnail
from butf.figures.map import answer_layer, fit
from butf.figures.marks import Mark, plan_parts
from butf.figures.matches import Side, legend_html, matches_svg
from butf.figures.theme import styled
from butf.pose.answer import CandidateMatches, Localization, Query
from butf.pose.camera import camera_of_size
from butf.pose.globe import on_globe
from butf.pose.occlusion import Screen
from butf.pose.overlay import overlay
from butf.pose.pose import Pose
from butf.pose.scene import Scene, Wish, erring, ground_below, pixel_of, scene, seen_at
from butf.pose.views import pose_of
from butf.views import has_map, lat_lon, side_scale

PICTURE_WIDTH = 640
CLOUD_PICTURES, CLOUD_POINTS = 3, 24_000
LEAST_REACH_M = 1.5
CAMERAS = " Thick: the camera found; dashed: the true one, where it is known; thin: the candidates'."
ALONE = " There is no pose, so this is only what the likeliest candidate sees."
LINES = {"found": "solid", "true": "dashed"}


def truth_of(frames: Frames, asked: Asked) -> Pose | None:
    """The true pose of the picture asked about; None for a photo."""
    return None if asked.query is None or frames.orientation is None else pose_of(frames, asked.query)


def reach_m(frames: Frames) -> float:
    """How far cameras on the map are drawn to see: what counts as a place, outdoors and indoors."""
    return max(frames.place.radius_m, LEAST_REACH_M)


def best(matches: Sequence[CandidateMatches]) -> int:
    """The picture to show matches with at first: of most that agree, else of most."""
    counts = [(int(match.inliers.sum()), len(match)) for match in matches]
    return max(range(len(counts)), key=counts.__getitem__) if counts else 0


def strip_html(frames: Frames, matches: Sequence[CandidateMatches], picture: Callable[[int], str], chosen: int) -> str:
    """The candidates as a row of small pictures, each a button whose `data-pick` is its place in `matches`."""
    items = []
    for at, match in enumerate(matches):
        frame = str(frames.frame[match.candidate.frame])
        agreed = int(match.inliers.sum())
        rank = match.candidate.rank
        which = f"candidate {rank}" if rank else "not retrieved, but near the pose found"
        alt = f"{frame}, {which}: {agreed} of {len(match)} matches agree with the pose"
        items.append(
            f'<li class="{"agrees" if agreed else "fails"}"><button type="button" data-pick="{at}" '
            f'aria-pressed="{str(at == chosen).lower()}"><img src="{escape(picture(match.candidate.frame))}" '
            f'alt="{escape(alt)}" title="{escape(alt)}"><b>{rank or "+"}</b><span>{agreed} of {len(match)}</span>'
            "</button></li>"
        )
    return f'<ol class="strip">{"".join(items)}</ol>'


def waiting_html(frames: Frames, found: Sequence[int], picture: Callable[[int], str]) -> str:
    """The candidates before any match is known."""
    items = "".join(
        f'<li><img src="{escape(picture(i))}" alt="candidate {rank}, {escape(str(frames.frame[i]))}"><b>{rank}</b></li>'
        for rank, i in enumerate(found, 1)
    )
    return f'<ol class="strip">{items}</ol>'


def matches_html(frames: Frames, query: Query, match: CandidateMatches, judged: bool = True) -> str:
    """The query and a candidate with the matches between them, and what the lines mean.

    Before there is an answer nothing is `judged`.
    """
    candidate = frames.image(match.candidate.frame)
    left, right = (
        Side(data_uri(thumbnail(picture, PICTURE_WIDTH, 85)), picture.size, words)
        for picture, words in ((query.picture, "The query"), (candidate, f"{frames.frame[match.candidate.frame]}"))
    )
    inliers = match.inliers if judged else None
    drawing = matches_svg(left, right, match.query_pixels, match.candidate_pixels, inliers)
    return drawing + legend_html(len(match), inliers)


def cameras(frames: Frames, answer: Localization, truth: Pose | None) -> list[Seen]:
    """The camera found, the true one, and those of the candidates that were matched; the found one first."""
    camera = answer.query.camera
    seen = [] if answer.pose is None else [Seen("found", "the camera found", answer.pose, camera)]
    if truth is not None:
        seen.append(Seen("true", "the true camera", truth, camera))
    for match in answer.matches:
        own = camera_of_size(frames, frames.image(match.candidate.frame).size)
        if own is not None:
            words = f"{frames.frame[match.candidate.frame]}, {int(match.inliers.sum())} matches agree"
            seen.append(Seen("other", words, match.candidate.pose, own))
    return seen


def marks(frames: Frames, answer: Localization, model: str, truth: Pose | None) -> list[Mark]:
    """The retrieved candidates for the map, as Explore has them; right where the place is the same."""
    x, y = reversed(lat_lon(frames)) if has_map(frames) else frames.position[:, :2].T
    made = []
    for candidate in answer.candidates:
        metres = None if truth is None else candidate.pose.metres_to(truth)
        right = None if truth is None else _same_place(frames, candidate.pose, truth)
        i = candidate.frame
        made.append(Mark(model, str(frames.frame[i]), float(x[i]), float(y[i]), candidate.rank, metres, right))
    return made


def _same_place(frames: Frames, one: Pose, other: Pose) -> bool:
    """What `Frames.positives` says of two frames, of poses."""
    rule = frames.place
    turned = rule.angle_deg is not None and one.degrees_to(other) > rule.angle_deg
    return one.metres_to(other) <= rule.radius_m and not turned


@dataclass(frozen=True, eq=False)
class Whereabouts:
    """The map of an answer: what to draw on the ground, and where to look (latitude, longitude, zoom)."""

    layer: folium.FeatureGroup
    centre: tuple[float, float]
    zoom: float


def whereabouts(
    frames: Frames, answer: Localization, seen: Sequence[Seen], made: Sequence[Mark], drawn: Scene | None, dark: bool,
    size: tuple[int, int],
) -> Whereabouts:  # fmt: skip
    """Candidates, cameras, and the way to the goal; a view of `size` (width, height) pixels about the cameras."""
    reach = reach_m(frames)
    layer = answer_layer(None, reach, made, dark)
    own = [entry for entry in seen if entry.kind != "other"]
    wedges = [(entry, on_globe(frames, wedge(entry, reach))) for entry in own]
    draw_wedges(layer, wedges, dark)
    if drawn is not None:
        draw_goal(layer, tuple(on_globe(frames, drawn.goal[None, :2])[0].tolist()), on_globe(frames, drawn.path), dark)
    known = [places for _, places in wedges]
    if answer.pose is None:  # then the candidates are all there is
        known.append(np.array([[mark.y, mark.x] for mark in made]).reshape(-1, 2))
    centre, zoom = fit(np.concatenate(known), *size, 0.4 * reach)
    return Whereabouts(layer, centre, zoom)


def plan(
    frames: Frames, split: str, seen: Sequence[Seen], made: Sequence[Mark], drawn: Scene | None, dark: bool, height: int
) -> go.Figure:
    """The same without a globe, in metres."""
    database = frames.position[frames.database(split)]
    traces, layout = plan_parts(database, None, frames.place.radius_m, made)
    own = [entry for entry in seen if entry.kind != "other"]
    goal, path = (None, None) if drawn is None else (drawn.goal[:2], drawn.path)
    return styled([*traces, *plan_traces(own, reach_m(frames), goal, path, dark)], height, **layout)


def space(
    frames: Frames, answer: Localization, seen: Sequence[Seen], depth_of: Callable[[int], Map | None], height: int
) -> tuple[go.Figure, str]:
    """What the candidates that agree most see, as points in the world, with the cameras; and what it is made of.

    `depth_of(frame)` gives a candidate's depth.
    """
    order = sorted(answer.matches, key=lambda match: -int(match.inliers.sum()))
    # Without a pose nothing says that the candidates are of one place.
    order = order[: 1 if answer.pose is None else CLOUD_PICTURES]
    clouds, colours = [np.zeros((0, 3))], [np.zeros((0, 3), np.uint8)]
    far = side_scale(frames, "depth").high
    for match in order:
        depth, picture = depth_of(match.candidate.frame), frames.image(match.candidate.frame)
        own = camera_of_size(frames, picture.size)
        if depth is not None and own is not None:
            xyz, rgb = points(depth.values, depth.valid, picture, own, far, CLOUD_POINTS // len(order))
            clouds.append(match.candidate.pose.to_world(xyz))
            colours.append(rgb)
    used = {match.candidate.frame for match in order}
    # Without a pose there is only what a candidate sees, far from the true camera perhaps.
    whole = answer.pose is not None or not order
    drawn = [entry for entry in seen if entry.kind != "other"] if whole else []
    drawn += [entry for entry in seen if any(entry.words.startswith(f"{frames.frame[i]},") for i in used)]
    xyz, rgb = np.concatenate(clouds), np.concatenate(colours)
    count = len(clouds) - 1
    words = f"{len(xyz):,} points of the {answer.depth} depth of {count} candidate{'' if count == 1 else 's'}."
    return space_figure(xyz, rgb, drawn, height), words + CAMERAS if answer.pose is not None else words + ALONE


@dataclass(frozen=True, eq=False)
class Drawn:
    """A photograph with virtual things: `shift` tells what the pose's error costs at the goal, None without one."""

    picture: Image.Image
    goal_pixel: np.ndarray | None
    shift_px: float | None
    shift_m: float | None
    distance_m: float

    @cached_property
    def png(self) -> bytes:
        buffer = io.BytesIO()
        self.picture.save(buffer, "PNG")
        return buffer.getvalue()


def wished(frames: Frames, split: str, answer: Localization, wish: Wish, goal: np.ndarray, depth: Map | None) -> Scene:
    """The things of a wish at a goal (2,) before the camera that was found."""
    assert answer.pose is not None
    ground, _ = ground_below(depth, answer.query.camera, answer.pose)
    return scene(wish, answer.pose, goal, ground, frames.position[frames.database(split), :2])


def augmented(
    frames: Frames, query: Query, made: Scene, found: Pose, right: Pose, error: tuple[float, float], hides: Map | None
) -> Drawn:
    """The scene drawn at the found pose, made wrong by (metres, degrees) where these are not 0.

    Where they are not, an outline shows it at the `right` pose. `hides` is the depth behind which things disappear.
    """
    wrong = any(error)
    pose = erring(found, *error) if wrong else found
    screen = None if hides is None else Screen.of(hides, side_scale(frames, "depth").high)
    picture = overlay(query.picture, query.camera, pose, made.meshes, screen, right if wrong else None)
    here, there = (pixel_of(made.goal, query.camera, entry) for entry in (pose, right))
    distance = float(np.linalg.norm(made.goal - right.centre))
    if here is None or there is None:
        return Drawn(picture, here, None, None, distance)
    shift = float(np.linalg.norm(here - there))
    z = float(right.to_camera(made.goal[None])[0, 2])
    return Drawn(picture, here, shift, shift * z / query.camera.fx, distance)


def side_words(pose: Pose, made: Scene) -> str:
    """Where a goal is, seen from the camera."""
    ahead, right = seen_at(pose, made.goal[:2])
    side = "" if abs(right) < 0.05 else f", {metres_text(abs(right))} to the {'right' if right > 0 else 'left'}"
    return f"{metres_text(abs(ahead))} {'ahead' if ahead >= 0 else 'behind'}{side}"


def map_legend_html(seen: Sequence[Seen], dark: bool) -> str:
    """What the cameras on the map are, by colour and line."""
    items = [
        f'<li><i class="line" style="border-top: 3px {LINES[entry.kind]} {entry.colour(dark)}" aria-hidden="true"></i>'
        f"{escape(entry.words)}</li>"
        for entry in seen
        if entry.kind in LINES
    ]
    return f'<ul class="match-legend">{"".join(items)}<li>numbers: candidates</li></ul>'
