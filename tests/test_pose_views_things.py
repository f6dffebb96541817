"""Virtual things in Localize's photo: where they stand, what an error costs there, and what hides them."""

import dataclasses
import io
import math

import numpy as np
import pytest
from answering import CAMERA, answer, looking
from PIL import Image

from butf import pose_views
from butf.dataset.frames import Frames
from butf.pose.answer import Localization
from butf.pose.pose import Pose
from butf.pose.scene import Scene, Wish, spot
from butf.pose.views import pose_of


def level() -> Pose:
    return looking(0.0, (0.0, 0.0, 1.5))


def pillar(frames: Frames, pose: Pose, ahead: float) -> tuple[Localization, Scene]:
    """An answer without error, and an object so far ahead of it."""
    found = answer(pose, picture=Image.new("RGB", (CAMERA.width, CAMERA.height), (90, 90, 90)))
    made = pose_views.wished(frames, "test", found, Wish(("Object",), "Cube"), spot(pose, ahead, 0.0), None)
    return found, made


def test_things_stand_on_the_ground_below_the_camera(tiny_frames):
    _, made = pillar(tiny_frames, level(), 12.0)
    assert made.goal == pytest.approx([0, 12, 0]), "1.5 m below, where no depth says otherwise"
    row = int(tiny_frames.database("test")[0])
    pose = pose_of(tiny_frames, row)
    depth = tiny_frames.modality(row, "depth")
    made = pose_views.wished(
        tiny_frames, "test", answer(pose, picture=tiny_frames.image(row)), Wish(), spot(pose, 5.0, 0.0), depth
    )
    assert made.goal[2] == pytest.approx(35.0 - 1.5, abs=0.05), "the street's ground is 1.5 m below its cameras"


def test_an_error_moves_what_is_drawn_by_what_it_costs(tiny_frames):
    pose = level()
    found, made = pillar(tiny_frames, pose, 12.0)
    exact = pose_views.augmented(tiny_frames, found.query, made, pose, pose, (0.0, 0.0), None)
    assert (exact.shift_px, exact.shift_m) == (0, 0) and exact.distance_m == pytest.approx(math.hypot(12, 1.5))
    assert exact.goal_pixel == pytest.approx([48, 32 + 48 * 1.5 / 12])
    aside = pose_views.augmented(tiny_frames, found.query, made, pose, pose, (0.5, 0.0), None)
    assert (aside.shift_px, aside.shift_m) == (pytest.approx(48 * 0.5 / 12), pytest.approx(0.5))
    far = Pose(pose.rotation, pose.centre + np.array([0.3, 0.0, 0.0]))
    alone = pose_views.augmented(tiny_frames, found.query, made, far, pose, (0.0, 0.0), None)
    assert alone.shift_m == pytest.approx(0.3), "the error of the answer itself"
    assert alone.picture.size == (768, 512) and Image.open(io.BytesIO(alone.png)).size == (768, 512)
    assert not np.array_equal(np.asarray(aside.picture), np.asarray(exact.picture))


def test_what_is_nearer_than_a_thing_hides_it(tiny_frames):
    pose = level()
    found, made = pillar(tiny_frames, pose, 6.0)
    row = int(tiny_frames.database("test")[0])
    wall = tiny_frames.modality(row, "depth")
    near_wall = dataclasses.replace(wall, values=np.full_like(wall.values, 2.0), valid=np.ones_like(wall.valid))
    pictures = [
        np.asarray(pose_views.augmented(tiny_frames, found.query, made, pose, pose, (0.0, 0.0), hides).picture)
        for hides in (None, near_wall)
    ]
    assert (pictures[1] == 90).all() and not (pictures[0] == 90).all()


def test_a_goal_behind_the_camera_has_no_pixel_and_no_shift(tiny_frames):
    found, made = pillar(tiny_frames, level(), -8.0)
    drawn = pose_views.augmented(tiny_frames, found.query, made, level(), level(), (0.5, 0.0), None)
    assert (drawn.goal_pixel, drawn.shift_px, drawn.shift_m) == (None, None, None)


@pytest.mark.parametrize(
    ("ahead", "right", "words"),
    [
        (12, 2.5, "12 m ahead, 2.5 m to the right"),
        (-8, -0.5, "8.0 m behind, 0.50 m to the left"),
        (5, 0.01, "5.0 m ahead"),
    ],
)
def test_where_a_goal_is_seen_from_the_camera_is_said(ahead, right, words):
    pose = looking(123)
    made = Scene([], np.array([*spot(pose, ahead, right), 0.0]), np.zeros((0, 2)))
    assert pose_views.side_words(pose, made) == words
