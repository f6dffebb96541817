"""Hierarchical localization: retrieve, match, lift by depth, PnP, refine (Sarlin 2019; Piasco 2019 for learned depth).

localizer = Localizer.open(frames, "test", zoo.load("bu-tf"), load_keypoints())
answer = localizer.localize(query_of(frames, picture))
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from butf.dataset.frames import Frames
from butf.errors import BadInput
from butf.keypoints.features import Features
from butf.keypoints.matching import match, squared_distances
from butf.pose.answer import Candidate, CandidateMatches, Candidates, Localization, Query, Stage, geographic
from butf.pose.confidence import confidence, doubt
from butf.pose.joint import Weighing, best_pose, better_pose, finer_pose
from butf.pose.lifting import Lifted, Lifter, Measured, Reconstructed, lifted
from butf.pose.pnp import Solution
from butf.pose.pose import Pose
from butf.pose.refinement import project
from butf.pose.views import Extractor, View, Views, pose_of
from butf.retrieval.bank import Progress, bank
from butf.retrieval.index import Index
from butf.shelf import Shelf

if TYPE_CHECKING:
    from butf.networks.zoo import Model

DEPTHS = ("measured", "reconstructed")
TURNED_DEG = 60.0
"""Database pictures turned by more than this from a pose see little of what it sees."""
HELD = 512  # database pictures whose points are held in memory


@dataclass(frozen=True)
class Settings:
    """How a query is localized; all was chosen on val (docs/localize.md)."""

    top: int = 10
    """How many candidates are retrieved."""
    depth: str = "measured"
    """Whence the candidates' depth: measured, or reconstructed by a bu-tf model."""
    keypoints: int = 512
    """At most so many a picture."""
    upright: bool = True
    """Descriptors without the orientation network: cameras on vehicles and in hands are hardly tilted."""
    ratio: float | None = None
    """Lowe's ratio, None to keep all mutual nearest neighbours."""
    noise_px: float = 1.0
    """Standard deviation of a keypoint's pixel at full size; it grows with the keypoint's scale."""
    threshold: float = 3.0
    """Inliers are within so many standard deviations."""
    coarse_px: float = 4.0
    """RANSAC's threshold where depth is measured; twice as much where it is reconstructed."""
    more: int = 3
    """How many database pictures nearest to the first pose are matched too, where retrieval did not find them."""
    guided_px: float = 10.0
    """Once there is a pose, keypoints are matched anew within so many pixels of where it projects points; 0: not."""
    form: str = "decoded"
    """What is made of reconstructed depth, see `lifting.Reconstructed`."""
    weighed: bool = True
    """Whether each match is weighed by how well its depth is known."""


