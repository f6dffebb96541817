"""The way to a place along the streets that the database was driven through."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

REACH = 2.5
STRAIGHT = 3.0


def route(start: np.ndarray, goal: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Metres east and north (N, 2) from `start` (2,) to `goal` (2,), along known `places` (D, 2) if these lead there.

    Places are joined to those nearer than `REACH` times what is usual between neighbours, and the shortest way is
    taken (Dijkstra 1959). What is nearer than `STRAIGHT` such steps is gone to straight on, and so is what no chain of
    places leads to.
    """
    start, goal, places = (np.asarray(value, float) for value in (start, goal, places))
    straight = np.stack([start, goal])
    usual = spacing(places)
    if usual is None or np.linalg.norm(goal - start) < STRAIGHT * usual:
        return straight
    tree = cKDTree(places)
    first, last = (int(tree.query(point)[1]) for point in (start, goal))
    pairs = tree.query_pairs(REACH * usual, output_type="ndarray")
    lengths = np.linalg.norm(places[pairs[:, 0]] - places[pairs[:, 1]], axis=1)
    graph = coo_array((np.maximum(lengths, 1e-6), pairs.T), shape=(len(places),) * 2).tocsr()
    found, before = dijkstra(  # type: ignore[call-overload]  # the stubs know arrays of starts alone
        graph, directed=False, indices=first, return_predecessors=True
    )
    if not np.isfinite(found[last]):
        return straight
    chain = [last]
    while chain[-1] != first:
        chain.append(int(before[chain[-1]]))
    return _without_ends(np.concatenate([start[None], places[chain[::-1]], goal[None]]))


def spacing(places: np.ndarray) -> float | None:
    """The median distance from a place to its nearest other one, metres; None where there are fewer than two."""
    distinct = np.unique(np.round(places, 3), axis=0)
    if len(distinct) < 2:
        return None
    distances = np.asarray(cKDTree(distinct).query(distinct, k=2)[0])
    return float(np.median(distances[:, 1]))


def _without_ends(path: np.ndarray) -> np.ndarray:
    """The path without a first step back to a place behind the start, nor one beyond the goal at the end."""
    if len(path) > 3 and (path[1] - path[0]) @ (path[2] - path[1]) < 0:
        path = np.delete(path, 1, axis=0)
    if len(path) > 3 and (path[-1] - path[-2]) @ (path[-2] - path[-3]) < 0:
        path = np.delete(path, -2, axis=0)
    return path
