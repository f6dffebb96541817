"""What describes in place of a network: the same numbers by another engine, for visitors who come at once."""

import logging
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import Tensor

from butf.errors import BadInput
from butf.networks import deployed, graphs, zoo
from butf.networks.aggregation import Aggregation
from butf.networks.card import card_text
from butf.networks.deployed import Deployed
from butf.networks.description import Description, Network
from butf.networks.methods import METHODS, build_network
from butf.networks.weights import save_weights

SIZES = ((64, 96), (80, 64))


def trained(method: str, trunk: str = "efficientnet-lite0", **how: object) -> Network:
    """A network as after training: no two channels of its normalisation alike."""
    torch.manual_seed(0)
    network = build_network(method, trunk, pretrained=False, **how)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.weight, module.bias, module.running_mean, module.running_var):
                values.data.uniform_(0.5, 1.5)
    return network.eval().requires_grad_(False)


def pictures(count: int, height: int, width: int) -> Tensor:
    """Bands of light and shade, each picture its own, and some noise."""
    rng = np.random.default_rng(count)
    bands = np.sin(np.arange(width) / (3 + np.arange(count)[:, None, None, None])) / 3 + 0.5
    return torch.from_numpy((bands + rng.uniform(-0.15, 0.15, (count, 3, height, width))).astype(np.float32))


def asked(network: Network, count: int, height: int, width: int) -> tuple[Tensor, ...]:
    images = pictures(count, height, width)
    if not network.reads_side:
        return (images,)
    side = pictures(count, height // 4, width // 4)[:, :1]
    return images, side, side > 0.3


def says(network: Network | Deployed, inputs: tuple[Tensor, ...]) -> Description:
    with torch.inference_mode():
        return network.describe(*inputs) if len(inputs) == 1 else network.describe_measured(*inputs)


def check(found: Description, wanted: Description, atol: float = 2e-5) -> None:
    for name, part, other in zip(Description._fields, found, wanted, strict=True):
        assert (part is None) == (other is None), name
        if part is not None:
            torch.testing.assert_close(part, other, atol=atol, rtol=0, msg=lambda said, name=name: f"{name}: {said}")


def compare(network: Network) -> None:
    light = Deployed(network)
    for height, width in SIZES:
        for count in (1, 3):
            inputs = asked(network, count, height, width)
            check(says(light, inputs), says(network, inputs))
            if not network.reads_side:
                wanted = says(network, inputs).descriptor
                torch.testing.assert_close(light.descriptors(*inputs), wanted, atol=2e-5, rtol=0)
    assert light.engine == "onnxruntime", "torch agrees with itself"


def weights(network: Network, what: Callable[..., dict[str, Tensor]], inputs: dict[str, Tensor]) -> set[str]:
    """The names of the numbers that a graph holds."""
    written, _ = graphs.exported(network, partial(what, network), inputs)
    return {held.name.removeprefix("network.") for held in onnx.load_from_string(written).graph.initializer}


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("trunk", ["efficientnet-lite0", "alexnet"])
def test_every_method_says_the_same_as_its_network(method: str, trunk: str) -> None:
    compare(trained(method, trunk))


@pytest.mark.parametrize(
    ("pooling", "whiten"), [("mac", None), ("spoc", None), ("rmac", None), ("netvlad", None), ("gem", 20)]
)
def test_every_pooling_says_the_same_as_in_torch(pooling: str, whiten: int | None) -> None:
    aggregation = Aggregation(pooling, clusters=5, whiten=whiten)
    network = trained("bu-tf", aggregation=aggregation)
    for part in network.poolings.values():
        if whiten:  # axes and centre as learnt ones: neither straight nor nought
            part.axes.normal_()
            part.mean.uniform_(0, 0.1)
    compare(network)


def test_a_descriptor_alone_leaves_out_what_makes_the_map() -> None:
    network = trained("bu-tf")
    inputs = deployed.examples(((3, 64, 96),))
    all_of_it, alone = (weights(network, what, inputs) for what in (deployed.answer, deployed.descriptor))
    assert all_of_it - alone >= {"decoder.narrow.weight", "decoder.lateral4.weight", "decoder.output.weight"}
    assert alone >= {"decoder.lateral8.weight", "adapter.weight"}, "what the side descriptor is pooled from stays"


def test_classes_are_shared_out_as_in_torch() -> None:
    network = trained("bu-tf", outputs=4)
    compare(network)
    assert says(Deployed(network), asked(network, 2, 64, 96)).side_map.shape == (2, 4, 16, 24)


@pytest.mark.parametrize("method", ["bu-tf-adapted", "rgbd"])
def test_neither_the_batch_nor_the_number_of_threads_changes_a_bit(method: str) -> None:
    network = trained(method)
    light, inputs, threads = Deployed(network), asked(network, 7, 64, 96), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        together = says(light, inputs)
        torch.set_num_threads(3)
        again = says(light, inputs)
    finally:
        torch.set_num_threads(threads)
    alone = [says(light, tuple(part[i : i + 1] for part in inputs)).descriptor for i in range(7)]
    assert torch.equal(together.descriptor, again.descriptor) and torch.equal(together.descriptor, torch.cat(alone))
    assert torch.equal(says(Deployed(network), inputs).descriptor, together.descriptor), "another graph"


def test_visitors_at_once_wait_for_one_graph_and_get_their_own_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    made, inside, export = [], threading.Lock(), torch.onnx.export

    def counted(*args: object, **more: object) -> object:
        assert inside.acquire(blocking=False), "two exports at once"
        try:
            made.append(args[1][0].shape[-2:])
            return export(*args, **more)
        finally:
            inside.release()

    monkeypatch.setattr(torch.onnx, "export", counted)
    networks = [trained("image-only"), trained("bu-tf")]
    light = [Deployed(network) for network in networks]
    jobs = [(k, size, count) for k in (0, 1) for size in SIZES for count in (1, 2, 3)]
    wanted = [says(networks[k], asked(networks[k], count, *size)) for k, size, count in jobs]
    start = threading.Barrier(len(jobs))

    def visit(job: tuple[int, tuple[int, int], int]) -> Description:
        k, size, count = job
        start.wait()
        return says(light[k], asked(networks[k], count, *size))

    with ThreadPoolExecutor(len(jobs)) as pool:
        for found, expected in zip(pool.map(visit, jobs), wanted, strict=True):
            check(found, expected)
    assert len(made) == 4


def test_making_a_graph_leaves_no_trace_outside(capfd: pytest.CaptureFixture[str]) -> None:
    network = trained("hallucination")
    light, inputs = Deployed(network), asked(network, 1, 64, 96)
    state, grad = torch.random.get_rng_state(), torch.is_grad_enabled()
    drawn = np.random.get_state()[1].copy()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        light.describe(*inputs)
    assert torch.equal(torch.random.get_rng_state(), state) and (np.random.get_state()[1] == drawn).all()
    assert torch.is_grad_enabled() == grad and not torch.is_inference_mode_enabled()
    assert not torch.onnx.is_in_onnx_export()
    assert not any(module.training for part in (network, light.network) for module in part.modules())
    assert not warned and capfd.readouterr() == ("", "")


def test_torch_describes_where_a_graph_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []

    def fail(*args: object, **more: object) -> None:
        tried.append(1)
        raise RuntimeError("no such operator")

    monkeypatch.setattr(torch.onnx, "export", fail)
    network = trained("bu-tf")
    light = Deployed(network)
    with caplog.at_level(logging.WARNING):
        for size in SIZES:
            check(says(light, asked(network, 2, *size)), says(network, asked(network, 2, *size)))
    assert light.engine == "torch" and len(tried) == 1
    (record,) = caplog.records
    assert "BottomUpTransfer" in record.getMessage() and "no such operator" in record.getMessage()


def test_a_graph_that_says_something_else_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    network, other = trained("image-only"), trained("image-only")
    other.trunk.mean += 0.1
    traced = graphs._Traced(other, partial(deployed.answer, other)).eval()
    export = torch.onnx.export
    monkeypatch.setattr(torch.onnx, "export", lambda _, *args, **more: export(traced, *args, **more))
    light, inputs = Deployed(network), asked(network, 2, 64, 96)
    check(says(light, inputs), says(network, inputs))
    assert light.engine == "torch" and "its descriptor differs from torch's" in caplog.text


def test_no_more_graphs_are_kept_than_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployed, "KEPT", 2)
    network = trained("image-only", "alexnet")
    light = Deployed(network)
    for height in (64, 80, 64, 96, 64):
        inputs = asked(network, 1, height, 64)
        check(says(light, inputs), says(network, inputs))
    assert [shapes[0][1] for shapes, _ in light._graphs] == [96, 64], "the one not asked for longest went"


