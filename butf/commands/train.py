"""`train`: train a method, or go on with a run that was stopped."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from butf.commands.common import find_dataset
from butf.dataset.frames import find_datasets
from butf.errors import BadInput
from butf.files import read_json
from butf.training.config import TrainConfig
from butf.training.folder import Run
from butf.training.runs import train_command
from butf.training.session import StopRequested


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `train`: one flag a field of `TrainConfig`."""
    parser.add_argument(
        "--run", required=True, metavar="runs/NAME", dest="folder", help="the run's folder, or its name"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="a config.json; flags beside it win")
    parser.add_argument("--resume", action="store_true", help="go on with the run, with the configuration it has")
    for field in dataclasses.fields(TrainConfig):
        default = "none" if field.default is None else str(field.default)
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", dest=f"field_{field.name}", default=argparse.SUPPRESS,
            type=_parser_of(field.type), metavar=_metavar(field.type),
            help=f"{field.metadata['help']} [{default}]".replace("%", "%%"),
        )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Train until done or stopped; a run that was stopped by Ctrl-C or SIGTERM has saved its checkpoint."""
    from butf.training.trainer import train

    chosen = _existing_run(args) if args.resume else _new_run(args)
    try:
        train(chosen)
    except StopRequested as request:
        print(f"{chosen.name}: {request}", file=sys.stderr)
        return request.exit_code
    print(f"{chosen.name}: trained; evaluate it with `python -m butf evaluate --data ... --models {chosen.path}`")
    return 0


def _new_run(args: argparse.Namespace) -> Run:
    config = TrainConfig.from_dict(_given(args)).as_dict()
    return Run.claim(args.folder, config, train_command(config, args.folder))


def _existing_run(args: argparse.Namespace) -> Run:
    chosen = Run.open(args.folder)
    saved = chosen.config
    for name, value in _given(args).items():
        if saved.get(name) != value:
            raise BadInput(
                f"run {chosen.name} has {name} {saved.get(name)}, not {value}; resume it as it is, or start a new run"
            )
    return chosen


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """What the configuration file and the flags say, the flags last; the data set so that it is found from anywhere."""
    values: dict[str, Any] = {}
    if args.config is not None:
        values = read_json(args.config)
        if not isinstance(values, dict):
            raise BadInput(f"{args.config} is no configuration; expected a JSON object as in a run's config.json")
        values.pop("command", None)
    flags = {name.removeprefix("field_"): value for name, value in vars(args).items() if name.startswith("field_")}
    given = {**values, **flags}
    if isinstance(given.get("data"), str):
        given["data"] = _lasting_name(given["data"])
    return given


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
