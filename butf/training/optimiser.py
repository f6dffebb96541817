"""Which parameters a training step changes, and at which share of the learning rate."""

from collections import defaultdict
from typing import Any

from torch import nn

from butf.networks.measured import MeasuredDescriber
from butf.networks.trunk import Trunk
from butf.training.config import TrainConfig

MEASURED_RATE = 4.0


def parameter_groups(trained: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """What the optimiser changes: the trunks' later stages at `trunk_rate`, describers of the measured side modality,
    which start from nothing, at `MEASURED_RATE`, and the rest at the full rate."""
    inside = {
        id(parameter): rate
        for kind, rate in ((Trunk, config.trunk_rate), (MeasuredDescriber, MEASURED_RATE))
        for module in trained.modules()
        if isinstance(module, kind)
        for parameter in module.parameters()
    }
    shares: defaultdict[float, list[nn.Parameter]] = defaultdict(list)
    for parameter in trained.parameters():
        if parameter.requires_grad:
            shares[inside.get(id(parameter), 1.0)].append(parameter)
    return [{"params": shares[share], "lr": config.learning_rate * share} for share in sorted(shares)]