def test_what_a_network_cannot_do_it_still_says_itself() -> None:
    measured, plain = Deployed(trained("rgbd")), Deployed(trained("image-only"))
    with pytest.raises(BadInput, match="needs the measured side modality"):
        measured.describe(pictures(1, 64, 96))
    with pytest.raises(RuntimeError, match="reads no side modality"):
        plain.describe_measured(*asked(measured.network, 1, 64, 96))
    assert plain.describe(pictures(0, 64, 96)).descriptor.shape[0] == 0
    assert measured.engine == plain.engine == "onnxruntime"


def test_a_model_describes_by_it_and_leaves_its_network_alone(tmp_path: Path) -> None:
    network = trained("bu-tf")
    card = zoo.describe_card("x", network, "bu-tf", "efficientnet-lite0", image_area=64 * 96)
    save_weights(tmp_path / "model.safetensors", network.state_dict(), {"card": card_text(card)})
    model = zoo.load(str(tmp_path))
    asked_for = [Image.fromarray(picture) for picture in (pictures(3, 64, 96).permute(0, 2, 3, 1) * 255).byte().numpy()]
    found = model.describe(asked_for, batch=2)
    with torch.no_grad():
        wanted = network.describe(torch.stack([model.prepare(image) for image in asked_for])).descriptor
    np.testing.assert_allclose(found, wanted.numpy(), atol=2e-5, rtol=0)
    assert model.deployed.engine == "onnxruntime"
    for (name, kept), own in zip(model.network.state_dict().items(), network.state_dict().values(), strict=True):
        assert torch.equal(kept, own), name
