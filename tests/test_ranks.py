"""Several ranks against one process: real torchrun, two processes over gloo, one thread each as they have too."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import ranks_at_work
import torch
from PIL import Image
from safetensors.torch import load_file

from butf import ranks
from butf.cli import main
from butf.dataset.modalities import Encoding
from butf.errors import BadInput
from butf.files import ASSETS, REPO
from butf.networks.weights import read_weights
from butf.training import runs
from butf.training.config import TrainConfig
from butf.training.folder import Run
from butf.training.recipes import build_recipe
from butf.training.shared_norm import SharedBatchNorm, share_statistics
from butf.training.start import start_from

pytestmark = pytest.mark.usefixtures("one_thread")

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
SHIPPED = sorted(ASSETS.glob("models/*/card.json")) + sorted(ASSETS.glob("keypoints/card.json"))
# No look-alikes and no guesses: these choose by order, and a rounding error may change which pictures are drawn next.
TINY = "--data tiny --device cpu --method bu-tf-adapted --start-from image-only --steps 5 "
TINY += "--places 3 --views 2 --extra-pictures 3 "
TINY += "--image-area 4096 --hard-share 0 --guess-share 0 --checkpoint-every 1 --final-queries 3"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_original: Path) -> None:
    (tmp_path / "butf_data").mkdir()
    (tmp_path / "butf_data" / "tiny").symlink_to(tiny_original)
    for variable in ("BUTF_CACHE", "BUTF_DATA", "BUTF_RUNS"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def two_ranks(*argv: str) -> subprocess.Popen:
    """Start both; torchrun cleans up after them."""
    return subprocess.Popen(
        [*TORCHRUN, *argv], cwd=REPO, env={**os.environ, "PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_ranks_compute_what_one_process_does(tmp_path: Path) -> None:
    """Descriptors to the bit; losses, gradients and statistics to rounding; and a rank that is left alone says so."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, path in enumerate(sorted((ASSETS / "town" / "night" / "rgb").glob("*.jpg"))[:37]):
        shutil.copy(path, folder / f"{number:02d}.jpg")
    Image.open(folder / "20.jpg").crop((0, 0, 60, 90)).save(folder / "20.jpg")  # one in the midst of a batch is small
    describe = ("describe", str(folder), "--model", "bu-tf", "--device", "cpu", "--out")
    order = (str(tmp_path / "found.safetensors"), *describe, str(tmp_path / "two.npz"))
    process = two_ranks("tests/ranks_at_work.py", *order)
    assert main([*describe, str(tmp_path / "one.npz")]) == main([*describe, str(tmp_path / "again.npz")]) == 0
    expected = {method: ranks_at_work.gradients(method) for method in ranks_at_work.CASES}
    words, _ = process.communicate(timeout=300)
    assert "lost: rank 0 waited in vain for another rank, which ended or hangs" in words, words
    assert words.count("37 descriptors") == 1, "only the first rank speaks"
    files = [(tmp_path / f"{name}.npz").read_bytes() for name in ("one", "again", "two")]
    assert files[0] == files[1] == files[2]
    with zipfile.ZipFile(tmp_path / "one.npz") as file:
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}, "no time of writing inside"
    with np.load(tmp_path / "one.npz") as arrays:
        assert len(set(map(bytes, arrays["descriptors"]))) == 37 and arrays["paths"].tolist()[-1] == "36.jpg"
    check_gradients(load_file(tmp_path / "found.safetensors"), expected)


def check_gradients(found: dict[str, torch.Tensor], expected: dict[str, dict[str, torch.Tensor]]) -> None:
    assert set(found) == {name for values in expected.values() for name in values}
    for method, values in expected.items():
        for kind, most in (("term", 1e-10), ("state", 1e-10), ("grad", 1e-6)):  # GeM is of single precision
            names = [name for name in values if name.startswith(f"{method} {kind}")]
            whole = torch.stack([values[name].norm() for name in names]).norm()
            apart = torch.stack([(found[name] - values[name]).norm() for name in names]).norm()
            assert whole > 0.01 and apart < most * whole, f"{method} {kind}: {apart / whole:.1e}"


