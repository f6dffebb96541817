"""Weights that leave the house: safetensors files, which hold named tensors and a few strings and can run nothing.

They are written aside and renamed: a reader, or a machine that loses power, sees the old file or the new one.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from butf.errors import BadInput
from butf.files import write_atomic

DIGEST = "sha256"
"""The key beside the strings under which a file says what its content must be."""
HEXADECIMAL = re.compile(r"[0-9a-f]{64}")


def save_weights(path: Path, state_dict: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors by name, with a few strings beside them, as a safetensors file.

    Raises BadInput, and leaves the former file as it was, when the disk is full or read-only.
    """
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state_dict.items()}
    signed = {**metadata, DIGEST: _digest(tensors, metadata)}
    write_atomic(path, safetensors.torch.save(tensors, metadata=signed))


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Raises BadInput when it is missing, truncated or foreign, and when it differs from what `save_weights` wrote: the
    form itself has no checksum. Files that do not say their digest, as those of others, are taken as they are.
    """
    if not path.is_file():
        raise BadInput(f"{path} is missing; expected weights in a .safetensors file")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            names = file.keys()
            tensors, metadata = {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})
    except (safetensors.SafetensorError, OSError) as error:
        raise BadInput(f"{path} is truncated or no safetensors file; fetch or train it again") from error
    said = metadata.pop(DIGEST, None)
    unsigned = said is None and not any(map(HEXADECIMAL.fullmatch, metadata.values()))  # or its very key is damaged
    if not unsigned and said != _digest(tensors, metadata):
        raise BadInput(f"{path} is damaged: its content is not what was written; fetch or train it again")
    return tensors, metadata


def load_weights(path: Path, module: nn.Module) -> dict[str, str]:
    """Fill `module` from a safetensors file and return the file's metadata.

    Raises BadInput naming the first tensor that is missing, of another shape, or unknown to the module; the module
    is then left as it was.
    """
    tensors, metadata = read_weights(path)
    fault = _first_mismatch(module.state_dict(), tensors)
    if fault:
        raise BadInput(f"{path} does not fit this network: {fault}; choose the weights of the same method and trunk")
    module.load_state_dict(tensors)
    return metadata


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """SHA-256 of names, kinds, shapes and bytes of all tensors, and of the strings beside them."""
    digest = hashlib.sha256(repr(sorted(metadata.items())).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _first_mismatch(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str | None:
    for name, tensor in expected.items():
        if name not in found:
            return f"{name} is missing"
        if found[name].shape != tensor.shape:
            return f"{name} is {tuple(found[name].shape)}, expected {tuple(tensor.shape)}"
    unknown = [name for name in found if name not in expected]
    return f"{unknown[0]} is unknown to it" if unknown else None
