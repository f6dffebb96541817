"""What localization says, stage by stage: candidates, matches with each, and the pose."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from butf.dataset.frames import Frames
from butf.dataset.manifest import Camera, utm_zone
from butf.importers.geography import to_degrees
from butf.pose.pnp import Solution
from butf.pose.pose import Pose


@dataclass(frozen=True, eq=False)
class Query:
    """A picture that asks where it was taken, and the camera that took it (see `camera.query_of`)."""

    picture: Image.Image
    camera: Camera
    """Of the picture's own pixels."""
    camera_source: str
    """Where the camera is from, in words: the data set, the photo's EXIF, or an assumption."""
    frame: int | None = None
    """Its number where it is a frame of the data set: never its own candidate, and its descriptor is known."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A database frame that retrieval found: `rank` from 1 (0: not retrieved, but near the pose found at first),
    `distance` between descriptors."""

    rank: int
    frame: int
    distance: float
    pose: Pose


@dataclass(frozen=True, eq=False)
class Candidates:
    """First stage: what retrieval found, best first."""

    found: tuple[Candidate, ...]
    seconds: float
    """For the description of the query and the search."""


@dataclass(frozen=True, eq=False)
class CandidateMatches:
    """Second stage, once a candidate: M matches of keypoints between the query and it.

    Pixels are those of the query's picture and of the candidate's stored picture, first pixel's centre (0.5, 0.5).
    """

    candidate: Candidate
    rows: np.ndarray
    """(M,) int: which of the query's keypoints."""
    query_pixels: np.ndarray
    """(M, 2)."""
    candidate_pixels: np.ndarray
    """(M, 2)."""
    points: np.ndarray
    """(M, 3) metres in the data set's frame: the candidate's keypoints in space; not a number without depth."""
    spread: np.ndarray
    """(M,) standard deviation of the logarithm of the depth that the points were lifted by."""
    inliers: np.ndarray
    """(M,) bool: agrees with the pose found; all False until the last stage, see `Localization.matches`."""

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Geographic:
    """WGS84 degrees, and metres above what the data set's altitudes count from."""

    lat: float
    lon: float
    altitude_m: float


@dataclass(frozen=True, eq=False)
class Localization:
    """Last stage: the pose of the query's camera, or why there is none."""

    query: Query
    pose: Pose | None
    """In the data set's frame (east, north, up metres); None: not localized."""
    reason: str
    """One sentence: why not localized, or "" where there is a pose."""
    geographic: Geographic | None
    """None without a pose, or where the data set names no UTM zone."""
    solution: Solution | None
    """Covariance and residuals; its inliers are those of all matches in the order of `matches`."""
    confidence: float
    """0 to 1: the probability that the pose is right within 0.5 m and 5 degrees, as calibrated on val."""
    candidates: tuple[Candidate, ...]
    matches: tuple[CandidateMatches, ...]
    """Of every candidate that was matched, with inlier flags."""
    depth: str
    """Where the candidates' depth is from: measured, or reconstructed."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By step: retrieve, match, solve."""

    @property
    def place(self) -> Candidate | None:
        """The nearest place as retrieval has it: what there is to say where there is no pose."""
        return self.candidates[0] if self.candidates else None

    @property
    def likeliest(self) -> Pose | None:
        """The best guess: the pose, or where there is none that of the nearest place; None without candidates.

        The place would be the worse guess even for poses that are hardly sure (docs/localize.md, on val).
        """
        return self.pose if self.pose is not None or self.place is None else self.place.pose

    @property
    def localized(self) -> bool:
        """Whether there is a pose."""
        return self.pose is not None

    @property
    def inliers(self) -> int:
        """How many of the query's keypoints agree with the pose (one seen in several candidates counts once)."""
        rows = [match.rows[match.inliers] for match in self.matches]
        return len(np.unique(np.concatenate(rows))) if rows else 0


Stage = Candidates | CandidateMatches | Localization


def geographic(frames: Frames, centre: np.ndarray) -> Geographic | None:
    """Degrees of a position (3,) of the data set's frame; None where its metres are of no UTM zone."""
    zone = utm_zone(frames.origin)
    if zone is None:
        return None
    lat, lon = to_degrees(np.array([centre[0]]), np.array([centre[1]]), zone)
    return Geographic(float(lat[0]), float(lon[0]), float(centre[2]))
