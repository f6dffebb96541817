"""A data set in numbers: what was taken how often, what its cameras see, how far away things are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from butf.dataset.frames import Camera, Frames, PlaceRule
from butf.dataset.modalities import default_encoding

READ = 60
BINS = 48
EPOCH, FAR_FUTURE = 6e8, 4e9
"""Seconds from 1970 to 1989, and to 2096: a clock, rather than the seconds of a drive."""
WINDS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")


@dataclass(frozen=True)
class Count:
    """The frames of one traversal, by split."""

    traversal: str
    condition: str
    role: str
    seen: bool
    frames: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.frames.values())


@dataclass(frozen=True, eq=False)
class DepthHistogram:
    """How far away things are: `share` (B,) of the measured pixels between `edges` (B + 1,), metres evenly in the log.

    `below` and `above` are the shares outside of the edges; `read` maps of `have` were read, `measured` is the share
    of their pixels that was measured.
    """

    edges: np.ndarray
    share: np.ndarray
    below: float
    above: float
    read: int
    have: int
    measured: float


def counts(frames: Frames) -> list[Count]:
    """The traversals that have frames, in the order of the data set."""
    found = []
    for traversal in frames.traversals:
        own = frames.split[frames.traversal == traversal.name]
        numbers = {split: int((own == split).sum()) for split in frames.splits}
        if len(own):
            seen = frames.seen(traversal.condition)
            found.append(Count(traversal.name, traversal.condition, traversal.role, seen, numbers))
    return found


def field_of_view(camera: Camera) -> tuple[float, float]:
    """Degrees from the left to the right border and from the upper to the lower one, as the principal point lies."""
    return (
        _angle(camera.cx, camera.width - camera.cx, camera.fx),
        _angle(camera.cy, camera.height - camera.cy, camera.fy),
    )


def depth_histogram(frames: Frames, maps: int = READ, bins: int = BINS) -> DepthHistogram | None:
    """Over at most `maps` depth maps, evenly spread over the data set; None where there is no depth.

    The edges run over the range of dataset.json (near_m to far_m). Raises `BadInput` for a map that is damaged.
    """
    if "depth" not in frames.modalities:
        return None
    have = [i for i in range(len(frames)) if frames.modality_path(i, "depth") is not None]
    if not have:
        return None
    chosen = np.array(have)[np.unique(np.linspace(0, len(have) - 1, min(maps, len(have))).astype(int))]
    encoding = default_encoding(frames, "depth")
    edges = np.geomspace(encoding.near, encoding.far, bins + 1)
    inside, below, above, pixels = np.zeros(bins, np.int64), 0, 0, 0
    for i in chosen.tolist():
        side = frames.modality(i, "depth")
        assert side is not None
        metres = side.values[side.valid].astype(np.float64)
        inside += np.histogram(metres, edges)[0]
        below += int((metres < edges[0]).sum())
        above += int((metres > edges[-1]).sum())
        pixels += side.valid.size
    measured = int(inside.sum()) + below + above
    scale = max(measured, 1)
    return DepthHistogram(
        edges, inside / scale, below / scale, above / scale, len(chosen), len(have), measured / max(pixels, 1)
    )


def place_text(rule: PlaceRule) -> str:
    """What counts as the same place, in words."""
    turned = "" if rule.angle_deg is None else f" and turned by no more than {rule.angle_deg:g}°"
    return f"within {rule.radius_m:g} m{turned}"


def where_text(frames: Frames, i: int) -> str:
    """Where frame i was taken: latitude, longitude and altitude where these are known, else metres of its own room."""
    east, north, up = frames.position[i].tolist()
    if frames.lat is None or frames.lon is None:
        ways = ((east, "east", "west"), (north, "north", "south"), (up, "up", "down"))
        return ", ".join(f"{abs(metres):.2f} m {word if metres >= 0 else other}" for metres, word, other in ways)
    lat, lon = float(frames.lat[i]), float(frames.lon[i])
    globe = f"{abs(lat):.6f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.6f}° {'E' if lon >= 0 else 'W'}"
    return f"{globe}, altitude {up:.2f} m"


def when_text(frames: Frames, i: int) -> str:
    """When frame i was taken: a date where its seconds count from 1970, else seconds; empty where it is not known."""
    if frames.time_s is None:
        return ""
    seconds = float(frames.time_s[i])
    if not EPOCH <= seconds < FAR_FUTURE:
        return f"{seconds:.2f} s of the recording"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def looks_text(frames: Frames, i: int) -> str:
    """Which way frame i's camera looks; empty where no orientation is known."""
    if frames.orientation is None:
        return ""
    east, north, up = forward(frames.orientation[i])
    tilt = math.degrees(math.asin(max(-1.0, min(1.0, up))))
    tilted = "level" if abs(tilt) < 0.5 else f"{abs(tilt):.0f}° {'up' if tilt > 0 else 'down'}"
    if math.hypot(east, north) < 0.02:
        return tilted
    heading = math.degrees(math.atan2(east, north)) % 360
    return f"{WINDS[round(heading / 45) % 8]} ({heading:.0f}°), {tilted}"


def forward(quaternion: np.ndarray) -> tuple[float, float, float]:
    """The viewing direction (east, north, up) of a camera with the unit quaternion qw, qx, qy, qz: its z axis."""
    w, x, y, z = (float(part) for part in quaternion)
    return 2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)


def _angle(before: float, after: float, focal: float) -> float:
    return math.degrees(math.atan2(before, focal) + math.atan2(after, focal))
