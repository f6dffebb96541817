"""Several processes at one work, one of them a rank: what they share, and how they speak to each other.

`torchrun --nproc-per-node 2 -m butf train ...` starts them; torch.distributed is the wire, over gloo on CPUs and NCCL
between GPUs. Rank 0 alone writes. Everything here is harmless in a process that stands alone: a share is the whole, a
sum over ranks is the value itself, and no number changes by a bit.

Gradients: each rank computes the same loss from what all ranks gathered, and every exchange below passes gradients
back as the exact adjoint of what it did. Each rank's own parameters so receive the gradient of the sum of as many
equal losses as there are ranks; `average_gradients` makes of that what one process would have had.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from butf.device import choose_device
from butf.errors import BadInput

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
TIMEOUT = "BUTF_RANK_TIMEOUT"
TIMEOUT_S = 600.0
"""How long a rank waits for another; beside the network this bounds how much slower one machine may be at a step."""
POLL_S = 0.2
MOST_AXES = 8
_STARTED = "butf/rank-0-has-its-turn"


class RankLost(BadInput):
    """Another rank ended, or did not answer in time."""


@dataclass(frozen=True)
class Share:
    """The rows `start` to `stop` of `count`: a rank's own."""

    start: int
    stop: int
    count: int

    @property
    def rows(self) -> slice:
        """To be taken from a table of all of them."""
        return slice(self.start, self.stop)


def launched() -> bool:
    """Whether a launcher such as torchrun started this process as one of several."""
    return all(name in os.environ for name in VARIABLES) and int(os.environ["WORLD_SIZE"]) > 1


