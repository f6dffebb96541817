"""A network as boxes on a grid, drawn twice as SVG: lying for a wide screen, standing for a phone.

The looks, and which of the two is shown, are in `static/learn.css`; texts are escaped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

STATES = {"learns": "learns", "frozen": "frozen", "deployed": "deployed", "absent": "not used"}


@dataclass(frozen=True)
class Node:
    """A box: its lines of text, and where it stands on the grid, from 0, in columns along the way of the data.

    `kind` is `module`, `data`, `descriptor` or `loss`; `state` one of `STATES`, empty for what has no
    parameters. The lines of `losses` are set apart.
    """

    column: float
    row: float
    kind: str
    lines: tuple[str, ...]
    state: str = ""
    losses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Link:
    """From one node to another by their names; `pull`: a loss acts along it, nothing flows."""

    start: str
    end: str
    pull: bool = False


@dataclass(frozen=True)
class Sheet:
    """How large the cells of the grid and the boxes in them are, in units of the drawing."""

    cell: tuple[int, int]
    box: tuple[float, float]
    font: float
    tall: bool

    def centre(self, node: Node) -> tuple[float, float]:
        across, down = (node.row, node.column) if self.tall else (node.column, node.row)
        return self.cell[0] * (across + 0.5), self.cell[1] * (down + 0.5)


WIDE = Sheet((176, 116), (150, 90), 15, False)
PHONE_WIDTH = 360
LONG = 11
"""Letters of a name that need two lines on a phone."""


def diagram_html(nodes: Mapping[str, Node], links: Sequence[Link], label: str) -> str:
    """The drawing for both kinds of screen; `label` is what a screen reader says."""
    rows = max(node.row for node in nodes.values()) + 1
    across = PHONE_WIDTH / max(rows, 3)
    tall = Sheet((round(across), 102), (round(across) - 9, 80), 12 if rows <= 3 else 10.5, True)
    return f'<figure class="diagram">{_svg(WIDE, nodes, links, label)}{_svg(tall, nodes, links, label)}</figure>'


def _svg(sheet: Sheet, nodes: Mapping[str, Node], links: Sequence[Link], label: str) -> str:
    columns, rows = (max(getattr(node, key) for node in nodes.values()) + 1 for key in ("column", "row"))
    across, down = (rows, columns) if sheet.tall else (columns, rows)
    width, height = across * sheet.cell[0], down * sheet.cell[1]
    drawn = "".join(_link(sheet, nodes[link.start], nodes[link.end], link.pull) for link in links)
    drawn += "".join(_node(sheet, node) for node in nodes.values())
    kind = "tall" if sheet.tall else "wide"
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}"'
        f' style="font-size: {sheet.font}px">{drawn}</svg>'
    )


def _link(sheet: Sheet, start: Node, end: Node, pull: bool) -> str:
    (x0, y0), (x1, y1) = sheet.centre(start), sheet.centre(end)
    absent = " absent" if "absent" in (start.state, end.state) else ""
    if pull:
        return f'<path class="pull{absent}" d="M{x0:g} {y0:g}L{x1:g} {y1:g}"/>'
    # Elbows change lane first and then go along with the data, so that they arrive at the front of a box.
    corner = (x1, y0) if sheet.tall else (x0, y1)
    dx, dy = (x1 - corner[0], y1 - corner[1]) if corner != (x1, y1) else (x1 - x0, y1 - y0)
    tip = x1 - sign(dx) * sheet.box[0] / 2, y1 - sign(dy) * sheet.box[1] / 2
    return (
        f'<path class="flow{absent}" d="M{x0:g} {y0:g}L{corner[0]:g} {corner[1]:g}L{tip[0]:g} {tip[1]:g}"/>'
        f'<path class="tip{absent}" d="{_arrowhead(*tip, sign(dx), sign(dy))}"/>'
    )


def _arrowhead(x: float, y: float, right: int, down: int) -> str:
    """A triangle whose tip is at (x, y), pointing along one axis."""
    back_x, back_y, aside_x, aside_y = x - 9 * right, y - 9 * down, 5 * down, 5 * right
    return f"M{x:g} {y:g}L{back_x + aside_x:g} {back_y + aside_y:g}L{back_x - aside_x:g} {back_y - aside_y:g}z"


def sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _node(sheet: Sheet, node: Node) -> str:
    x, y = sheet.centre(node)
    width, height = sheet.box
    if node.kind == "loss":
        height *= 0.6
        if sheet.tall and node.row % 1:
            width *= 0.58  # it stands between two boxes
    name = node.lines[0].split(" ", 1) if sheet.tall and len(node.lines[0]) > LONG else node.lines[:1]
    texts = [(line, "name") for line in name] + [(line, "small") for line in node.lines[1:]]
    texts += [(line, "loss") for line in node.losses]
    if node.state:
        texts.append((STATES[node.state], "state"))
    step = sheet.font * 1.22
    first = y - step * (len(texts) - 1) / 2 + sheet.font * 0.35
    words = "".join(
        f'<text class="{kind}" x="{x:g}" y="{first + number * step:g}">{escape(text)}</text>'
        for number, (text, kind) in enumerate(texts)
    )
    return (
        f'<g class="node {node.kind} {node.state}"><rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width:g}"'
        f' height="{height:g}" rx="8"/>{words}</g>'
    )
