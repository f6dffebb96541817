"""SIGKILL at random moments of training, import, town rendering, index building and writing; then the next start.

What is looked at after each kill: every file is whole or not there, and nothing that was told to be finished is lost.
What is looked at after the next start, which goes on by itself: the result equals that of a process that was never
disturbed, byte for byte (weights tensor for tensor, since a card holds the seconds that training took).
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks._kills import Job, Kills, kill_writer, run
from butf.commands.common import at_least_one, text_table
from butf.dataset.frames import Frames, write_frames
from butf.dataset.modalities import Encoding
from butf.errors import BadInput
from butf.files import ASSETS, TEMPORARY, read_json
from butf.networks import zoo
from butf.networks.card import card_text
from butf.networks.methods import build_network
from butf.networks.weights import read_weights, save_weights
from butf.retrieval import bank
from butf.training.checkpoint import load_checkpoint, random_states, save_checkpoint
from butf.training.folder import Run

SHARES = {"train": 0.15, "import": 0.2, "town": 0.15, "index": 0.2, "checkpoint": 0.15, "weights": 0.15}
TRAIN = (
    "--method", "bu-tf", "--steps", "6", "--places", "3", "--views", "2", "--image-area", "6144", "--validate-every",
    "3", "--checkpoint-every", "2", "--refresh-every", "3", "--final-queries", "4", "--device", "cpu",
)  # fmt: skip
TOWN = (
    "--splits", "val", "--conditions", "reference", "overcast", "--stride", "12", "--samples", "1", "--workers", "1",
    "--set", "width=64", "--set", "height=48", "--set", "val_places=72",
)  # fmt: skip


def main(argv: list[str]) -> None:
    """Kill, start again, compare, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks faults", description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=at_least_one, default=100, metavar="N", help="in all, over the kinds (100)")
    parser.add_argument("--only", choices=tuple(SHARES), help="one kind alone gets all of them")
    parser.add_argument("--seed", type=int, default=0, help="start of all random numbers (0)")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)  # what is forked must not have threads
    kinds = [args.only] if args.only else list(SHARES)
    total = sum(SHARES[kind] for kind in kinds)
    tallies: dict[str, Kills] = {}
    with tempfile.TemporaryDirectory() as name:
        place = Place.made(Path(name))
        for kind in kinds:
            kills = max(1, round(args.kills * SHARES[kind] / total))
            tally = tallies[kind] = disturb(kind, place, kills, args.seed)
            print(f"{kind}: {tally.kills} kills, {len(tally.wrong)} things wrong", flush=True)
    rows = [
        (kind, str(t.kills), str(t.starts), str(t.finished), str(len(t.wrong)), f"{t.seconds:.0f}")
        for kind, t in tallies.items()
    ]
    print(text_table(("kind", "kills", "starts", "compared", "wrong", "seconds"), rows))
    wrong = [f"{kind}, {line}" for kind, tally in tallies.items() for line in tally.wrong]
    print(f"{sum(tally.kills for tally in tallies.values())} kills, {len(wrong)} things wrong")
    if wrong:
        print("\n".join(f"  {line}" for line in wrong))
        raise BadInput("kills did harm; mend what is listed above")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where it all happens: a small data set, an RGB-D recording, a model, and the variables that point there."""

    root: Path
    data: Path
    recording: Path
    photo: Path
    environment: dict[str, str]

    @classmethod
    def made(cls, root: Path) -> Place:
        place = cls(root, root / "data" / "small", root / "recording", root / "photo.jpg", _environment(root))
        _small_town(place.data)
        _recording(place.recording)
        Image.open(next(place.data.glob("overcast/rgb/*"))).save(place.photo)
        _model(root / "runs" / "mine")
        return place


def disturb(kind: str, place: Place, kills: int, seed: int) -> Kills:
    """The kills of one kind."""
    if kind in ("checkpoint", "weights"):
        return _writing(kind, place.root / kind, kills, seed)
    job = {"train": _training, "import": _importing, "town": _rendering, "index": _indexing}[kind](place)
    return run(job, place.root / kind, kills, seed, place.environment)


def _environment(root: Path) -> dict[str, str]:
    own = {f"BUTF_{key}": str(root / key.lower()) for key in ("DATA", "RUNS", "CACHE")}
    return own | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}


def _training(place: Place) -> Job:
    def command(folder: Path) -> Sequence[str]:
        begun = (folder / "config.json").exists()
        return ("train", "--run", str(folder), *(("--resume",) if begun else (*TRAIN, "--data", str(place.data))))

    def look(folder: Path) -> None:
        if not (folder / "config.json").exists():
            return
        found = Run(folder)
        assert not found.state().active, "a dead trainer is taken for a living one"
        found.metrics()
        if found.checkpoint_path.exists():
            load_checkpoint(found.checkpoint_path)
        for path in (found.best_path, found.weights_path):
            if path.exists():
                read_weights(path)
        if found.complete:
            zoo.load(str(folder))

    def same(reference: Path, folder: Path) -> None:
        ours, theirs = (read_weights(path / "model.safetensors")[0] for path in (folder, reference))
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours), "weights"
        told, wanted = (
            [(record.get("phase_index"), record.get("step"), "loss" in record) for record in Run(path).metrics()]
            for path in (folder, reference)
        )
        assert told == wanted, f"metrics: {told} and not {wanted}"
        _nothing_left(folder)

    return Job("train", command, look, same)


def _importing(place: Place) -> Job:
    def look(folder: Path) -> None:
        if folder.exists():
            Frames.load(folder)

    def same(reference: Path, folder: Path) -> None:
        # Killed between renaming the folder and removing its own notes, an import leaves these.
        _alike(reference, folder, ("import.json", "import.lock", "dataset.json"))
        ours, theirs = (read_json(path / "dataset.json") | {"name": ""} for path in (folder, reference))
        assert ours == theirs, "dataset.json"

    return Job("import", lambda folder: ("import", "rgbd", str(place.recording), "--out", str(folder)), look, same)


def _rendering(place: Place) -> Job:
    def look(folder: Path) -> None:
        if (folder / "dataset.json").exists():
            Frames.load(folder)

    def same(reference: Path, folder: Path) -> None:
        _alike(reference, folder, ())
        _nothing_left(folder)

    return Job("town", lambda folder: ("town", "--out", str(folder), *TOWN), look, same)


def _indexing(place: Place) -> Job:
    """A search that must describe the database first; the folder is its cache."""

    def command(folder: Path) -> Sequence[str]:
        os.environ["BUTF_CACHE"] = place.environment["BUTF_CACHE"] = str(folder)
        ask = ("search", "--data", str(place.data), "--model", "mine", str(place.photo), "--device", "cpu")
        return (*ask, "--json", str(folder / "answer.json"))

    def look(folder: Path) -> None:
        for path in folder.glob("descriptors/[!.]*.npz"):
            assert bank._read(path, path.stem.rpartition("-")[2]) is not None, f"{path.name} is not whole"
        if (folder / "answer.json").exists():
            read_json(folder / "answer.json")

    return Job("index", command, look, lambda reference, folder: _alike(reference, folder, ()))


def _writing(kind: str, folder: Path, kills: int, seed: int) -> Kills:
    """A file that is written again and again: what is there must be whole, and no older than what was finished."""
    rng, tally, began = random.Random(f"{seed} {kind}"), Kills(), time.monotonic()
    folder.mkdir()
    network = torch.nn.Linear(256, 256)
    path = folder / ("checkpoint.pt" if kind == "checkpoint" else "model.safetensors")

    def write(number: int) -> None:
        network.weight.data.fill_(number)
        network.bias.data.fill_(number)
        if kind == "checkpoint":
            save_checkpoint(path, network, None, None, {"step": number}, random_states(np.random.default_rng(number)))
        else:
            save_weights(path, network.state_dict(), {"step": str(number)})

    for _ in range(kills):
        path.unlink(missing_ok=True)
        finished = kill_writer(write, rng.uniform(0.05, 0.4))
        tally.kills += 1
        tally.starts += 1
        try:
            _whole(path, kind, finished)
            tally.finished += 1
        except (AssertionError, BadInput) as error:
            tally.wrong.append(f"{error}")
    tally.seconds = time.monotonic() - began
    return tally


def _whole(path: Path, kind: str, finished: int) -> None:
    if not path.exists():
        assert finished == 0, f"{finished} were finished and none is there"
        return
    if kind == "checkpoint":
        parts = load_checkpoint(path)
        state, step = parts["model"], parts["progress"]["step"]
    else:
        state, metadata = read_weights(path)
        step = int(metadata["step"])
    assert step >= finished, f"{finished} was finished and {step} is there"
    assert all(bool((tensor == step).all()) for tensor in state.values()), "tensors of several writes in one file"


def _alike(reference: Path, folder: Path, but: Sequence[str]) -> None:
    """The same files with the same bytes, hidden ones aside."""
    ours, theirs = (
        {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file() and not path.name.startswith(".") and path.name not in but
        }
        for root in (folder, reference)
    )
    assert ours.keys() == theirs.keys(), f"other files: {sorted(ours.keys() ^ theirs.keys())[:3]}"
    other = [name for name in ours if ours[name] != theirs[name]]
    assert not other, f"other content: {other[:3]}"


def _nothing_left(folder: Path) -> None:
    left = [path.name for path in folder.rglob(".*") if TEMPORARY.fullmatch(path.name)]
    assert not left, f"left behind: {left[:3]}"


def _small_town(out: Path) -> None:
    """Some places of the shipped town, under two conditions."""
    town = Frames.load(ASSETS / "town")
    chosen: list[int] = []
    for split, count in (("train", 8), ("val", 4), ("test", 8)):
        for condition in ("reference", "overcast"):
            chosen += town.where(split=split, condition=condition)[:count].tolist()
    for i in chosen:
        for path in (town.image_path(i), town.modality_path(i, "depth")):
            if path is not None:
                target = out / path.relative_to(town.root)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    rows = town.take(chosen)
    columns = ("frame", "traversal", "condition", "split", "time_s", "lat", "lon")
    table = {name: getattr(rows, name) for name in columns}
    table |= dict(zip(("easting_m", "northing_m", "altitude_m"), rows.position.T, strict=True))
    assert rows.orientation is not None
    table |= dict(zip(("qw", "qx", "qy", "qz"), rows.orientation.T, strict=True))
    meta = read_json(town.root / "dataset.json")
    meta["modalities"] = {"depth": meta["modalities"]["depth"]}
    write_frames(out, table, meta)


def _recording(src: Path, frames: int = 60) -> None:
    """An RGB-D recording of a camera that moves along a line."""
    src.mkdir()
    rng = np.random.default_rng(0)
    (src / "camera-intrinsics.txt").write_text("50 0 48\n0 50 32\n0 0 1\n")
    for number in range(frames):
        name = src / f"frame-{number:06d}"
        Image.fromarray(rng.integers(0, 255, (64, 96, 3), np.uint8)).save(f"{name}.color.png")
        Image.fromarray(rng.integers(500, 5000, (64, 96)).astype(np.uint16)).save(f"{name}.depth.png")
        Path(f"{name}.pose.txt").write_text(f"1 0 0 {0.3 * number}\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")


def _model(folder: Path) -> None:
    """A model as training leaves it, with the weights that it began with."""
    torch.manual_seed(0)
    network = build_network("bu-tf", "efficientnet-lite0", pretrained=False)
    card = zoo.describe_card(
        folder.name, network, "bu-tf", "efficientnet-lite0", image_area=160 * 120, encoding=Encoding()
    )
    folder.mkdir(parents=True)
    save_weights(folder / "model.safetensors", network.state_dict(), {"card": card_text(card)})
    (folder / "card.json").write_text(card_text(card))