def test_a_training_stopped_and_resumed_over_ranks_ends_as_in_one_process(tmp_path: Path) -> None:
    process = two_ranks("-m", "butf", "train", *TINY.split(), "--folder", "two")
    assert main(["train", *TINY.split(), "--run", "one"]) == 0
    run, deadline = Run(tmp_path / "butf_runs" / "two"), time.monotonic() + 200
    while run.status().get("step", 0) < 1 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    runs.stop(run)
    words, _ = process.communicate(timeout=100)
    assert run.state().state == "stopped" and 1 <= run.status()["step"] < 5, words
    process = two_ranks("-m", "butf", "train", "--resume", "--folder", "two")
    words, _ = process.communicate(timeout=300)
    assert process.returncode == 0 and run.state().state == "finished", words
    assert words.count("two: trained") == 1, "only the first rank speaks"

    one = Run(run.path.with_name("one"))
    config = TrainConfig.from_dict(one.config)
    torch.manual_seed(config.seed)
    network = build_recipe(config).network
    start_from("image-only", config, network, Encoding())
    begun = network.state_dict()
    expected, _ = read_weights(one.weights_path)
    found, _ = read_weights(run.weights_path)
    assert set(found) == set(expected) == set(begun)
    learnt = [name for name in expected if expected[name].is_floating_point()]
    moved = torch.stack([(expected[name] - begun[name]).norm() for name in learnt]).norm()
    apart = torch.stack([(found[name] - expected[name]).norm() for name in learnt]).norm()
    # One process with two threads in place of one comes as far from itself: 2.5e-4.
    assert apart < 3e-3 * moved, f"{apart / moved:.1e}"
    assert run.metrics()[-1]["val_recall"].keys() == one.metrics()[-1]["val_recall"].keys()

    card = json.loads(run.card_path.read_text())
    check_card(card)
    assert "torch.distributed.run --nproc-per-node 2 -m -- butf train" in card["command"]
    check_card(json.loads(one.card_path.read_text()))


def pretend(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """As if torchrun had started this process as the first of so many."""
    values = ("0", str(count), "0", str(count), "localhost", "1")
    for name, value in zip(ranks.VARIABLES, values, strict=True):
        monkeypatch.setenv(name, value)


def test_a_world_that_does_not_fit_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, 7)
    assert main(["train", *TINY.split(), "--run", "many"]) == 2
    sentence = "6 pictures in a batch cannot be shared by 7 ranks; start torchrun with fewer processes"
    assert capsys.readouterr().err == f"error: rank 0: {sentence}\n"
    assert main(["models"]) == 2
    assert "models cannot be shared by ranks; only train and describe can" in capsys.readouterr().err
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with pytest.raises(BadInput, match="7 ranks on a machine with 4 GPUs; start torchrun with --nproc-per-node 4"):
        ranks.device_of("auto")
    assert ranks.device_of("cpu") == "cpu"


def test_a_process_alone_computes_as_ever() -> None:
    draw = torch.Generator().manual_seed(0)
    former, pictures = torch.nn.Sequential(torch.nn.BatchNorm2d(3)), torch.rand(4, 3, 5, 6, generator=draw)
    expected = former(pictures), {name: value.clone() for name, value in former.state_dict().items()}
    former[0].reset_running_stats()
    share_statistics(former)
    assert isinstance(former[0], SharedBatchNorm) and torch.equal(former(pictures), expected[0])
    assert former.state_dict().keys() == expected[1].keys()
    assert all(torch.equal(former.state_dict()[name], value) for name, value in expected[1].items())
    assert ranks.own(5).rows == slice(0, 5) and ranks.gather(pictures, [4]) is pictures
    assert ranks.mean(pictures, 0.3) is pictures and ranks.join(pictures) is pictures and ranks.most(3) == 3


def check_card(card: dict) -> None:
    """That it says how its model can be made again."""
    assert {"python", "torch", "numpy"} <= set(card["versions"]) and all(card["versions"].values())
    assert isinstance(card["seed"], int) and re.fullmatch("[0-9a-f]{12}[+]?", card["commit"])
    assert re.match("python -m (butf|torch[.]distributed[.]run .* butf) train", card["command"])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_every_shipped_card_says_how_its_model_was_made(path: Path) -> None:
    card = json.loads(path.read_text())
    check_card(card)
    _, inside = read_weights(path.with_name("model.safetensors"))
    assert json.loads(inside["card"])["command"] == card["command"]
