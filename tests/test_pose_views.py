"""What the Localize page draws: every camera, candidate and point where the data set has it."""

import dataclasses
import re
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import pytest
import utm
from answering import answer, looking, matched
from looking import looked_through

from butf import pose_views
from butf.browse import Asked, asked_frame
from butf.dataset.frames import Frames
from butf.dataset.manifest import PlaceRule
from butf.figures.cameras import wedge
from butf.pose.answer import CandidateMatches, Localization
from butf.pose.scene import Scene, erring, spot
from butf.pose.views import pose_of


def near(frames: Frames, agreed: tuple[int, ...] = (1, 5, 3), more: int = 0) -> list[CandidateMatches]:
    """Matches with the first frames of the test database, of which so many agree; the last `more` are not retrieved."""
    rows, count = frames.database("test").tolist(), len(agreed)
    return [
        matched(row, [True] * n + [False] * (6 - n), k + 1 if k < count - more else 0, pose_of(frames, row))
        for k, (row, n) in enumerate(zip(rows, agreed, strict=False))
    ]


def parsed(html: str) -> ElementTree.Element:
    """HTML whose pictures are the only tags without an end."""
    return ElementTree.fromstring(re.sub(r"(<img [^>]*)>", r"\1/>", html))


def by_frame(frames: Frames, name: str) -> int:
    return frames.frame.tolist().index(name)


@pytest.fixture
def query(tiny_frames: Frames) -> int:
    return by_frame(tiny_frames, "overcast/000009")


@pytest.fixture
def localized(tiny_frames: Frames, query: int) -> Localization:
    """The query's answer: half a metre and a degree off."""
    return answer(erring(pose_of(tiny_frames, query), 0.5, 1.0), near(tiny_frames), tiny_frames.image(query))


def test_the_candidate_to_show_first_is_that_of_most_that_agree_else_of_most(tiny_frames):
    assert pose_views.best(near(tiny_frames)) == 1
    assert pose_views.best([matched(0, [False] * n) for n in (2, 4, 3)]) == 1
    assert pose_views.best([matched(0, [True]), matched(1, [False] * 9)]) == 0
    assert pose_views.best([]) == 0


def test_the_strip_has_a_button_for_each_candidate_in_order_with_one_pressed(tiny_frames):
    odd = dataclasses.replace(tiny_frames, frame=np.array([f'<i>"{name}' for name in tiny_frames.frame]))
    matches = near(tiny_frames, (0, 5, 3), more=1)
    strip = parsed(pose_views.strip_html(odd, matches, lambda i: f"data:{i}&", 2))
    buttons = [item.find("button") for item in strip]
    assert [button.get("data-pick") for button in buttons] == ["0", "1", "2"]
    assert [button.get("aria-pressed") for button in buttons] == ["false", "false", "true"]
    assert [item.get("class") for item in strip] == ["fails", "agrees", "agrees"]
    assert ["".join(button.itertext()) for button in buttons] == ["10 of 6", "25 of 6", "+3 of 6"]
    row, name = matches[2].candidate.frame, str(odd.frame[matches[2].candidate.frame])
    assert buttons[2].find("img").get("src") == f"data:{row}&"
    words = f"{name}, not retrieved, but near the pose found: 3 of 6 matches agree with the pose"
    assert buttons[2].find("img").get("alt") == words


def test_candidates_that_wait_for_matches_have_their_ranks(tiny_frames):
    strip = parsed(pose_views.waiting_html(tiny_frames, [4, 2], lambda i: f"data:{i}"))
    assert [item.find("b").text for item in strip] == ["1", "2"]
    assert [item.find("img").get("src") for item in strip] == ["data:4", "data:2"]


def test_matches_are_drawn_with_both_pictures_and_judged_only_when_they_are(tiny_frames, localized):
    match = localized.matches[1]
    drawing = pose_views.matches_html(tiny_frames, localized.query, match)
    assert drawing.count("data:image/jpeg;base64,") == 2 and "5 of 6 matches agree with the pose" in drawing
    assert str(tiny_frames.frame[match.candidate.frame]) in drawing
    before = pose_views.matches_html(tiny_frames, localized.query, match, judged=False)
    assert "6 matches, not judged yet" in before and "agree with the pose" not in before


def test_a_frame_has_a_true_pose_and_a_photo_has_none(tiny_frames, query):
    truth = pose_views.truth_of(tiny_frames, asked_frame(tiny_frames, query))
    assert truth.centre == pytest.approx(tiny_frames.position[query], abs=1e-9)
    assert truth.rotation[:, 2] == pytest.approx([1, 0, 0]), "the street's cameras look east"
    assert pose_views.truth_of(tiny_frames, Asked(None, tiny_frames.image(0), "mine.jpg", "1")) is None
    bare = dataclasses.replace(tiny_frames, orientation=None)
    assert pose_views.truth_of(bare, asked_frame(tiny_frames, query)) is None


