"""`reconstruct`: the depth that a model sees in a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from butf.commands.common import add_model, check_output, open_model
from butf.dataset.modalities import MODALITIES, write_map
from butf.errors import BadInput
from butf.files import read_image


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `reconstruct`."""
    add_model(parser)
    parser.add_argument("image", type=Path, metavar="IMAGE", help="a JPEG or PNG file")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DEPTH.png",
        help="16-bit PNG of the picture's size, metres x 256 (another modality in its own form)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Write the reconstructed side modality as a PNG of the picture's size."""
    picture = read_image(args.image)
    check_output(args.out)
    model = open_model(args.model, args.device)
    side = model.reconstruct(picture)
    if side is None:
        raise BadInput(f"model {model.name} ({model.card.method}) has no decoder; choose a bu-tf model")
    write_map(args.out, side)
    height, width = side.values.shape
    print(f"{args.out}: {side.name}, {width} x {height}, {MODALITIES[side.name].form}")