class Localizer:
    """The database of a split, ready to localize pictures in."""

    def __init__(
        self, frames: Frames, database: np.ndarray, descriptors: np.ndarray, model: Model, views: Views,
        lifter: Lifter, settings: Settings,
    ) -> None:  # fmt: skip
        """`descriptors` (D, C) are those of the frames `database` (D,) by `model`; see `open`."""
        self.frames, self.database, self.model, self.settings = frames, database, model, settings
        self.views, self._lifter, self._index = views, lifter, Index.build(descriptors)
        self._lifted = Shelf(HELD)
        coarse = settings.coarse_px * (1 if settings.depth == "measured" else 2)
        self._weighing = Weighing(settings.noise_px, settings.threshold, coarse, settings.weighed)

    @classmethod
    def open(
        cls,
        frames: Frames,
        split: str | None,
        model: Model,
        keypoints: Extractor,
        settings: Settings | None = None,
        depth_model: Model | None = None,
        progress: Progress | None = None,
    ) -> Localizer:
        """Describe the database of a split (all splits for None); `depth_model` reconstructs depth (default: `model`).

        Raises `BadInput` when the data set has no database there, no orientations or no camera, when measured depth is
        asked for and there is none, or reconstructed depth of a model that reconstructs none.
        """
        settings = settings or Settings()
        parts = [frames.database(name) for name in ([split] if split else frames.splits)]
        parts = [part for part in parts if len(part)]
        if not parts:
            raise BadInput(f"data set {frames.name} has no reference frames in {split or 'it'}; choose another split")
        database = np.concatenate(parts)
        pose_of(frames, int(database[0]))
        if not frames.cameras:
            raise BadInput(
                f"{frames.root / 'dataset.json'} has no cameras; add width, height, fx, fy, cx and cy of the "
                "database's camera to localize in it"
            )
        views = Views(frames, keypoints, settings.keypoints, settings.upright)
        if settings.depth == "measured":
            lifter: Lifter = Measured(frames)
        else:
            lifter = Reconstructed(views, database, depth_model or model, settings.form)
        descriptors = np.concatenate([bank(frames, part, model, progress) for part in parts])
        return cls(frames, database, descriptors, model, views, lifter, settings)

    def stages(self, query: Query, descriptor: np.ndarray | None = None) -> Iterator[Stage]:
        """`Candidates`, then `CandidateMatches` of each candidate, then one `Localization`.

        `descriptor` (C,) where the query's is known already. Raises `BadInput` for a photo where the model needs the
        measured side modality.
        """
        clock = time.perf_counter()
        found = self._retrieve(query, descriptor)
        seconds = {"retrieve": time.perf_counter() - clock, "match": 0.0, "solve": 0.0}
        yield Candidates(found, seconds["retrieve"])
        clock = time.perf_counter()
        features = self.views.features(query.picture)
        matches = []
        with self.views.ahead(self._lift, [candidate.frame for candidate in found]):
            for candidate in found:
                matches.append(self._match(features, candidate))
                seconds["match"] += time.perf_counter() - clock
                yield matches[-1]
                clock = time.perf_counter()
        solution = best_pose(query, features, matches, self._weighing, self.frames.place.radius_m)
        seconds["solve"] += time.perf_counter() - clock
        clock = time.perf_counter()
        if solution is not None and self.settings.more:
            near = self._near(solution.pose, query, found)
            with self.views.ahead(self._lift, [candidate.frame for candidate in near]):
                for candidate in near:
                    clock = time.perf_counter()
                    matches.append(self._match(features, candidate))
                    seconds["match"] += time.perf_counter() - clock
                    yield matches[-1]
            clock = time.perf_counter()
            solution = better_pose(query, features, matches, self._weighing, self.frames.place.radius_m, solution)
        if solution is not None and self.settings.guided_px:
            again = [self._guided(query, features, part, solution.pose) for part in matches]
            finer = finer_pose(query, features, again, self._weighing, solution)
            if finer is not None:
                solution, matches = finer, again
        seconds["solve"] += time.perf_counter() - clock
        yield self._answer(query, found, matches, solution, seconds)

    def prepare(self) -> threading.Thread:
        """Find the database's keypoints in a thread, so that queries to come wait for none; see `Views.prepare`."""
        return self.views.prepare(self.database.tolist())

    def localize(self, query: Query, descriptor: np.ndarray | None = None) -> Localization:
        """The last of the stages."""
        *_, last = self.stages(query, descriptor)
        assert isinstance(last, Localization)
        return last

    def _retrieve(self, query: Query, descriptor: np.ndarray | None) -> tuple[Candidate, ...]:
        if descriptor is None:
            descriptor = self._described(query)
        own = query.frame is not None and query.frame in self.database
        distances, rows = self._index.search(np.reshape(descriptor, (1, -1)), self.settings.top + own)
        pairs = [(int(self.database[row]), float(d)) for row, d in zip(rows[0], distances[0], strict=True)]
        pairs = [pair for pair in pairs if pair[0] != query.frame][: self.settings.top]
        return tuple(
            Candidate(rank, frame, distance, pose_of(self.frames, frame))
            for rank, (frame, distance) in enumerate(pairs, 1)
        )

    def _described(self, query: Query) -> np.ndarray:
        if not self.model.reads_side:
            own: np.ndarray = self.model.describe([query.picture])[0]
            return own
        if query.frame is None:
            raise BadInput(
                f"model {self.model.name} needs the measured {self.model.encoding.modality} beside a picture, "
                "which a photo does not have; choose another model"
            )
        descriptor: np.ndarray = bank(self.frames, np.array([query.frame]), self.model)[0]
        return descriptor

    def _match(self, features: Features, candidate: Candidate) -> CandidateMatches:
        pairs = match(features, self._lift(candidate.frame).view.features, self.settings.ratio, mutual=True).pairs
        return self._matched(candidate, features, pairs[:, 0], pairs[:, 1])

    def _matched(
        self, candidate: Candidate, features: Features, rows: np.ndarray, columns: np.ndarray
    ) -> CandidateMatches:
        other = self._lift(candidate.frame)
        return CandidateMatches(
            candidate, rows, features.points[rows], other.view.features.points[columns], other.points[columns],
            other.spread[columns], np.zeros(len(rows), bool),
        )  # fmt: skip

    def _guided(self, query: Query, features: Features, before: CandidateMatches, pose: Pose) -> CandidateMatches:
        """The matches with a candidate near a pose, sought anew where the pose says; those of others as they are."""
        if pose.metres_to(before.candidate.pose) > self.frames.place.radius_m:
            return before
        other = self._lift(before.candidate.frame)
        pixels, z = project(other.points, pose, query.camera)
        with np.errstate(invalid="ignore"):
            apart = np.linalg.norm(features.points[:, None] - pixels[None], axis=2)
            allowed = (apart <= self.settings.guided_px) & (z > 0)
        squares = squared_distances(features.descriptors, other.view.features.descriptors)
        squares[~allowed] = np.inf
        rows, nearest = np.arange(len(features)), squares.argmin(axis=1)
        kept = np.isfinite(squares[rows, nearest]) & (squares.argmin(axis=0)[nearest] == rows)
        return self._matched(before.candidate, features, rows[kept], nearest[kept])

    def _lift(self, frame: int) -> Lifted:
        found: Lifted = self._lifted.get(frame, lambda: self._placed(self.views[frame]))
        return found

    def _placed(self, view: View) -> Lifted:
        z, spread = self._lifter.depths(view)
        return Lifted(view, lifted(view, z), spread)

    def _near(self, pose: Pose, query: Query, found: tuple[Candidate, ...]) -> list[Candidate]:
        """The database pictures nearest to a pose that see much of what it sees and are not candidates yet."""
        metres = np.linalg.norm(self.frames.position[self.database] - pose.centre, axis=1)
        known = {query.frame, *(candidate.frame for candidate in found)}
        chosen: list[Candidate] = []
        for row in np.argsort(metres, kind="stable"):
            if metres[row] > self.frames.place.radius_m or len(chosen) == self.settings.more:
                break
            frame = int(self.database[row])
            own = pose_of(self.frames, frame)
            if frame not in known and own.degrees_to(pose) <= TURNED_DEG:
                chosen.append(Candidate(0, frame, float("nan"), own))
        return chosen

    def _answer(
        self, query: Query, found: tuple[Candidate, ...], matches: list[CandidateMatches], solution: Solution | None,
        seconds: dict[str, float],
    ) -> Localization:  # fmt: skip
        if solution is not None:
            ends = np.cumsum([len(part) for part in matches])[:-1]
            flags = np.split(solution.inliers, ends)
            matches = [replace(part, inliers=flag) for part, flag in zip(matches, flags, strict=True)]
        sure = confidence(solution, matches, self.settings.depth)
        reason = doubt(solution, matches, sure)
        pose = None if reason or solution is None else solution.pose
        return Localization(
            query, pose, reason, None if pose is None else geographic(self.frames, pose.centre), solution, sure, found,
            tuple(matches), self.settings.depth, seconds,
        )  # fmt: skip
