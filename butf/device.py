"""Where to compute, and how numbers get there."""

from typing import TYPE_CHECKING

from butf.errors import BadInput

if TYPE_CHECKING:
    import torch


def choose_device(name: str) -> str:
    """The torch device that `auto`, `cpu` or `cuda` means; `auto` takes a GPU where there is one.

    Raises BadInput when cuda is asked for and no GPU can be used.
    """
    import torch  # slow to import, and most of the command line does without it

    usable = torch.cuda.is_available()
    if name == "cuda" and not usable:
        raise BadInput("device is 'cuda', but torch finds no GPU here; choose 'cpu' or 'auto'")
    return "cuda:0" if usable and name != "cpu" else "cpu"


def sent(values: "torch.Tensor", device: "torch.device") -> "torch.Tensor":
    """Values on the device, without waiting for what a GPU is still computing."""
    return values if device.type != "cuda" else values.pin_memory().to(device, non_blocking=True)
