"""A data set whose lidar samples are filled: the same frames and pictures, with dense side maps.

Samples are its `points` (and `returns`) where it has them, else its own sparse `depth` (and `reflectance`). They become
`depth` and `reflectance`; where a true depth lies beside the points, as in the town, they become `lidar`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

from butf.dataset.contents import files_of, place
from butf.dataset.frames import Frames
from butf.dataset.manifest import Camera
from butf.dataset.modalities import FILLED_FROM, Map, is_depth, map_bytes, read_map
from butf.densify import Dense, Sparse, fill
from butf.errors import BadInput
from butf.files import open_picture, orientation, read_image, read_json, write_json
from butf.importers.staging import FrameFiles, Progress, Staging, import_key, require_absent, resumable_folder

NAMED = 10
SIDEWAYS = range(5, 9)  # EXIF orientations that swap width and height


@dataclass(frozen=True)
class Filling:
    """Which samples of a data set are filled (modalities), and into which maps."""

    depth: str
    reflectance: str | None
    dense_depth: str
    dense_reflectance: str | None

    @classmethod
    def of(cls, frames: Frames, modality: str = "auto") -> Filling:
        """As the data set has them; `modality` is auto, points or depth. `BadInput` where it has no such samples."""
        has = frames.modalities
        if modality == "auto":
            modality = "points" if "points" in has else "depth"
        if modality not in has:
            known = ", ".join(has) or "pictures alone"
            raise BadInput(
                f"{frames.root} has no {modality} to fill (it has {known}); give a data set with lidar points"
            )
        brightness = "returns" if modality == "points" else "reflectance"
        kept = brightness if brightness in has else None
        if modality == "points" and measured(frames, "depth"):
            return cls("points", kept, "lidar", None)
        dense = None if kept is None or (modality == "points" and measured(frames, "reflectance")) else "reflectance"
        return cls(modality, kept, "depth", dense)

    @property
    def dense(self) -> tuple[str, ...]:
        """The modalities that are made."""
        return tuple(filter(None, (self.dense_depth, self.dense_reflectance)))

    @property
    def kept(self) -> dict[str, str]:
        """Where a data set's own depth is filled, what was measured stays beside it as points: from -> to."""
        if self.depth == "points":
            return {}
        return {"depth": "points"} | ({"reflectance": "returns"} if self.reflectance else {})

    @property
    def words(self) -> str:
        return f"{' and '.join(self.dense)} from {self.kept.get('depth', self.depth)}"


@dataclass(frozen=True)
class Filled:
    """What came of it: `filled` frames have dense maps in `frames`, those of `bare` had no samples."""

    frames: Frames
    filling: Filling
    filled: int
    bare: tuple[str, ...]
    went_on: bool

    def __str__(self) -> str:
        lines = [f"{self.filled:,} of {len(self.frames):,} frames filled into {self.frames.root}: {self.filling.words}"]
        if self.bare:
            names = ", ".join(self.bare[:NAMED]) + (" and more" if len(self.bare) > NAMED else "")
            lines.append(f"{len(self.bare):,} without samples, kept as they are: {names}")
        return "\n".join([*lines, *(["went on from what was done before"] if self.went_on else [])])


@dataclass(frozen=True)
class _Job:
    """One frame: its picture, its samples, its camera, and the files to make by modality."""

    picture: Path
    depth: Path
    reflectance: Path | None
    filling: Filling
    camera: Camera
    files: tuple[tuple[str, str], ...]


def measured(frames: Frames, modality: str) -> bool:
    """Whether a data set has a modality that was not filled from others."""
    return modality in frames.modalities and FILLED_FROM not in frames.modalities[modality]


def camera_of(frames: Frames, size: tuple[int, int], picture: Path) -> Camera:
    """The camera of dataset.json whose pictures have this width and height; `BadInput` without one."""
    for camera in frames.cameras:
        if (camera.width, camera.height) == size:
            return camera
    raise BadInput(
        f"{frames.root / 'dataset.json'} has no camera of {size[0]}x{size[1]}, the size of {picture}; "
        "add its width, height, fx, fy, cx and cy to cameras"
    )


def samples(depth: Path, reflectance: Path | None, filling: Filling) -> Sparse:
    """What was measured in a frame. A sample without reflectance takes that of the nearest with one."""
    points = read_map(depth, filling.depth)
    if reflectance is None or filling.reflectance is None:
        return Sparse.of(points, None)
    returns = read_map(reflectance, filling.reflectance)
    if returns.valid.shape != points.valid.shape:
        raise BadInput(f"{reflectance} is not of the size of {depth}; store both at the picture's size")
    known = returns.valid & points.valid
    if not known.any():
        return Sparse.of(points, None)
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return Sparse.of(points, Map(returns.name, returns.values[tuple(nearest)], points.valid))


