"""Files of `describe`: npz with paths `(N,)` and descriptors `(N, D)`, and in the archive's comment by which model."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from butf.errors import BadInput
from butf.files import write_atomic


@dataclass(frozen=True, eq=False)
class Described:
    """Descriptors `(N, D)` float32 of N pictures; `model` and `digest` are None where the file does not say."""

    source: str
    names: Sequence[str]
    descriptors: np.ndarray
    model: str | None = None
    digest: str | None = None


def write_described(path: Path, names: Sequence[str], descriptors: np.ndarray, model: str, digest: str) -> None:
    """Write what a model of this name and of weights of this digest said of some pictures."""
    buffer = io.BytesIO()
    np.savez(buffer, paths=np.array(names), descriptors=np.asarray(descriptors, np.float32))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = json.dumps({"model": model, "digest": digest}).encode()
    write_atomic(path, buffer.getvalue())


def read_described(path: Path) -> Described:
    """Read such a file; `BadInput` when it is missing, damaged, or without a finite table and a name for each row."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            whole = archive.zip.testzip() is None  # numpy may stop reading before the checksum is looked at
            names, descriptors = archive["paths"], archive["descriptors"]
            signature = _signature(archive.zip.comment)
    except FileNotFoundError as error:
        raise BadInput(f"{path} does not exist; check the path") from error
    except Exception as error:  # numpy and zipfile raise anything from TokenError to MemoryError on damaged files
        raise BadInput(f"{path} is no sound file of `python -m butf describe`; describe the pictures again") from error
    if not whole:
        raise BadInput(f"{path} is damaged (a checksum differs); describe the pictures again")
    kinds = (descriptors.dtype.kind, names.dtype.kind)
    if descriptors.ndim != 2 or 0 in descriptors.shape or names.shape != descriptors.shape[:1] or kinds != ("f", "U"):
        raise BadInput(
            f"{path} has descriptors {descriptors.shape} and paths {names.shape}; expected (N, D) numbers and (N,)"
        )
    if not np.isfinite(descriptors).all():
        raise BadInput(f"{path} has descriptors that are not finite; describe the pictures again")
    return Described(str(path), [str(name) for name in names], descriptors.astype(np.float32, copy=False), *signature)


def _signature(comment: bytes) -> tuple[str | None, str | None]:
    try:
        value = json.loads(comment)
        return str(value["model"]), str(value["digest"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, None
