"""What fuzzing aims at in data sets: their tables, pictures, side maps, archives and uploads."""

from __future__ import annotations

import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import _fuzz_containers as containers
from benchmarks import _fuzz_mutations as mutations
from benchmarks._fuzz_mutations import Mutation
from butf import browse, own_data, recordings
from butf.dataset.areas import read_areas
from butf.dataset.frames import Frames
from butf.dataset.modalities import MODALITIES, default_encoding, read_map
from butf.dataset.unpack import Limits, unpack
from butf.errors import BadInput
from butf.files import image_size, read_image
from butf.importers.exif import read_exif
from butf.importers.photo_roles import Choice
from butf.importers.pictures import fault_of, picture_bytes

SIZE = (16, 12)
MANIFEST = {
    "name": "street",
    "licence": "none",
    "source": "made up",
    "cameras": [{"name": "front", "width": 16, "height": 12, "fx": 9.0, "fy": 9.0, "cx": 8.0, "cy": 6.0}],
    "origin": {"lat": 48.8, "lon": 2.3, "utm_zone": "31N"},
    "modalities": {"depth": {"near_m": 1.0, "far_m": 100.0}, "semantics": {"classes": ["sky", "wall"]}},
    "traversals": [
        {"name": "day", "condition": "day", "role": "reference", "labels": True},
        {"name": "night", "condition": "night", "role": "query", "labels": False},
    ],
    "place": {"radius_m": 25.0, "angle_deg": 30.0},
    "noise": {"rgb": {"night": 0.02}, "reflectance": 0.01},
}
TABLE = (
    "frame,traversal,condition,split,time_s,lat,lon,easting_m,northing_m,altitude_m,qw,qx,qy,qz\n"
    "day/000000,day,day,test,0,48.800316,2.291883,448000,5405500,35,0.5,-0.5,0.5,-0.5\n"
    "day/000001,day,day,test,1,48.800317,2.292019,448010,5405500,35,0.5,-0.5,0.5,-0.5\n"
    "night/000000,night,night,test,9,48.800316,2.291897,448001,5405500,35,0.5,-0.5,0.5,-0.5\n"
)
AREAS = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"kind": "area", "split": "test"},
            "geometry": {"type": "Polygon", "coordinates": [[[2.2, 48.7], [2.4, 48.7], [2.4, 48.9], [2.2, 48.7]]]},
        },
        {
            "type": "Feature",
            "properties": {"kind": "street"},
            "geometry": {"type": "LineString", "coordinates": [[2.2, 48.7], [2.4, 48.7]]},
        },
        {
            "type": "Feature",
            "properties": {"kind": "building"},
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [[[[2.2, 48.7], [2.4, 48.7], [2.4, 48.9], [2.2, 48.7]]]],
            },
        },
    ],
}


@dataclass(frozen=True)
class Target:
    """A reader under fire: `seeds` are sound files, `mutations` what is done to them, `run` reads one.

    `run` may succeed or raise `BadInput`; all else is a finding. `share` is its part of all cases, by how fast it is.
    """

    name: str
    seeds: tuple[bytes, ...]
    mutations: tuple[Mutation, ...]
    run: Callable[[bytes], object]
    share: float = 1.0


def targets(folder: Path) -> list[Target]:
    """All of this module, at work in an empty folder."""
    root = dataset(folder / "dataset")
    pictures = (jpeg(), jpeg(exif=True), png("RGB"), png("L"), png("P"), png("I;16"), png("RGBA"), png("1"))
    of_pictures = (containers.of_png, mutations.of_bytes), (containers.of_jpeg, mutations.of_bytes)
    packed, photos = zipped(root), (zipped(root, "photo-"), jpeg(exif=True), TABLE.encode())
    return [
        Target("frames.csv", (TABLE.encode(),), (mutations.of_table,), _table(root), 2.5),
        Target(
            "dataset.json", (json.dumps(MANIFEST).encode(),), (mutations.of_json,), _manifest(dataset(folder / "2"))
        ),
        Target("areas.geojson", (json.dumps(AREAS).encode(),), (mutations.of_json,), _areas(folder / "areas"), 2.0),
        Target("own photo, PNG", pictures[2:], of_pictures[0], _photo, 2.0),
        Target("own photo, JPEG", pictures[:2], of_pictures[1], _photo, 2.0),
        Target("photo files and EXIF", pictures[:2], of_pictures[1], _photo_file(folder / "photo"), 1.0),
        Target("side maps", tuple(map(png, ("L", "P", "I;16", "RGB"))), of_pictures[0], _map(folder / "map"), 1.0),
        Target("archives", (packed,), (containers.of_zip, mutations.of_bytes), _archive(folder / "archive"), 0.3),
        Target("uploaded data sets", (packed,), (containers.of_zip, _other_table), _upload, 0.1),
        Target("uploaded photos", photos, (_other_photo,), _photos, 0.05),
    ]


def dataset(root: Path) -> Path:
    """The sound data set that the seeds above tell of."""
    for name in ("day/rgb/000000.jpg", "day/rgb/000001.jpg", "night/rgb/000000.jpg"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg())
    (root / "day" / "depth").mkdir()
    (root / "day" / "depth" / "000000.png").write_bytes(png("I;16"))
    (root / "dataset.json").write_text(json.dumps(MANIFEST))
    (root / "frames.csv").write_text(TABLE)
    (root / "areas.geojson").write_text(json.dumps(AREAS))
    return root


