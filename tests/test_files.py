"""Reading and writing files: whole or not at all, and one sentence for each thing that can be wrong."""

from __future__ import annotations

import io
import resource
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from butf import files
from butf.errors import BadInput


def one_sentence(error: pytest.ExceptionInfo) -> str:
    """The text of an error, which must be one line."""
    text = str(error.value)
    assert "\n" not in text and text
    return text


def jpeg(size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "JPEG", **options)
    return stream.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""
    chunks = b""
    for kind, data in ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b""))):
        chunks += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_atomic_write_makes_folders_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    files.write_atomic(path, "first, é")
    files.write_atomic(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["b.txt"]


def test_atomic_write_obeys_umask(tmp_path: Path) -> None:
    files.write_atomic(tmp_path / "ours", "x")
    (tmp_path / "plain").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_full_disk_keeps_the_old_file_and_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "result.bin"
    files.write_atomic(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The real refusal of the system in the middle of a write, without filling a disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(BadInput) as error:
            files.write_atomic(path, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(path) in one_sentence(error) and "file too large" in str(error.value)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.bin"]


def test_write_below_a_file_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written") as error:
        files.write_atomic(tmp_path / "file" / "x.txt", "x")
    assert one_sentence(error)


def test_json_comes_back(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None, "é"], "b": {"c": True}}
    for compact in (False, True):
        files.write_json(tmp_path / "x.json", value, compact=compact)
        assert files.read_json(tmp_path / "x.json") == value


def test_json_with_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert files.read_json(tmp_path / "x.json") == {"a": 1}


def test_nan_is_not_written_as_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b'{"a": \n1,,}', "line 2"), (b"", "not valid JSON"), (b"\xff\xfe\x00", "UTF-8"), (b"[" * 100_000, "nested")],
)
def test_broken_json_is_named(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=expected) as error:
        files.read_json(path)
    assert str(path) in one_sentence(error)


def test_missing_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        files.read_json(tmp_path / "none.json")


def test_image_is_rgb_and_upright(tmp_path: Path) -> None:
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :20, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side: turn a quarter clockwise to see it
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif)
    upright = np.asarray(files.read_image(tmp_path / "x.png"))
    np.testing.assert_array_equal(upright, np.rot90(pixels, -1))


def test_sixteen_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 32896, 65535]], np.uint16)).save(tmp_path / "x.png")
    assert np.asarray(files.read_image(tmp_path / "x.png"))[0, :, 0].tolist() == [0, 128, 255]


def smooth(width: int, height: int) -> Image.Image:
    """A picture without fine detail, which is what a small one keeps of a large one."""
    x, y = np.meshgrid(np.linspace(0, 9, width), np.linspace(0, 7, height))
    waves = np.stack([np.sin(x), np.cos(y), np.sin(x + y)], axis=2)
    return Image.fromarray((127 + 120 * waves).astype(np.uint8))


@pytest.mark.parametrize(
    ("size", "least", "expected"),
    [
        ((640, 480), 60, (80, 60)),
        ((640, 480), 61, (160, 120)),
        ((640, 480), 240, (320, 240)),
        ((640, 480), 241, (640, 480)),
        ((644, 484), 60, (161, 121)),  # an eighth would be 80.5 pixels wide
        ((645, 480), 60, (645, 480)),
    ],
)
def test_a_jpeg_is_decoded_smaller_where_its_proportions_stay(
    tmp_path: Path, size: tuple[int, int], least: int, expected: tuple[int, int]
) -> None:
    smooth(*size).save(tmp_path / "x.jpg", quality=95)
    whole, found = files.read_image(tmp_path / "x.jpg"), files.read_image(tmp_path / "x.jpg", least=least)
    assert (whole.size, found.size) == (size, expected)
    small = np.asarray(whole.resize(expected, Image.Resampling.BOX), int)
    assert np.abs(small - np.asarray(found)).max() <= 12 and np.abs(small - np.asarray(found)).mean() < 1.5


