"""What the Localize page says of a pose: how right it is, how sure, what it rests on, as words and as a record."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from butf.dataset.frames import Frames
from butf.figures.gallery import metres_text
from butf.pose.answer import Localization
from butf.pose.pose import Pose

NARROW, MIDDLE, WIDE = (0.25, 2.0), (0.5, 5.0), (5.0, 10.0)
"""Metres and degrees of the benchmarks of the field (Sattler et al., CVPR 2018)."""
SURE = ((0.9, "very sure"), (0.7, "fairly sure"), (0.4, "unsure"), (0.0, "hardly more than a guess"))


@dataclass(frozen=True)
class Error:
    """How far a pose is from the true one."""

    metres: float
    degrees: float

    @property
    def words(self) -> str:
        return f"{metres_text(self.metres)} and {degrees_text(self.degrees)}"

    @property
    def within(self) -> str:
        """The narrowest of the usual bounds that it keeps, in words."""
        for metres, degrees in (NARROW, MIDDLE, WIDE):
            if self.metres <= metres and self.degrees <= degrees:
                return f"within {metres:g} m and {degrees:g}°"
        return "beyond 5 m or 10°: wrong"


def error_of(pose: Pose, truth: Pose | None) -> Error | None:
    """None where the truth is not known."""
    return None if truth is None else Error(pose.metres_to(truth), pose.degrees_to(truth))


def degrees_text(degrees: float) -> str:
    """An angle for people: `0.04°`, `3.2°`, `137°`."""
    return f"{degrees:.2f}°" if degrees < 1 else f"{degrees:.1f}°" if degrees < 10 else f"{degrees:.0f}°"


def headline(answer: Localization, truth: Pose | None) -> tuple[str, str]:
    """The answer in a few words, and what else is to be said at once."""
    if answer.pose is None:
        off = None if answer.place is None else error_of(answer.place.pose, truth)
        place = "" if answer.place is None else " The nearest place is the first candidate"
        return "Not localized", answer.reason + (f"{place}, {off.words} off." if off else f"{place}." if place else "")
    error = error_of(answer.pose, truth)
    if error is None:
        return "Localized", "the true pose is not known, so how well is not either"
    return f"Localized, {error.words} off", error.within


def verdict_html(answer: Localization, truth: Pose | None) -> str:
    """The answer in one line: localized or not, how far off, how sure, on how many matches."""
    words, note = headline(answer, truth)
    error = None if answer.pose is None else error_of(answer.pose, truth)
    right = None if error is None else error.metres <= WIDE[0] and error.degrees <= WIDE[1]
    kind, mark = {True: ("right", "✓"), False: ("wrong", "✗"), None: ("open", "◎")}[right]
    if answer.pose is None:
        kind, mark, more = "none", "∅", ""
    else:
        more = f"{answer.inliers:,} keypoints agree · {sureness(answer.confidence)}"
    seconds = f"{sum(answer.seconds.values()):.1f} s"
    return (
        f'<p class="verdict {kind}"><b><i aria-hidden="true">{mark}</i> {escape(words)}</b> <span>{escape(note)}</span>'
        f" <small>{escape(' · '.join(filter(None, (more, seconds))))}</small></p>"
    )


def facts_html(answer: Localization, truth: Pose | None) -> str:
    """What there is to know of the answer as a list of terms."""
    rows = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts(answer, truth))
    return f'<dl class="facts">{"".join(rows)}</dl>'


def sureness(confidence: float) -> str:
    """A confidence in words, with its number."""
    word = next(word for least, word in SURE if confidence >= least)
    return f"{word}: {confidence:.0%} likely within {MIDDLE[0]:g} m and {MIDDLE[1]:g}°"


def facts(answer: Localization, truth: Pose | None) -> list[tuple[str, str]]:
    """What there is to know of the answer: name and value."""
    rows = [("Camera", answer.query.camera_source), *_pose_facts(answer)]
    error = None if answer.pose is None else error_of(answer.pose, truth)
    if error is not None:
        rows.append(("Off the true pose", error.words))
    first = error_of(answer.candidates[0].pose, truth) if answer.candidates else None
    if first is not None:
        rows.append(("The first candidate's own pose", f"{first.words} off: what retrieval alone would say"))
    total = sum(len(match) for match in answer.matches)
    agreed = sum(int(match.inliers.sum()) for match in answer.matches)
    rows.append(("Matches that agree", f"{agreed:,} of {total:,}, in {len(answer.matches)} pictures"))
    rows.append(("Depth of the candidates", answer.depth))
    rows.append(("Seconds", ", ".join(f"{name} {seconds:.2f}" for name, seconds in answer.seconds.items())))
    return rows


def _pose_facts(answer: Localization) -> list[tuple[str, str]]:
    pose = answer.pose
    found: list[tuple[str, str]] = []
    if pose is None:
        return found
    if answer.geographic is not None:
        there = answer.geographic
        found.append(("WGS84", f"{there.lat:.6f}, {there.lon:.6f}"))
    east, north, up = pose.centre
    found.append(("East, north, up", f"{east:,.2f}, {north:,.2f}, {up:.2f} m"))
    heading = round(heading_deg(pose), 1) % 360  # 359.97 would be said to be 360.0
    found.append(("Looks", f"{heading:.1f}° from grid north, {pitch_deg(pose):+.1f}° up"))
    if answer.solution is not None:
        metres, degrees = answer.solution.position_std_m, answer.solution.angle_std_deg
        found.append(("Uncertainty", f"±{metres_text(metres)}, ±{degrees_text(degrees)} (standard deviations)"))
    found.append(("Confidence", sureness(answer.confidence)))
    return found


def heading_deg(pose: Pose) -> float:
    """Which way a camera looks, degrees clockwise from the grid's north, 0 to 360."""
    east, north, _ = pose.rotation[:, 2]
    return math.degrees(math.atan2(east, north)) % 360


