"""What is said of a pose: the right numbers, the right verdict, and a record that any JSON reader takes."""

import json
import math
from xml.etree import ElementTree

import numpy as np
import pytest
from answering import answer, looking, matched
from scipy.spatial.transform import Rotation

from butf.pose.answer import Geographic
from butf.pose.pose import Pose
from butf.pose_words import (
    Error,
    degrees_text,
    error_of,
    facts,
    facts_html,
    heading_deg,
    headline,
    pitch_deg,
    record,
    shift_words,
    sureness,
    verdict_html,
)

TRUE = looking(77)
MATCHES = (
    matched(0, [True, True, False], 1, looking(77, (103.0, 204.0, 30.0))),
    matched(1, [False, True], 2, first=1),  # of the keypoints 1 and 2: the latter agrees here alone
    matched(2, [True], 0),
)


def off(metres: float, degrees: float) -> Pose:
    """A pose that is wrong by so much."""
    turn = Rotation.from_rotvec(math.radians(degrees) * np.array([0.6, 0.0, 0.8])).as_matrix()
    return Pose(turn @ TRUE.rotation, TRUE.centre + metres * np.array([0.0, 0.6, -0.8]))


def parts(html: str) -> tuple[str, str, str, str]:
    """Class, words, note and small print of a verdict; raises where the HTML is not well formed."""
    verdict = ElementTree.fromstring(html)
    texts = ("".join(verdict.find(name).itertext()).strip() for name in ("b", "span", "small"))
    return verdict.get("class").removeprefix("verdict "), *texts


@pytest.mark.parametrize(
    ("metres", "degrees", "within"),
    [
        (0.0, 0.0, "within 0.25 m and 2°"),
        (0.249, 1.99, "within 0.25 m and 2°"),
        (0.251, 1.0, "within 0.5 m and 5°"),
        (0.1, 2.01, "within 0.5 m and 5°"),
        (0.1, 5.01, "within 5 m and 10°"),
        (4.99, 9.99, "within 5 m and 10°"),
        (5.01, 0.0, "beyond 5 m or 10°: wrong"),
        (0.0, 10.01, "beyond 5 m or 10°: wrong"),
    ],
)
def test_an_error_is_measured_and_put_among_the_usual_bounds(metres, degrees, within):
    error = error_of(off(metres, degrees), TRUE)
    assert (error.metres, error.degrees) == (pytest.approx(metres, abs=1e-9), pytest.approx(degrees, abs=1e-6))
    assert error.within == within
    kind, _, note, _ = parts(verdict_html(answer(off(metres, degrees)), TRUE))
    assert note == within and kind == ("wrong" if "wrong" in within else "right")


def test_the_verdict_of_a_pose_says_error_keypoints_sureness_and_seconds():
    found = answer(off(0.4, 3.2), MATCHES)
    assert headline(found, TRUE) == ("Localized, 0.40 m and 3.2° off", "within 0.5 m and 5°")
    assert parts(verdict_html(found, TRUE)) == (
        "right", "✓ Localized, 0.40 m and 3.2° off", "within 0.5 m and 5°",
        # Three keypoints: one that agrees in two pictures counts once.
        "3 keypoints agree · fairly sure: 80% likely within 0.5 m and 5° · 2.2 s",
    )  # fmt: skip


def test_without_the_truth_a_pose_is_neither_right_nor_wrong():
    kind, words, note, small = parts(verdict_html(answer(off(0.4, 3.2), MATCHES), None))
    assert (kind, words) == ("open", "◎ Localized") and "not known" in note and "keypoints agree" in small
    assert error_of(TRUE, None) is None


@pytest.mark.parametrize(
    ("truth", "place"), [(TRUE, " The nearest place is the first candidate, 4.0 m and 3.0° off."),
                         (None, " The nearest place is the first candidate.")]
)  # fmt: skip
def test_without_a_pose_it_says_why_and_the_nearest_place_and_nothing_of_sureness(truth, place):
    found = answer(None, (matched(0, [False] * 4, pose=off(4.0, 3.0)),), reason="Only 4 <keypoints> & no pose.")
    page = verdict_html(found, truth)
    assert parts(page) == ("none", "∅ Not localized", "Only 4 <keypoints> & no pose." + place, "2.2 s")
    without = parts(verdict_html(answer(None, (), reason="No candidates."), truth))
    assert without[2] == "No candidates."
    assert "&lt;keypoints&gt; &amp; no pose" in page


