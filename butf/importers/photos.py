"""Photographs with GPS in their EXIF, or beside a CSV of latitudes and longitudes: a data set without side modality."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from butf.dataset.areas import write_areas
from butf.dataset.frames import Frames, PlaceRule, write_frames
from butf.dataset.pictures import SUFFIXES
from butf.dataset.table import QUATERNION, Column
from butf.errors import BadInput
from butf.importers.exif import Facts, read_exif
from butf.importers.geography import NORTHMOST, SOUTHMOST, Zone, facing, zone_text, zones_of
from butf.importers.photo_roles import Choice, Photo, in_splits, read_split_areas, times_of
from butf.importers.photo_table import Row, find_table, read_table
from butf.importers.pictures import SAME_BYTES, fault_of, picture_files
from butf.importers.report import ImportReport, report_of, sizes_note, write_sources
from butf.importers.staging import Progress, duplicates, import_key, require_absent, resumable_folder

DATABASE, QUERIES = "database", "queries"
OTHER_PICTURES = (".heic", ".heif", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".dng", ".cr2", ".nef", ".arw", ".avif")
NOT_TAKEN = "neither JPEG nor PNG; export as one of them"
NO_UTM = "beyond 80 degrees south or 84 north, which UTM does not cover"
FAR = "more than 9 degrees of longitude from the others; make one data set a region"
FAR_DEG = 9.0


def import_photos(
    src: Path | str,
    out: Path | str,
    choice: Choice | None = None,
    progress: Progress | None = None,
    staging: Path | None = None,
) -> ImportReport:
    """Turn a folder of photographs, searched to any depth, into a data set.

    Photographs that lie on their side are turned upright and written anew; all others are copied byte for byte.
    Altitudes, times and headings are taken only if all have one, for a data set has them for all frames or for none.
    All go into the split test unless areas or the table say otherwise. Left out and reported: no position, or one that
    is out of range or 0, 0; files of the same bytes; what cannot be opened; what lies outside UTM or the areas. An
    import that was broken off goes on where it stopped (see `resumable_folder`, also for `staging`).

    Raises `BadInput` when there are no photographs or fewer than two with a position, the table lacks a column or has
    latitude and longitude swapped, the areas cannot be read or also given by the table, or `out` exists.
    """
    src, out, choice = Path(src), Path(out), choice or Choice()
    require_absent(out)
    files, left = _files(src)
    table, unused = find_table(src, choice.table)
    rows = None if table is None else _by_file(src, table, read_table(table), files, left)
    areas = None if choice.areas is None else read_split_areas(choice.areas)
    photos = _placed(src, files, rows, table, left, progress)
    photos, zone, notes = _in_one_zone(photos, left)
    photos = in_splits(src, photos, areas, choice, left)
    frames, columns, remarks = _frames(photos, zone, choice)
    key = import_key("photos", src, [*files, *filter(None, (table, choice.areas))], choice=repr(choice))
    with resumable_folder(out, key, staging) as folder:
        folder.fill(picture_files(frames, upright=True), progress)
        names = {photo.path: photo.name for photo in photos}
        write_sources(folder.folder, {frame: names[path] for frame, path in frames.items()}, left)
        if areas is not None:
            write_areas(folder.folder / "areas.geojson", areas)
        write_frames(folder.folder, columns, _meta(src, out, photos, zone, table, choice.place))
        Frames.load(folder.folder)
    made = Frames.load(out)
    sizes = sizes_note([made.image_path(i) for i in range(len(made))])
    return report_of(made, left, [folder.went_on, unused, *notes, *remarks, _altitude_note(made), sizes])


def _files(src: Path) -> tuple[list[Path], dict[str, list[str]]]:
    """All photographs, and those left out so far."""
    if not src.is_dir():
        raise BadInput(f"{src} is not a folder; give one with photographs")
    every = sorted(path for path in src.rglob("*") if path.is_file() and not path.name.startswith("."))
    files = [path for path in every if path.suffix.lower() in SUFFIXES]
    others = [str(path.relative_to(src)) for path in every if path.suffix.lower() in OTHER_PICTURES]
    if not files:
        found = f"; its pictures, such as {others[0]}, are {NOT_TAKEN}" if others else ""
        raise BadInput(f"{src} has no photograph (.jpg, .jpeg or .png){found}")
    return files, {NOT_TAKEN: others}


def _by_file(
    src: Path, table: Path, rows: Sequence[Row], files: Sequence[Path], left: dict[str, list[str]]
) -> dict[Path, Row]:
    """The row of each photograph. Rows name files from the table's folder or the source, or by a name that only one
    has; they are looked up among the photographs found, so that no row leads anywhere else."""
    known: dict[str, list[Path]] = {}
    for path in files:
        bases = [base for base in (src, table.parent) if path.is_relative_to(base)]
        for name in {path.name, *(path.relative_to(base).as_posix() for base in bases)}:
            known.setdefault(name, []).append(path)
    found: dict[Path, Row] = {}
    missing = left[f"named in {table.name} but not there"] = []
    for row in rows:
        paths = known.get(row.file.replace("\\", "/").removeprefix("./"), ())
        if len(paths) == 1:
            found.setdefault(paths[0], row)
        else:
            missing.append(row.file)
    if not found:
        raise BadInput(
            f"{table} names none of the {len(files)} photographs beneath {src} (row {rows[0].number}: "
            f"{rows[0].file!r}); give their names as from that folder"
        )
    return found


def _placed(
    src: Path, files: Sequence[Path], rows: Mapping[Path, Row] | None, table: Path | None,
    left: dict[str, list[str]], progress: Progress | None,
) -> list[Photo]:  # fmt: skip
    """The photographs that can be opened, are there once, and have a position."""
    again, photos, own = duplicates(files), [], {}
    for number, path in enumerate(files, start=1):
        name, row = str(path.relative_to(src)), None if rows is None else rows.get(path)
        own[path] = read_exif(path)
        photo = _joined(path, name, own[path], row, None if rows is None else table)
        problem = fault_of(path) or (SAME_BYTES if path in again else photo.facts.problem)
        if problem:
            left.setdefault(problem, []).append(name)
        else:
            photos.append(photo)
        if progress is not None:
            progress("Looking at the photographs", number, len(files))
    if table is not None:
        _check_against_exif(table, photos, own)
    if len(photos) < 2:
        reasons = "; ".join(f"{len(names)}: {reason} ({names[0]})" for reason, names in left.items() if names)
        many = "one photograph has" if photos else f"none of {len(files)} photographs has"
        raise BadInput(f"{src}: {many} a position, expected two or more; left out are {reasons or 'none'}")
    return photos


def _joined(path: Path, name: str, exif: Facts, row: Row | None, table: Path | None) -> Photo:
    """A photograph with its position from its row where there is a table, and the rest from whichever has it."""
    if table is None:
        return Photo(path, name, exif)
    if row is None:
        return Photo(path, name, dataclasses.replace(exif, problem=f"not in {table.name}"))
    given = row.facts
    facts = dataclasses.replace(
        given,
        altitude=exif.altitude if given.altitude is None else given.altitude,
        gps_time=exif.gps_time if given.gps_time is None else given.gps_time,
        taken=exif.taken if given.taken is None else given.taken,
        heading=exif.heading if given.heading is None else given.heading,
        magnetic=exif.magnetic and given.heading is None,
    )
    return Photo(path, name, facts, row.query, row.split)


def _check_against_exif(table: Path, photos: Sequence[Photo], own: Mapping[Path, Facts]) -> None:
    """`BadInput` where the table's positions are those of the EXIF with latitude and longitude exchanged."""
    pairs = [(photo.facts, own[photo.path]) for photo in photos if not own[photo.path].problem]
    swapped = [max(abs(row.lat - exif.lon), abs(row.lon - exif.lat)) < 0.01 for row, exif in pairs]
    right = [max(abs(row.lat - exif.lat), abs(row.lon - exif.lon)) < 0.01 for row, exif in pairs]
    if sum(swapped) > len(pairs) / 2 and not any(right):
        raise BadInput(
            f"{table}: latitude and longitude are swapped, by the EXIF of {sum(swapped)} of {len(pairs)} photographs; "
            "exchange the names of the two columns"
        )


