"""Descriptors in the plane: PCA against its peers, t-SNE's repeatability, neighbours by plain loops."""

import os

import numpy as np
import pytest

from butf import files, projection
from butf.dataset.frames import Frames
from butf.files import cache_dir
from butf.networks import zoo
from butf.retrieval.explore import split_search


@pytest.fixture
def table() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 9)) @ rng.normal(size=(9, 9)) + 3


def test_pca_is_that_of_scikit_learn_up_to_sign(table):
    from sklearn.decomposition import PCA

    peer = PCA(2).fit(table)
    found = projection.pca(table)
    expected = peer.transform(table)
    for axis in range(2):
        own = found.points[:, axis]
        assert min(np.abs(own - expected[:, axis]).max(), np.abs(own + expected[:, axis]).max()) < 1e-4
    assert found.explained == pytest.approx(peer.explained_variance_ratio_.sum())


def test_pca_takes_the_eigenvectors_of_the_covariance(table):
    values, vectors = np.linalg.eigh(np.cov(table.T))
    spread = projection.pca(table).points.var(axis=0, ddof=1)
    np.testing.assert_allclose(spread, values[::-1][:2], rtol=1e-4)
    largest = vectors[:, -1] * np.sign(vectors[np.abs(vectors[:, -1]).argmax(), -1])
    np.testing.assert_allclose(projection.pca(table).points[:, 0], (table - table.mean(0)) @ largest, atol=1e-4)


@pytest.mark.parametrize("shape", [(2, 5), (7, 1), (3, 3)])
def test_small_or_flat_tables_are_drawn_too(shape):
    for values in (np.random.default_rng(1).normal(size=shape), np.ones(shape)):
        for method in (projection.pca, projection.tsne):
            found = method(values)
            assert found.points.shape == (shape[0], 2) and np.isfinite(found.points).all()
            assert 0 <= found.neighbours_kept <= 1


def test_one_descriptor_is_too_few():
    for method in projection.METHODS.values():
        with pytest.raises(ValueError, match=r"\(1, 4\)"):
            method(np.ones((1, 4)))


def slow_nearest(table: np.ndarray, k: int) -> list[list[int]]:
    """Neighbours by sorting all distances of each row in python."""
    return [
        sorted((j for j in range(len(table)) if j != i), key=lambda j: sum((table[i] - table[j]) ** 2))[:k]
        for i in range(len(table))
    ]


def test_nearest_others_and_the_share_kept_match_plain_loops(table, monkeypatch):
    monkeypatch.setattr(projection, "_BLOCK", 7)  # several blocks, the last one short
    near = projection.nearest_others(table, 4)
    assert near.tolist() == slow_nearest(table, 4)
    points = table[:, :2]
    shares = [len(set(a) & set(b)) / 10 for a, b in zip(slow_nearest(table, 10), slow_nearest(points, 10), strict=True)]
    assert projection.neighbours_kept(table, points) == pytest.approx(np.mean(shares))
    assert projection.neighbours_kept(table, table) == 1.0


def test_tsne_keeps_groups_apart_and_is_repeatable():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(3), 25)
    table = 20 * np.eye(3, 8)[groups] + rng.normal(size=(75, 8))
    found = projection.tsne(table)
    nearest = projection.nearest_others(found.points, 3)
    assert (groups[nearest] == groups[:, None]).all()
    np.testing.assert_array_equal(projection.tsne(table).points, found.points)


def test_tsne_is_read_from_the_cache_and_a_damaged_file_is_computed_again(table, tmp_path, monkeypatch):
    monkeypatch.setenv("BUTF_CACHE", str(tmp_path))
    asked = []
    monkeypatch.setattr(projection, "tsne", lambda values: asked.append(1) or projection.pca(values))
    first = projection.kept_tsne(table)
    np.testing.assert_array_equal(projection.kept_tsne(table).points, first.points)
    assert len(asked) == 1
    (path,) = (cache_dir() / "projections").iterdir()
    path.write_bytes(path.read_bytes()[:-60])
    np.testing.assert_array_equal(projection.kept_tsne(table).points, first.points)
    assert len(asked) == 2
    projection.kept_tsne(table + 1)
    assert len(asked) == 3


def test_a_cache_that_cannot_be_written_costs_only_time(table, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("BUTF_CACHE", str(blocked))
    monkeypatch.setattr(projection, "tsne", projection.pca)
    assert projection.kept_tsne(table).points.shape == (60, 2)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("count", "most"), [(5, 10), (10, 10), (1500, 7), (11, 10), (100, 99)])
def test_shown_rows_are_all_or_evenly_spread(count, most):
    rows = projection.shown_rows(count, most)
    assert len(rows) == min(count, most) and rows[0] == 0 and rows[-1] == count - 1
    gaps = np.diff(rows)
    assert gaps.min() >= 1 and gaps.max() - gaps.min() <= 1


def test_place_colours_are_alike_for_neighbours_and_need_no_red_or_green():
    grid = np.stack([*np.meshgrid(np.linspace(0, 500, 9), np.linspace(0, 300, 9)), np.zeros((9, 9))], axis=-1)
    colours = projection.place_colours(grid.reshape(-1, 3)).reshape(9, 9, 3).astype(int)
    blueness = colours[..., 2] - colours[..., :2].mean(axis=-1)
    assert (np.diff(blueness, axis=1) < 0).all()  # blue in the west, yellow in the east
    assert (np.diff(colours.sum(axis=-1), axis=0) > 0).all()  # dark in the south, light in the north
    step = np.abs(np.diff(colours, axis=1)).max()
    assert step < np.abs(colours[:, 0] - colours[:, -1]).max() / 3
    alone = projection.place_colours(np.zeros((3, 3)))
    assert (alone == alone[0]).all()


def test_the_maps_of_all_shipped_models_are_shipped(tmp_path, monkeypatch):
    monkeypatch.setenv("BUTF_CACHE", str(tmp_path))
    monkeypatch.setattr(projection, "tsne", lambda values: pytest.fail("this map is not shipped"))
    frames = Frames.load(files.ASSETS / "town")
    names = ["off-the-shelf", *sorted(path.parent.name for path in zoo.MODELS.glob("*/model.safetensors"))]
    assert len(names) == len(list((files.ASSETS / "projections").iterdir()))
    for name in names:
        search = split_search(frames, "test", zoo.load(name))
        rows = search.pictures[projection.shown_rows(len(search.pictures), projection.MOST_SHOWN)]
        found = projection.kept_tsne(search.descriptors_of(rows))
        assert found.neighbours_kept > 0.3  # of 1,500 by chance: 0.007


def test_a_map_is_also_kept_where_it_is_to_be_shipped(table, tmp_path, monkeypatch):
    monkeypatch.setenv("BUTF_CACHE", str(tmp_path / "cache"))
    found = projection.kept_tsne(table, keep=tmp_path / "kept")
    (path,) = (tmp_path / "kept").iterdir()
    monkeypatch.setattr(files, "ASSETS", tmp_path)
    (tmp_path / "kept").rename(tmp_path / "projections")
    monkeypatch.setenv("BUTF_CACHE", str(tmp_path / "another"))
    monkeypatch.setattr(projection, "tsne", lambda values: pytest.fail(f"{path.name} is not looked at"))
    np.testing.assert_array_equal(projection.kept_tsne(table).points, found.points)
