"""What is asked of those who have traversals of the Oxford RobotCar dataset. Part of the Data page."""

from collections.abc import Callable

import streamlit as st

from butf import recordings
from butf.dataset.manifest import PlaceRule
from butf.files import user_path
from butf.importers.robotcar_choice import LIDARS, POSES, Choice
from butf.importers.staging import Progress
from butf.own_data import Incoming
from pages.data_fields import ask_path, ask_radius, forget

POSES_SAY = {
    "best": "RTK, else INS",
    "ins": "INS (gps/ins.csv)",
    "rtk": "RTK (rtk.csv)",
    "vo": "Visual odometry (vo/vo.csv)",
}
LIDARS_SAY = {"lms_front": "LMS front", "ldmrs": "LD-MRS", "both": "Both"}
USUAL = Choice()


def ask() -> Callable[[Progress], Incoming] | None:
    """The fields; gives what stages the data once the folder is named."""
    path = ask_path("/home/me/robotcar")
    first, second = st.columns(3, vertical_alignment="bottom"), st.columns(2, vertical_alignment="bottom")
    spacing = first[0].number_input("A frame each, m", 0.5, 100.0, USUAL.spacing_m, 1.0, "%g", on_change=forget)
    width = first[1].number_input("Picture width, pixels", 64, 1280, USUAL.width, 64, on_change=forget)
    place = PlaceRule(ask_radius(first[2], "robotcar"))
    poses = second[0].selectbox("Poses from", POSES, format_func=POSES_SAY.get, on_change=forget)
    lidar = second[1].selectbox("Depth from the lidar", LIDARS, format_func=LIDARS_SAY.get, on_change=forget)
    reference = st.text_input(
        "Traversal that is searched in", placeholder="the first under clouds or in the sun", on_change=forget
    ).strip()
    areas = st.text_input(
        "GeoJSON of train, val and test areas on this machine",
        placeholder="none: all is test",
        on_change=forget,
        help="Polygons with the properties kind: area, and split: train, val or test. Frames outside are left out.",
    ).strip()

    def stage(progress: Progress) -> Incoming:
        named = user_path(areas) if areas else None
        choice = Choice(poses, lidar, spacing, width, reference or None, named, place=place)
        return recordings.from_robotcar(path, choice, progress)

    return path and stage
