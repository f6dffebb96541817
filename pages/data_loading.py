"""What the Data page reads or computes once for all sessions, anew when the data set's tables change."""

from pathlib import Path

import streamlit as st

from butf import browse, data_views, lidar_views
from butf.dataset.areas import Areas, read_areas
from butf.dataset.frames import Frames
from butf.dataset.summary import DepthHistogram, depth_histogram
from butf.figures.areas_map import Track
from pages import loading


def ground_of(folder: Path) -> Areas | None:
    """The areas with the streets, and the houses where they are few; None without areas.geojson."""
    return _ground(folder, browse.stamp(folder))


def tracks_of(folder: Path) -> list[Track]:
    """All traversals as thin lines."""
    return _tracks(folder, browse.stamp(folder))


def histogram_of(folder: Path) -> DepthHistogram | None:
    """How far away things are, over a sample of the frames."""
    return _histogram(folder, browse.stamp(folder))


def origin_of(frames: Frames, i: int) -> lidar_views.Origin | None:
    """How frame i's dense map came about from its points; made anew when these change."""
    points = frames.modality_path(i, "points").stat()
    return _origin(frames.root, (*browse.stamp(frames.root), points.st_size, points.st_mtime_ns), i)


@st.cache_resource(max_entries=8, show_spinner=False)
def _ground(folder: Path, stamp: tuple[int, ...]) -> Areas | None:
    path = folder / "areas.geojson"
    return data_views.ground(read_areas(path)) if path.exists() else None


@st.cache_resource(max_entries=8, show_spinner=False)
def _tracks(folder: Path, stamp: tuple[int, ...]) -> list[Track]:
    return data_views.thin_tracks(loading.frames_of(folder))


@st.cache_resource(max_entries=16, show_spinner="Reading depth maps")
def _histogram(folder: Path, stamp: tuple[int, ...]) -> DepthHistogram | None:
    return depth_histogram(loading.frames_of(folder))


@st.cache_resource(max_entries=24, show_spinner="Filling the gaps between the points")
def _origin(folder: Path, stamp: tuple[int, ...], i: int) -> lidar_views.Origin | None:
    return lidar_views.origin(loading.frames_of(folder), i)
