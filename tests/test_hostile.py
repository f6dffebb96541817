"""Hostile input: a short fuzz of every reader, what it once found, and what keeps the doors shut."""

from __future__ import annotations

import ast
import io
import json
import struct
import tomllib
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import fuzz
from butf import browse, own_data, recordings
from butf.dataset.areas import read_areas
from butf.dataset.frames import Frames
from butf.dataset.unpack import unpack
from butf.errors import LONGEST, BadInput
from butf.files import REPO, parse_json, read_image, user_path
from butf.importers.kitti_layouts import Recording
from butf.importers.photo_roles import Choice
from butf.networks.card import card_text, parse_card
from butf.networks.weights import read_weights, save_weights
from butf.networks.zoo import off_the_shelf_card
from butf.retrieval import bank
from butf.training.checkpoint import load_checkpoint, random_states, save_checkpoint
from butf.training.folder import Run

DEEP = "[" * 100_000
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def test_a_short_fuzz_of_every_reader_finds_nothing() -> None:
    """Longer: python -m benchmarks fuzz."""
    with fuzz.workplace() as folder:
        found = {target.name: fuzz.fire(target, 6, 5, 20.0) for target in fuzz.every_target(folder)}
    assert len(found) > 35 and all(tally.accepted + tally.refused >= 6 for tally in found.values())
    assert {name: list(tally.findings) for name, tally in found.items() if tally.findings} == {}


def test_the_fuzz_sees_crashes_hangs_and_long_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(case: bytes) -> None:
        if case == b"crash":
            raise KeyError("x")
        if case == b"hang":
            while True:
                try:
                    sum(range(1000))
                except Exception:
                    continue
        raise ValueError

    monkeypatch.setattr(fuzz, "HANG_S", 0.05)
    target = fuzz.Target("t", (b"crash", b"hang", b"other"), (lambda rng, data: data,), reader)
    tally = fuzz.fire(target, 1, 0, 5.0)
    assert [kind.split()[0] for kind in sorted(tally.found)] == ["Hang", "KeyError", "ValueError"]
    assert (tally.accepted, tally.refused) == (0, 0)


@pytest.mark.parametrize("text", ["9" * 5000, '"\\ud800"', DEEP, '{"a":' * 5000, "{"])
def test_json_that_later_readers_trip_over(text: str) -> None:
    with pytest.raises(BadInput, match=r"x\.json is not"):
        parse_json(text, "x.json")
    with pytest.raises(BadInput, match="holds no model card"):
        parse_card(text, "x.json")


def test_json_as_people_write_it() -> None:
    assert parse_json('{"a": ["\\ud83d\\ude00", 1e3, -5, null]}', "x") == {"a": ["\U0001f600", 1000.0, -5, None]}


@pytest.mark.parametrize(
    "change",
    [{"image_area": "big"}, {"image_area": 0}, {"parameters": 1.5}, {"size_ratio": None}, {"val_recall": "high"},
     {"val_recall": {"night": "x"}}, {"seen": [1]}, {"method": []}, {"name": None}, {"descriptor_dim": float("inf")},
     {"encoding": [1]}, {"aggregation": {"pooling": {}}}],
)  # fmt: skip
def test_a_card_whose_fields_are_of_another_kind(change: dict[str, object]) -> None:
    sound = json.loads(card_text(off_the_shelf_card()))
    assert parse_card(json.dumps(sound), "card.json") == off_the_shelf_card()
    with pytest.raises(BadInput, match=r"card\.json"):
        parse_card(json.dumps(sound | change), "card.json")


