"""Samples against the same pictures read one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from butf.dataset.frames import Frames
from butf.dataset.modalities import Encoding, default_encoding
from butf.dataset.samples import Samples, nearest
from butf.errors import BadInput


def test_pictures_and_depth_of_each_frame(tiny_frames: Frames) -> None:
    rows = np.array([30, 0, 7])
    samples = Samples(tiny_frames, rows, (96, 64), Encoding("depth", "linear", 1.0, 101.0))
    assert len(samples) == 3
    for k, row in enumerate(rows):
        item, side = samples[k], tiny_frames.modality(row, "depth")
        assert item["index"] == row and item["image"].dtype == torch.uint8
        np.testing.assert_array_equal(item["image"].permute(1, 2, 0).numpy(), np.asarray(tiny_frames.image(row)))
        assert item["side"].shape == item["valid"].shape == (1, 16, 24)
        for v, u in np.ndindex(16, 24):
            measured = side.valid[4 * v + 2, 4 * u + 2]
            assert bool(item["valid"][0, v, u]) == measured
            if measured:
                metres = 1 + 100 * item["side"][0, v, u].item()
                assert metres == pytest.approx(max(side.values[4 * v + 2, 4 * u + 2], 1), abs=1e-4)


def test_other_sizes_are_resized_as_pillow_does(tiny_frames: Frames) -> None:
    item = Samples(tiny_frames, [0], (64, 32), default_encoding(tiny_frames))[0]
    small = tiny_frames.image(0).resize((64, 32), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(item["image"].permute(1, 2, 0).numpy(), np.asarray(small))
    assert item["side"].shape == (1, 8, 16)


def test_missing_map_and_no_encoding_are_not_valid(tiny_frames: Frames) -> None:
    last = len(tiny_frames) - 1
    for encoding in (default_encoding(tiny_frames), None, Encoding("reflectance", "identity", 0, 1)):
        item = Samples(tiny_frames, [last], (96, 64), encoding)[0]
        assert not item["valid"].any() and (item["side"] == 0).all() and item["image"].any()


def test_pictures_are_decoded_once(tiny_frames: Frames, tiny_dataset: Path) -> None:
    samples = Samples(tiny_frames, tiny_frames.where(), (96, 64), default_encoding(tiny_frames))
    first = samples[5]["image"].clone()
    (tiny_dataset / "reference" / "rgb" / "000005.jpg").unlink()
    assert torch.equal(samples[5]["image"], first)
    (tiny_dataset / "reference" / "rgb" / "000006.jpg").write_bytes(b"cut")
    with pytest.raises(BadInput, match="000006"):
        samples[6]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_of_a_loader(tiny_frames: Frames, workers: int) -> None:
    rows = tiny_frames.where(split="test")
    samples = Samples(tiny_frames, rows, (96, 64), default_encoding(tiny_frames))
    batches = list(DataLoader(samples, batch_size=5, num_workers=workers))
    assert [len(batch["index"]) for batch in batches] == [5, 5, 2]
    assert torch.cat([batch["index"] for batch in batches]).tolist() == rows.tolist()
    for k, image in enumerate(torch.cat([batch["image"] for batch in batches])):
        assert torch.equal(image, samples[k]["image"])


@pytest.mark.parametrize(("old", "new"), [((64, 96), (16, 24)), ((5, 7), (3, 4)), ((4, 4), (8, 8)), ((3, 5), (3, 5))])
def test_nearest_matches_torch(old: tuple[int, int], new: tuple[int, int]) -> None:
    values = np.random.default_rng(0).uniform(size=old)
    peer = torch.nn.functional.interpolate(torch.from_numpy(values)[None, None], new, mode="nearest-exact")[0, 0]
    np.testing.assert_array_equal(nearest(values, new[::-1]), peer.numpy())


def test_what_is_gathered_is_what_items_hold(tiny_frames: Frames) -> None:
    def samples() -> Samples:
        return Samples(tiny_frames, tiny_frames.where(), (96, 64), default_encoding(tiny_frames))

    rows = np.array([5, 0, 5, 3])
    gathered, alone = samples().gathered(rows), samples()
    for name, parts in zip(("image", "side", "valid"), gathered, strict=True):
        assert all(torch.equal(part, alone[int(row)][name]) for part, row in zip(parts, rows, strict=True))
    gathered[0].zero_()
    assert alone[0]["image"].any(), "what is gathered may be changed"
