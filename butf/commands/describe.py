"""`describe`: descriptors of all pictures in a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from butf.commands.common import add_model, check_output, open_model, progress_bar
from butf.errors import BadInput
from butf.files import read_image
from butf.retrieval.described import write_described

SUFFIXES = (".jpg", ".jpeg", ".png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `describe`."""
    parser.add_argument("images", type=Path, metavar="IMAGES_DIR", help="folder of JPEG and PNG files, searched deeply")
    add_model(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.npz",
        help="npz with paths (N,), relative to IMAGES_DIR, and descriptors (N, D) float32",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Describe the pictures in the order of their paths."""
    paths = find_images(args.images)
    check_output(args.out)
    model = open_model(args.model, args.device)
    with progress_bar("describing") as progress:
        pictures = (read_image(path) for path in paths)
        descriptors = model.describe(pictures, progress=lambda done: progress(done, len(paths)))
    names = [path.relative_to(args.images).as_posix() for path in paths]
    write_described(args.out, names, descriptors, model.name, model.digest)
    print(f"{args.out}: {len(paths)} descriptors of {descriptors.shape[1]} values by {model.name}")


def find_images(folder: Path) -> list[Path]:
    """The JPEG and PNG files in a folder and below, sorted by relative path; `BadInput` when there are none."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder; give one with JPEG or PNG files")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not found:
        raise BadInput(f"{folder} holds no pictures; expected files ending in {', '.join(SUFFIXES)}")
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())
