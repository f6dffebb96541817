"""What a database on disk consists of: `database.json`, whose replacement is what makes an addition count."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from butf.errors import BadInput
from butf.files import read_json, write_json
from butf.retrieval.segments import Segment, Stored

NAME, FORM = "database.json", 1
DTYPES = ("float32", "float16")
SUFFIXES = (".vectors", ".names", ".ends", ".trained", ".lists")


@dataclass(frozen=True)
class ListFile:
    """A file of inverted lists of `rows` descriptors."""

    rows: int
    file: Stored


@dataclass(frozen=True)
class Catalogue:
    """A database: which model made its descriptors, of what width and type they are, and its files.

    It is searched exactly up to `exact_rows`; beyond, `lists` hold all rows in compressed form, under what was
    `trained` when there were `trained_rows`.
    """

    model: str
    digest: str
    width: int
    dtype: str
    exact_rows: int
    segments: tuple[Segment, ...] = ()
    trained: Stored | None = None
    trained_rows: int = 0
    lists: tuple[ListFile, ...] = ()

    @property
    def rows(self) -> int:
        """How many descriptors there are."""
        return sum(segment.rows for segment in self.segments)

    @property
    def exact(self) -> bool:
        """Whether a search compares with every descriptor."""
        return self.trained is None

    @property
    def files(self) -> tuple[Stored, ...]:
        """All files but the catalogue itself."""
        own = [file for segment in self.segments for file in segment.files]
        trained = [] if self.trained is None else [self.trained]
        return (*own, *trained, *(part.file for part in self.lists))

    def save(self, folder: Path) -> None:
        """Replace the catalogue of a folder: before this a reader sees the old database, afterwards the new one."""
        write_json(folder / NAME, {"form": FORM, **asdict(self)}, compact=True)

    @classmethod
    def load(cls, folder: Path) -> Catalogue:
        """The catalogue of a folder, its files there and of their sizes; else `BadInput`."""
        path = folder / NAME
        if not path.is_file():
            raise BadInput(f"{folder} is no database of descriptors; make one with `python -m butf index build`")
        value = read_json(path)
        try:
            found = _parsed(dict(value))
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            raise BadInput(f"{path} is no catalogue of form {FORM}; restore it or build the database again") from error
        for file in found.files:
            file.check(folder)
        for segment in found.segments:
            wanted = segment.rows * found.width * (4 if found.dtype == "float32" else 2)
            if segment.vectors.bytes != wanted or segment.ends.bytes != 8 * segment.rows:
                raise BadInput(f"{path} gives a segment {segment.rows} rows, which its files are not; restore it")
        if not found.exact and sum(part.rows for part in found.lists) != found.rows:
            raise BadInput(f"{path} names lists of other rows than the segments'; restore it or build it again")
        return found


def _parsed(value: dict[str, Any]) -> Catalogue:
    if value.pop("form") != FORM or value["dtype"] not in DTYPES:
        raise ValueError("another form")
    numbers = [value["width"], value["exact_rows"], value["trained_rows"]]
    if not all(type(number) is int and number >= 0 for number in numbers) or value["width"] < 1:
        raise ValueError("not the numbers of a database")
    if not isinstance(value["model"], str) or not isinstance(value["digest"], str):
        raise ValueError("no model")
    segments = tuple(
        Segment(int(part["rows"]), *(_stored(part[name]) for name in ("vectors", "names", "ends")))
        for part in value.pop("segments")
    )
    lists = tuple(ListFile(int(part["rows"]), _stored(part["file"])) for part in value.pop("lists"))
    trained = value.pop("trained")
    return Catalogue(**value, segments=segments, lists=lists, trained=None if trained is None else _stored(trained))


def _stored(value: dict[str, Any]) -> Stored:
    file = Stored(str(value["name"]), int(value["bytes"]), str(value["digest"]))
    if Path(file.name).name != file.name or not file.name.endswith(SUFFIXES):
        raise ValueError("not a file of a database")  # a catalogue from elsewhere reads nothing outside its folder
    return file
