"""Flags of a command that trains: one for each field of a configuration, a file of them, and resuming a run."""

from __future__ import annotations

import argparse
import dataclasses
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

from butf.commands.common import find_dataset
from butf.dataset.frames import find_datasets
from butf.errors import BadInput
from butf.files import read_json
from butf.training.folder import Run


def add_flags(parser: argparse.ArgumentParser, kind: type) -> None:
    """`--run` (or `--folder`), `--config`, `--resume`, and a flag for each field of `kind`, a configuration."""
    parser.add_argument(
        "--run", "--folder", required=True, metavar="runs/NAME", dest="folder",
        help="the run's folder, or its name; say --folder to torchrun, which takes --run for a flag of its own",
    )  # fmt: skip
    parser.add_argument("--config", type=Path, metavar="FILE", help="a config.json; flags beside it win")
    parser.add_argument("--resume", action="store_true", help="go on with the run, with the configuration it has")
    kinds = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        default = "none" if field.default is None else str(field.default)
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", dest=f"field_{field.name}", default=argparse.SUPPRESS,
            type=_parser_of(kinds[field.name]), metavar=_metavar(kinds[field.name]),
            help=f"{field.metadata['help']} [{default}]".replace("%", "%%"),
        )  # fmt: skip


def given(args: argparse.Namespace, data_fields: tuple[str, ...] = ("data",)) -> dict[str, Any]:
    """What the configuration file and the flags say, the flags last; data sets so that they are found from anywhere."""
    values: dict[str, Any] = {}
    if args.config is not None:
        values = read_json(args.config)
        if not isinstance(values, dict):
            raise BadInput(f"{args.config} is no configuration; expected a JSON object as in a run's config.json")
        values.pop("command", None)
    flags = {name.removeprefix("field_"): value for name, value in vars(args).items() if name.startswith("field_")}
    found = {**values, **flags}
    for name in data_fields:
        if isinstance(found.get(name), str):
            found[name] = _lasting_name(found[name])
    return found


def existing_run(folder: str, asked: dict[str, Any]) -> Run:
    """The run to go on with. Raises BadInput where its configuration is another than what was asked for."""
    chosen = Run.open(folder)
    saved = chosen.config
    for name, value in asked.items():
        if saved.get(name) != value:
            raise BadInput(
                f"run {chosen.name} has {name} {saved.get(name)}, not {value}; resume it as it is, or start a new run"
            )
    return chosen


def _lasting_name(data: str) -> str:
    """The data set's name where it has one, else its absolute folder: a run is resumed from another folder, too."""
    folder = find_dataset(data).resolve()
    return next((name for name, known in find_datasets().items() if known.resolve() == folder), str(folder))


def _parser_of(kind: Any) -> Callable[[str], Any]:
    if isinstance(kind, types.UnionType):
        inner = _parser_of(get_args(kind)[0])
        return lambda text: None if text.lower() == "none" else inner(text)
    return _truth if kind is bool else kind


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _metavar(kind: Any) -> str:
    kind = get_args(kind)[0] if isinstance(kind, types.UnionType) else kind
    return {bool: "true|false", int: "N", float: "X"}.get(kind, "TEXT")
