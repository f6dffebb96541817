"""What training keeps of a trunk, run by another engine: the same maps as torch's own."""

import logging

import pytest
import torch
from torch import Tensor

from butf.networks.trunk import TRUNKS, Trunk, build_trunk
from butf.networks.unchanging import Unchanging
from butf.training.shared_norm import share_statistics

PICTURES = torch.linspace(0, 1, 3 * 3 * 64 * 96).reshape(3, 3, 64, 96).sin().abs()


def kept_trunk(name: str, stages: int) -> Trunk:
    """A trunk as after training: no two channels of its normalisation alike."""
    torch.manual_seed(0)
    trunk = build_trunk(name, pretrained=False)
    for module in trunk.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.weight, module.bias, module.running_mean, module.running_var):
                values.data.uniform_(0.5, 1.5)
    trunk.pretrained = True
    trunk.keep_stages(stages)
    return trunk.eval()


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4 * float(wanted.detach().abs().max()))


@pytest.mark.parametrize("stages", [0, 1, 3, 4])
@pytest.mark.parametrize("name", TRUNKS)
def test_its_maps_are_the_trunk_s(name: str, stages: int) -> None:
    trunk = kept_trunk(name, stages)
    unchanging = Unchanging(trunk)
    for pictures in (PICTURES, PICTURES[:1], PICTURES[..., :64], PICTURES):
        found, wanted = unchanging.early(pictures), trunk.early(pictures)
        assert found.keys() == wanted.keys()
        for stage in wanted:
            close(found[stage], wanted[stage])
            assert not found[stage].requires_grad
        close(unchanging.last(found), trunk.late(wanted)[-1])
        assert trunk.late(found)[-1].requires_grad  # the other stages learn from them
    assert all(graph is not None for graph in unchanging._graphs.values())
    assert len(unchanging._graphs) == (4 if trunk.kept_stages else 2)  # two sizes of each part


def test_where_no_graph_can_be_made_torch_runs_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def cannot(*args: object, **more: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(torch.onnx, "export", cannot)
    trunk = kept_trunk("efficientnet-lite0", 3)
    unchanging = Unchanging(trunk)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            close(unchanging.early(PICTURES)[2], trunk.early(PICTURES)[2])
    assert len(caplog.records) == 1 and "no such operator" in caplog.text


@pytest.mark.parametrize("name", TRUNKS)
def test_it_runs_a_trunk_whose_statistics_ranks_share(name: str) -> None:
    trunk = kept_trunk(name, 3)
    wanted = trunk.early(PICTURES)
    share_statistics(trunk)
    found = Unchanging(trunk).early(PICTURES)
    for stage in wanted:
        close(found[stage], wanted[stage])


def test_another_precision_is_torch_s(caplog: pytest.LogCaptureFixture) -> None:
    trunk = kept_trunk("efficientnet-lite0", 3).double()
    unchanging = Unchanging(trunk)
    with caplog.at_level(logging.WARNING):
        found = unchanging.early(PICTURES.double())[2]
    assert found.dtype == torch.float64 and not caplog.records
    torch.testing.assert_close(found, trunk.early(PICTURES.double())[2])


def test_it_is_as_the_trunk_was_when_it_was_made() -> None:
    trunk = kept_trunk("efficientnet-lite0", 3)
    unchanging = Unchanging(trunk)
    before = unchanging.early(PICTURES)[2].clone()
    with torch.no_grad():
        for parameter in trunk.parameters():
            parameter.zero_()
    assert torch.equal(unchanging.early(PICTURES)[2], before) and before.abs().max() > 0.1
