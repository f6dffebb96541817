"""What the Data page says of a data set in tables and words: its frames and cameras, and what a check of it found."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from html import escape

import numpy as np

from butf.dataset.frames import Frames
from butf.dataset.inspection import Inspection
from butf.dataset.summary import Count, field_of_view, place_text
from butf.dataset.table import Fault
from butf.errors import BadInput
from butf.figures.tables import table_html
from butf.views import picture_uri

TAUGHT, UNTAUGHT = "seen in training", "unseen"
THUMBNAILS = 6


def counts_html(counts: Sequence[Count], splits: Sequence[str]) -> str:
    """Frames by traversal and split, with what each is for."""
    head = ["Traversal", "Condition", "Role", "In training", *splits, "All"]
    body = [
        [escape(row.traversal), escape(row.condition), row.role, TAUGHT if row.seen else UNTAUGHT]
        + [f"{row.frames[split]:,}" for split in splits]
        + [f"<b>{row.total:,}</b>"]
        for row in counts
    ]
    totals = [sum(row.frames[split] for row in counts) for split in splits]
    body.append(["All", "", "", "", *(f"{total:,}" for total in totals), f"<b>{sum(totals):,}</b>"])
    return table_html(head, body, "Frames by traversal and split. References are the database, queries are asked.")


def cameras_html(frames: Frames) -> str:
    """The cameras with their intrinsics in pixels and their field of view."""
    head = ["Camera", "Size", "Focal length", "Principal point", "Field of view"]
    body = []
    for camera in frames.cameras:
        across, down = field_of_view(camera)
        body.append(
            [
                escape(str(camera.name)),
                f"{camera.width:g} × {camera.height:g}",
                f"{camera.fx:.1f}, {camera.fy:.1f}",
                f"{camera.cx:.1f}, {camera.cy:.1f}",
                f"{across:.0f}° × {down:.0f}°",
            ]
        )
    return table_html(head, body, "Pinhole cameras; lengths in pixels, the first pixel's centre at (0.5, 0.5).")


def faults_html(faults: Sequence[Fault], count: int, most: int = 100) -> str:
    """What is wrong, one row a fault."""
    head = ["File", "Row", "Column", "Value", "What is wrong, and what mends it"]
    body = [
        [
            f"<code>{escape(fault.file)}</code>",
            "" if fault.row is None else str(fault.row),
            escape(fault.column),
            f"<code>{escape(fault.value[:60])}</code>" if fault.column else "",
            f'<span class="wrap">{escape(fault.what)}</span>',
        ]
        for fault in faults[:most]
    ]
    shown = min(most, len(faults))
    words = f"All {count:,} faults" if shown == count else f"The first {shown:,} of {count:,} faults"
    return table_html(head, body, f"{words}. Rows count as in a spreadsheet: the header is row 1.")


def faults_csv(faults: Sequence[Fault]) -> str:
    """The same list as a table to keep."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["file", "row", "column", "value", "what is wrong"])
    writer.writerows([fault.file, fault.row or "", fault.column, fault.value, fault.what] for fault in faults)
    return stream.getvalue()


def opened_text(found: Inspection) -> str:
    """How much of the data was looked at."""
    if found.frames is None:
        return "The pictures were not looked at, since frames.csv or dataset.json cannot be read."
    total = len(found.frames)
    if found.opened == total:
        return f"The files of all {total:,} frames were opened."
    return (
        f"The files of {found.opened:,} of {total:,} frames, evenly spread, were opened; every picture was looked for."
    )


def preview_facts(found: Inspection, frames: Frames) -> dict[str, str]:
    """What a check found, by name."""
    sides = [f"{name} ({count:,} of {len(frames):,} frames)" for name, count in found.sides.items()]
    return {
        "Name": frames.name,
        "Frames": f"{len(frames):,} in {len(set(frames.traversal.tolist()))} traversals",
        "Modalities": ", ".join(["picture", *sides]),
        "Same place": place_text(frames.place),
        "Licence": frames.licence,
        "Source": frames.source,
    }


def thumbnails_html(frames: Frames, most: int = THUMBNAILS) -> str:
    """A few pictures, evenly spread; those that cannot be read are left out."""
    items = []
    for i in np.unique(np.linspace(0, len(frames) - 1, most).astype(int)).tolist():
        name = escape(str(frames.frame[i]))
        try:
            items.append(f'<li><img src="{picture_uri(frames, i)}" alt="{name}"><small>{name}</small></li>')
        except BadInput:
            continue
    return f'<ul class="thumbnails">{"".join(items)}</ul>'
