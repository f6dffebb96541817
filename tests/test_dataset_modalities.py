"""Side modalities: files, encodings and colours against closed forms and plain loops."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import plotly.colors
import pytest
import torch
from PIL import Image

from butf.dataset import colours
from butf.dataset.frames import Frames
from butf.dataset.modalities import MODALITIES, Encoding, Map, colour, default_encoding, read_map, write_map
from butf.errors import BadInput

DEPTHS = np.array([0.2, 1.0, 1.7, 10.0, 55.5, 100.0, 3000.0])
# ln(v) / ln(100), 1 - 1/v over 1 - 1/100, (v - 1) / 99: near 1 m, far 100 m, clipped.
CLOSED = {
    "log": [min(max(math.log(v) / math.log(100), 0), 1) for v in DEPTHS],
    "inverse": [min(max((1 - 1 / v) / 0.99, 0), 1) for v in DEPTHS],
    "linear": [min(max((v - 1) / 99, 0), 1) for v in DEPTHS],
}


def lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB (N, 3) uint8 -> CIELAB (D65), by the standard's formulas."""
    c = rgb / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    xyz = linear @ to_xyz.T / (0.95047, 1, 1.08883)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("kind", CLOSED)
def test_encoding_has_its_closed_form(kind: str) -> None:
    encoding = Encoding("depth", kind, 1.0, 100.0)
    encoded = encoding.encode(DEPTHS)
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(encoded, CLOSED[kind], atol=1e-6)
    np.testing.assert_allclose(encoding.decode(encoded), np.clip(DEPTHS, 1, 100), rtol=2e-4)


@pytest.mark.parametrize("kind", CLOSED)
@pytest.mark.parametrize(("near", "far"), [(0.3, 10.0), (1.0, 100.0), (2.5, 250.0)])
def test_decode_undoes_encode(kind: str, near: float, far: float) -> None:
    encoding, values = Encoding("depth", kind, near, far), np.geomspace(near, far, 500)
    encoded = encoding.encode(values)
    assert encoded.min() >= 0 and encoded.max() <= 1 and (np.diff(encoded) > 0).all()
    np.testing.assert_allclose(encoding.decode(encoded), values, rtol=1e-3)


@pytest.mark.parametrize(
    "encoding",
    [
        *(Encoding("depth", kind, 0.5, 80.0) for kind in CLOSED),
        Encoding("reflectance", "identity", 0, 1),
        Encoding("semantics", "classes", 0, 7),
    ],
)
def test_torch_and_numpy_agree(encoding: Encoding) -> None:
    values = np.random.default_rng(0).uniform(0, 90, (2, 1, 5, 7)).astype(np.float32)
    ours = encoding.encode(torch.from_numpy(values))
    assert isinstance(ours, torch.Tensor) and ours.dtype == torch.float32
    np.testing.assert_allclose(ours.numpy(), encoding.encode(values), atol=1e-6)
    np.testing.assert_allclose(encoding.decode(ours).numpy(), encoding.decode(encoding.encode(values)), rtol=1e-5)


def test_half_precision_is_decoded_in_full() -> None:
    encoded = torch.tensor([0.25, 0.75], dtype=torch.bfloat16)
    decoded = Encoding().decode(encoded)
    assert decoded.dtype == torch.float32
    assert decoded.tolist() == pytest.approx([100**0.25, 100**0.75], rel=1e-5)


def test_gradient_passes_through_the_encoding() -> None:
    depth = torch.tensor([2.0, 20.0], requires_grad=True)
    Encoding().encode(depth).sum().backward()
    assert depth.grad.tolist() == pytest.approx([1 / (v * math.log(100)) for v in (2, 20)], rel=1e-5)