def joined() -> bool:
    """Whether this process is at work with others now."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """The number of this process, 0 where it stands alone."""
    return int(os.environ["RANK"]) if launched() else 0


def size() -> int:
    """How many processes are at work together now: 1 outside of `together`."""
    return dist.get_world_size() if joined() else 1


def first() -> bool:
    """Whether this is the process that writes."""
    return rank() == 0


def launched_size() -> int:
    """How many processes the launcher started."""
    return int(os.environ["WORLD_SIZE"]) if launched() else 1


def launching(command: list[str]) -> list[str]:
    """`python -m butf ...` as the launcher was asked to start it, as far as its ranks can know."""
    if not launched():
        return command
    local = int(os.environ["LOCAL_WORLD_SIZE"])
    nodes = launched_size() // local
    counts = [*(["--nnodes", str(nodes)] if nodes > 1 else []), "--nproc-per-node", str(local)]
    # Two dashes, or torchrun takes our flags for abbreviations of its own.
    return [command[0], "-m", "torch.distributed.run", *counts, "-m", "--", *command[2:]]


def device_of(name: str) -> str:
    """As `choose_device`, but that each rank of a machine has a GPU of its own. BadInput where these are too few."""
    device = choose_device(name)
    if not launched() or not device.startswith("cuda"):
        return device
    wanted, found = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if wanted > found:
        raise BadInput(
            f"{wanted} ranks on a machine with {found} GPU{'s' * (found != 1)}; start torchrun with "
            f"--nproc-per-node {found}, or add --device cpu"
        )
    device = f"cuda:{os.environ['LOCAL_RANK']}"
    torch.cuda.set_device(device)
    return device


def check_shares(count: int, what: str) -> None:
    """BadInput where there is not one of `count` things for each rank."""
    wanted = launched_size()
    if count < wanted:
        raise BadInput(f"{count} {what} cannot be shared by {wanted} ranks; start torchrun with fewer processes")


@contextmanager
def together() -> Iterator[None]:
    """Be one of the ranks while the block runs; nothing happens in a process that stands alone.

    The others wait here, however long it takes, until rank 0 comes too: it may have to queue for its device first.
    Raises RankLost, here and at every later exchange, when another rank ended or did not answer in time. Inside of
    another such block this one does nothing.
    """
    if not launched() or joined():
        yield
        return
    with _reported():
        store, number, count = next(rendezvous("env://"))
        if number == 0:
            store.set(_STARTED, "1")
        while not store.check([_STARTED]):
            time.sleep(POLL_S)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        patience = timedelta(seconds=float(os.environ.get(TIMEOUT) or TIMEOUT_S))
        dist.init_process_group(backend, store=store, rank=number, world_size=count, timeout=patience)
    try:
        yield
    finally:
        dist.destroy_process_group()


def own(count: int) -> Share:
    """This rank's share of `count` rows: neighbours, as many as the others have or one more or less."""
    return Share(count * _number() // size(), count * (_number() + 1) // size(), count)


def total(value: Tensor) -> Tensor:
    """The sum over the ranks of a tensor of one shape, with its gradient."""
    if not joined():
        return value
    summed: Tensor = _Sum.apply(value)
    return summed


def mean(value: Tensor, weight: Tensor | float) -> Tensor:
    """What a mean is over the rows of all ranks, from this rank's own mean and the weight that its rows have in all.

    Of a ratio of sums `weight` is the sum below the line; then this is the ratio of the sums over all ranks.
    """
    if not joined():
        return value
    weights = torch.as_tensor(weight, dtype=value.dtype, device=value.device).detach()
    return total(value * weights) / total(weights).clamp(min=1e-12)


def gather(rows: Tensor, counts: Iterable[int]) -> Tensor:
    """All rows of a table `(N, ...)`, with gradient, of which each rank has its own share, `(n, ...)`.

    The table consists of parts of `counts` rows; `rows` holds this rank's `own` share of each, one behind the other.
    """
    if not joined():
        return rows
    counts = tuple(counts)
    numbers = torch.arange(sum(counts)).split(list(counts))
    mine = torch.cat([part[own(len(part)).rows] for part in numbers])
    table = rows.new_zeros((sum(counts), *rows.shape[1:]))
    return total(table.index_copy(0, mine.to(rows.device), rows))


@torch.no_grad()
def join(rows: Tensor) -> Tensor:
    """The rows `(n, ...)` of all ranks, those of rank 0 first, to the bit; a rank may have none, of any shape."""
    if not joined():
        return rows
    shapes = torch.zeros(size(), MOST_AXES, dtype=torch.int64)
    shapes[_number(), : rows.ndim] = torch.tensor(rows.shape)
    _call(dist.all_reduce, shapes)
    counts, inner = shapes[:, 0].tolist(), [length for length in shapes[:, 1:].amax(dim=0).tolist() if length]
    padded = torch.zeros((max(counts), *inner), dtype=rows.dtype, device=rows.device)
    if len(rows):
        padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in counts]
    _call(dist.all_gather, parts, padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


def most(number: int) -> int:
    """The largest of the ranks' numbers: how a signal that reached one of them reaches all at the same step."""
    if not joined():
        return number
    table = torch.tensor([number])
    _call(dist.all_reduce, table, dist.ReduceOp.MAX)
    return int(table)


def told(say: Callable[[], bytes]) -> bytes:
    """What rank 0 says, on every rank; `say` is called there alone."""
    content = say() if first() else b""
    if not joined():
        return content
    length = torch.tensor([len(content)])
    _call(dist.broadcast, length, 0)
    if not length:
        return b""
    table = torch.frombuffer(bytearray(content if first() else int(length)), dtype=torch.uint8)
    _call(dist.broadcast, table, 0)
    return table.numpy().tobytes()


def check_same(what: str, content: bytes) -> None:
    """BadInput on every rank where `content` differs between them."""
    digest = hashlib.sha256(content).digest()
    if most(told(lambda: digest) != digest):
        raise BadInput(f"the ranks do not have the same {what}; give every machine the same files and command")


@torch.no_grad()
def align(module: nn.Module) -> None:
    """Give every rank the parameters and buffers that rank 0 has."""
    if joined():
        for tensor in (*module.parameters(), *module.buffers()):
            content = tensor.contiguous()
            _call(dist.broadcast, content, 0)
            tensor.copy_(content)


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Make the gradients of all ranks their mean: that of one process which had all rows to itself."""
    if not joined():
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    _call(dist.all_reduce, flat)
    parts = (flat / size()).split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view(gradient.shape))


def _number() -> int:
    return dist.get_rank() if joined() else 0


class _Sum(torch.autograd.Function):
    """The sum over the ranks. Its adjoint is the same sum, of gradients."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return _summed(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _summed(gradient)


def _summed(value: Tensor) -> Tensor:
    result = value.clone(memory_format=torch.contiguous_format)
    _call(dist.all_reduce, result)
    return result


def _call(exchange: Callable[..., object], *arguments: object) -> None:
    with _reported():
        exchange(*arguments)


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # gloo and NCCL have no kinds of their own for a peer that is gone
        reason = str(error).strip().splitlines()[0][:200]
        raise RankLost(
            f"rank {rank()} waited in vain for another rank, which ended or hangs ({reason}); "
            "see what that one said, then start again, a training with --resume"
        ) from error
