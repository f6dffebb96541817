"""`localize`: from where, and in which direction, a photo was taken.

`--json` writes, and `-` prints:

    {"image": "photo.jpg", "dataset": "town", "model": "bu-tf", "keypoints": "keypoints", "depth": "measured",
     "localized": true, "reason": "",
     "pose": {"easting_m": ..., "northing_m": ..., "altitude_m": ..., "qw": ..., "qx": ..., "qy": ..., "qz": ...},
     "geographic": {"lat": ..., "lon": ..., "altitude_m": ...},
     "place": {"frame": "reference/000001", "easting_m": ..., ..., "qz": ...},
     "confidence": 0.97, "inliers": 143,
     "covariance": [[...], ...], "position_std_m": 0.04, "angle_std_deg": 0.1,
     "camera": {"width": ..., "height": ..., "fx": ..., "fy": ..., "cx": ..., "cy": ..., "source": "in words"},
     "candidates": [{"rank": 1, "frame": "reference/000001", "distance": 0.4, "matches": 210, "inliers": 96}, ...],
     "seconds": {"retrieve": 0.1, "match": 0.2, "solve": 0.1}}

Quaternions turn the camera's frame (x right, y down, z forward) to the world's (east, north, up). The covariance is of
the centre (m^2) and of a small turn about the world's axes (rad^2). `pose` and what follows from it are null where the
photo is not localized, and `reason` then says why; `place`, the first candidate with its own pose, is then all there
is to say, and is null only without candidates. `geographic` is null too where the data set names no UTM zone.
Candidates of rank 0 were not retrieved but matched as well, being near the first pose.
"""

from __future__ import annotations

import argparse
from typing import Any

from butf.commands.common import (
    above_zero,
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
from butf.device import choose_device
from butf.files import read_image
from butf.pose.answer import Candidate, CandidateMatches, Localization
from butf.pose.pose import Pose

DEPTHS = ("measured", "reconstructed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `localize`."""
    add_sought(parser)
    parser.add_argument(
        "--depth", choices=DEPTHS, default="measured",
        help="the candidates' depth: as the data set has it, or as a bu-tf model reconstructs it (measured)",
    )  # fmt: skip
    parser.add_argument(
        "--depth-model", metavar="NAME", help="the model that reconstructs depth, where --model is another"
    )
    parser.add_argument("--keypoints", default="keypoints", metavar="NAME", help="trained keypoints (those shipped)")
    parser.add_argument(
        "--view", type=above_zero, metavar="DEGREES",
        help="what the photo's camera sees across its width (by its EXIF, else the data set's camera, else 60)",
    )  # fmt: skip
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Localize one photo and print its pose, or why it has none."""
    picture = read_image(args.image)
    check_output(args.json)
    frames = open_dataset(args.data)
    # What follows loads torch: wrong names are told of before.
    from butf.keypoints.zoo import load_keypoints
    from butf.pose.camera import query_of
    from butf.pose.localizer import Localizer, Settings

    query = query_of(frames, picture, args.image, args.view)
    model = open_model(args.model, args.device)
    depth_model = None if args.depth_model is None else open_model(args.depth_model, args.device)
    keypoints = load_keypoints(args.keypoints, choose_device(args.device))
    settings = Settings(top=args.top, depth=args.depth)
    with progress_bar("describing the database") as progress:
        localizer = Localizer.open(frames, args.split, model, keypoints, settings, depth_model, progress)
    answer = localizer.localize(query)
    about = {"image": str(args.image), "dataset": frames.name, "model": model.name, "keypoints": args.keypoints}
    write_result(args.json, about | as_json(frames, answer), as_text(frames, answer))


def as_json(frames: Frames, answer: Localization) -> dict[str, Any]:
    """The answer in the form of this module's docstring, from `depth` on."""
    solution = answer.solution if answer.localized else None
    camera = answer.query.camera
    return {
        "depth": answer.depth,
        "localized": answer.localized,
        "reason": answer.reason,
        "pose": None if answer.pose is None else _pose(answer.pose),
        "geographic": None if answer.geographic is None else vars(answer.geographic).copy(),
        "place": _place(frames, answer.place),
        "confidence": answer.confidence,
        "inliers": answer.inliers,
        "covariance": None if solution is None else solution.covariance.tolist(),
        "position_std_m": None if solution is None else solution.position_std_m,
        "angle_std_deg": None if solution is None else solution.angle_std_deg,
        "camera": {key: getattr(camera, key) for key in ("width", "height", "fx", "fy", "cx", "cy")}
        | {"source": answer.query.camera_source},
        "candidates": [_candidate(frames, match) for match in answer.matches],
        "seconds": answer.seconds,
    }


def as_text(frames: Frames, answer: Localization) -> str:
    """The answer for people."""
    lines = [f"camera: {answer.query.camera_source}"]
    if answer.pose is None:
        lines.append(f"not localized: {answer.reason}")
        if answer.place is not None:
            east, north, _ = answer.place.pose.centre
            name = frames.frame[answer.place.frame]
            lines.append(f"nearest place: {name}, at {east:.2f} m east, {north:.2f} m north")
    else:
        solution, (east, north, up) = answer.solution, answer.pose.centre
        lines.append(f"position: {east:.2f} m east, {north:.2f} m north, {up:.2f} m up")
        if answer.geographic is not None:
            lines.append(f"WGS84: {answer.geographic.lat:.7f}, {answer.geographic.lon:.7f}")
        lines.append("orientation: " + " ".join(f"{value:.5f}" for value in answer.pose.quaternion) + " (qw qx qy qz)")
        assert solution is not None
        spread = f"{solution.position_std_m:.2f} m and {solution.angle_std_deg:.2f} degrees"
        lines.append(f"standard deviation: {spread}; confidence {100 * answer.confidence:.0f} %")
    rows = [
        (str(c["rank"]), c["frame"], _number(c["distance"]), str(c["matches"]), str(c["inliers"]))
        for c in (_candidate(frames, match) for match in answer.matches)
    ]
    table = text_table(("rank", "frame", "descriptor distance", "matches", "inliers"), rows)
    return "\n".join([*lines, "", table])


def _pose(pose: Pose) -> dict[str, float]:
    names = ("easting_m", "northing_m", "altitude_m", "qw", "qx", "qy", "qz")
    return dict(zip(names, [*pose.centre.tolist(), *pose.quaternion.tolist()], strict=True))


def _place(frames: Frames, place: Candidate | None) -> dict[str, Any] | None:
    return None if place is None else {"frame": str(frames.frame[place.frame]), **_pose(place.pose)}


def _candidate(frames: Frames, match: CandidateMatches) -> dict[str, Any]:
    candidate = match.candidate
    return {
        "rank": candidate.rank,
        "frame": str(frames.frame[candidate.frame]),
        "distance": candidate.distance if candidate.rank else None,
        "matches": len(match),
        "inliers": int(match.inliers.sum()),
    }


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