def test_cameras_are_the_found_the_true_and_the_candidates(tiny_frames, query, localized):
    truth = pose_of(tiny_frames, query)
    seen = pose_views.cameras(tiny_frames, localized, truth)
    assert [entry.kind for entry in seen] == ["found", "true", "other", "other", "other"]
    assert seen[0].pose is localized.pose and seen[1].pose is truth
    for entry, match in zip(seen[2:], localized.matches, strict=True):
        assert entry.pose is match.candidate.pose
        assert entry.words.startswith(f"{tiny_frames.frame[match.candidate.frame]}, ")
    alone = pose_views.cameras(tiny_frames, answer(None, near(tiny_frames)), None)
    assert [entry.kind for entry in alone] == ["other"] * 3
    legend = pose_views.map_legend_html(seen, dark=False)
    assert legend.count("<li>") == 3 and "the camera found" in legend and "the true camera" in legend


@pytest.mark.parametrize("angle_deg", [None, 20.0])
def test_a_candidate_is_right_where_the_data_sets_rule_says_so(tiny_frames, query, angle_deg):
    """Explore judges by `Frames.positives`: the same candidate cannot be right there and wrong here."""
    frames = dataclasses.replace(tiny_frames, place=PlaceRule(25.0, angle_deg))
    rows = frames.database("test")
    turned = frames.orientation.copy()
    turned[rows[1]] = (1, 0, 0, 0)  # of the nearest, which then looks elsewhere
    frames = dataclasses.replace(frames, orientation=turned)
    found = answer(None, near(frames, (0,) * len(rows)))
    made = pose_views.marks(frames, found, "bu-tf", pose_of(frames, query))
    wanted = frames.positives(np.array([query]), rows)[0].tolist()
    assert [mark.correct for mark in made] == wanted and True in wanted and False in wanted
    assert wanted[1] == (angle_deg is None)
    metres = np.linalg.norm(frames.position[rows] - frames.position[query], axis=1)
    assert [mark.metres for mark in made] == pytest.approx(metres)
    assert [(mark.rank, mark.y, mark.x) for mark in made] == [
        (k, float(frames.lat[row]), float(frames.lon[row])) for k, row in enumerate(rows, 1)
    ]
    assert {mark.correct for mark in pose_views.marks(frames, found, "bu-tf", None)} == {None}


def test_the_map_has_the_cameras_where_utm_has_them_and_looks_at_them(tiny_frames, query, localized):
    truth = pose_of(tiny_frames, query)
    seen, made = pose_views.cameras(tiny_frames, localized, truth), pose_views.marks(tiny_frames, localized, "m", truth)
    there = pose_views.whereabouts(tiny_frames, localized, seen, made, scene_of(localized), True, (340, 372))
    shapes = [part.locations for part in there.layer._children.values() if hasattr(part, "locations")]
    *wedges, way = (np.array(utm.from_latlon(*np.array(shape).T)[:2]).T for shape in shapes)
    assert len(wedges) == 2
    for found, entry in zip(wedges, seen, strict=False):
        assert found == pytest.approx(wedge(entry, 25.0), abs=0.01)
    assert way[-1] == pytest.approx(scene_of(localized).goal[:2], abs=0.01)
    centre = np.array(utm.from_latlon(*there.centre)[:2])
    assert np.linalg.norm(centre - truth.centre[:2]) < 25 and 17 < there.zoom <= 20


def test_without_a_pose_the_map_looks_at_the_candidates(tiny_frames):
    found = answer(None, near(tiny_frames))
    made = pose_views.marks(tiny_frames, found, "m", None)
    seen = pose_views.cameras(tiny_frames, found, None)
    there = pose_views.whereabouts(tiny_frames, found, seen, made, None, False, (340, 372))
    places = [
        (tiny_frames.lat[match.candidate.frame], tiny_frames.lon[match.candidate.frame]) for match in found.matches
    ]
    low, high = np.min(places, axis=0), np.max(places, axis=0)
    assert there.centre == pytest.approx(tuple((low + high) / 2), abs=1e-9)


def scene_of(localized: Localization) -> Scene:
    goal = spot(localized.pose, 12.0, 2.5)
    return Scene([], np.array([*goal, 33.5]), np.array([localized.pose.centre[:2], goal]))


