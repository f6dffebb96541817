"""The command line: what it writes, its exit codes and its one-sentence complaints."""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from butf import cli
from butf.cli import COMMANDS, main
from butf.dataset.modalities import Encoding, read_map
from butf.files import REPO
from butf.networks import zoo
from butf.networks.card import card_text
from butf.networks.methods import build_network, count_parameters
from butf.networks.weights import save_weights

QUICK = ["--method", "image-only", "--places", "3", "--views", "2", "--image-area", "6144", "--device", "cpu"]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("BUTF_CACHE", "BUTF_DATA", "BUTF_RUNS"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def bu_tf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bu-tf checkpoint file with an untrained decoder."""
    torch.manual_seed(0)
    network = build_network("bu-tf", "efficientnet-lite0")
    card = zoo.describe_card("bu-tf", network, "bu-tf", "efficientnet-lite0", image_area=96 * 64, encoding=Encoding())
    path = tmp_path_factory.mktemp("models") / "untrained.safetensors"
    save_weights(path, network.state_dict(), {"card": card_text(card)})
    return path


def complaint(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """The one line on standard error of a command that must end with exit code 2 and print nothing else."""
    assert main([str(part) for part in argv]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    return captured.err.removeprefix("error: ").strip()


def in_a_process(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "butf", *argv], capture_output=True, text=True, timeout=120, cwd=REPO, check=False
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_that_parses(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main([command, "--help"])
    assert ending.value.code == 0
    shown = capsys.readouterr().out
    example = COMMANDS[command].example
    assert f"example:  python -m butf {example}" in shown
    args = cli.build_parser(command).parse_args(example.split())
    assert args.command == command and callable(args.run)


def test_help_is_instant_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from butf.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'faiss', 'PIL', 'streamlit'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPO, check=True)
    assert done.stdout.strip().endswith("[]")
    assert all(command in done.stdout for command in COMMANDS)


def test_a_process_ends_with_code_0_or_2_and_no_traceback() -> None:
    assert in_a_process("--help").returncode == 0
    for argv in ((), ("fly",), ("search", "--data", "x", "--model", "y", "z", "--top", "0")):
        done = in_a_process(*argv)
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr


def reads_from(pid: int, folder: Path) -> bool:
    """Whether a process has a file of the folder open (as Linux tells)."""
    with contextlib.suppress(OSError):
        opened = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
        return any(Path(path).parent == folder for path in opened)
    return False


def test_ctrl_c_ends_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (640, 480), (9, 0, 0)).save(images / "0.png", compress_level=0)
    for i in range(1, 5000):  # enough that no machine is done with them before it is interrupted
        os.link(images / "0.png", images / f"{i}.png")
    process = subprocess.Popen(
        [sys.executable, "-m", "butf", "describe", str(images), "--model", "off-the-shelf",
         "--out", str(tmp_path / "out" / "d.npz")],
        cwd=REPO, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    # Not before it reads pictures: a KeyboardInterrupt inside an import may be caught by the imported library.
    deadline = time.monotonic() + 180
    while not reads_from(process.pid, images) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=180)
    assert process.returncode == 130
    assert words.strip().splitlines()[-1] == "interrupted" and "Traceback" not in words
    assert not (tmp_path / "out").exists()


def test_an_interrupt_that_is_lost_comes_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(cli, "INSIST_S", 0.1)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)]
    lost = []

    def swallow(args: argparse.Namespace) -> None:
        for _ in range(2):
            try:
                if not lost:
                    signal.raise_signal(signal.SIGINT)
                time.sleep(60)
            except BaseException as error:  # as some libraries do while they are imported
                lost.append(error)
        time.sleep(60)

    monkeypatch.setattr("butf.commands.models.run", swallow)
    assert main(["models"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted" and len(lost) == 2
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_reader_that_leaves_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "butf", "models"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPO
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=180) == 141


def test_describe_writes_sorted_relative_paths_and_float32(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ["b.png", "a/2.JPG", "a/10.jpeg", "Z.jpg"]
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        size = (48, 64) if name == "b.png" else (64, 48)
        Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8)).save(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    out = tmp_path / "out" / "d.npz"
    assert main(["describe", str(tmp_path / "in"), "--model", "off-the-shelf", "--out", str(out)]) == 0
    with np.load(out, allow_pickle=False) as archive:
        assert sorted(archive) == ["descriptors", "paths"]
        paths, descriptors = archive["paths"], archive["descriptors"]
    assert paths.dtype.kind == "U" and paths.tolist() == sorted(names)
    assert descriptors.dtype == np.float32 and descriptors.shape == (4, 112)
    model = zoo.load("off-the-shelf")
    for path, row in zip(paths, descriptors, strict=True):
        alone = model.describe([Image.open(tmp_path / "in" / path)])[0]
        np.testing.assert_allclose(row, alone, atol=1e-5)


def test_what_is_wrong_with_pictures_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "in", tmp_path / "d.npz"
    ask = ("describe", folder, "--model", "off-the-shelf", "--out", out)
    assert "in is not a folder" in complaint(capsys, *ask)
    folder.mkdir()
    assert "in holds no pictures" in complaint(capsys, *ask)
    Image.new("RGB", (32, 32)).save(folder / "fine.jpg")
    (folder / "text.png").write_text("hello")
    assert "text.png is not an image" in complaint(capsys, *ask)
    (folder / "text.png").unlink()
    content = (folder / "fine.jpg").read_bytes()
    (folder / "short.jpg").write_bytes(content[: len(content) // 2])
    assert "short.jpg is truncated" in complaint(capsys, *ask)
    assert not out.exists()
    assert "is a folder" in complaint(capsys, "describe", folder, "--model", "off-the-shelf", "--out", tmp_path)


def test_unknown_models_and_data_sets_list_the_known_ones(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = complaint(capsys, "evaluate", "--data", tiny_dataset, "--models", "netvlad")
    assert "netvlad" in words and "off-the-shelf" in words
    words = complaint(capsys, "evaluate", "--data", "atlantis", "--models", "off-the-shelf")
    assert "atlantis" in words
    os.symlink(tiny_dataset.parent, tmp_path / "butf_data")
    assert "tiny" in complaint(capsys, "evaluate", "--data", "atlantis")
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_bytes(b"\x00" * 64)
    assert "foreign.safetensors" in complaint(capsys, "evaluate", "--data", tiny_dataset, "--models", foreign)
    words = complaint(capsys, "evaluate", "--data", tiny_dataset, "--split", "dusk", "--models", "off-the-shelf")
    assert "'dusk'" in words and "test" in words


def test_evaluate_keeps_maps_of_descriptors(tiny_dataset: Path, tmp_path: Path) -> None:
    ask = ["evaluate", "--data", str(tiny_dataset), "--models", "off-the-shelf", "--no-side"]
    assert main([*ask, "--keep-maps", str(tmp_path / "maps")]) == 0
    (path,) = (tmp_path / "maps").iterdir()
    with np.load(path) as archive:
        assert archive["points"].shape == (12, 2) and np.isfinite(archive["points"]).all()


def test_evaluate_prints_a_table_and_writes_the_agreed_form(
    tiny_dataset: Path, tmp_path: Path, bu_tf_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results" / "r.json"
    ask = ["evaluate", "--data", str(tiny_dataset), "--split", "test", "--models", "off-the-shelf", str(bu_tf_file)]
    assert main([*ask, "--json", str(out)]) == 0
    table = capsys.readouterr().out
    assert all(word in table for word in ("night", "off-the-shelf", "untrained", "R@1", "AbsRel", "unmatched"))
    report = json.loads(out.read_text())
    assert {"dataset", "split", "radius_m", "database", "models", "paired"} <= set(report)
    for model in report["models"]:
        assert {"name", "parameters", "size_ratio", "training_steps", "descriptor_dim",
                "milliseconds_per_image", "conditions"} <= set(model)  # fmt: skip
        for condition in model["conditions"]:
            assert {"condition", "seen", "queries", "unmatched", "recall", "interval95",
                    "recall_at_distance"} <= set(condition)  # fmt: skip
            assert list(condition["recall"]) == ["1", "5", "10", "25"]
    assert [model.get("side", {}).get("modality") for model in report["models"]] == [None, "depth"]
    assert {"a", "b", "condition", "gain", "p"} <= set(report["paired"][0])
    assert main([*ask, "--json", "-", "--radius", "45"]) == 0
    assert json.loads(capsys.readouterr().out)["radius_m"] == 45.0


def test_search_finds_the_place_of_a_picture(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = tiny_dataset / "overcast" / "rgb" / "000009.jpg"
    ask = ["search", "--data", str(tiny_dataset), "--model", "off-the-shelf", str(query), "--top", "3"]
    assert main([*ask, "--json", str(tmp_path / "s.json")]) == 0
    assert "reference/000009" in capsys.readouterr().out
    found = json.loads((tmp_path / "s.json").read_text())["candidates"]
    assert [c["rank"] for c in found] == [1, 2, 3] and found[0]["frame"] == "reference/000009"
    assert [c["distance"] for c in found] == sorted(c["distance"] for c in found)
    assert all((tiny_dataset / c["path"]).is_file() for c in found)
    assert main([*ask, "--split", "train", "--json", "-"]) == 0
    inside = {f"reference/{place:06d}" for place in range(6)}
    assert {c["frame"] for c in json.loads(capsys.readouterr().out)["candidates"]} <= inside
    assert "nowhere.jpg does not exist" in complaint(capsys, *ask[:5], "nowhere.jpg")


def test_reconstruct_writes_depth_at_the_pictures_own_size(
    tmp_path: Path, bu_tf_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "photo.png"
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 255, (75, 111, 3), dtype=np.uint8)).save(picture)
    out = tmp_path / "depth.png"
    assert main(["reconstruct", "--model", str(bu_tf_file), str(picture), "--out", str(out)]) == 0
    with Image.open(out) as stored:
        assert stored.size == (111, 75) and stored.mode == "I;16"
    depth, expected = read_map(out, "depth"), zoo.load(str(bu_tf_file)).reconstruct(Image.open(picture))
    np.testing.assert_allclose(depth.values, expected.values, atol=0.5 / 256 + 1e-5)
    capsys.readouterr()
    words = complaint(capsys, "reconstruct", "--model", "off-the-shelf", picture, "--out", tmp_path / "no.png")
    assert "has no decoder" in words and not (tmp_path / "no.png").exists()


def test_models_are_listed_with_measured_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json", str(tmp_path / "m.json")]) == 0
    assert "off-the-shelf" in capsys.readouterr().out
    listed = json.loads((tmp_path / "m.json").read_text())["models"]
    for entry in listed:
        assert {"method", "trunk", "parameters", "size_ratio", "training_steps", "recall"} <= set(entry)
        network = build_network(entry["method"], entry["trunk"], pretrained=False)
        alone = build_network("image-only", entry["trunk"], pretrained=False)
        assert entry["parameters"] == count_parameters(network)
        assert entry["size_ratio"] == pytest.approx(count_parameters(network) / count_parameters(alone), abs=1e-3)


def test_runs_and_stop_without_any_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    assert "no runs" in capsys.readouterr().out
    assert main(["runs", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": []}
    assert "is no run" in complaint(capsys, "stop", "nothing")
    assert "cannot name a run" in complaint(capsys, "stop", "../..")


def test_train_says_what_is_wrong_before_it_begins(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ("train", "--data", tiny_dataset, "--run", tmp_path / "runs" / "a")
    assert "method is 'magic'" in complaint(capsys, *ask, "--method", "magic")
    assert "steps is 0" in complaint(capsys, *ask, "--steps", "0")
    assert "neither true nor false" in complaint(capsys, *ask, "--squared-distance", "maybe")
    assert "atlantis" in complaint(capsys, "train", "--data", "atlantis", "--run", tmp_path / "runs" / "a")
    assert "is no run" in complaint(capsys, *ask, "--resume")
    (tmp_path / "c.json").write_text('{"stepps": 3}')
    assert "'stepps'" in complaint(capsys, *ask, "--config", tmp_path / "c.json")
    (tmp_path / "c.json").write_text("[1]")
    assert "expected a JSON object" in complaint(capsys, *ask, "--config", tmp_path / "c.json")
    assert not (tmp_path / "runs" / "a").exists()


def test_import_takes_only_kinds_that_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "invalid choice: 'lidar'" in complaint(capsys, "import", "lidar", tmp_path, "--out", tmp_path / "o")
    (tmp_path / "empty").mkdir()
    assert "empty" in complaint(capsys, "import", "rgbd", tmp_path / "empty", "--out", tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_a_trained_run_is_a_model_at_once(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ["train", "--data", str(tiny_dataset), "--run", "first", *QUICK, "--steps", "2"]
    assert main(ask) == 0
    assert "runs/first" in capsys.readouterr().out
    assert main(["runs", "--json", "-"]) == 0
    (state,) = json.loads(capsys.readouterr().out)["runs"]
    assert (state["name"], state["state"], state["data"]) == ("first", "finished", str(tiny_dataset.resolve()))
    assert main(["evaluate", "--data", str(tiny_dataset), "--models", "first", "off-the-shelf", "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    seen = {part["condition"]: part["seen"] for part in report["models"][0]["conditions"]}
    assert seen == {"overcast": True, "night": False}
    assert report["models"][0]["training_steps"] == 1
    assert [(pair["a"], pair["b"]) for pair in report["paired"]] == [("off-the-shelf", "first")] * 2
    assert "has steps 2, not 3" in complaint(capsys, *ask[:7], "--steps", "3", "--resume")
    assert "holds a trained run" in complaint(capsys, *ask)
    assert main(["stop", "first"]) == 0
    assert "was not being trained (finished)" in capsys.readouterr().out


def test_ctrl_c_stops_training_with_130_and_a_checkpoint_to_resume(tiny_dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "long"
    process = subprocess.Popen(
        [sys.executable, "-m", "butf", "train", "--data", str(tiny_dataset), "--run", str(run), *QUICK,
         "--steps", "100000"],
        cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 180
    while not (run / "metrics.jsonl").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=180)
    assert process.returncode == 130
    assert words == "long: stopped as asked, and saved; resume it whenever you like\n"
    assert (run / "checkpoint.pt").is_file() and not (run / "model.safetensors").exists()


def test_a_file_that_cannot_be_written_is_said_before_the_work(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    ask = ("evaluate", "--data", tiny_dataset, "--models", "off-the-shelf", "--json", tmp_path / "file" / "r.json")
    assert "r.json cannot be written" in complaint(capsys, *ask)
    assert not (tmp_path / "butf_cache").exists()
