"""Pairs of pictures that show the same place, without any position: what recorded walks often come with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from butf.errors import BadInput
from butf.files import read_image, read_json

SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, eq=False)
class PlacePairs:
    """Queries and references, sorted by name, and which reference shows a query's place."""

    name: str
    queries: tuple[Path, ...]
    references: tuple[Path, ...]
    positives: np.ndarray
    """(Q, R) bool."""

    @classmethod
    def load(cls, folder: Path) -> PlacePairs:
        """A folder with `query/`, `ref/` and `ground_truth.json`: from a query's number to its references' numbers.

        Raises BadInput for what is missing and for a number that names no picture.
        """
        queries, references = (_pictures(folder / part) for part in ("query", "ref"))
        path = folder / "ground_truth.json"
        truth = read_json(path)
        positives = np.zeros((len(queries), len(references)), bool)
        for query, found in truth.items():
            for reference in found:
                _check(path, query, len(queries), "query")
                _check(path, reference, len(references), "reference")
                positives[int(query), int(reference)] = True
        return cls(folder.name, queries, references, positives)

    def images(self, paths: tuple[Path, ...]) -> list[Image.Image]:
        """The pictures, RGB."""
        return [read_image(path) for path in paths]


def _pictures(folder: Path) -> tuple[Path, ...]:
    if not folder.is_dir():
        raise BadInput(f"{folder} is missing; expected a folder of pictures")
    found = tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES))
    if not found:
        raise BadInput(f"{folder} holds no picture; expected {', '.join(SUFFIXES)}")
    return found


def _check(path: Path, value: object, count: int, what: str) -> None:
    if not str(value).isdigit() or int(str(value)) >= count:
        raise BadInput(f"{path} names {what} {value!r}; expected a whole number below {count}")