def test_classes_come_back_exactly() -> None:
    encoding, ids = Encoding("semantics", "classes", 0, 18), np.arange(19)
    assert encoding.decode(encoding.encode(ids)).tolist() == ids.tolist()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("depth", "identity", 1, 100), "does not suit depth; use log or inverse or linear"),
        (("depth", "log", 0, 100), "range 0 to 100"),
        (("depth", "log", 10, 5), "range 10 to 5"),
        (("depth", "log", 1, math.inf), "range 1 to inf"),
        (("thermal", "log", 1, 100), "'thermal' is unknown"),
    ],
)
def test_impossible_encoding_is_bad_input(arguments: tuple, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Encoding(*arguments)


def test_default_encoding_follows_dataset_json(tiny_frames: Frames) -> None:
    assert default_encoding(tiny_frames) == Encoding("depth", "log", 1.0, 100.0)
    assert default_encoding(tiny_frames, "semantics") == Encoding("semantics", "classes", 0.0, 2.0)
    assert default_encoding(tiny_frames, "reflectance") == Encoding("reflectance", "identity", 0.0, 1.0)


def test_depth_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(0.001, 255.9, (40, 30)).astype(np.float32)
    valid = rng.random(values.shape) < 0.7
    values[~valid] = np.nan
    write_map(tmp_path / "d" / "x.png", Map("depth", values, valid))
    raw = np.asarray(Image.open(tmp_path / "d" / "x.png"))
    assert raw.dtype == np.uint16 and (raw[~valid] == 0).all()
    back = read_map(tmp_path / "d" / "x.png", "depth")
    np.testing.assert_array_equal(back.valid, valid)
    assert np.abs(back.values - values)[valid & (values > 1 / 256)].max() <= 0.5 / 256 + 1e-5


def test_depth_beyond_the_format_is_its_largest_value(tmp_path: Path) -> None:
    write_map(tmp_path / "x.png", Map("depth", np.array([[1000.0, 1e-6]], np.float32), np.ones((1, 2), bool)))
    back = read_map(tmp_path / "x.png", "depth")
    assert back.values[0].tolist() == [65535 / 256, 1 / 256] and back.valid.all()


@pytest.mark.parametrize(("name", "none"), [("reflectance", 0), ("semantics", 255)])
def test_eight_bit_round_trip(tmp_path: Path, name: str, none: int) -> None:
    raw = np.arange(256, dtype=np.uint8).reshape(16, 16)
    scale = 255 if name == "reflectance" else 1
    write_map(tmp_path / "x.png", Map(name, raw.astype(np.float32) / scale, raw != none))
    picture = Image.open(tmp_path / "x.png")
    assert picture.mode == {"reflectance": "L", "semantics": "P"}[name]
    np.testing.assert_array_equal(np.asarray(picture), raw)
    back = read_map(tmp_path / "x.png", name)
    np.testing.assert_array_equal(back.valid, raw != none)
    np.testing.assert_array_equal(np.rint(back.values * scale)[back.valid], raw[raw != none])


def test_sixteen_bit_reflectance_is_named(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "x.png")
    with pytest.raises(BadInput, match="is 16-bit; expected 8-bit grey PNG"):
        read_map(tmp_path / "x.png", "reflectance")


def unevenness(shades: np.ndarray) -> float:
    """Spread of the perceived differences (CIELAB) between shades eight apart, over their mean."""
    seen = lab(shades)
    steps = np.linalg.norm(seen[8:] - seen[:-8], axis=1)
    return steps.std() / steps.mean()


@pytest.mark.parametrize("peer", ["Inferno", "Plasma", "Turbo", "Jet"])
def test_ramp_is_more_even_than_well_known_ones(peer: str) -> None:
    shades = plotly.colors.sample_colorscale(peer, np.linspace(0, 1, 256))
    assert unevenness(colours.ramp()) < unevenness(np.array([plotly.colors.unlabel_rgb(shade) for shade in shades]))


def test_ramp_falls_in_lightness_so_that_hue_is_not_needed() -> None:
    lightness = lab(colours.ramp())[:, 0]
    assert (np.diff(lightness) < 0).all() and lightness[0] > 90 and lightness[-1] < 10


def test_near_is_warm_and_bright_far_cool_and_dark_none_grey() -> None:
    depth = np.array([[1.0, 10.0, 100.0, 5.0, np.nan]])
    picture = colour(depth, np.array([[True, True, True, False, True]]), "depth")
    assert picture.shape == (1, 5, 3) and picture.dtype == np.uint8
    near, middle, far, none, nan = picture[0].astype(int)
    assert near[0] > near[2] and far[2] > far[0] and near.sum() > middle.sum() > far.sum()
    assert none.tolist() == nan.tolist() == list(colours.INVALID)
    assert middle.tolist() == colours.ramp()[128].tolist()


def test_colour_range_is_the_given_one() -> None:
    depth = np.array([[0.3, 2.0, 50.0]])
    low, _, high = colour(Map("depth", depth, np.ones((1, 3), bool)), low=0.3, high=10.0)[0]
    assert low.tolist() == colours.ramp()[0].tolist() and high.tolist() == colours.ramp()[255].tolist()


def test_reflectance_is_grey_and_classes_keep_their_colour() -> None:
    grey = colour(Map("reflectance", np.array([[0.0, 0.5, 1.0]]), np.ones((1, 3), bool)))
    assert grey[0].tolist() == [[0] * 3, [128] * 3, [255] * 3]
    painted = colour(Map("semantics", np.array([[3.0, 4.0, 3.0]]), np.ones((1, 3), bool)))
    assert painted[0].tolist() == colours.palette()[[3, 4, 3]].tolist()


def test_palette_tells_the_first_classes_apart() -> None:
    seen = lab(colours.palette()[:16])
    gaps = np.linalg.norm(seen[:, None] - seen[None], axis=2) + 1000 * np.eye(16)
    # Twice as far apart as two neighbouring shades that people just tell apart on large patches side by side.
    assert gaps.min() > 8
    assert colours.palette()[255].tolist() == list(colours.INVALID)


def test_every_modality_names_an_encoding_that_works() -> None:
    for modality in MODALITIES.values():
        for kind in modality.encodings:
            assert Encoding(modality.name, kind, 0.5, 2.0).encode(np.array([0.5, 9.0])).tolist()[1] == 1.0