def test_a_png_keeps_its_size_however_little_is_needed(tmp_path: Path) -> None:
    smooth(640, 480).save(tmp_path / "x.png")
    np.testing.assert_array_equal(files.read_image(tmp_path / "x.png", least=10), smooth(640, 480))


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_jpeg_decoded_smaller_is_upright_and_its_header_tells_the_size(tmp_path: Path, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    smooth(640, 480).save(tmp_path / "x.jpg", quality=95, exif=exif)
    whole, found = files.read_image(tmp_path / "x.jpg"), files.read_image(tmp_path / "x.jpg", least=100)
    assert files.image_size(tmp_path / "x.jpg") == whole.size == (4 * found.width, 4 * found.height)
    small = np.asarray(whole.resize(found.size, Image.Resampling.BOX), int)
    assert np.abs(small - np.asarray(found)).mean() < 1.5


def test_a_truncated_jpeg_is_named_when_decoded_smaller(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(jpeg((640, 480))[:9000])
    with pytest.raises(BadInput, match="truncated or damaged"):
        files.read_image(path, least=60)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    Image.new(mode, (8, 6)).save(path)
    assert (files.read_image(path).mode, files.read_image(path).size) == ("RGB", (8, 6))


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_truncated_image_is_named(tmp_path: Path, form: str, share: float) -> None:
    stream = io.BytesIO()
    Image.open(io.BytesIO(jpeg())).save(stream, form)
    path = tmp_path / f"cut.{form.lower()}"
    path.write_bytes(stream.getvalue()[: int(len(stream.getvalue()) * share)])
    with pytest.raises(BadInput, match="truncated or damaged") as error:
        files.read_image(path)
    assert str(path) in one_sentence(error)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xd8\xff", b"%PDF-1.4"])
def test_no_image_is_named(content: bytes) -> None:
    with pytest.raises(BadInput) as error:
        files.read_image(io.BytesIO(content), name="holiday.jpg")
    assert one_sentence(error).startswith("holiday.jpg is")


@pytest.mark.parametrize("size", [(10_000, 10_000), (100_000, 100_000)])
def test_huge_image_is_refused_before_decoding(recwarn: pytest.WarningsRecorder, size: tuple[int, int]) -> None:
    with pytest.raises(BadInput, match="at most 50 megapixels") as error:
        files.read_image(io.BytesIO(png_header(*size)), name="big.png")
    assert one_sentence(error) and not recwarn.list


def test_missing_and_folder_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        files.read_image(tmp_path / "none.jpg")
    with pytest.raises(BadInput, match="cannot be read"):
        files.read_image(tmp_path)


def test_new_folder_appears_only_when_all_went_well(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with files.new_folder(out) as folder:
        (folder / "x").write_text("1")
        assert not out.exists()
    assert (out / "x").read_text() == "1"
    assert [entry.name for entry in out.parent.iterdir()] == ["out"]


def test_new_folder_vanishes_on_interruption(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), files.new_folder(tmp_path / "out") as folder:
        (folder / "x").write_text("1")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_new_folder_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("1")
    with pytest.raises(BadInput, match="already exists"), files.new_folder(tmp_path / "out"):
        pass
    with pytest.raises(BadInput, match="cannot be written"), files.new_folder(tmp_path / "late"):
        (tmp_path / "late").mkdir()
        (tmp_path / "late" / "theirs").write_text("2")
    assert (tmp_path / "out" / "mine").read_text() == "1" and (tmp_path / "late" / "theirs").read_text() == "2"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["late", "out"]


def test_folders_follow_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BUTF_RUNS", raising=False)
    assert files.runs_dir() == files.REPO / "runs"
    for variable, folder in (("BUTF_RUNS", files.runs_dir), ("BUTF_CACHE", files.cache_dir)):
        monkeypatch.setenv(variable, str(tmp_path / variable))
        assert folder() == tmp_path / variable
    monkeypatch.setenv("BUTF_DATA", str(tmp_path))
    assert files.data_dirs() == [files.ASSETS, tmp_path]
