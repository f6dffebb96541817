"""What came of an import: what was taken, what was left and why, and the list of it that goes into the data set."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from butf.dataset.contents import SOURCES
from butf.dataset.frames import Frames
from butf.files import open_picture, write_atomic

NAMED = 10
"""Names of frames left out that a line gives; `sources.csv` has them all."""
Left = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class ImportReport:
    """What an import took, `taken[split, traversal]` frames, and what it left: reason -> names in the source.

    `matched[split]` is how many queries have a true match in the database, and of how many. `notes` are whatever else
    is worth knowing, one sentence each.
    """

    frames: Frames
    taken: dict[tuple[str, str], int]
    left: dict[str, tuple[str, ...]]
    matched: dict[str, tuple[int, int]]
    notes: tuple[str, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """Everything but the counts of what was taken: matches, what was left out, notes."""
        matches = [
            f"{split}: {matched} of {asked} queries have a true match in the database"
            for split, (matched, asked) in self.matched.items()
        ]
        left = [f"{_frames(len(names))} left out: {reason} ({_some(names)})" for reason, names in self.left.items()]
        return (*matches, *left, *self.notes)

    def __str__(self) -> str:
        lines = [f"{_frames(len(self.frames))} taken into {self.frames.root}"]
        lines += [f"  {split}, {traversal}: {count}" for (split, traversal), count in self.taken.items()]
        return "\n".join([*lines, *self.remarks])


def report_of(frames: Frames, left: Left, notes: Iterable[str] = ()) -> ImportReport:
    """The report of an imported data set; empty notes and reasons without names are dropped."""
    taken = Counter(zip(frames.split.tolist(), frames.traversal.tolist(), strict=True))
    matched = {}
    for split in frames.splits:
        database, hits, asked = frames.database(split), 0, 0
        for queries in frames.queries(split).values():
            hits += int(frames.positives(queries, database).any(axis=1).sum())
            asked += len(queries)
        if asked:
            matched[split] = (hits, asked)
    kept = {reason: tuple(names) for reason, names in left.items() if names}
    return ImportReport(frames, dict(sorted(taken.items())), kept, matched, tuple(filter(None, notes)))


def write_sources(root: Path, frames: Mapping[str, str], left: Left) -> None:
    """Write sources.csv: for each file of the source the frame that it became, or why it was left out.

    `frames` is frame -> file; files are named from the folder that was imported, so no path of this machine is told.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "frame", "left_out"])
    writer.writerows([file, frame, ""] for frame, file in frames.items())
    writer.writerows([name, "", reason] for reason, names in left.items() for name in names)
    write_atomic(root / SOURCES, text.getvalue())


def sizes_note(pictures: Sequence[Path]) -> str:
    """How many sizes pictures have, where they have more than one; only their headers are read."""
    counts: Counter[tuple[int, int]] = Counter()
    for path in pictures:
        with open_picture(path) as picture:
            counts[picture.size] += 1
    if len(counts) < 2:
        return ""
    most = ", ".join(f"{width}x{height} ({count})" for (width, height), count in counts.most_common(3))
    return f"the pictures have {len(counts)} sizes, most often {most}; they are kept as they are"


def _some(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more, see {SOURCES}" if rest > 0 else "")


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count:,} frames"