def pitch_deg(pose: Pose) -> float:
    """How far above the horizon a camera looks, degrees."""
    return math.degrees(math.asin(float(np.clip(pose.rotation[2, 2], -1, 1))))


def record(frames: Frames, answer: Localization, truth: Pose | None, model: str) -> bytes:
    """The answer as JSON: pose, covariance, confidence, candidates with their matches."""
    where = answer.geographic
    value: dict[str, Any] = {
        "dataset": frames.name,
        "model": model,
        "depth": answer.depth,
        "camera": answer.query.camera_source,
        "localized": answer.pose is not None,
        "reason": answer.reason,
        "pose": _pose_record(answer.pose),
        "wgs84": None if where is None else {"lat": where.lat, "lon": where.lon, "altitude_m": where.altitude_m},
        "confidence": answer.confidence,
        "covariance": None if answer.solution is None else answer.solution.covariance.tolist(),
        "truth": _pose_record(truth),
        "candidates": [
            {
                "frame": str(frames.frame[match.candidate.frame]),
                "rank": match.candidate.rank,
                # JSON has no NaN: a picture that retrieval did not find is at no distance.
                "distance": match.candidate.distance if match.candidate.rank else None,
                "matches": len(match),
                "inliers": int(match.inliers.sum()),
            }
            for match in answer.matches
        ],
        "seconds": answer.seconds,
    }
    error = None if answer.pose is None else error_of(answer.pose, truth)
    value["error"] = None if error is None else {"metres": error.metres, "degrees": error.degrees}
    return json.dumps(value, indent=1).encode()


def shift_words(pixels: float, across: int, metres: float, distance_m: float) -> str:
    """What an error costs where the goal stands."""
    return (
        f"At the goal, {metres_text(distance_m)} away, that is {pixels:.0f} pixels of {across}, or "
        f"{metres_text(metres)} beside the right place."
    )


def _pose_record(pose: Pose | None) -> dict[str, Any] | None:
    if pose is None:
        return None
    names = ("qw", "qx", "qy", "qz")
    return {"centre": pose.centre.tolist(), **dict(zip(names, pose.quaternion.tolist(), strict=True))}