def test_names_in_the_facts_are_escaped():
    page = facts_html(answer(None, camera_source='camera <img src="x"> of data set a & b'), None)
    assert "<img" not in page and "&lt;img" in page
    terms = ElementTree.fromstring(page)
    assert terms.find("dd").text == 'camera <img src="x"> of data set a & b'
    assert [child.tag for child in terms] == ["dt", "dd"] * (len(terms) // 2)


def test_facts_of_a_pose_are_its_numbers():
    spread = np.diag([0.01, 0.04, 0.04, *np.radians([0.2, 0.1, 0.2]) ** 2])
    where = Geographic(48.8123456789, 2.3, 30.0)
    pose = looking(200, (448_000.125, 5_405_000.5, 31.25), up_deg=-4)
    known = dict(facts(answer(pose, MATCHES, geographic=where, covariance=spread), TRUE))
    assert known["WGS84"] == "48.812346, 2.300000"
    assert known["East, north, up"] == "448,000.12, 5,405,000.50, 31.25 m"
    assert known["Looks"] == "200.0° from grid north, -4.0° up"
    assert known["Uncertainty"] == "±0.30 m, ±0.30° (standard deviations)"
    assert known["The first candidate's own pose"] == "5.0 m and 0.00° off: what retrieval alone would say"
    assert known["Matches that agree"] == "4 of 6, in 3 pictures"
    assert known["Seconds"] == "retrieve 0.25, match 1.50, solve 0.50"
    assert known["Confidence"].startswith("fairly sure: 80%") and known["Depth of the candidates"] == "measured"


def test_facts_leave_out_what_is_not_known():
    of_pose = {"WGS84", "East, north, up", "Looks", "Uncertainty", "Confidence", "Off the true pose"}
    assert not of_pose & set(dict(facts(answer(None, MATCHES), TRUE)))
    bare = set(dict(facts(answer(TRUE, MATCHES), None)))
    assert bare & of_pose == {"East, north, up", "Looks", "Confidence"}
    assert "The first candidate's own pose" not in bare


@pytest.mark.parametrize("heading", [0.0, 90.0, 179.5, 271.25, 359.0])
@pytest.mark.parametrize("up", [-30.0, 0.0, 60.0])
def test_heading_and_pitch_are_those_the_camera_was_turned_by(heading, up):
    pose = looking(heading, up_deg=up)
    assert heading_deg(pose) == pytest.approx(heading, abs=1e-9) and 0 <= heading_deg(pose) < 360
    assert pitch_deg(pose) == pytest.approx(up)


@pytest.mark.parametrize(("heading", "words"), [(359.97, "0.0° from"), (-1e-16, "0.0° from"), (359.94, "359.9° from")])
def test_no_heading_is_said_to_be_360_degrees(heading, words):
    assert dict(facts(answer(looking(heading)), None))["Looks"].startswith(words)


@pytest.mark.parametrize(
    ("confidence", "words"),
    [(1.0, "very sure: 100%"), (0.9, "very sure: 90%"), (0.89, "fairly sure: 89%"), (0.5, "unsure: 50%"),
     (0.0, "hardly more than a guess: 0%")],
)  # fmt: skip
def test_sureness_has_a_word_for_every_confidence(confidence, words):
    assert sureness(confidence) == f"{words} likely within 0.5 m and 5°"


def test_angles_and_shifts_are_said_with_as_many_digits_as_mean_something():
    assert [degrees_text(angle) for angle in (0.04, 3.21, 137.4)] == ["0.04°", "3.2°", "137°"]
    assert Error(0.18, 12.0).words == "0.18 m and 12°"
    words = shift_words(12.4, 640, 0.183, 15.2)
    assert words == "At the goal, 15 m away, that is 12 pixels of 640, or 0.18 m beside the right place."


def strictly(written: bytes) -> dict:
    """JSON as the standard has it: NaN and Infinity are none."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    return json.loads(written, parse_constant=refuse)


def test_the_record_holds_the_pose_its_error_and_the_candidates(tiny_frames):
    spread, where = np.diag(np.arange(1.0, 7.0)), Geographic(48.8, 2.3, 30.0)
    pose = off(0.4, 3.2)
    found = strictly(record(tiny_frames, answer(pose, MATCHES, None, where, spread), TRUE, "bu-tf"))
    assert (found["dataset"], found["model"], found["depth"], found["localized"]) == ("tiny", "bu-tf", "measured", True)
    for told, wanted in ((found["pose"], pose), (found["truth"], TRUE)):
        turn = Rotation.from_quat([told["qx"], told["qy"], told["qz"], told["qw"]]).as_matrix()
        assert turn == pytest.approx(wanted.rotation) and told["centre"] == pytest.approx(wanted.centre)
    assert found["error"] == {"metres": pytest.approx(0.4), "degrees": pytest.approx(3.2)}
    assert found["wgs84"] == {"lat": 48.8, "lon": 2.3, "altitude_m": 30.0}
    assert np.array_equal(found["covariance"], spread) and found["confidence"] == 0.8 and found["reason"] == ""
    assert [entry["frame"] for entry in found["candidates"]] == tiny_frames.frame[:3].tolist()
    assert [(entry["matches"], entry["inliers"]) for entry in found["candidates"]] == [(3, 2), (2, 1), (1, 1)]
    assert sum(found["seconds"].values()) == 2.25


def test_a_picture_that_retrieval_did_not_find_has_no_distance_in_the_record(tiny_frames):
    found = strictly(record(tiny_frames, answer(TRUE, MATCHES), TRUE, "bu-tf"))
    assert [(entry["rank"], entry["distance"]) for entry in found["candidates"]] == [(1, 0.125), (2, 0.25), (0, None)]


@pytest.mark.parametrize("truth", [TRUE, None])
def test_the_record_says_null_for_what_is_not_known(tiny_frames, truth):
    found = strictly(record(tiny_frames, answer(None, MATCHES[:2], reason="Too few."), truth, "bu-tf"))
    assert (found["localized"], found["reason"], found["confidence"]) == (False, "Too few.", 0.0)
    assert [found[name] for name in ("pose", "wgs84", "covariance", "error")] == [None] * 4
    assert (found["truth"] is None) == (truth is None)
    found = strictly(record(tiny_frames, answer(TRUE, MATCHES[:2]), None, "bu-tf"))
    assert found["error"] is None and found["truth"] is None and found["pose"] is not None
