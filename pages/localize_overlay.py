"""Localize: what is drawn into the photo, where, behind what, and with how wrong a pose."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import streamlit as st

from butf import browse, export, pose_views, pose_words
from butf.browse import Choice
from butf.dataset.modalities import Map
from butf.figures.gallery import heading_html
from butf.networks.zoo import Model
from butf.pose.answer import Localization
from butf.pose.scene import FACINGS, KINDS, Scene, Wish, spot
from butf.pose.things import OBJECTS
from pages import components, loading, localize_steps
from pages.localize_ways import Way

INDOOR_M = 5.0
TEXT_LONGEST = 24
OUTDOORS = {"ahead": 12.0, "right": 2.5, "height": 2.0, "step": 0.5, "scale": 1.0, "worst": 3.0}
INDOORS = {"ahead": 1.5, "right": 0.2, "height": 0.3, "step": 0.1, "scale": 0.15, "worst": 0.5}
HIDE_HELP = (
    "Things disappear behind what the depth of the photo says is nearer. Reconstructed: from the photograph alone, by "
    "the model. Measured: as the data set has it. Nothing: drawn over everything."
)


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be drawn: the wish, its place (2,) in metres, the pose's error in metres and degrees, what hides."""

    wish: Wish
    goal: np.ndarray
    error: tuple[float, float]
    hides: str
    size: dict[str, float]

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What a picture depends on."""
        return (self.wish, *self.goal.tolist(), *self.error, self.hides)


def sizes(choice: Choice) -> dict[str, float]:
    """What suits a street or a room."""
    return INDOORS if choice.rule.radius_m < INDOOR_M else OUTDOORS


def goal_key(choice: Choice, name: str) -> str:
    """Where a coordinate of the goal is kept: a street's would mean nothing in a room."""
    return f"{name}-in" if sizes(choice) is INDOORS else name


def ask(choice: Choice, answer: Localization, depths: list[str]) -> Plan:
    """The controls; `depths` are those that may hide."""
    size = sizes(choice)
    kinds = st.pills("Draw", KINDS, selection_mode="multi", default=KINDS, key="draw", bind="query-params")
    first = st.columns(2, gap="small")
    text = first[0].text_input("The sign reads", "Here", max_chars=TEXT_LONGEST, key="reads", bind="query-params")
    facing = first[1].selectbox("and faces", FACINGS, key="faces", bind="query-params")
    second = st.columns(2, gap="small")
    thing = second[0].selectbox("Object", list(OBJECTS), key="object", bind="query-params")
    height = second[1].number_input(
        "its height, m", 0.1, 30.0, size["height"], size["step"], "%g", key=goal_key(choice, "tall")
    )
    third = st.columns(2, gap="small")
    ahead, right = (
        column.number_input(
            words, -2000.0, 2000.0, size[name], size["step"], "%g", key=goal_key(choice, name), help=help
        )
        for column, words, name, help in (
            (third[0], "Goal: ahead, m", "ahead", "Of the camera that was found. Or click the goal on the map."),
            (third[1], "to the right, m", "right", None),
        )
    )
    hides = st.segmented_control(
        "Hidden by depth",
        [*depths, "nothing"],
        default=(depths or ["nothing"])[0],
        required=True,
        key="hides",
        help=HIDE_HELP,
    )
    metres = st.slider("Error of the position, m", 0.0, size["worst"], 0.0, size["worst"] / 30, "%.2f", key="error_m")
    degrees = st.slider("Error of the direction, °", 0.0, 10.0, 0.0, 0.25, "%.2f", key="error_deg")
    wish = Wish(tuple(kinds), thing, text, facing, height, size["scale"])
    return Plan(wish, spot(answer.pose, ahead, right), (metres, degrees), hides, size)


def draw(
    choice: Choice, asked: browse.Asked, way: Way, answer: Localization, plan: Plan, made: Scene, depth: Map | None
) -> None:
    """The picture with its things, what it says, and the file."""
    truth = pose_views.truth_of(choice.frames, asked)
    right = truth or answer.pose
    drawn = localize_steps.shelf("drawn").get(
        (*localize_steps.question(choice, asked, answer.query, way), *plan.key, depth and hash(depth.values.tobytes())),
        lambda: pose_views.augmented(choice.frames, answer.query, made, answer.pose, right, plan.error, depth),
    )
    kinds = ", ".join(kind.lower() for kind in plan.wish.kinds) or "nothing"
    alt = f"The photo with {kinds} drawn into it, {pose_views.side_words(answer.pose, made)}"
    components.photo(drawn.picture, alt)
    st.html(heading_html(*cost(drawn, plan, answer, truth is not None)))
    name = export.file_name(choice.frames, asked, "-augmented.png")
    st.download_button(
        "Picture, PNG", drawn.png, name, "image/png", icon=":material/download:", key="augmented", on_click="ignore"
    )


def cost(drawn: pose_views.Drawn, plan: Plan, answer: Localization, known: bool) -> tuple[str, str]:
    """What the pose's error does to the picture, in words."""
    if drawn.goal_pixel is None:
        return "The goal is behind the camera", "nothing of it is seen; turn to another query, or move it ahead"
    if drawn.shift_px is None:
        return "", ""
    shift = pose_words.shift_words(drawn.shift_px, answer.query.camera.width, drawn.shift_m, drawn.distance_m)
    if any(plan.error):
        whose = "true" if known else "found"
        return (
            f"Wrong by {plan.error[0]:.2f} m and {plan.error[1]:.2f}°",
            f"{shift} The outline is where the {whose} pose puts it.",
        )
    if known:
        return "As localized", f"{shift} Move the error sliders to see what a degree costs."
    return "As localized", "Move the error sliders to see what a degree costs."


def hiding(choice: Choice, asked: browse.Asked, decoders: list[Model]) -> dict[str, Map]:
    """The depth maps of the photo by where they are from: reconstructed first, then measured."""
    found = {}
    if decoders:
        side = loading.side_view_of(choice, asked, decoders[:1])
        if side is not None and side.predicted is not None:
            found["reconstructed"] = side.predicted
    true = localize_steps.measured(choice, asked.query)
    return found | ({} if true is None else {"measured": true})