def _in_one_zone(photos: Sequence[Photo], left: dict[str, list[str]]) -> tuple[list[Photo], Zone, list[str]]:
    """The photographs that the UTM zone of their median can hold, that zone, and a note where some lie in another."""
    rest = [photo for photo in photos if SOUTHMOST <= photo.facts.lat <= NORTHMOST]
    left[NO_UTM] = [photo.name for photo in photos if not SOUTHMOST <= photo.facts.lat <= NORTHMOST]
    if len(rest) < 2:
        raise BadInput(f"{len(left[NO_UTM])} photographs lie {NO_UTM}; expected two or more between")
    lat, lon = (np.array([getattr(photo.facts, key) for photo in rest]) for key in ("lat", "lon"))
    # The middle of photographs on both sides of the date line is there, not in Greenwich.
    turned = lon + 360 * (lon < 0) if lon.max() - lon.min() > 180 else lon
    middle = float(np.median(turned))
    (zone,) = zones_of(np.array([np.median(lat)]), np.array([(middle + 180) % 360 - 180]))
    far = np.abs((lon - (6 * zone[0] - 183) + 180) % 360 - 180) > FAR_DEG
    left[FAR] = [photo.name for photo, away in zip(rest, far, strict=True) if away]
    kept = [photo for photo, away in zip(rest, far, strict=True) if not away]
    if len(kept) < 2:
        raise BadInput(f"the photographs lie {FAR}")
    others = sum(its != zone for its in zones_of(lat[~far], lon[~far]))
    note = f"{others} photographs lie in another UTM zone; all are in {zone_text(zone)}, that of the middle"
    return kept, zone, [note] if others else []


