"""The ways in for one's own data: what each asks for, and how it stages what it is given. Part of the Data page."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from butf import own_data, recordings
from butf.dataset.manifest import PlaceRule
from butf.dataset.table import SPLITS
from butf.importers.photo_roles import SHARE, Choice
from butf.importers.rgbd import PLACE as INDOORS
from butf.importers.staging import Progress
from butf.own_data import Incoming
from pages import data_robotcar
from pages.data_fields import PATH, ask_path, ask_radius, forget, most_mb

READY, CONVERT = "In our format", "To be converted"
FORMAT = "A data set in our format; the README has all of it under *Your own data*."
Stage = Callable[[Progress], Incoming]


@dataclass(frozen=True)
class Way:
    """A way in: `first` is what happens first; `ask` draws its fields and gives what stages the data, or None until
    they are filled in."""

    group: str
    label: str
    about: str
    first: str
    ask: Callable[[], Stage | None]


def ask_zip() -> Stage | None:
    label = f"A .zip of the folder, at most {most_mb()} MB"
    upload = st.file_uploader(label, type="zip", key="zip", max_upload_size=most_mb(), on_change=forget)
    return upload and (lambda progress: own_data.from_zip(upload, upload.name, progress))


def ask_folder() -> Stage | None:
    path = ask_path("/home/me/my-drive")
    return path and (lambda progress: own_data.from_folder(path, progress))


def ask_photos() -> Stage | None:
    label = f"Photographs (.jpg, .png), or a .zip of them; a .csv if there is one; at most {most_mb()} MB a file"
    uploads = st.file_uploader(
        label, type=["jpg", "jpeg", "png", "csv", "zip"], accept_multiple_files=True, key="photos",
        max_upload_size=most_mb(), on_change=forget,
    )  # fmt: skip
    path = ask_path("/home/me/holiday", f"Or the f{PATH[1:]}", bool(uploads))
    fields = st.columns(2, vertical_alignment="bottom")
    share = fields[0].number_input(
        "Share that are queries", 0.05, 0.9, SHARE, 0.05, key="photos-share", on_change=forget,
        help="Evenly spread in time or space. A column role or split in the CSV goes before it.",
    )  # fmt: skip
    choice = Choice(share, place=PlaceRule(ask_radius(fields[1], "photos")))
    if uploads:
        return lambda progress: recordings.from_uploaded_photos(uploads, choice, progress)
    return path and (lambda progress: recordings.from_photos(path, choice, progress))


def ask_benchmark() -> Stage | None:
    path = ask_path("/home/me/pitts30k/images")
    fields = st.columns(3, vertical_alignment="bottom")
    zone = fields[0].text_input("UTM zone, if names have none", placeholder="33N, or local", on_change=forget)
    split = fields[1].selectbox("Split, without train/, test/", SPLITS, len(SPLITS) - 1, on_change=forget)
    place = PlaceRule(ask_radius(fields[2], "benchmark"))
    return path and (lambda progress: recordings.from_benchmark(path, zone, split, place, progress))


def ask_rgbd() -> Stage | None:
    path = ask_path("/home/me/7scenes/office/seq-01")
    fields = st.columns(4, vertical_alignment="bottom")
    test = fields[0].number_input("Test share", 0.05, 0.9, 0.3, 0.05, on_change=forget)
    val = fields[1].number_input("Val share", 0.05, 0.9, 0.15, 0.05, on_change=forget)
    radius = fields[2].number_input(
        "Same place within, m", 0.01, 100.0, INDOORS.radius_m, 0.05, key="rgbd-radius", on_change=forget
    )
    angle = fields[3].number_input("and turned by at most, °", 1.0, 180.0, INDOORS.angle_deg, 5.0, on_change=forget)
    place = PlaceRule(radius, angle)
    return path and (lambda progress: recordings.from_rgbd(path, test, val, place, progress))


def ask_kitti() -> Stage | None:
    path = ask_path("/home/me/kitti/sequences/00")
    fields = st.columns(2, vertical_alignment="bottom")
    every = fields[0].number_input("Take every N-th frame", 1, 1000, 1, key="kitti-every", on_change=forget)
    place = PlaceRule(ask_radius(fields[1], "kitti"))
    return path and (lambda progress: recordings.from_kitti(path, every, place, progress))


WAYS = (
    Way(READY, "Upload a .zip", FORMAT, "Unpacking", ask_zip),
    Way(READY, "Folder on this machine", f"{FORMAT} The folder is copied and stays as it is.", "Reading", ask_folder),
    Way(
        CONVERT,
        "Photographs",
        "Photographs with GPS in their EXIF, or with a CSV of file names, latitudes and longitudes. Without depth "
        "they can be searched and shown on the map; what a model reconstructs has no truth beside it.",
        "Taking the photographs",
        ask_photos,
    ),
    Way(
        CONVERT,
        "Benchmark",
        "A folder as the benchmarks of place recognition have it: `database/` and `queries/`, also beneath `train/`, "
        "`val/`, `test/`, with pictures named `@easting@northing@zone@letter@…@.jpg`.",
        "Reading the names",
        ask_benchmark,
    ),
    Way(
        CONVERT,
        "RGB-D",
        "A folder on this machine as in 7-Scenes: `frame-000000.color.jpg`, `.depth.png` (16-bit millimetres), "
        "`.pose.txt` for each frame, and `camera-intrinsics.txt`. The frames are split by pose.",
        "Converting the recording, a minute or two for a thousand frames",
        ask_rgbd,
    ),
    Way(
        CONVERT,
        "RobotCar",
        "A folder on this machine with traversals as the Oxford RobotCar dataset has them, or one of them. Pictures "
        "become colour and lose their distortion; depth and reflectance are made of the lidar's scans along the way. "
        "Whole drives are converted faster on the command line, with `--workers`.",
        "Converting the traversals, a second or two a frame",
        data_robotcar.ask,
    ),
    Way(
        CONVERT,
        "KITTI",
        "A drive, odometry sequence or object folder of KITTI on this machine: pictures of camera 2, and Velodyne "
        "scans, from which depth and reflectance are filled.",
        "Filling the gaps between the points, a second or two a frame",
        ask_kitti,
    ),
)