def densify_dataset(
    frames: Frames, out: Path | str, modality: str = "auto", progress: Progress | None = None, workers: int = 1
) -> Filled:
    """Write a copy of a data set in which the samples of each frame are filled (see `butf.densify.fill`).

    Pictures and tables get a second name on the same disk (a copy on another one); the source stays as it is. What was
    broken off goes on where it stopped. Raises `BadInput` when there are no samples or no camera of a picture's size,
    when a map is damaged or of another size than its picture, and when `out` exists or cannot be written.
    """
    out, filling = Path(out), Filling.of(frames, modality)
    require_absent(out)
    jobs, bare = {}, []
    for i in range(len(frames)):
        job = _job(frames, i, filling)
        if job is None:
            bare.append(str(frames.frame[i]))
        else:
            jobs[str(frames.frame[i])] = job
        if progress is not None:
            progress("Looking at the samples", i + 1, len(frames))
    if not jobs:
        raise BadInput(f"no frame of {frames.root} has samples in {filling.depth}; there is nothing to fill")
    key = import_key("densify", frames.root, _sources(frames, jobs), modality=filling.words)
    with resumable_folder(out, key) as staging:
        made = [FrameFiles(_names(job), functools.partial(_make, job)) for job in jobs.values()]
        staging.fill(made, progress, workers)
        _place_rest(frames, {name for job in jobs.values() for name in _names(job)}, filling, staging, progress)
        _describe(frames, out.name, filling, staging.folder)
        Frames.load(staging.folder)
    return Filled(Frames.load(out), filling, len(jobs), tuple(bare), bool(staging.went_on))


def dense_of(frames: Frames, i: int, filling: Filling) -> Dense | None:
    """The samples of frame i filled, None where it has none. Raises as `densify_dataset`."""
    job = _job(frames, i, filling)
    return None if job is None else _filled(job)


def _job(frames: Frames, i: int, filling: Filling) -> _Job | None:
    """What is to be done for frame i; None without samples. Looks at the files, so that faults are told at once."""
    depth = frames.modality_path(i, filling.depth)
    if depth is None:
        return None
    points = read_map(depth, filling.depth)
    picture = frames.image_path(i)
    size = _size(picture)
    if points.values.shape != size[::-1]:
        raise BadInput(
            f"{depth} is {points.values.shape[1]}x{points.values.shape[0]} and its picture {size[0]}x{size[1]}; "
            "store the samples at the picture's size"
        )
    camera = camera_of(frames, size, picture)
    if not points.valid.any():
        return None
    reflectance = frames.modality_path(i, filling.reflectance) if filling.reflectance else None
    traversal, name = str(frames.frame[i]).split("/")
    modalities = [*filling.dense, *filling.kept.values()]
    files = tuple((modality, f"{traversal}/{modality}/{name}.png") for modality in modalities)
    if reflectance is None:
        files = tuple(file for file in files if file[0] not in ("reflectance", "returns"))
    return _Job(picture, depth, reflectance, filling, camera, files)


def _size(picture: Path) -> tuple[int, int]:
    """Width and height of a picture turned upright, from its header."""
    try:
        with open_picture(picture) as opened:
            return opened.size[::-1] if orientation(opened) in SIDEWAYS else opened.size
    except Exception as error:  # Pillow raises anything on damaged files
        raise BadInput(f"{picture} is no picture that can be opened; restore it") from error


def _filled(job: _Job) -> Dense:
    try:
        sparse = samples(job.depth, job.reflectance, job.filling)
        return fill(sparse, job.camera, np.asarray(read_image(job.picture)))
    except BadInput as error:
        named = str(job.depth.parent.parent) in str(error)
        raise error if named else BadInput(f"{job.depth}: {error}") from error


def _make(job: _Job) -> Mapping[str, bytes]:
    dense = _filled(job)
    maps = {**dense.maps, "lidar": Map("lidar", dense.depth, dense.valid)}
    maps |= {side.name: side for side in dense.sparse.maps}
    nothing = np.zeros(dense.depth.shape, np.float32)
    return {file: map_bytes(maps.get(modality, Map(modality, nothing, nothing > 0))) for modality, file in job.files}


def _names(job: _Job) -> tuple[str, ...]:
    return tuple(file for _, file in job.files)


def _sources(frames: Frames, jobs: Mapping[str, _Job]) -> Iterator[Path]:
    """The files that the result depends on."""
    yield from (frames.root / "dataset.json", frames.root / "frames.csv")
    for job in jobs.values():
        yield from filter(None, (job.picture, job.depth, job.reflectance))


def _place_rest(frames: Frames, made: set[str], filling: Filling, staging: Staging, progress: Progress | None) -> None:
    """All other files of the data set but dataset.json."""
    rest = [file for file in files_of(frames) if file.as_posix() not in made][:-1]
    for number, file in enumerate(rest, start=1):
        if not (staging.folder / file).exists():
            place(frames.root / file, staging.folder / file)
        if progress is not None:
            progress("Pictures and tables", number, len(rest))


def _describe(frames: Frames, name: str, filling: Filling, folder: Path) -> None:
    """dataset.json as it was, with what is new."""
    meta = read_json(frames.root / "dataset.json")
    modalities = dict(meta["modalities"])
    span = {key: value for key, value in modalities[filling.depth].items() if key in ("near_m", "far_m")}
    for modality in filling.kept.values():
        modalities[modality] = span if modality == "points" else {}
    for modality in filling.dense:
        entry = modalities.get(modality, span if is_depth(modality) else {})
        modalities[modality] = entry | {FILLED_FROM: filling.kept.get("depth", filling.depth)}
    source = f"{frames.source}; {filling.words}, filled between the samples"
    write_json(folder / "dataset.json", meta | {"name": name, "source": source, "modalities": modalities})