def _frames(
    photos: Sequence[Photo], zone: Zone, choice: Choice
) -> tuple[dict[str, Path], dict[str, Column], list[str]]:
    """The picture of each frame, the frame table, and what is worth knowing of it."""
    frames, numbers = {}, {DATABASE: 0, QUERIES: 0}
    for photo in photos:
        traversal = QUERIES if photo.query else DATABASE
        frames[f"{traversal}/{numbers[traversal]:06d}"] = photo.path
        numbers[traversal] += 1
    traversals = [frame.partition("/")[0] for frame in frames]
    lat, lon = (np.array([getattr(photo.facts, key) for photo in photos]) for key in ("lat", "lon"))
    table: dict[str, Column] = {"frame": list(frames), "traversal": traversals, "condition": traversals}
    table |= {"split": [photo.split or "" for photo in photos], "lat": lat, "lon": lon}
    notes = []
    extras = {"altitude": [photo.facts.altitude for photo in photos], "time": times_of(photos)}
    extras["heading"] = [photo.facts.heading for photo in photos]
    for what, values in extras.items():
        known = [value for value in values if value is not None]
        if 0 < len(known) < len(photos):
            notes.append(f"{what}s were left out: {len(known)} of {len(photos)} photographs have one")
        if len(known) < len(photos):
            continue
        if what == "heading":
            table |= dict(zip(QUATERNION, facing(np.array(known), lat, lon, zone).T, strict=True))
            magnetic = sum(photo.facts.magnetic for photo in photos)
            notes.append(
                f"{magnetic} headings count from magnetic north and were taken as they are" if magnetic else ""
            )
        elif what == "time" or not choice.flat:
            table["time_s" if what == "time" else "altitude_m"] = known
    return frames, table, notes


def _altitude_note(frames: Frames) -> str:
    """How many pairs of a query and a database frame are the same place on the map but not in space."""
    flat = dataclasses.replace(frames, position=frames.position * (1, 1, 0))
    more = 0
    for split in frames.splits:
        for queries in frames.queries(split).values():
            database = frames.database(split)
            more += int((flat.positives(queries, database) & ~frames.positives(queries, database)).sum())
    if not more:
        return ""
    return (
        f"{more} pairs within {frames.place.radius_m:g} m on the map are further apart by their altitudes; --flat "
        "leaves altitudes out"
    )


def _meta(
    src: Path, out: Path, photos: Sequence[Photo], zone: Zone, table: Path | None, place: PlaceRule
) -> dict[str, Any]:
    middle = [round(float(np.median([getattr(photo.facts, key) for photo in photos])), 6) for key in ("lat", "lon")]
    positions = "EXIF" if table is None else table.name
    return {
        "name": out.name,
        "licence": "as the source",
        "source": f"photographs in {src.resolve().name}, positions from {positions}",
        "cameras": [],
        "origin": {"lat": middle[0], "lon": middle[1], "utm_zone": zone_text(zone)},
        "modalities": {},
        "traversals": [
            {"name": DATABASE, "condition": DATABASE, "role": "reference", "labels": True},
            {"name": QUERIES, "condition": QUERIES, "role": "query", "labels": True},
        ],
        "place": dataclasses.asdict(place),
    }
