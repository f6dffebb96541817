"""Search, ranking and recall against slow plain versions and closed forms."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from butf.dataset.frames import Frames, PlaceRule, Traversal
from butf.retrieval.index import Index
from butf.retrieval.recall import (
    distance_limits,
    first_correct,
    ranking,
    recall_at,
    recall_at_distance,
    wilson,
)

RNG = np.random.default_rng(7)


def some_frames(position: np.ndarray, yaw_deg: np.ndarray | None = None, references: int = 0) -> Frames:
    """Frames at these positions, the first `references` of them the database."""
    count = len(position)
    roles = [Traversal("map", "day", "reference"), Traversal("drive", "rain", "query")] if references else []
    traversal = np.array(["map" if i < references else "drive" for i in range(count)])
    orientation = None
    if yaw_deg is not None:
        half = np.radians(yaw_deg) / 2
        orientation = np.stack([np.cos(half), 0 * half, 0 * half, np.sin(half)], axis=1)
    return Frames(
        root=Path("nowhere"),
        name="made-up",
        licence="",
        source="",
        cameras=(),
        origin=None,
        modalities={},
        traversals=tuple(roles) or (Traversal("drive", "rain", "query"),),
        place=PlaceRule(25.0, None if yaw_deg is None else 30.0),
        frame=np.array([f"{t}/{i:06d}" for i, t in enumerate(traversal)]),
        traversal=traversal,
        condition=np.where(traversal == "map", "day", "rain"),
        split=np.full(count, "test"),
        position=position,
        orientation=orientation,
    )


@pytest.mark.parametrize(("database", "queries", "dim", "k"), [(50, 7, 8, 5), (3, 4, 2, 10), (200, 30, 64, 200)])
def test_search_finds_what_brute_force_finds(database: int, queries: int, dim: int, k: int) -> None:
    table, asked = RNG.normal(size=(database, dim)), RNG.normal(size=(queries, dim))
    distances, rows = Index.build(table).search(asked, k)
    for query in range(queries):
        slow = sorted((float(np.sqrt(((asked[query] - row) ** 2).sum())), i) for i, row in enumerate(table))[:k]
        assert [i for _, i in slow] == rows[query].tolist()
        np.testing.assert_allclose([d for d, _ in slow], distances[query], rtol=1e-4)


def test_search_says_what_is_wrong_with_descriptors() -> None:
    index = Index.build(np.eye(4))
    with pytest.raises(ValueError, match="3 values each; this index holds 4"):
        index.search(np.zeros((1, 3)), 1)
    with pytest.raises(ValueError, match="not finite"):
        Index.build(np.array([[np.nan, 1.0]]))
    assert index.search(np.zeros((0, 4)), 3)[1].shape == (0, 0)


@pytest.mark.parametrize("yaw", [False, True])
def test_ranking_and_judgement_match_a_loop_over_pairs(yaw: bool) -> None:
    position = np.column_stack([RNG.uniform(0, 200, 60), RNG.uniform(0, 60, 60), RNG.uniform(0, 3, 60)])
    yaw_deg = RNG.uniform(0, 360, 60) if yaw else None
    frames = some_frames(position, yaw_deg, references=40)
    queries, database = frames.queries("test")["rain"], frames.database("test")
    descriptors = RNG.normal(size=(60, 6))
    found = ranking(frames, queries, database, descriptors[queries], descriptors[database], 10)
    hits, matched = found.judge()
    for row, query in enumerate(queries):
        order = sorted(database, key=lambda i: np.linalg.norm(descriptors[query] - descriptors[i]))[:10]
        assert found.ids[row].tolist() == order
        right = [_same_place(position, yaw_deg, query, i) for i in order]
        assert hits[row].tolist() == right
        assert matched[row] == any(_same_place(position, yaw_deg, query, i) for i in database)
        np.testing.assert_allclose(found.metres[row], [np.linalg.norm(position[query] - position[i]) for i in order])


def _same_place(position: np.ndarray, yaw_deg: np.ndarray | None, a: int, b: int) -> bool:
    turn = 0.0 if yaw_deg is None else abs((yaw_deg[a] - yaw_deg[b] + 180) % 360 - 180)
    return bool(np.linalg.norm(position[a] - position[b]) <= 25.0 and turn <= 30.0)


def test_without_references_a_query_never_retrieves_itself() -> None:
    position = np.column_stack([np.arange(12) * 10.0, np.zeros(12), np.zeros(12)])
    frames = some_frames(position)
    everyone = frames.database("test")
    descriptors = RNG.normal(size=(12, 4))
    descriptors[5] = descriptors[4]  # twins: the query itself need not come first
    found = ranking(frames, everyone, everyone, descriptors, descriptors, 11)
    assert found.ids.shape == (12, 11)
    assert all(query not in row for query, row in zip(everyone, found.ids, strict=True))
    assert all(len(set(row)) == 11 for row in found.ids)
    assert found.ids[4, 0] == 5 and found.ids[5, 0] == 4
    assert found.judge()[1].all()


def test_queries_partly_inside_the_database_and_more_asked_than_there_are() -> None:
    frames = some_frames(np.zeros((4, 3)))
    descriptors = np.arange(8.0).reshape(4, 2)
    found = ranking(frames, np.array([3, 0]), np.array([0, 1, 2]), descriptors[[3, 0]], descriptors[:3], 9)
    assert found.ids.tolist() == [[2, 1], [1, 2]]


def test_the_only_frame_of_a_database_is_no_answer_to_itself() -> None:
    frames = some_frames(np.zeros((1, 3)))
    found = ranking(frames, np.array([0]), np.array([0]), np.ones((1, 2)), np.ones((1, 2)), 5)
    hits, matched = found.judge()
    assert found.ids.shape == (1, 0) and not matched[0]
    assert np.isnan(recall_at(hits, matched, 1)) and np.isnan(recall_at_distance(found.metres, matched, 25))
    assert first_correct(hits).tolist() == [0]


def test_recall_counts_matched_queries_only() -> None:
    hits = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]], bool)
    matched = np.array([True, True, True, False])
    assert recall_at(hits, matched, 1) == pytest.approx(1 / 3)
    assert recall_at(hits, matched, 2) == recall_at(hits, matched, 25) == pytest.approx(2 / 3)
    assert first_correct(hits).tolist() == [2, 1, 0, 0]
    metres = np.array([[30.0, 1, 1], [4.0, 90, 90], [51.0, 0, 0], [1.0, 1, 1]])
    assert recall_at_distance(metres, matched, 5) == pytest.approx(1 / 3)
    assert recall_at_distance(metres, matched, 50) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (1, 3), (61, 100), (300, 301), (150, 600)])
def test_wilson_is_scipys(successes: int, trials: int) -> None:
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_in_closed_form_and_without_trials() -> None:
    # With no success the upper end is z^2 / (n + z^2).
    assert wilson(0, 10) == pytest.approx((0.0, 1.959964**2 / (10 + 1.959964**2)), abs=1e-7)
    assert np.isnan(wilson(0, 0)).all()


def test_distances_follow_the_size_of_places() -> None:
    assert distance_limits(25) == (5, 10, 25, 50)
    assert distance_limits(0.25) == pytest.approx((0.05, 0.1, 0.25, 0.5))