def test_a_status_and_metrics_that_no_trainer_wrote(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.config_path.write_text("{}")
    run.status_path.write_text('{"step": Infinity, "steps": 1e400, "started": NaN, "updated": true}')
    state = run.state()
    assert (state.step, state.steps, state.started, state.updated) == (0, 0, None, None)
    lines = ['{"step": 1, "loss": 2}', '{"step": [1]}', '{"phase_index": "a"}', DEEP, '{"step": 2, "loss": NaN}']
    run.metrics_path.write_text("\n".join(lines))
    assert [record["step"] for record in run.metrics()] == [1, 2]


def test_refusals_are_one_line_of_bounded_length() -> None:
    text = str(BadInput("a\nb\u202ec\ud800" + "ö" * 10_000 + "; mend it"))
    assert text.startswith("a\\nb\\u202ec\\ud800ö") and text.endswith("ö; mend it") and len(text) <= LONGEST
    assert str(BadInput("as it is: ä\u00a0…")) == "as it is: ä\u00a0…"


@pytest.mark.parametrize("text", ["a\0b", "a" * 300, "/".join(["ab"] * 3000), "~no-such-user/\0"])
def test_what_no_file_can_be_named(text: str) -> None:
    with pytest.raises(BadInput, match="is no path"):
        user_path(text)


def test_a_frame_name_that_no_disk_takes(tiny_dataset: Path) -> None:
    table = tiny_dataset / "frames.csv"
    table.write_text(table.read_text().replace("night/000003", "night/" + "3" * 300, 1))
    with pytest.raises(BadInput, match=r"row 29, column frame.*is too long.*at most 200 bytes"):
        Frames.load(tiny_dataset)


def test_a_split_without_a_database_is_not_asked(tiny_dataset: Path) -> None:
    table = tiny_dataset / "frames.csv"
    rows = table.read_text().splitlines()
    table.write_text("\n".join(row for row in rows if not (row.startswith("reference") and ",test," in row)) + "\n")
    frames = Frames.load(tiny_dataset)
    assert browse.asked_split(frames) == "val" and browse.ground(frames, "test") is None


def test_an_area_without_a_border(tmp_path: Path) -> None:
    path = tmp_path / "areas.geojson"
    feature = {"properties": {"kind": "area", "split": "test"}, "geometry": {"type": "Polygon", "coordinates": []}}
    path.write_text(json.dumps({"features": [feature]}))
    with pytest.raises(BadInput, match=r"feature 1 is broken \(a polygon has no border\)"):
        read_areas(path)


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of one grey pixel with more chunks before its data."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), *chunks, (b"IDAT", zlib.compress(b"\0\x07"))]
    ended = [*parts, (b"IEND", b"")]
    body = (struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in ended)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


@pytest.mark.parametrize(
    "exif", [b"MM\0*\0\0", b"\0\x80\0*\0\0\0\x08", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\x06\0\0\0\0"]
)
def test_a_broken_exif_does_not_keep_a_photo_out(exif: bytes) -> None:
    assert read_image(io.BytesIO(png((b"eXIf", exif)))).getpixel((0, 0)) == (7, 7, 7)


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "WEBP", "EPS", "PPM"])
def test_no_other_decoder_is_asked(form: str) -> None:
    """An EPS would be given to another program."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, form)
    file.seek(0)
    with pytest.raises(BadInput, match="is not an image; expected a JPEG or PNG file"):
        read_image(file)


def test_a_png_bomb_is_seen_before_it_is_decoded() -> None:
    huge = png().replace(struct.pack(">II", 1, 1), struct.pack(">II", 60_000, 60_000))
    huge = huge[:29] + struct.pack(">I", zlib.crc32(huge[12:29])) + huge[33:]
    with pytest.raises(BadInput, match="megapixels"):
        read_image(io.BytesIO(huge))


def test_archives_that_zipfile_itself_trips_over(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("ää.csv", b"x" * 100)
    whole = file.getvalue()
    undecodable = whole.replace("ää".encode(), b"\xff\xfe\xff\xfe")
    displaced = whole[:-6] + struct.pack("<I", 2**31) + whole[-2:]  # where the directory is said to begin
    for number, case in enumerate((undecodable, displaced)):
        into = tmp_path / str(number)
        into.mkdir()
        with pytest.raises(BadInput, match=r"a\.zip(: ää\.csv is damaged| is not a whole \.zip file)"):
            unpack(io.BytesIO(case), "a.zip", into)
        assert list(into.iterdir()) == []


def test_names_in_an_archive_that_no_disk_takes(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("b" * 300 + ".csv", b"x")
    with pytest.raises(BadInput, match="too long for a file"):
        unpack(file, "a.zip", tmp_path)


def test_a_camera_that_cannot_be_inverted(tmp_path: Path) -> None:
    for folder in ("image_2", "velodyne"):
        (tmp_path / folder).mkdir()
    (tmp_path / "calib.txt").write_text("P2: 9 0 8 0 0 0 6 0 0 0 1 0\nTr: 1 0 0 0 0 1 0 0 0 0 1 0\n")
    with pytest.raises(BadInput, match=r"calib\.txt holds a camera or a pose that cannot be inverted"):
        Recording.find(tmp_path).calibration("000000")


def test_turned_bits_in_a_checkpoint_or_weights_are_seen(tmp_path: Path) -> None:
    network = torch.nn.Linear(64, 64)
    checkpoint, weights = tmp_path / "checkpoint.pt", tmp_path / "model.safetensors"
    save_checkpoint(checkpoint, network, None, None, {"step": 1}, random_states())
    save_weights(weights, network.state_dict(), {"card": "{}"})
    assert load_checkpoint(checkpoint)["progress"] == {"step": 1} and read_weights(weights)[1] == {"card": "{}"}
    value = network.weight.detach().numpy().tobytes()[400:432]
    for path, read in ((checkpoint, load_checkpoint), (weights, read_weights)):
        content = path.read_bytes()
        at = content.index(value)
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        with pytest.raises(BadInput, match=r"damaged|truncated or no checkpoint"):
            read(path)


def test_kept_descriptors_with_a_turned_bit_in_their_shape_are_computed_again(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, key=np.array("k"), values=np.eye(5, dtype=np.float32))
    content = path.read_bytes()
    assert content.count(b"(5, 5)") == 1 and bank._read(path, "k") is not None
    path.write_bytes(content.replace(b"(5, 5)", b"(4, 5)"))
    assert bank._read(path, "k") is None


def test_weights_whose_digest_lost_its_name_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_weights(path, torch.nn.Linear(2, 2).state_dict(), {})
    path.write_bytes(path.read_bytes().replace(b"sha256", b"sha252"))
    with pytest.raises(BadInput, match="is damaged"):
        read_weights(path)


def test_kept_descriptors_of_terabytes_are_computed_again(tmp_path: Path) -> None:
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 4), }"
    path = tmp_path / "a.npz"
    np.savez(path, key=np.array("k"), values=np.eye(4, dtype=np.float32))
    assert bank._read(path, "k") is not None
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("values.npy", b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head)
    assert bank._read(path, "k") is None


class Sent(io.BytesIO):
    """A file as an uploader gives it."""

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(content)
        self.name = name


def test_who_sends_a_file_does_not_learn_where_it_lies(apart: Path) -> None:
    with pytest.raises(BadInput, match=r"^uploads/a\.csv has no column") as refusal:
        recordings.from_uploaded_photos([Sent("a.csv", b"lat,y\n1,2\n"), Sent("b.jpg", png())], Choice())
    assert str(apart) not in str(refusal.value)
    assert [path for path in own_data.home().iterdir() if path.name.startswith(own_data.STAGING)] == []


def test_nothing_of_ours_unpickles() -> None:
    """No pickle, no torch.load that could run code, no object arrays."""
    folders = ("butf", "pages", "benchmarks")
    sources = [REPO / "app.py", *(path for folder in folders for path in (REPO / folder).rglob("*.py"))]
    suspects = (*PICKLES, "torch.load", "np.load", "numpy.load")
    assert len(sources) > 200
    for path in sources:
        text = path.read_text(encoding="utf-8")
        if not any(word in text for word in suspects):
            continue  # parsing them all takes seconds
        for node in ast.walk(ast.parse(text)):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            names |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
            assert not {name.partition(".")[0] for name in names} & PICKLES, path
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "np.load", "numpy.load"):
                said = {word.arg: ast.unparse(word.value) for word in node.keywords}
                wanted = ("weights_only", "True") if "torch" in ast.unparse(node.func) else ("allow_pickle", "False")
                assert said.get(wanted[0]) == wanted[1], f"{path}:{node.lineno}"


def test_the_app_s_own_settings_keep_strangers_out() -> None:
    said = tomllib.loads((REPO / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert said["server"]["address"] == "127.0.0.1" and said["server"]["enableXsrfProtection"] is True
    assert said["server"].get("enableCORS", True) is True and said["server"]["maxUploadSize"] <= 500
    assert said["client"]["showErrorDetails"] == "none" and said["browser"]["gatherUsageStats"] is False
    uploaders = [
        node
        for path in (REPO / "pages").glob("*.py")
        if "file_uploader" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("file_uploader")
    ]
    assert len(uploaders) >= 3
    assert all("max_upload_size" in {word.arg for word in node.keywords} for node in uploaders)