def jpeg(exif: bool = False) -> bytes:
    """A small photograph, on its side and with a position where asked."""
    file, picture = io.BytesIO(), Image.fromarray(_pixels(3))
    tags = Image.Exif()
    tags[0x0112] = 6
    tags.get_ifd(0x8825).update(
        {1: "N", 2: (48.0, 48.0, 0.5), 3: "E", 4: (2.0, 17.0, 30.0), 6: 35.0, 17: 90.0, 29: "2024:01:02"}
    )
    tags.get_ifd(0x8769)[0x9003] = "2024:01:02 03:04:05"
    picture.save(file, "JPEG", **({"exif": tags} if exif else {}))
    return file.getvalue()


def png(mode: str) -> bytes:
    """A small picture of a mode of Pillow's."""
    file = io.BytesIO()
    if mode == "I;16":
        Image.fromarray(_pixels(1)[..., 0].astype(np.uint16) * 250).save(file, "PNG")
    else:
        Image.fromarray(_pixels(3)).convert(mode).save(file, "PNG")
    return file.getvalue()


def _pixels(channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], channels), np.uint8)


def zipped(root: Path, prefix: str = "street/") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                archive.write(path, prefix + path.relative_to(root).as_posix())
    return file.getvalue()


def _table(root: Path) -> Callable[[bytes], object]:
    def run(case: bytes) -> None:
        (root / "frames.csv").write_bytes(case)
        _used(Frames.load(root))

    return run


def _manifest(root: Path) -> Callable[[bytes], object]:
    def run(case: bytes) -> None:
        (root / "dataset.json").write_bytes(case)
        frames = Frames.load(root)
        _used(frames)
        for name in frames.modalities:
            if name != "semantics":
                default_encoding(frames, name)
        f"{frames.name} {frames.licence} {frames.source}".encode()  # a page sends these on

    return run


def _used(frames: Frames) -> None:
    """What every page does first with a data set."""
    for split in frames.splits:
        database = frames.database(split)
        for condition, queries in frames.queries(split).items():
            frames.positives(queries, database)
            browse.nearest_query(frames, split, condition, str(frames.frame[0]))
    frames.image(0)
    browse.ground(frames, frames.splits[0])


def _areas(path: Path) -> Callable[[bytes], object]:
    def run(case: bytes) -> None:
        path.write_bytes(case)
        read_areas(path).split_of(np.array([[2.3, 48.8]]))

    return run


def _photo(case: bytes) -> None:
    np.asarray(browse.asked_photo(io.BytesIO(case), "my photo.png", "key").picture)


def _photo_file(path: Path) -> Callable[[bytes], object]:
    def run(case: bytes) -> None:
        path.write_bytes(case)
        read_exif(path)
        if fault_of(path) == "":
            picture_bytes(path, upright=True)
        read_image(path, least=3)
        image_size(path)

    return run


def _map(path: Path) -> Callable[[bytes], object]:
    def run(case: bytes) -> None:
        path.write_bytes(case)
        refusals = []
        for name in MODALITIES:
            try:
                read_map(path, name, classes=2 if name == "semantics" else None)
            except BadInput as error:
                refusals.append(error)
        if len(refusals) == len(MODALITIES):
            raise refusals[0]

    return run


def _archive(folder: Path) -> Callable[[bytes], object]:
    def run(case: bytes) -> None:
        inner = folder / "within" / "it"
        inner.mkdir(parents=True)
        try:
            unpack(io.BytesIO(case), "a.zip", inner, Limits(files=100, total=1 << 20, one=1 << 19))
        finally:
            strays = [path for path in folder.rglob("*") if inner not in (path, *path.parents) and path != inner.parent]
            links = [path for path in inner.rglob("*") if path.is_symlink()]
            shutil.rmtree(folder)
        assert not strays and not links, f"written outside: {strays}, links: {links}"

    return run


def _upload(case: bytes) -> None:
    try:
        own_data.from_zip(io.BytesIO(case), "street.zip").discard()
    finally:
        _nothing_left()


class _Sent(io.BytesIO):
    name = "photo.jpg"


def _photos(case: bytes) -> None:
    """A zip, a photograph or a table, told by its first bytes, beside two sound photographs."""
    sent = [_Sent(case), _Sent(jpeg(exif=True)), _Sent(jpeg(exif=True)[:-2] + b"\0\xff\xd9")]
    sent[0].name = "a.zip" if case[:2] == b"PK" else "a.jpg" if case[:2] == b"\xff\xd8" else "a.csv"
    sent[1].name, sent[2].name = "b.jpg", "c.jpg"
    try:
        recordings.from_uploaded_photos(sent, Choice()).discard()
    finally:
        _nothing_left()


def _nothing_left() -> None:
    left = [path for path in own_data.home().iterdir() if path.name.startswith(own_data.STAGING)]
    assert not left, f"left behind: {left}"


def _other_table(rng: random.Random, data: bytes) -> bytes:
    """A whole zip whose table or description was changed."""
    file = io.BytesIO()
    chosen, change = rng.choice(
        (("frames.csv", mutations.of_table), ("dataset.json", mutations.of_json), ("areas.geojson", mutations.of_json))
    )
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(file, "w") as made:
        for entry in source.infolist():
            content = source.read(entry)
            made.writestr(entry.filename, change(rng, content) if entry.filename.endswith(chosen) else content)
    return file.getvalue()


def _other_photo(rng: random.Random, data: bytes) -> bytes:
    if data[:2] == b"PK":
        return containers.of_zip(rng, data)
    return containers.of_jpeg(rng, data) if data[:2] == b"\xff\xd8" else mutations.of_table(rng, PHOTO_TABLE)


PHOTO_TABLE = (
    b"filename,latitude,longitude,altitude,time,heading,role,split\n"
    b"b.jpg,48.80005,2.29166,35,2024-01-02T03:04:05,90,query,test\n"
    b"c.jpg,48.80005,2.29179,35,2024-01-02T03:04:06,90,database,test\n"
)
