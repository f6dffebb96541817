"""What each rank does in `test_ranks.py`: `torchrun ... ranks_at_work.py OUT COMMAND ...`, and what one process does
in its place.

COMMAND is one of the command line, which the ranks share. Rank 0 writes OUT, a safetensors file of the loss terms and
gradients of some methods, of whole batches that the ranks share; the rest are checks that need several ranks and no
file. Then rank 1 is killed.
"""

import os
import signal
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from butf import ranks
from butf.cli import main
from butf.training.batch import Batch, Extra
from butf.training.config import TrainConfig
from butf.training.recipes import build_recipe
from butf.training.shared_norm import share_statistics

CASES: dict[str, tuple[str, dict[str, object]]] = {
    "image-only": ("main", {"loss": "contrastive"}),
    "bu-tf": ("transfer", {"transfer_schedule": "balanced", "lambda_div": 0.1}),
    "bu-tf-adapted": ("transfer", {}),
    "image-only-wide": ("wide", {"extra": "consistency"}),
    "hallucination": ("joint", {}),
}
"""Methods in the training step that has the most losses; reencode and rgbd have no exchange that these lack."""
PICTURES, EXTRA = 7, 3  # neither is even: the ranks' shares are not the same


def gradients(method: str) -> dict[str, Tensor]:
    """Loss terms, gradients and running statistics of one step on a random batch, of which each rank has its share.

    In double precision, so that what is left of a difference is an error and not rounding.
    """
    phase, values = CASES[method]
    torch.manual_seed(0)
    recipe = build_recipe(TrainConfig(method=method, **values)).double()
    batch = shared(whole_batch(TrainConfig(method=method, **values).sees_extra))
    recipe.requires_grad_(False).eval()
    trained = nn.ModuleList(recipe.trained(phase)).requires_grad_(True)
    recipe.keep_early_stages()
    if ranks.size() > 1:
        share_statistics(recipe)
    trained.train()
    recipe.measure_gradients = True
    terms = recipe.losses(phase, batch)
    terms["loss"].backward()
    ranks.average_gradients(trained.parameters())
    found = {f"term {name}": value.detach() for name, value in terms.items()}
    found |= {f"grad {name}": p.grad for name, p in recipe.named_parameters() if p.grad is not None}
    found |= {f"state {name}": b for name, b in recipe.named_buffers() if "running" in name}
    return {f"{method} {name}": value.contiguous().clone() for name, value in found.items()}


def whole_batch(extra: bool) -> Batch:
    """A batch of noise with far fewer measured pixels in its first half than in its second."""
    draw = torch.Generator().manual_seed(1)

    def pictures(count: int) -> tuple[Tensor, Tensor, Tensor]:
        measured = torch.linspace(0.1, 0.9, count).view(count, 1, 1, 1)
        valid = torch.rand(count, 1, 8, 12, generator=draw) < measured
        images = torch.rand(count, 3, 32, 48, generator=draw) * torch.linspace(0.4, 1, count).view(count, 1, 1, 1)
        return images.double(), torch.rand(count, 1, 8, 12, generator=draw).double(), valid

    place = torch.arange(PICTURES) // 2
    same = place[:, None] == place[None]
    more = Extra(*pictures(EXTRA), torch.rand(EXTRA, 3, 32, 48, generator=draw).double()) if extra else None
    return Batch(*pictures(PICTURES), same & ~torch.eye(PICTURES, dtype=torch.bool), ~same, more)


def shared(batch: Batch) -> Batch:
    """This rank's share of a whole batch."""
    mine, more = ranks.own(batch.count), None
    if batch.extra is not None:
        share = ranks.own(batch.extra.count)
        parts = (batch.extra.images, batch.extra.side, batch.extra.valid, batch.extra.again)
        more = Extra(*(part[share.rows] for part in parts), share)
    pictures = (part[mine.rows] for part in (batch.images, batch.side, batch.valid))
    return Batch(*pictures, batch.positives, batch.negatives, more, mine)


def check_exchanges() -> None:
    """Every exchange by what it promises; ranks have different rows."""
    number, count = ranks.rank(), ranks.size()
    assert ranks.most(-number) == 0 and ranks.most(number) == count - 1
    assert ranks.told(lambda: b"from 0" if ranks.first() else b"never") == b"from 0" and ranks.told(bytes) == b""
    rows = torch.tensor([[-0.0, 1e-45 * number, float("nan")]] * number)
    joined = ranks.join(rows if number else torch.empty(0))
    expected = torch.cat([torch.tensor([[-0.0, 1e-45 * k, float("nan")]] * k).reshape(-1, 3) for k in range(count)])
    assert torch.equal(joined.view(torch.int32), expected.view(torch.int32)), "joined to the bit"
    table = torch.arange(20.0).view(10, 2)
    parts = table.split([7, 3])
    mine = torch.cat([part[ranks.own(len(part)).rows] for part in parts])
    assert torch.equal(ranks.gather(mine, [7, 3]), table)
    weighted = ranks.mean(torch.tensor(float(number)), 1.0 + number)
    assert torch.isclose(weighted, sum(torch.tensor(k * (k + 1.0)) for k in range(count)) / (count * (count + 1) / 2))
    module = nn.Sequential(nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last), nn.BatchNorm2d(8))
    module[0].weight.data.fill_(float(number))
    module.register_buffer("ready", torch.tensor(number == 0))
    ranks.align(module)
    assert not module[0].weight.any() and module.ready


if __name__ == "__main__":
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun's, when rank 1 is gone: rank 0 has yet to see it by itself
    with ranks.together():
        assert main(sys.argv[2:]) == 0
        check_exchanges()
        found = {name: value for method in CASES for name, value in gradients(method).items()}
        if ranks.first():
            save_file(found, Path(sys.argv[1]))
        ranks.most(0)
        if not ranks.first():
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            ranks.total(torch.ones(3))
        except ranks.RankLost as error:
            print(f"lost: {error}", flush=True)
