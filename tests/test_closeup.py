"""Why a candidate was retrieved, the depth from near, and one view as files."""

import io
import json
import re
import threading

import numpy as np
import pytest
import torch
from app_site import METHODS, write_model
from looking import looked_through
from PIL import Image

from butf import browse, closeup, export, views
from butf.dataset.frames import Frames
from butf.dataset.manifest import Camera
from butf.dataset.modalities import Map, read_map
from butf.figures.cloud import points, usual_camera
from butf.figures.overlay import overlay
from butf.networks import zoo
from butf.networks.pooling import MAC, GeM
from butf.retrieval.agreement import agreements, look
from butf.retrieval.explore import split_search
from butf.retrieval.parts import part_ranks


def picture(seed: int, width: int = 96, height: int = 64) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


def model(tmp_path, method: str) -> zoo.Model:
    write_model(tmp_path / method, method)
    return zoo.load(str(tmp_path / method))


@pytest.mark.parametrize("method", [*METHODS, "image-only-wide", "bu-tf-reencode", "bu-tf-adapted"])
def test_agreement_splits_the_similarity_of_each_part_among_positions(tmp_path, method):
    asked, other = picture(0), picture(1)
    network = model(tmp_path, method)
    found = agreements(look(network, asked), look(network, other))
    one, two = network.description(asked), network.description(other)
    main = float((one.main * two.main).sum())
    assert found[0].part == "main" and found[0].similarity == pytest.approx(main, abs=1e-5)
    for entry in found:
        assert entry.query.sum() == pytest.approx(entry.similarity, abs=1e-4)
        assert entry.candidate.sum() == pytest.approx(entry.similarity, abs=1e-4)
        assert (entry.query >= 0).all()
    assert [entry.part for entry in found] == (["main"] if method == "image-only" else ["main", "side"])
    if method == "bu-tf":
        assert found[1].similarity == pytest.approx(float((one.side * two.side).sum()), abs=1e-5)


