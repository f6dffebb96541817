"""Folders of the visual place recognition benchmarks: `database/` and `queries/`, positions in the names of the files.

`SRC` holds `database/` and `queries/`, or `train/`, `val/`, `test/` with these, or `images/` with either. Queries of
a condition may lie in a folder of their own, `queries_night/`. Folders are searched to any depth. What a name says is
told in `names`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from butf.dataset.frames import Frames, PlaceRule, write_frames
from butf.dataset.pictures import SUFFIXES
from butf.dataset.table import QUATERNION, SPLITS, Column
from butf.errors import BadInput
from butf.importers.geography import Zone, commonest, facing, to_degrees, to_metres, zone_text
from butf.importers.names import FORM, Named, check_positions, parse_name, settle_zone
from butf.importers.pictures import SAME_BYTES, picture_files
from butf.importers.report import ImportReport, report_of, sizes_note, write_sources
from butf.importers.staging import Progress, duplicates, import_key, require_absent, resumable_folder

PLACE = PlaceRule(radius_m=25.0)
DATABASE, QUERIES = "database", "queries"
NO_POSITION = "no easting and northing in the name"
EXPECTED = f"expected database/ and queries/ with pictures named {FORM}, or train/, val/, test/ with these"


@dataclass(frozen=True)
class _Part:
    """One folder of pictures: its split, and the traversal that they become."""

    folder: Path
    split: str
    traversal: str


def import_folder(
    src: Path | str,
    out: Path | str,
    zone: str | None = None,
    split: str = "test",
    place: PlaceRule = PLACE,
    progress: Progress | None = None,
    staging: Path | None = None,
) -> ImportReport:
    """Turn a benchmark's folder into a data set; pictures are copied as they are.

    `zone` (33N, or local for metres of no UTM zone) is needed where names have none; `split` is that of a folder
    without train/, val/, test/. Names in several zones are brought into the commonest. A heading becomes an orientation
    only if all frames have one, and so does a time. Left out and reported: names without a position, and files of the
    same bytes (the first is kept: test before val before train, database before queries). An import that was broken
    off goes on where it stopped (see `resumable_folder`, also for `staging`).

    Raises `BadInput` when there are no such folders, a position is out of range, a name's degrees and metres disagree,
    zones are missing or disagree, a split lacks its database or queries, or `out` exists.
    """
    src, out = Path(src), Path(out)
    require_absent(out)
    parts, notes = _parts(src, split)
    found, left, files = _named(src, parts)
    zones = settle_zone([one for _, one in found], zone)
    check_positions([one for _, one in found], zones)
    _require_both(parts, found)
    table, frames, remarks = _table(found, zones)
    notes += remarks
    shown = {frame: str(path.relative_to(src)) for frame, path in frames.items()}
    key = import_key("folder", src, files, zone=zone, split=split, place=dataclasses.asdict(place))
    with resumable_folder(out, key, staging) as folder:
        folder.fill(picture_files(frames), progress)
        write_sources(folder.folder, shown, left)
        write_frames(folder.folder, table, _meta(src, out, parts, table, zones, place))
        Frames.load(folder.folder)
    return report_of(Frames.load(out), left, [folder.went_on, *notes, sizes_note(list(frames.values()))])


def _parts(src: Path, split: str) -> tuple[list[_Part], list[str]]:
    """The folders with pictures, test before val before train and the database before the queries; and a note on a
    split that has none."""
    if not src.is_dir():
        raise BadInput(f"{src} is not a folder; {EXPECTED}")
    for root in (src, src / "images"):
        splits = [(root / name, name) for name in reversed(SPLITS) if (root / name).is_dir()]
        found = [entry for entry in splits if (entry[0] / DATABASE).is_dir()]
        if not found and (root / DATABASE).is_dir():
            found = [(root, split)]
        if found:
            notes = [
                f"{name}/ was left out: there is no database/ in it" for _, name in splits if (_, name) not in found
            ]
            return [
                _Part(part, its, re.sub(r"[^\w.+-]", "-", part.name))
                for folder, its in found
                for part in (folder / DATABASE, *_queries(folder))
            ], notes
    raise BadInput(f"{src} has no folder database/; {EXPECTED}")


def _queries(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.is_dir() and re.fullmatch(r"queries([_-].+)?", path.name)]
    if not found:
        raise BadInput(f"{folder} has no folder queries/; {EXPECTED}")
    return sorted(found)


def _named(src: Path, parts: Sequence[_Part]) -> tuple[list[tuple[_Part, Named]], dict[str, list[str]], list[Path]]:
    """Frames with what their names say, the files left out by reason, and all files."""
    files = [
        (part, path)
        for part in parts
        for path in sorted(part.folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    ]
    again = duplicates([path for _, path in files])
    found: list[tuple[_Part, Named]] = []
    left: dict[str, list[str]] = {NO_POSITION: [], SAME_BYTES: []}
    for part, path in files:
        one = parse_name(path)
        if one is None or path in again:
            left[SAME_BYTES if one else NO_POSITION].append(str(path.relative_to(src)))
        else:
            found.append((part, one))
    if not found:
        raise BadInput(f"{src}: none of {len(files)} pictures has a position in its name; expected {FORM}")
    return found, left, [path for _, path in files]


def _require_both(parts: Sequence[_Part], found: Sequence[tuple[_Part, Named]]) -> None:
    taken = {part for part, _ in found}
    for part in parts:
        if part not in taken:
            raise BadInput(
                f"{part.folder} has no picture with a position in its name; {EXPECTED}, or remove the folder"
            )


def _table(
    found: Sequence[tuple[_Part, Named]], zones: Sequence[Zone | None]
) -> tuple[dict[str, Column], dict[str, Path], list[str]]:
    """The frame table, the picture of each frame, and what is worth knowing of both."""
    named = [one for _, one in found]
    metres, main, notes = _metres(named, zones)
    counts: dict[str, int] = {}
    frames: dict[str, Path] = {}
    for part, one in found:
        counts[part.traversal] = counts.get(part.traversal, -1) + 1
        frames[f"{part.traversal}/{counts[part.traversal]:06d}"] = one.path
    table: dict[str, Column] = {
        "frame": list(frames),
        "traversal": [part.traversal for part, _ in found],
        "condition": [_condition(part.traversal) for part, _ in found],
        "split": [part.split for part, _ in found],
        "easting_m": metres[:, 0],
        "northing_m": metres[:, 1],
    }
    times = [one.time for one in named if one.time is not None]
    if len(times) == len(named):
        table["time_s"] = times
    elif times:
        notes.append(f"times were left out: {len(times)} of {len(named)} names have one")
    headings = [one.heading for one in named if one.heading is not None]
    if len(headings) == len(named) and main is not None:
        quaternion = facing(np.array(headings), *to_degrees(metres[:, 0], metres[:, 1], main), main)
        table |= dict(zip(QUATERNION, quaternion.T, strict=True))
    elif headings:
        notes.append(f"headings were left out: {len(headings)} of {len(named)} names have one and a zone")
    return table, frames, notes


def _metres(named: Sequence[Named], zones: Sequence[Zone | None]) -> tuple[np.ndarray, Zone | None, list[str]]:
    """Easting and northing (N, 2) of all in one zone, that zone, and a note where there were several."""
    metres = np.array([(one.east, one.north) for one in named])
    stated = [zone for zone in zones if zone is not None]
    if not stated:
        return metres, None, []
    main = commonest(stated)
    others = sorted(set(stated) - {main})
    for zone in others:
        rows = [row for row, its in enumerate(zones) if its == zone]
        metres[rows] = np.stack(to_metres(*to_degrees(metres[rows, 0], metres[rows, 1], zone), main), axis=1)
    moved = sum(zone in others for zone in zones)
    words = f"{moved} names in zone {', '.join(map(zone_text, others))} were brought into zone {zone_text(main)}"
    return metres, main, [words] if others else []


def _condition(traversal: str) -> str:
    return re.sub(r"^queries[_-]", "", traversal)


def _meta(
    src: Path, out: Path, parts: Sequence[_Part], table: dict[str, Column], zones: Sequence[Zone | None],
    place: PlaceRule,
) -> dict[str, Any]:  # fmt: skip
    origin = None
    stated = [zone for zone in zones if zone is not None]
    if stated:
        east, north = (np.median(np.asarray(table[key]))[None] for key in ("easting_m", "northing_m"))
        (lat,), (lon,) = to_degrees(east, north, commonest(stated))
        origin = {"lat": round(float(lat), 6), "lon": round(float(lon), 6), "utm_zone": zone_text(commonest(stated))}
    traversals = list(dict.fromkeys(part.traversal for part in parts))
    return {
        "name": out.name,
        "licence": "as the source",
        "source": f"folder {src.resolve().name}, positions from the names of the files",
        "cameras": [],
        "origin": origin,
        "modalities": {},
        "traversals": [
            {
                "name": name,
                "condition": _condition(name),
                "role": "reference" if name == DATABASE else "query",
                "labels": True,
            }
            for name in traversals
        ],
        "place": dataclasses.asdict(place),
    }
