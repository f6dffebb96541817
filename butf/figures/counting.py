"""Recall@N as a picture: one square a query, and the curve with one query and one N marked on it."""

from collections.abc import Sequence

from butf.figures.curves import across, curves_svg, up
from butf.figures.recall import Curve

TICKS = (1, 2, 5, 10, 20)


def squares_html(first: Sequence[int], n: int, chosen: int | None) -> str:
    """A square for each query, filled where its first right candidate (`first`, 0 for none) is among the first `n`.

    Best ones first; `chosen` is the number of the query that is ringed.
    """
    order = sorted(range(len(first)), key=lambda i: (first[i] == 0, first[i]))
    squares = "".join(
        f'<i class="{"hit" if 0 < first[i] <= n else "miss"}{" here" if i == chosen else ""}"></i>' for i in order
    )
    found = sum(0 < rank <= n for rank in first)
    label = f"{found} of {len(first)} queries have a right one among the first {n}"
    return f'<div class="squares" role="img" aria-label="{label}">{squares}</div>'


def marked_curve(curve: Curve, n: int, rank: int | None, label: str) -> str:
    """The curve as SVG, N as an upright line with its value, and where the chosen query begins to count.

    `rank` is that of its first right candidate, 0 for none; `label` is read to the blind.
    """
    place = across([curve])
    recall = curve.y[list(curve.x).index(n)]
    over = _upright(place(n), "n", f"{100 * recall:.0f} %", up(recall), 80)
    if rank and rank <= max(curve.x):
        over = _upright(place(rank), "own", f"this query, from {rank}", up(0.04), 60) + over
    return curves_svg([curve], "candidates N", label, [tick for tick in TICKS if tick in curve.x], over)


def _upright(x: float, kind: str, words: str, y: float, most: float) -> str:
    """A line from top to bottom with words beside it: to its right, unless it stands further right than `most`."""
    side = "left" if x > most else "right"
    return (
        f'<line class="{kind}" x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="100%"/>'
        f'<text class="{kind} {side}" x="{x:.2f}%" y="{y:.2f}%">{words}</text>'
    )
