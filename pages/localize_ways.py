"""Localize: by which model, keypoints and depth; what lacks for it; and the camera of one's own photo."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from butf import browse
from butf.dataset.frames import Frames
from butf.dataset.modalities import is_depth
from butf.keypoints import zoo as keypoint_zoo
from butf.networks.zoo import Model
from butf.pose.answer import Query
from butf.pose.camera import query_of, query_of_frame
from butf.pose.lifting import MEASURED
from butf.pose.localizer import DEPTHS
from pages import asking, shared

NO_KEYPOINTS = (
    "No trained keypoints were found, and without matches there is no pose. Train some with `python -m butf "
    "train-keypoints`, or look at [Train](/train)."
)
NO_ORIENTATIONS = (
    "The frames of {} have positions but no orientations (qw, qx, qy, qz), so no camera's pose can be computed from "
    "them. Explore shows which of their places looks most like the photo."
)
NO_CAMERAS = (
    "{} does not say which camera took its pictures. Add width, height, fx, fy, cx and cy under cameras in its "
    "dataset.json to localize in it."
)
NO_DEPTH = "{} has no measured depth, and none of the chosen models reconstructs any: choose bu-tf in the sidebar."
DEPTH_HELP = (
    "Of the candidates' pictures, which gives their keypoints a place in space: as the data set has it, or as {} "
    "reconstructs it from the photographs alone."
)
VIEW_HELP = (
    "How many degrees the photo sees across its width. Empty: by the focal length in its EXIF, else the data set's "
    "camera of the same size, else 60°. A wrong one moves the pose."
)


@dataclass(frozen=True)
class Way:
    """How to localize: the model that retrieves, the keypoints, and whence depth comes."""

    model: Model
    keypoints: str
    depth: str
    depth_model: Model | None
    top: int


def lacking(frames: Frames, models: Sequence[Model]) -> str:
    """Why no pose can be computed here at all; "" where one can."""
    if frames.orientation is None:
        return NO_ORIENTATIONS.format(frames.name)
    if not frames.cameras:
        return NO_CAMERAS.format(frames.name)
    if not depths(frames, models):
        return NO_DEPTH.format(frames.name)
    return "" if keypoint_zoo.available() else NO_KEYPOINTS


def decoders(models: Sequence[Model]) -> list[Model]:
    """The models that reconstruct depth."""
    return [model for model in models if model.reconstructs and is_depth(model.card.encoding.modality)]


def depths(frames: Frames, models: Sequence[Model]) -> list[str]:
    """Where the candidates' depth may come from."""
    has = {"measured": any(name in frames.modalities for name in MEASURED), "reconstructed": bool(decoders(models))}
    return [name for name in DEPTHS if has[name]]


def ask(frames: Frames, models: Sequence[Model]) -> Way:
    """Model, depth, and how many candidates; which keypoints, where there are several."""
    names = {model.name: model for model in models}
    name = _one_of("Retrieve with", list(names), "retrieve", browse.explained_first(models))
    offered, able = depths(frames, models), decoders(models)
    decoder = names[name] if names[name] in able else next(iter(able), None)
    depth = _one_of(
        "Depth", offered, "depth", offered[0], help=DEPTH_HELP.format(decoder.name if decoder else "a bu-tf model")
    )
    known = keypoint_zoo.available()
    keypoints = known[0] if len(known) == 1 else shared.pick("Keypoints", known, "keypoints", 150)
    top = st.number_input("Candidates", 1, 20, 10, key="top", bind="query-params", width=130)
    return Way(names[name], keypoints, depth, decoder if depth == "reconstructed" else None, top)


def ask_camera(frames: Frames, asked: browse.Asked) -> Query:
    """The picture with its camera; for a photo one may say how wide it sees."""
    if asked.query is not None:
        return query_of_frame(frames, asked.query)
    view = st.number_input(
        "Field of view, °",
        20.0,
        150.0,
        None,
        1.0,
        "%g",
        key="view",
        placeholder="by the photo",
        help=VIEW_HELP,
        width=150,
    )
    return query_of(frames, asked.picture, asking.photo_file(), view)


def _one_of(label: str, options: list[str], key: str, default: str, **more: str) -> str:
    if st.session_state.get(key, default) not in options:
        st.session_state[key] = default
    return st.segmented_control(
        label, options, default=default, required=True, key=key, bind="query-params", **more
    )  # fmt: skip