def test_visitors_who_look_at_once_do_not_get_each_others_maps(tmp_path):
    network = model(tmp_path, "bu-tf")
    wanted = [agreements(look(network, picture(seed)), look(network, picture(seed + 9)))[1].query for seed in range(4)]
    found = [None] * 4

    def visit(seed: int) -> None:
        for _ in range(5):
            found[seed] = agreements(look(network, picture(seed)), look(network, picture(seed + 9)))[1].query

    threads = [threading.Thread(target=visit, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("pooling", [GeM(2.5), MAC()])
def test_shares_agree_with_a_plain_loop(pooling):
    features = torch.rand(2, 3, 4, 5) - 0.2
    with torch.no_grad():
        shares = pooling.shares(features)
    for b in range(2):
        for c in range(3):
            plane = features[b, c].clamp(min=1e-6) if isinstance(pooling, GeM) else features[b, c]
            wanted = plane**2.5 if isinstance(pooling, GeM) else (plane == plane.max()).float()
            torch.testing.assert_close(shares[b, c], wanted / wanted.sum())


def test_ranks_by_parts_agree_with_a_plain_loop(tiny_dataset, tmp_path):
    frames, network = Frames.load(tiny_dataset), model(tmp_path, "bu-tf")
    search = split_search(frames, "test", network)
    query = int(frames.queries("test")["night"][1])
    found = part_ranks(search, network, query, None, frames.place)
    asked = network.description(frames.image(query))
    database = [network.description(frames.image(i)) for i in search.database]
    gaps = [
        [float(((getattr(entry, part) - getattr(asked, part)) ** 2).sum()) for entry in database]
        for part in ("main", "descriptor", "side")
    ]
    for row, own in zip(found.ranks, gaps, strict=True):
        assert [int(rank) for rank in row] == [1 + sum(other < gap for other in own) for gap in own]
    first = [min(row[found.correct].tolist()) for row in found.ranks]
    assert found.first_correct == first
    assert found.first_correct[1] == search.result(query, 4).first_correct
    words = closeup.moves_text("bu-tf", found)
    assert f"rank {first[0]} by the main" in words and f"and {first[1]} by both" in words
    plain = model(tmp_path, "image-only")
    alone = part_ranks(split_search(frames, "test", plain), plain, query, None, frames.place)
    assert alone.ranks.shape == (1, 4)
    assert "one descriptor only" in closeup.moves_text("image-only", alone)


def test_the_lines_of_the_ranking_hold_the_candidates_and_the_first_right_places(tiny_dataset, tmp_path):
    frames, network = Frames.load(tiny_dataset), model(tmp_path, "bu-tf")
    search = split_search(frames, "test", network)
    query = int(frames.queries("test")["night"][0])
    ranks = part_ranks(search, network, query, None, frames.place)
    result = search.result(query, 2)
    svg = closeup.moves_svg(frames, ranks, result, result.candidates[1].frame, "moves")
    said = re.findall(r"<title>(\S+?)(?:, \w+)?: rank (\d+) by both</title>", svg)
    assert {str(frames.frame[c.frame]) for c in result.candidates} <= {frame for frame, _ in said}
    chosen = re.search(r'class="point chosen".*?<title>(\S+?)(?:, \w+)?: rank', svg)[1]
    assert chosen == str(frames.frame[result.candidates[1].frame]) and (chosen, "2") in said


def test_the_overlay_is_brightest_where_the_weight_is():
    weights = np.zeros((4, 6), np.float32)
    weights[3, 1] = 2.0
    weights[0, 0] = -5.0
    grey = Image.new("RGB", (600, 400), (100, 100, 100))
    found = np.asarray(overlay(grey, weights, 300), np.float32).sum(axis=2)
    assert found.shape == (200, 300)
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert 150 <= row < 200 and 50 <= column < 100
    assert np.asarray(overlay(grey, np.zeros((4, 6)))).std() < 1


def test_points_project_back_to_the_pixels_they_came_from():
    camera = Camera("c", 96, 64, 48.0, 50.0, 47.0, 31.0)
    depth = np.random.default_rng(0).uniform(2, 40, (32, 48)).astype(np.float32)
    valid = np.ones(depth.shape, bool)
    valid[5] = False
    depth[7, 7], depth[8, 8] = 60.0, np.nan
    photo = picture(3, 48, 32)
    xyz, colours = points(depth, valid, photo, camera, 100.0)
    assert len(xyz) == 32 * 48 - 48 - 2
    columns = (xyz[:, 0] / xyz[:, 2] * camera.fx + camera.cx) / 2 - 0.5
    rows = (xyz[:, 1] / xyz[:, 2] * camera.fy + camera.cy) / 2 - 0.5
    r, c = np.rint(rows).astype(int), np.rint(columns).astype(int)
    np.testing.assert_allclose(rows, r, atol=1e-3)
    np.testing.assert_array_equal(depth[r, c], xyz[:, 2])
    np.testing.assert_array_equal(np.asarray(photo)[r, c], colours)
    assert len(points(depth, valid, photo, camera, 100.0, most=100)[0]) <= 100


def test_a_photo_without_a_camera_is_seen_sixty_degrees_wide():
    camera = usual_camera(640, 480)
    assert 2 * np.degrees(np.arctan(320 / camera.fx)) == pytest.approx(60)


def test_the_cloud_says_when_the_camera_was_assumed(tiny_dataset):
    frames = Frames.load(tiny_dataset)
    query = int(frames.queries("test")["overcast"][0])
    depth = frames.modality(query, "depth")
    cloud = closeup.cloud(frames, browse.asked_frame(frames, query), depth)
    assert "assumed" not in cloud.note
    looked_through(cloud.figure)
    mine = browse.Asked(None, picture(0), "mine.jpg", "1")
    assert "assumed" in closeup.cloud(frames, mine, depth).note


def test_raw_files_hold_the_map(tmp_path):
    values = np.random.default_rng(0).uniform(1, 90, (6, 8)).astype(np.float32)
    valid = values < 80
    side = Map("depth", values, valid)
    (tmp_path / "depth.png").write_bytes(closeup.raw_png(side))
    read = read_map(tmp_path / "depth.png", "depth")
    np.testing.assert_array_equal(read.valid, valid)
    np.testing.assert_allclose(read.values[valid], values[valid], atol=0.5 / 256)
    loaded = np.load(io.BytesIO(closeup.raw_npy(side)), allow_pickle=False)
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(loaded), ~valid)
    np.testing.assert_array_equal(loaded[valid], values[valid])
    assert "metres x 256" in closeup.raw_forms("depth") and "255 is not known" in closeup.raw_forms("semantics")


def test_a_view_as_json_and_as_a_picture(tiny_dataset, tmp_path):
    frames, network = Frames.load(tiny_dataset), model(tmp_path, "bu-tf")
    search = split_search(frames, "test", network)
    query = int(frames.queries("test")["night"][0])
    asked = browse.asked_frame(frames, query)
    results = browse.answers(asked, [network], [search], 3, frames.place)
    side = views.side_view(frames, asked, [network])
    record = json.loads(export.view_json(frames, "test", asked, results, side, frames.place))
    assert record["query"]["frame"] == asked.name and record["query"]["lat"] == pytest.approx(float(frames.lat[query]))
    (answer,) = record["models"]
    assert [entry["frame"] for entry in answer["candidates"]] == [
        str(frames.frame[c.frame]) for c in results[0].candidates
    ]
    assert answer["candidates"][0]["metres"] == pytest.approx(results[0].candidates[0].metres)
    assert record["side"]["errors"]["abs_rel"] == pytest.approx(side.errors.abs_rel)
    sheet = Image.open(io.BytesIO(export.view_png(frames, asked, results, side, 3)))
    assert sheet.size[0] == 12 + 3 * 252 and sheet.format == "PNG"
    colours = {colour for _, colour in sheet.getcolors(1 << 20)}
    wanted = {(26, 135, 84) if c.correct else (204, 75, 55) for c in results[0].candidates}
    assert wanted <= colours
    photo = browse.Asked(None, picture(0), "../my photo?.jpg", "1")
    unknown = browse.answers(photo, [network], [search], 2, frames.place)
    record = json.loads(export.view_json(frames, "test", photo, unknown, None, frames.place))
    assert record["query"] == {"photo": "../my photo?.jpg"} and record["side"] is None
    assert record["models"][0]["candidates"][0]["correct"] is None
    assert export.file_name(frames, photo, ".png") == "tiny-my-photo-jpg.png"
