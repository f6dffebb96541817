"""Train, val and test from camera poses alone, and within each a database and queries.

Frames are ordered along the main axis of the camera centres (the direction in which they vary most). One end is test,
the other val, train lies between. Train frames that show the same place as a test or val frame are left out, then val
frames that show the same place as a test frame: no place of the test is ever trained on.

Within a split the video is cut into blocks in which the camera moves by less than the place radius and turns by less
than the place angle; blocks are database and queries in turn, so a query has a true match about half a block away. In
val and test a database frame that comes right before or after a query in the video is left out, unless it is some
query's only match: to find it again would prove nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from butf.dataset.manifest import PlaceRule
from butf.dataset.poses import angles_deg
from butf.errors import BadInput

DATABASE, QUERIES = "database", "queries"
SAME_PLACE = "the same place as one of another split"
NEIGHBOUR = "a database frame right beside a query in the video"
LEFT_OUT = (SAME_PLACE, NEIGHBOUR)
MIN_BLOCKS = 4


class Parts(NamedTuple):
    """What became of each frame, (N,) str: its split, its traversal, why it was left out ("" if it was not)."""

    split: np.ndarray
    traversal: np.ndarray
    reason: np.ndarray


def split_by_pose(
    centres: np.ndarray, orientation: np.ndarray, place: PlaceRule, test_share: float, val_share: float
) -> Parts:
    """Part frames in the order of the video, by camera centres (N, 3) in metres and quaternions (N, 4).

    Raises `BadInput` when the shares leave nothing for train, or a split comes out with fewer than two frames.
    """
    if not (0 < test_share < 1 and 0 < val_share < 1 and test_share + val_share < 1):
        raise BadInput(
            f"test share {test_share} and val share {val_share} are wrong; give shares above 0, together below 1"
        )
    split = _slabs(centres, test_share, val_share)
    reason = np.full(len(split), "", dtype=f"<U{max(len(SAME_PLACE), len(NEIGHBOUR))}")
    for giving, others in (("train", ("test", "val")), ("val", ("test",))):
        rows = np.flatnonzero(split == giving)
        taken = np.flatnonzero(np.isin(split, others))
        reason[rows[_same_place(centres, orientation, place, rows, taken).any(axis=1)]] = SAME_PLACE
    traversal = np.full(len(split), DATABASE)
    for name in ("train", "val", "test"):
        rows = np.flatnonzero((split == name) & (reason == ""))
        if len(rows) < 2:
            raise BadInput(
                f"the camera moves too little: {len(rows)} frames are left for {name} beside the same places in other "
                "splits; give a longer video, other shares or a smaller place radius"
            )
        block = _blocks(centres, orientation, place, rows)
        traversal[rows[block % 2 == 1]] = QUERIES
        if name != "train":
            same = _same_place(centres, orientation, place, rows, rows)
            reason[rows[_to_leave_out(same, block, rows)]] = NEIGHBOUR
    return Parts(split, traversal, reason)


def _slabs(centres: np.ndarray, test_share: float, val_share: float) -> np.ndarray:
    """(N,) split of each frame by its rank along the main axis."""
    offset = centres - centres.mean(axis=0)
    axis = np.linalg.svd(offset, full_matrices=False)[2][0]
    # The sign of a singular vector is arbitrary; the split must not be.
    along = offset @ (axis * np.sign(axis[np.abs(axis).argmax()]))
    rank = np.empty(len(along))
    rank[np.argsort(along, kind="stable")] = (np.arange(len(along)) + 0.5) / len(along)
    return np.where(rank < test_share, "test", np.where(rank > 1 - val_share, "val", "train"))


def _same_place(
    centres: np.ndarray, orientation: np.ndarray, place: PlaceRule, rows: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """(R, O) bool by the place rule."""
    same: np.ndarray = np.linalg.norm(centres[rows, None] - centres[None, others], axis=2) <= place.radius_m
    if place.angle_deg is not None:
        same &= angles_deg(orientation[rows], orientation[others]) <= place.angle_deg
    return same


def _blocks(centres: np.ndarray, orientation: np.ndarray, place: PlaceRule, rows: np.ndarray) -> np.ndarray:
    """(R,) block number of each frame of a split; blocks are made smaller until there are enough to alternate."""
    scale, block = 1.0, np.zeros(len(rows), int)
    while block[-1] + 1 < min(MIN_BLOCKS, len(rows)):
        if scale < 1e-3:
            return np.arange(len(rows)) * min(MIN_BLOCKS, len(rows)) // len(rows)
        angle = None if place.angle_deg is None else place.angle_deg * scale
        block = _cut(centres, orientation, PlaceRule(place.radius_m * scale, angle), rows)
        scale /= 2
    return block


def _cut(centres: np.ndarray, orientation: np.ndarray, limit: PlaceRule, rows: np.ndarray) -> np.ndarray:
    block, first = np.zeros(len(rows), int), 0
    for k in range(1, len(rows)):
        inside = _same_place(centres, orientation, limit, rows[first : first + 1], rows[k : k + 1])[0, 0]
        block[k] = block[k - 1]
        if not inside or rows[k] != rows[k - 1] + 1:
            block[k] += 1
            first = k
    return block


def _to_leave_out(same: np.ndarray, block: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(R,) bool: database frames just before or after a query in the video that no query needs for its only match.

    `same` (R, R) says which frames of the split show the same place.
    """
    asks = block % 2 == 1
    joined = np.diff(rows) == 1
    beside = np.zeros(len(rows), bool)
    beside[:-1] |= joined & asks[1:]
    beside[1:] |= joined & asks[:-1]
    matches = same & asks[:, None] & ~asks[None, :]
    left, out = matches.sum(axis=1), np.zeros(len(rows), bool)
    for k in np.flatnonzero(beside & ~asks):
        if (left[matches[:, k]] > 1).all() and (~asks & ~out).sum() > 1:
            out[k] = True
            left -= matches[:, k]
    return out
