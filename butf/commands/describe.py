"""`describe`: descriptors of all pictures in a folder."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from butf import ranks
from butf.commands.common import add_model, check_output, open_model, progress_bar
from butf.errors import BadInput
from butf.files import read_image
from butf.retrieval.described import write_described

if TYPE_CHECKING:
    from butf.networks.zoo import Model
    from butf.retrieval.bank import Progress

SUFFIXES = (".jpg", ".jpeg", ".png")
BATCH, TURN = 16, 128
"""Pictures that go through the network together, where they are of one size, and between two words among ranks."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `describe`."""
    parser.add_argument("images", type=Path, metavar="IMAGES_DIR", help="folder of JPEG and PNG files, searched deeply")
    add_model(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.npz",
        help="npz with paths (N,), relative to IMAGES_DIR, and descriptors (N, D) float32",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Describe the pictures in the order of their paths; ranks share them, and the first one writes the file."""
    paths = find_images(args.images)
    names = [path.relative_to(args.images).as_posix() for path in paths]
    if ranks.first():
        check_output(args.out)
    model = open_model(args.model, ranks.device_of(args.device))
    with ranks.together():
        ranks.check_same(f"pictures in {args.images}", "\n".join(names).encode())
        ranks.check_same(f"model {args.model}", model.digest.encode())
        with progress_bar("describing", hidden=not ranks.first()) as progress:
            descriptors = describe_all(model, paths, progress)
    if ranks.first():
        write_described(args.out, names, descriptors, model.name, model.digest)
        print(f"{args.out}: {len(paths)} descriptors of {descriptors.shape[1]} values by {model.name}")


def describe_all(model: Model, paths: list[Path], progress: Progress) -> np.ndarray:
    """Descriptors `(N, D)` float32 of picture files, on every rank. Raises BadInput for one that cannot be read.

    Pictures meet in the same batches however many ranks there are, so that all numbers are the same to the bit.
    """
    batches = ranks.own(-(-len(paths) // BATCH)).rows
    own = paths[batches.start * BATCH : batches.stop * BATCH]
    parts, turns = [], -(-len(paths) // (TURN * ranks.size()))
    for turn in range(turns):
        if mine := own[turn * TURN : (turn + 1) * TURN]:
            parts.append(model.describe((partial(read_image, path) for path in mine), BATCH))
        # In step, so that nobody waits long for the slowest, and all learn at once of one that fails.
        ranks.most(turn)
        progress(min(len(paths), (turn + 1) * TURN * ranks.size()), len(paths))
    found = np.concatenate(parts) if parts else np.empty((0, model.card.descriptor_dim))
    joined: np.ndarray = ranks.join(torch.from_numpy(np.asarray(found, np.float32)).to(model.device)).cpu().numpy()
    return joined


def find_images(folder: Path) -> list[Path]:
    """The JPEG and PNG files in a folder and below, sorted by relative path; `BadInput` when there are none."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder; give one with JPEG or PNG files")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not found:
        raise BadInput(f"{folder} holds no pictures; expected files ending in {', '.join(SUFFIXES)}")
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())
