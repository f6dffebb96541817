"""Answers of localization made by hand, for what is said and drawn of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from butf.dataset.manifest import Camera
from butf.pose.answer import Candidate, CandidateMatches, Geographic, Localization, Query
from butf.pose.pnp import Solution
from butf.pose.pose import Pose

CAMERA = Camera("front", 96, 64, 48.0, 48.0, 48.0, 32.0)
SECONDS = {"retrieve": 0.25, "match": 1.5, "solve": 0.5}


def looking(heading_deg: float = 0.0, centre: Sequence[float] = (100.0, 200.0, 30.0), up_deg: float = 0.0) -> Pose:
    """A camera that looks along a heading clockwise from north, and so many degrees above the horizon."""
    heading, up = math.radians(heading_deg), math.radians(up_deg)
    ahead = (math.sin(heading) * math.cos(up), math.cos(heading) * math.cos(up), math.sin(up))
    right = (math.cos(heading), -math.sin(heading), 0.0)
    return Pose(np.stack([right, np.cross(ahead, right), ahead], axis=1), np.array(centre, float))


def matched(
    frame: int, inliers: Sequence[bool], rank: int = 1, pose: Pose | None = None, first: int = 0
) -> CandidateMatches:
    """Matches with a database frame, the query's keypoints counted from `first`; pixels are drawn by chance."""
    rng, count = np.random.default_rng(frame), len(inliers)
    distance = 0.125 * rank if rank else math.nan  # as the localizer has it of pictures that retrieval did not find
    return CandidateMatches(
        Candidate(rank, frame, distance, pose or looking()), first + np.arange(count),
        rng.uniform(0, 60, (count, 2)), rng.uniform(0, 60, (count, 2)), rng.uniform(0, 9, (count, 3)),
        np.zeros(count), np.array(inliers, bool),
    )  # fmt: skip


def answer(
    pose: Pose | None,
    matches: Sequence[CandidateMatches] = (),
    picture: Image.Image | None = None,
    geographic: Geographic | None = None,
    covariance: np.ndarray | None = None,
    reason: str = "",
    camera_source: str = "camera front of data set tiny",
) -> Localization:
    """The answer with that pose, 80 % sure of it; its candidates are those that were matched and retrieved."""
    query = Query(picture or Image.new("RGB", (CAMERA.width, CAMERA.height)), CAMERA, camera_source)
    solution = None
    if pose is not None and covariance is not None:
        flags = np.concatenate([match.inliers for match in matches]) if matches else np.zeros(0, bool)
        solution = Solution(pose, flags, covariance, 1.0, -20.0)
    found = tuple(match.candidate for match in matches if match.candidate.rank)
    confidence = 0.0 if pose is None else 0.8
    return Localization(
        query, pose, reason, geographic, solution, confidence, found, tuple(matches), "measured", dict(SECONDS)
    )