def test_the_plan_shows_the_same_in_metres(tiny_frames, query, localized):
    bare, truth = dataclasses.replace(tiny_frames, lat=None, lon=None), pose_of(tiny_frames, query)
    seen, made = pose_views.cameras(bare, localized, truth), pose_views.marks(bare, localized, "bu-tf", truth)
    assert [(mark.x, mark.y) for mark in made] == [tuple(c.pose.centre[:2]) for c in localized.candidates]
    for drawn in (None, scene_of(localized)):
        figure = looked_through(pose_views.plan(bare, "test", seen, made, drawn, True, 372))
        names = [trace.name for trace in figure.data]
        assert names[:4] == ["database", "bu-tf", "the camera found", "the true camera"]
        assert len(names) == (4 if drawn is None else 6) and figure.layout.height == 372
        assert figure.layout.yaxis.scaleanchor == "x", "a metre is as long to the north as to the east"
        apex = figure.data[2].x[0], figure.data[2].y[0]
        assert apex == pytest.approx(tuple(localized.pose.centre[:2]), abs=1e-6)


@pytest.mark.parametrize(("radius_m", "reach_m"), [(25.0, 25.0), (0.25, 1.5)])
def test_cameras_are_drawn_to_see_as_far_as_a_place_reaches(tiny_frames, radius_m, reach_m):
    assert pose_views.reach_m(dataclasses.replace(tiny_frames, place=PlaceRule(radius_m))) == reach_m


def plain_points(frames: Frames, row: int) -> np.ndarray:
    """Every pixel's point in the world, one after the other, up to the 50 m that are drawn."""
    depth, centre, found = frames.modality(row, "depth"), frames.position[row], []
    for v in range(depth.values.shape[0]):
        for u in range(depth.values.shape[1]):
            z = float(depth.values[v, u])
            if depth.valid[v, u] and z < 50:
                x, y = z * (u + 0.5 - 48) / 48, z * (v + 0.5 - 32) / 48
                found.append((centre[0] + z, centre[1] - x, centre[2] - y))  # it looks east: right is south
    return np.array(found)


def cloud(figure: go.Figure) -> np.ndarray:
    return np.stack([figure.data[0].x, figure.data[0].y, figure.data[0].z], axis=1)


def test_points_in_space_are_those_of_the_candidates_that_agree_most(tiny_frames, query):
    matches = near(tiny_frames, (1, 5, 3, 2))
    found = answer(pose_of(tiny_frames, query), matches)
    seen = pose_views.cameras(tiny_frames, found, pose_of(tiny_frames, query))
    figure, words = pose_views.space(tiny_frames, found, seen, lambda i: tiny_frames.modality(i, "depth"), 520)
    looked_through(figure)
    rows = [matches[k].candidate.frame for k in (1, 2, 3)]
    plain = np.concatenate([plain_points(tiny_frames, row) for row in rows])
    assert cloud(figure) == pytest.approx(plain - found.pose.centre, abs=0.02)
    assert words.startswith(f"{len(plain):,} points of the measured depth of 3 candidates. Thick: the camera found")
    names = [trace.name.partition(",")[0] for trace in figure.data[1:]]
    wanted = {"the camera found", "the true camera", *(str(tiny_frames.frame[row]) for row in rows)}
    assert len(names) == 5 and set(names) == wanted and names[0] == "the camera found"


def test_without_a_pose_only_the_likeliest_candidate_is_in_space(tiny_frames):
    found = answer(
        None,
        [
            matched(match.candidate.frame, [False] * 3, k, match.candidate.pose)
            for k, match in enumerate(near(tiny_frames), 1)
        ],
    )
    seen = pose_views.cameras(tiny_frames, found, looking())
    figure, words = pose_views.space(tiny_frames, found, seen, lambda i: tiny_frames.modality(i, "depth"), 520)
    row = found.matches[0].candidate.frame
    assert cloud(figure) == pytest.approx(plain_points(tiny_frames, row) - tiny_frames.position[row], abs=0.02)
    assert [trace.name.partition(",")[0] for trace in figure.data[1:]] == [str(tiny_frames.frame[row])]
    assert "of 1 candidate." in words and "There is no pose" in words


def test_candidates_without_depth_leave_the_cameras_alone_in_space(tiny_frames, localized):
    seen = pose_views.cameras(tiny_frames, localized, None)
    figure, words = pose_views.space(tiny_frames, localized, seen, lambda i: None, 520)
    assert words.startswith("0 points of the measured depth of 0 candidates.")
    assert len(cloud(figure)) == 0 and len(figure.data) == 1 + 4


def test_where_retrieval_found_nothing_the_true_camera_is_alone_in_space(tiny_frames, query):
    found = answer(None, reason="Retrieval found no candidates.")
    seen = pose_views.cameras(tiny_frames, found, pose_of(tiny_frames, query))
    figure, words = pose_views.space(tiny_frames, found, seen, lambda i: None, 520)
    assert [trace.name for trace in looked_through(figure).data[1:]] == ["the true camera"]
    assert "0 candidates" in words
