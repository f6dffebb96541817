"""Matches between two pictures as lines: solid where they agree with the pose, dashed and crossed where they do not."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

TALL, GAP = 300.0, 10.0
MOST_INLIERS, MOST_OUTLIERS = 120, 40
INLIER, OUTLIER, UNJUDGED = "#2f8df0", "#f08c00", "#f4f4f2"


@dataclass(frozen=True)
class Side:
    """One of the two pictures: a JPEG's data URI, its size (width, height) in pixels, and what it is."""

    uri: str
    size: tuple[int, int]
    words: str

    @property
    def width(self) -> float:
        """Units across at the drawing's height."""
        return TALL * self.size[0] / self.size[1]


def matches_svg(
    query: Side, candidate: Side, query_pixels: np.ndarray, candidate_pixels: np.ndarray, inliers: np.ndarray | None
) -> str:
    """Both pictures at the same height with lines between pixels (M, 2) of the one and (M, 2) of the other.

    `inliers` (M,) bool; None where that is not known yet. Of many matches every n-th is drawn, see `shown`.
    """
    left, right = query.width, candidate.width
    wide = left + GAP + right
    ends = np.concatenate(
        [
            np.asarray(query_pixels, float).reshape(-1, 2) * TALL / query.size[1],
            np.asarray(candidate_pixels, float).reshape(-1, 2) * TALL / candidate.size[1] + [left + GAP, 0.0],
        ],
        axis=1,
    )
    kinds = [("unjudged", None)] if inliers is None else [("outlier", False), ("inlier", True)]
    drawn = "".join(_lines(ends[shown(len(ends), inliers, value)], kind) for kind, value in kinds)
    pictures = "".join(
        f'<image href="{escape(side.uri)}" x="{x:.1f}" width="{side.width:.1f}" height="{TALL:.0f}"/>'
        for side, x in ((query, 0.0), (candidate, left + GAP))
    )
    label = f"{query.words} and {candidate.words}, {matches_words(len(ends), inliers)}"
    return (
        f'<svg class="matches" viewBox="0 0 {wide:.1f} {TALL:.0f}" role="img" aria-label="{escape(label)}">'
        f"{pictures}{drawn}</svg>"
    )


def shown(count: int, inliers: np.ndarray | None, value: bool | None) -> np.ndarray:
    """Which of `count` matches are drawn of one kind: all, or as many as can be told apart, spread evenly."""
    rows = np.arange(count) if inliers is None else np.flatnonzero(np.asarray(inliers) == value)
    most = MOST_OUTLIERS if value is False else MOST_INLIERS
    return rows if len(rows) <= most else rows[np.unique(np.linspace(0, len(rows) - 1, most).round().astype(int))]


def matches_words(count: int, inliers: np.ndarray | None) -> str:
    """How many there are, in words."""
    if inliers is None:
        return f"{count:,} matches, not judged yet"
    return f"{int(np.sum(inliers)):,} of {count:,} matches agree with the pose"


def legend_html(count: int, inliers: np.ndarray | None) -> str:
    """The two kinds of lines with their numbers, and how many of them are drawn."""
    kinds: list[tuple[str, str, bool | None]] = [("unjudged", "not judged yet", None)]
    if inliers is not None:
        kinds = [("inlier", "agree with the pose", True), ("outlier", "do not", False)]
        if not np.any(inliers):
            kinds = [("outlier", "matches, none of which agrees with a pose", False)]
    items = []
    for kind, words, value in kinds:
        total = count if inliers is None else int(np.sum(np.asarray(inliers) == value))
        drawn = len(shown(count, inliers, value))
        note = f" ({drawn} drawn)" if drawn < total else ""
        key = f'<svg viewBox="0 0 34 12" aria-hidden="true">{_lines(np.array([[4.0, 6, 30, 6]]), kind)}</svg>'
        items.append(f"<li>{key}{total:,} {words}{note}</li>")
    return f'<ul class="match-legend">{"".join(items)}</ul>'


def _lines(ends: np.ndarray, kind: str) -> str:
    if not len(ends):
        return ""
    path = "".join(f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for a, b, c, d in ends)
    points = ends.reshape(-1, 2)
    if kind == "outlier":
        cross = "".join(f"M{x - 2.2:.1f} {y - 2.2:.1f}l4.4 4.4m0 -4.4l-4.4 4.4" for x, y in points)
        return (
            f'<g fill="none" stroke="{OUTLIER}"><path d="{path}" stroke-dasharray="5 4" stroke-width="0.9" '
            f'opacity="0.75"/><path d="{cross}" stroke-width="1.3"/></g>'
        )
    colour = INLIER if kind == "inlier" else UNJUDGED
    # A line of no length with round ends is a dot.
    dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)
    return (
        f'<g fill="none" stroke="{colour}" stroke-linecap="round"><path d="{path}" stroke-width="1.1" opacity="0.8"/>'
        f'<path d="{dots}" stroke="#ffffff" stroke-width="5.6"/><path d="{dots}" stroke-width="3.8"/></g>'
    )
