"""One training from its folder to its end, in a process that stands alone or as one of several ranks."""

import json

import torch

from butf import ranks
from butf.dataset.samples import Samples
from butf.training.config import TrainConfig
from butf.training.feed import pictures_in_batch
from butf.training.folder import Run, locate
from butf.training.memory import keep_freed
from butf.training.session import StopFlag, session, stop_flag
from butf.training.trainer import Trainer


def train(run: Run, decoded: dict[object, Samples] | None = None) -> None:
    """Train the run's configuration to its end, from its checkpoint where it has one.

    `decoded` keeps pictures for the next run of the same process, on the same data set.
    Raises StopRequested after SIGTERM or Ctrl-C, once the checkpoint is saved, and BadInput for data, a configuration
    or a checkpoint that cannot be used. Started by torchrun this is rank 0, and the others `follow`.
    """
    config = TrainConfig.from_dict(run.config)
    ranks.check_shares(pictures_in_batch(config), "pictures in a batch")
    device = ranks.device_of(config.device)
    with session(run, device) as stop, ranks.together():
        ranks.told(lambda: json.dumps(run.config).encode())
        _work(Trainer(run, config, torch.device(device), decoded), stop)


def follow(name: str) -> None:
    """Take part as a rank other than 0 in what that one trains as run `name`: it alone reads and writes its folder.

    Raises as `train`, and RankLost where another rank ended.
    """
    with ranks.together(), stop_flag() as stop:
        config = TrainConfig.from_dict(json.loads(ranks.told(bytes)))
        device = torch.device(ranks.device_of(config.device))
        _work(Trainer(Run(locate(name)), config, device), stop)


def _work(trainer: Trainer, stop: StopFlag) -> None:
    keep_freed()
    trainer.fit(stop)
    trainer.finish()
