"""`index`: a database of descriptors on disk, of any size: build, add, search, check."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from butf.commands.common import (
    add_device,
    add_json,
    at_least_one,
    check_output,
    open_model,
    progress_bar,
    text_table,
    write_result,
)
from butf.errors import BadInput
from butf.retrieval.choice import EXACT_ROWS

if TYPE_CHECKING:
    from butf.retrieval.addition import Part
    from butf.retrieval.catalogue import Catalogue
    from butf.retrieval.described import Described

EXAMPLES = {
    "build": "build places/ holiday.npz --half",
    "add": "add places/ more.npz",
    "search": "search places/ photo.jpg --top 5",
    "check": "check places/",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `index`: one sub-command each for making, adding, searching and checking."""
    whats = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    summaries = {
        "build": "make a database of files of `describe`; exact when small, inverted lists and exact ranking beyond",
        "add": "add files of `describe` to a database: all of them or, on any failure, none",
        "search": "find the nearest pictures of a database by descriptor",
        "check": "read every file of a database and compare it with its digest",
    }
    children = {}
    for name, summary in summaries.items():
        epilog = f"example:  {parser.prog} {EXAMPLES[name]}"
        children[name] = whats.add_parser(name, help=summary, description=summary.capitalize() + ".", epilog=epilog)
        children[name].add_argument("database", type=Path, metavar="DATABASE", help="the database's folder")
    for name in ("build", "add"):
        children[name].add_argument("files", type=Path, nargs="+", metavar="FILE.npz", help="written by `describe`")
    children["search"].add_argument("query", type=Path, metavar="QUERY", help="a picture, or an npz of `describe`")
    for name in ("build", "add", "search"):
        children[name].add_argument("--model", metavar="NAME", help="the model, where files or database do not say it")
        add_device(children[name])
    children["build"].add_argument("--half", action="store_true", help="keep 16-bit numbers: half the disk")
    children["build"].add_argument(
        "--exact-rows", type=at_least_one, default=EXACT_ROWS, metavar="N",
        help=f"search exactly up to so many descriptors ({EXACT_ROWS})",
    )  # fmt: skip
    children["search"].add_argument("--top", type=at_least_one, default=10, metavar="N", help="how many (10)")
    add_json(children["search"])


def run(args: argparse.Namespace) -> None:
    """Do what was asked for, and print what the database is and costs."""
    {"build": _build, "add": _add, "search": _search, "check": _check}[args.what](args)


def _build(args: argparse.Namespace) -> None:
    from butf.retrieval.addition import build
    from butf.retrieval.catalogue import Catalogue

    if args.database.exists():
        raise BadInput(f"{args.database} already exists; add to it, or give a folder that does not exist")
    described = _described(args)
    first = next(described)
    dtype = "float16" if args.half else "float32"
    assert first.model is not None and first.digest is not None
    empty = Catalogue(first.model, first.digest, first.descriptors.shape[1], dtype, args.exact_rows)
    with progress_bar("listing") as progress:
        build(args.database, empty, _parts(first, described), progress)
    _report(args.database)


def _add(args: argparse.Namespace) -> None:
    from butf.retrieval.addition import add
    from butf.retrieval.catalogue import Catalogue

    Catalogue.load(args.database)
    described = _described(args)
    with progress_bar("listing") as progress:
        add(args.database, _parts(next(described), described), progress)
    _report(args.database)


def _described(args: argparse.Namespace) -> Iterator[Described]:
    """The files one by one, each with the model that made it."""
    from dataclasses import replace

    from butf.retrieval.described import read_described

    model = open_model(args.model, args.device) if args.model else None
    for path in args.files:
        described = read_described(path)
        if model is None and described.digest is None:
            raise BadInput(f"{path} does not say which model described it; give --model NAME")
        if model is not None and described.digest not in (None, model.digest):
            raise BadInput(f"{path} was described by {described.model}, not by the weights of {args.model}")
        if model is not None:
            described = replace(described, model=model.name, digest=model.digest)
        yield described


def _parts(first: Described, others: Iterable[Described]) -> Iterator[Part]:
    from itertools import chain

    from butf.retrieval.addition import Part

    for described in chain([first], others):
        yield Part(described.descriptors, described.names, described.source, described.digest)


def _report(folder: Path) -> None:
    from butf.retrieval.database import Database

    print(f"{folder}: {Database.open(folder).trade}")


def _search(args: argparse.Namespace) -> None:
    from butf.retrieval.database import Database

    check_output(args.json)
    database = Database.open(args.database)
    queries = _queries(args, database.catalogue)
    distances, rows = database.search(queries.descriptors, args.top)
    answers: list[dict[str, Any]] = []
    for query, near, found in zip(queries.names, distances, rows, strict=True):
        known = found[found >= 0]
        named = zip(database.names(known), known.tolist(), near.tolist(), strict=False)
        ranked = enumerate(named, 1)
        candidates = [{"rank": rank, "path": path, "row": row, "distance": d} for rank, (path, row, d) in ranked]
        answers.append({"query": query, "candidates": candidates})
    trade = database.trade
    value = {"database": str(args.database), "rows": len(database), "kind": trade.kind, "queries": answers}
    table = [
        (answer["query"], str(c["rank"]), c["path"], f"{c['distance']:.4f}")
        for answer in answers
        for c in answer["candidates"]
    ]
    write_result(args.json, value, f"{trade}\n{text_table(('query', 'rank', 'path', 'descriptor distance'), table)}")


def _queries(args: argparse.Namespace, catalogue: Catalogue) -> Described:
    from butf.files import read_image
    from butf.retrieval.database import expect
    from butf.retrieval.described import Described, read_described

    if args.query.suffix.lower() == ".npz":
        queries = read_described(args.query)
    else:
        picture = read_image(args.query)
        model = open_model(args.model or catalogue.model, args.device)
        queries = Described(str(args.query), [str(args.query)], model.describe([picture]), model.name, model.digest)
    expect(catalogue, queries.descriptors.shape[1], queries.digest, queries.source)
    return queries


def _check(args: argparse.Namespace) -> None:
    from butf.retrieval.database import Database

    database = Database.open(args.database)
    count = sum(1 for _ in database.check())
    print(f"{args.database}: {len(database):,} descriptors, {count} files as they were written")
